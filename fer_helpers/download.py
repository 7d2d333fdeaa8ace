"""Downloads of the real data sets by Kaggle's own client: `python -m fer_helpers.download fer2013`.

An archive bears its name only once it is whole and tested; a download that was cut goes on with the same command. The
SHA-256 of each stands in `SHA256SUMS` beside it, which `sha256sum --check` reads too. Loaders read the zip as it is.
"""

import argparse
import io
import os
import re
import shutil
import sys
import zipfile
from contextlib import redirect_stdout
from pathlib import Path

import requests

from fer_helpers import paths

FROM_THE_WEB = "photographs found on the web, whose licence is unclear: show no face"
RESEARCH = "non-commercial research under the agreement of its authors: show no face"
CK_AGREEMENT = "research under the agreement of its authors: data/README.md says which faces may be shown, and how"
# Name on Kaggle, content and licence of each archive; one named as a loader is found by `datasets.load`.
SOURCES = {
    "fer2013": ("msambare/fer2013", "FER-2013 as train/ and test/, original file names", FROM_THE_WEB),
    "fer2013_ananthu017": ("ananthu017/emotion-detection-fer", "FER-2013, another copy", FROM_THE_WEB),
    "ckplus": ("shawon10/ckplus", "CK+, the last three frames of each labelled sequence, 48 px", CK_AGREEMENT),
    "jaffe": ("andrewmvd/japanese-female-facial-expression-dataset-ja", "JAFFE, 213 images", RESEARCH),
    "rafdb": ("shuvoalok/raf-db-dataset", "RAF-DB, basic expressions, aligned", RESEARCH),
    "affectnet": ("mstjebashazida/affectnet", "AffectNet as Train/ and Test/, a folder a class", RESEARCH),
}
PAGES = {key: f"https://www.kaggle.com/datasets/{slug}" for key, (slug, *_) in SOURCES.items()}
ADVICE = {  # by the status of Kaggle's answer
    401: "no or wrong credentials: save a token from https://www.kaggle.com/settings/api in ~/.kaggle/access_token",
    403: "sign in and accept its terms on its page",
    404: "see whether it has moved",
}
OTHERWISE = "check network and HTTPS_PROXY and run the same command again, which continues what has arrived"


class DownloadError(Exception):
    """A data set could not be had; the message is one sentence that says what is wrong and what to do next."""


def download(key: str) -> Path:
    """The archive `<key>.zip` under `FER_DATA_DIR`, downloaded unless it is there, and checked against `SHA256SUMS`.

    `DownloadError`: no credentials, no network, a refusal, a full disk, a damaged archive or not the one recorded.
    """
    slug, archive = SOURCES[key][0], paths.data_dir() / f"{key}.zip"
    by_hand = f"or download {PAGES[key]} with a browser and put the zip at {archive}"
    folder = archive.with_name(f".{key}.part")
    try:
        if archive.exists():
            verify(archive, archive)
            return archive
        with redirect_stdout(io.StringIO()):  # the client prints a page of help when it knows no credentials
            import kaggle  # here, since it signs in when it is imported

            kaggle.api.authenticate()
        kaggle.api.dataset_download_files(slug, folder, quiet=not sys.stderr.isatty())
        arrived = folder / f"{slug.partition('/')[2]}.zip"
        verify(arrived, archive)
        os.replace(arrived, archive)
    except (SystemExit, UnicodeError, AttributeError, requests.RequestException) as error:
        # SystemExit is how the client ends without credentials; the next two are what damaged ones make it raise.
        response = getattr(error, "response", None)
        answer = getattr(response, "status_code", type(error).__name__ if hasattr(error, "response") else 401)
        told = f"Kaggle does not give {slug} ({answer}): {ADVICE.get(answer, OTHERWISE)}, {by_hand}"
        raise DownloadError(told) from error
    except OSError as error:
        raise DownloadError(f"could not write {archive} ({error}): make room, or set FER_DATA_DIR elsewhere") from error
    except ValueError as error:  # the client's, for a file of another size than it was offered
        shutil.rmtree(folder, ignore_errors=True)
        raise DownloadError(f"{archive.name} did not arrive whole ({error}): run the same command again") from error
    shutil.rmtree(folder)
    return archive


def verify(content: Path, archive: Path) -> None:
    """Compare a file with the entry of `archive` in `SHA256SUMS`; test one that has none, and enter it.

    `DownloadError`: no whole zip (what was downloaded is removed), or another one than was recorded.
    """
    manifest = archive.with_name("SHA256SUMS")
    lines = manifest.read_text(encoding="utf-8", errors="replace").splitlines() if manifest.exists() else []
    entries = [re.fullmatch(r"([0-9a-fA-F]{64}) [ *](.+)", line) for line in lines]
    if None in entries:
        raise DownloadError(f"{manifest} is damaged in line {entries.index(None) + 1}: remove it, or restore it")
    found = paths.file_sha256(content)
    recorded = [entry[1].lower() for entry in entries if Path(entry[2]).name == archive.name]
    if {*recorded} == {found}:
        return
    if recorded:
        advice = "remove the file and download it again, or, to use this copy from now on, its line in the manifest"
        raise DownloadError(f"{content} has the SHA-256 {found}, not the one in {manifest}: {advice}")
    try:
        with zipfile.ZipFile(content) as opened:
            damaged = opened.testzip()
    except Exception as error:  # each method of packing has errors of its own
        damaged = str(error)
    if damaged:
        if content != archive:
            content.unlink()
        raise DownloadError(f"{content} is no whole zip ({damaged}): remove it if it is there, and download it again")
    with paths.written_whole(manifest) as partial:
        partial.write_text("".join(f"{line}\n" for line in [*lines, f"{found}  {archive.name}"]), encoding="utf-8")


def main(arguments: list[str] | None = None) -> None:
    """The command line; ends with one sentence on stderr and exit code 1 where a data set could not be had."""
    try:
        parser = argparse.ArgumentParser(
            prog="python -m fer_helpers.download",
            description=f"Download data sets from Kaggle into {paths.data_dir()} (FER_DATA_DIR).",
            epilog="\n".join(f"  {key:<20} {SOURCES[key][1]}\n{'':<23}{PAGES[key]}" for key in SOURCES),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        parser.add_argument("keys", nargs="+", choices=SOURCES, metavar="DATASET", help="one or more of those below")
        for key in parser.parse_args(arguments).keys:
            print(f"{SOURCES[key][1]}\n{PAGES[key]}\nlicence: {SOURCES[key][2]}")
            print(download(key))
    except RuntimeError as error:  # of `~nobody`
        sys.exit(f"FER_DATA_DIR begins in no home folder ({error}): write the path out")
    except (DownloadError, KeyboardInterrupt) as error:
        sys.exit(str(error) or "interrupted: what has arrived is kept, and the same command continues from there")


if __name__ == "__main__":
    main()
