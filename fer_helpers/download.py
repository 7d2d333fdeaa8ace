"""Downloads of the real data sets from Kaggle: `python -m fer_helpers.download fer2013`.

An archive bears its name only once it is whole and tested; until then it is a `.part` file, which the next run continues. Its
SHA-256 stands in `SHA256SUMS` beside it, which `sha256sum --check` reads too. Loaders read the zip as it is; `--extract` also
unpacks it into a folder.
"""

import argparse
import gzip
import io
import json
import lzma
import os
import re
import shutil
import stat
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import requests
from tqdm import tqdm

from fer_helpers import paths

if TYPE_CHECKING:
    from kaggle.api.kaggle_api_extended import KaggleApi

TOKEN_PAGE = "https://www.kaggle.com/settings/api"
TOKEN_FILE = "~/.kaggle/access_token"
MANIFEST = "SHA256SUMS"
TIMEOUT = (10, 60)  # seconds to connect, and to wait for the next bytes
CHUNK = 2**16  # bytes; a connection that is cut loses at most one chunk
# What reading a damaged archive raises; RuntimeError is for an encrypted zip and for a compression that is not known.
DAMAGE = (zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile, lzma.LZMAError, zlib.error, EOFError, RuntimeError)


class DownloadError(Exception):
    """A data set could not be had; the message is one sentence that says what is wrong and what to do next."""


@dataclass(frozen=True)
class Source:
    """A copy of a data set on Kaggle.

    Attributes:
        key: name of the archive without `.zip`; where it is that of a loader, `datasets.load(key)` finds it.
        slug: owner and name on Kaggle.
        content: what is in it.
        licence: what may be done with it.
    """

    key: str
    slug: str
    content: str
    licence: str

    @property
    def page(self) -> str:
        """The web page that shows the terms, where they are accepted and the zip can be had with a browser."""
        return f"https://www.kaggle.com/datasets/{self.slug}"


FOUND_ON_THE_WEB = "photographs found on the web, whose licence is unclear: show no face"
RESEARCH_ONLY = "non-commercial research under the agreement of its authors: show no face"
CK_AGREEMENT = "research under the agreement of its authors: show only subjects S52, S55, S74, S106, S111, S113, S121, S124, S125, S130, S132, with '(c) Jeffrey Cohn'"

SOURCES = {
    source.key: source
    for source in (
        Source("fer2013", "msambare/fer2013", "FER-2013 as train/ and test/, original file names", FOUND_ON_THE_WEB),
        Source(
            "fer2013_ananthu017",
            "ananthu017/emotion-detection-fer",
            "FER-2013 as train/ and test/, another copy",
            FOUND_ON_THE_WEB,
        ),
        Source(
            "ckplus",
            "shawon10/ckplus",
            "CK+, the last three frames of each labelled sequence, cropped to 48 px",
            CK_AGREEMENT,
        ),
        Source("jaffe", "andrewmvd/japanese-female-facial-expression-dataset-ja", "JAFFE, 213 images", RESEARCH_ONLY),
        Source("rafdb", "shuvoalok/raf-db-dataset", "RAF-DB, basic expressions, aligned", RESEARCH_ONLY),
        Source(
            "affectnet", "mstjebashazida/affectnet", "AffectNet as Train/ and Test/, a folder a class", RESEARCH_ONLY
        ),
        Source(
            "affectnet_noamsegal",
            "noamsegal/affectnet-training-data",
            "AffectNet, 29,042 images of 96 px in 8 folders",
            RESEARCH_ONLY,
        ),
    )
}


def main(arguments: list[str] | None = None) -> None:
    """The command line; ends with one sentence on stderr and exit code 1 where a data set could not be had."""
    options = _parser().parse_args(arguments)
    try:
        for key in options.keys:
            print(f"{SOURCES[key].content}\n{SOURCES[key].page}\nlicence: {SOURCES[key].licence}")
            archive = download(key)
            print(extract(archive, archive.with_suffix("")) if options.extract else archive)
    except DownloadError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("interrupted: what has arrived is kept, and the same command continues from there")


def _parser() -> argparse.ArgumentParser:
    known = "\n".join(f"  {source.key:<20} {source.content}\n{'':<23}{source.page}" for source in SOURCES.values())
    parser = argparse.ArgumentParser(
        prog="python -m fer_helpers.download",
        description=f"Download data sets from Kaggle into {paths.data_dir()} (FER_DATA_DIR).",
        epilog=f"data sets, with the page on which to accept their terms:\n{known}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("keys", nargs="+", choices=SOURCES, metavar="DATASET", help="one or more of those listed below")
    parser.add_argument("--extract", action="store_true", help="also unpack each archive into a folder of its name")
    return parser


def download(key: str) -> Path:
    """The archive `<key>.zip` under `FER_DATA_DIR`, downloaded unless it is there, and checked against `SHA256SUMS`.

    Args:
        key: one of `SOURCES`.

    Returns:
        Path of the zip.

    Raises:
        ValueError: no source has that key.
        DownloadError: no credentials, no network, a refusal by Kaggle, a full disk, or an archive that is damaged or not the one recorded.
    """
    if key not in SOURCES:
        raise ValueError(f"no download is called {key!r}: there are {', '.join(SOURCES)}")
    source = SOURCES[key]
    archive = paths.data_dir() / f"{key}.zip"
    with _in_one_sentence(source, archive):
        if archive.exists():
            verify(archive)
        else:
            require_credentials(source, archive)
            archive.parent.mkdir(parents=True, exist_ok=True)
            _accept(_fetch(source, archive), archive)
    return archive


def require_credentials(source: Source, archive: Path) -> None:
    """Make sure that the Kaggle client will find credentials, without importing it: it authenticates on import.

    Raises:
        DownloadError: there are none; the message says where to get them, and where to put them or the zip.
    """
    from kagglesdk.kaggle_env import get_access_token_from_env

    token, _ = get_access_token_from_env()
    login = Path("~/.kaggle/credentials.json").expanduser()  # left by `kaggle auth login`
    if not (token or login.exists() or {"username", "key"} <= _legacy_credentials()):
        raise DownloadError(
            f"no Kaggle credentials: make a token at {TOKEN_PAGE} and save it in {Path(TOKEN_FILE).expanduser()} "
            f"or in KAGGLE_API_TOKEN, {_by_hand(source, archive)}"
        )


def _legacy_credentials() -> set[str]:
    """Which of `username` and `key` are set, in the environment or in `kaggle.json`, looked up as the client does."""
    in_environment = {name for name in ("username", "key") if os.environ.get(f"KAGGLE_{name.upper()}")}
    config_home = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    usual = [Path(folder).expanduser() for folder in ("~/.kaggle", f"{config_home}/kaggle")]
    chosen = os.environ.get("KAGGLE_CONFIG_DIR") or next((folder for folder in usual if folder.is_dir()), usual[0])
    file = Path(chosen) / "kaggle.json"
    if len(in_environment) == 2 or not file.exists():
        return in_environment
    try:
        return in_environment | {name for name, value in json.loads(file.read_text(encoding="utf-8")).items() if value}
    except (ValueError, AttributeError) as error:
        raise DownloadError(
            f"{file} does not hold a username and a key as JSON: replace it by a new token from {TOKEN_PAGE} in {TOKEN_FILE}"
        ) from error


def _sign_in() -> "KaggleApi":
    try:
        with redirect_stdout(io.StringIO()):  # the client prints a page of help when it is refused
            import kaggle

            kaggle.api.authenticate()
    except SystemExit as refusal:
        raise DownloadError(_refused_credentials()) from refusal
    return kaggle.api


@dataclass(frozen=True)
class _Offer:
    """An archive as Kaggle offers it.

    Attributes:
        address: where it lies; signed, and valid for a while only.
        size: in bytes; None if not told.
        identity: its ETag, another one for other content; empty if not told.
    """

    address: str
    size: int | None
    identity: str

    def part(self, archive: Path) -> Path:
        """The file that holds what has arrived. Its name holds the identity, so that content of two versions is never joined."""
        letters = re.sub("[^0-9A-Za-z]", "", self.identity)
        return archive.with_name(f"{archive.name}.{letters or 'unknown'}.part")

    def continues(self, part: Path) -> bool:
        """Whether `part` may be the beginning of this archive: without an identity nothing proves it."""
        return bool(self.identity) and (self.size is None or _size(part) <= self.size)


def _fetch(source: Source, archive: Path) -> Path:
    """Bring the `.part` file to its full size, and return it; a connection that is cut is opened again as long as that brings more.

    The client tells where the archive lies, but does not fetch it: its `download_file` retries a full disk for a minute, waits for ever
    on a connection that has gone silent, and on resuming can write the text of an error page into the archive.
    """
    api = _sign_in()
    while True:
        offer = _ask(api, source)
        part = offer.part(archive)
        if not offer.continues(part):
            part.unlink(missing_ok=True)
        begun = _size(part)
        if begun and begun == offer.size:
            return part
        _require_space(archive.parent, (offer.size or 0) - begun)
        try:
            _append(offer, part)
            return part
        except requests.RequestException:
            if _size(part) <= begun:
                raise


def _ask(api: "KaggleApi", source: Source) -> _Offer:
    from kagglesdk.datasets.types.dataset_api_service import ApiDownloadDatasetRequest

    request = ApiDownloadDatasetRequest()
    request.owner_slug, request.dataset_slug = source.slug.split("/")
    with api.build_kaggle_client() as client, client.datasets.dataset_api_client.download_dataset(request) as response:
        size = response.headers.get("Content-Length")
        return _Offer(response.url, int(size) if size else None, response.headers.get("ETag", ""))


def _append(offer: _Offer, part: Path) -> None:
    """Add to `part` what is missing; start it anew where the server does not continue it."""
    begun = _size(part)
    headers = {"Accept-Encoding": "identity"}  # bytes as stored: sizes and ranges count those
    if begun:
        headers |= {"Range": f"bytes={begun}-", "If-Range": offer.identity}
    with requests.get(offer.address, headers=headers, stream=True, timeout=TIMEOUT) as response:
        response.raise_for_status()
        continued = response.status_code == requests.codes.partial_content
        bar = tqdm(
            total=offer.size, initial=begun if continued else 0, unit="B", unit_scale=True, disable=None
        )  # None: only on a terminal
        with bar, open(part, "ab" if continued else "wb") as file:
            for chunk in response.iter_content(CHUNK):
                bar.update(file.write(chunk))


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _require_space(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise DownloadError(
            f"{folder} has {free / 1e9:.2f} GB free and needs {needed / 1e9:.2f} GB: make room there, or set FER_DATA_DIR to another folder"
        )


def _accept(part: Path, archive: Path) -> None:
    """Give a download its name, once it is found whole and the one recorded."""
    damage = _zip_damage(part)
    if damage:
        part.unlink()
        raise DownloadError(
            f"what came for {archive.name} is no whole zip ({damage}) and was removed: run the same command again"
        )
    _compare_with_manifest(part, archive)
    os.replace(part, archive)
    for outdated in archive.parent.glob(f"{archive.name}.*.part"):
        outdated.unlink()


def verify(archive: Path) -> None:
    """Check an archive against `SHA256SUMS` in its folder; one that is not in it yet is tested as a zip and entered.

    Raises:
        DownloadError: it is not the file that was recorded, or no whole zip.
        OSError: it can't be read, or the manifest can't be written.
    """
    damage = None if archive.name in _read_manifest(archive.parent / MANIFEST) else _zip_damage(archive)
    if damage:
        raise DownloadError(f"{archive} is no whole zip ({damage}): remove it and download it again")
    _compare_with_manifest(archive, archive)


def _compare_with_manifest(content: Path, archive: Path) -> None:
    """Enter the hash of `content` as that of `archive`, or compare the two if there is an entry."""
    manifest = archive.parent / MANIFEST
    entries = _read_manifest(manifest)
    found = paths.file_sha256(content)
    recorded = entries.get(archive.name)
    if recorded is None:
        _write_manifest(manifest, entries | {archive.name: found})
    elif recorded != found:
        raise DownloadError(
            f"{content} has the SHA-256 {found[:12]}..., but {manifest} records {recorded[:12]}... for {archive.name}: remove the file and "
            "download it again, or, if this is the copy to use from now on, remove its line from the manifest"
        )


def _write_manifest(manifest: Path, entries: dict[str, str]) -> None:
    with paths.written_whole(manifest) as partial:
        partial.write_text("".join(f"{digest}  {name}\n" for name, digest in sorted(entries.items())), encoding="utf-8")


def _read_manifest(manifest: Path) -> dict[str, str]:
    """SHA-256 by file name; empty if there is no manifest yet."""
    lines = manifest.read_text(encoding="utf-8").splitlines() if manifest.exists() else []
    entries = [re.fullmatch(r"([0-9a-f]{64}) [ *](.+)", line) for line in lines]
    if None in entries:
        number = entries.index(None)
        raise DownloadError(
            f"line {number + 1} of {manifest} is no hash and file name ({lines[number]!r}): remove that line"
        )
    return {entry[2]: entry[1] for entry in entries}


def _zip_damage(file: Path) -> str | None:
    """What is wrong with a zip, or None: every member is read and its checksum compared."""
    try:
        with zipfile.ZipFile(file) as opened:
            damaged = opened.testzip()
    except DAMAGE as error:
        return str(error)
    return damaged and f"{damaged} is damaged"


def extract(archive: Path, folder: Path) -> Path:
    """Unpack a zip or tar into a new folder, all or nothing.

    Args:
        archive: a `.zip`, `.tar`, `.tar.gz` or the like.
        folder: where to; must not exist.

    Returns:
        `folder`.

    Raises:
        DownloadError: the folder exists, a member would land outside it or is a link or device, the archive is damaged, or the disk is full.
    """
    if not archive.is_file():
        raise DownloadError(f"there is no archive {archive} to extract: download it first")
    if folder.exists():
        raise DownloadError(f"{folder} is already there: remove it to extract {archive.name} again")
    try:
        unpack = _unpack_tar if tarfile.is_tarfile(archive) else _unpack_zip
        with paths.written_whole(folder) as partial:
            partial.mkdir()
            unpack(archive, partial)
    except DAMAGE as error:
        raise DownloadError(f"{archive} is damaged ({error}): remove it and download it again") from error
    except OSError as error:
        raise _disk_error(error, folder) from error
    return folder


def _unpack_zip(archive: Path, target: Path) -> None:
    with zipfile.ZipFile(archive) as opened:
        for member in opened.infolist():
            # The original name: zipfile cuts names at a NUL and replaces backslashes on Windows.
            _require_harmless(archive, member.orig_filename, is_plain=not stat.S_ISLNK(member.external_attr >> 16))
        _require_space(target, sum(member.file_size for member in opened.infolist()))
        opened.extractall(target)


def _unpack_tar(archive: Path, target: Path) -> None:
    with tarfile.open(archive) as opened:
        for member in opened:
            _require_harmless(archive, member.name, is_plain=member.isfile() or member.isdir())
        _require_tar_end(opened)
        _require_space(target, sum(member.size for member in opened))
        opened.extractall(target, filter="data")


def _require_tar_end(listed: tarfile.TarFile) -> None:
    """Refuse a tar that stops between two members, which `tarfile` takes for its end; the rest is read for the checksum of a `.gz`."""
    if listed.fileobj.tell() < listed.offset + tarfile.BLOCKSIZE:
        raise tarfile.ReadError("it has no end mark")
    while listed.fileobj.read(CHUNK):
        continue


def _require_harmless(archive: Path, name: str, *, is_plain: bool) -> None:
    """Refuse a member that would be written outside its folder on any system, and one that is no plain file or folder."""
    leaves = PureWindowsPath(name).anchor or ".." in PurePosixPath(name).parts or "\\" in name or "\0" in name
    if leaves or not is_plain:
        reason = "leads out of its folder" if leaves else "is a link or a device"
        raise DownloadError(
            f"{archive} was not extracted, since its member {name!r} {reason}: do not trust this archive"
        )


@contextmanager
def _in_one_sentence(source: Source, archive: Path) -> Iterator[None]:
    """Turn what requests, the Kaggle client and the disk raise into a `DownloadError`."""
    try:
        yield
    except requests.HTTPError as error:
        raise DownloadError(_refusal(error.response.status_code, source, archive)) from error
    except requests.RequestException as error:
        host = urlsplit(error.request.url).hostname if error.request else "Kaggle"
        raise DownloadError(
            f"no connection to {host} ({type(error).__name__}): check the network and HTTPS_PROXY and run the same command again, "
            f"which continues what has arrived, {_by_hand(source, archive)}"
        ) from error
    except OSError as error:
        raise _disk_error(error, archive) from error


def _refusal(status: int, source: Source, archive: Path) -> str:
    if status == requests.codes.unauthorized:
        return _refused_credentials()
    if status == requests.codes.forbidden:
        what_to_do = f"sign in and accept its terms on {source.page} (or see there whether it was withdrawn), then run this again"
        return f"Kaggle forbids the download of {source.slug} (403): {what_to_do}"
    if status == requests.codes.not_found:
        return f"Kaggle has no data set {source.slug} (404): see whether {source.page} has moved, or put another copy at {archive}"
    return f"Kaggle answered with an error ({status}): run the same command again later, {_by_hand(source, archive)}"


def _refused_credentials() -> str:
    return (
        f"Kaggle does not accept these credentials (401): make a new token at {TOKEN_PAGE}, and put it where the old one is "
        f"(KAGGLE_API_TOKEN, {TOKEN_FILE}, or kaggle.json)"
    )


def _by_hand(source: Source, archive: Path) -> str:
    return f"or download {source.page} with a browser and put the zip at {archive}"


def _disk_error(error: OSError, target: Path) -> DownloadError:
    reason = os.strerror(error.errno) if error.errno else str(error)
    return DownloadError(
        f"could not read or write {target} ({reason}): make room there, or set FER_DATA_DIR to another folder"
    )


if __name__ == "__main__":
    main()
