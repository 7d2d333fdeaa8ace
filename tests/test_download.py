"""Downloads, against a server on this machine that answers as Kaggle does; the real Kaggle client talks to it."""

import base64
import gzip
import hashlib
import io
import os
import shutil
import stat
import subprocess
import sys
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from kagglesdk import kaggle_env

from fer_helpers import download
from fer_helpers.datasets.files import FileTree

SLUG = "msambare/fer2013"
PAGE = "https://www.kaggle.com/datasets/msambare/fer2013"
KEY = ("someone", "key-of-someone")
TOKEN = "token-of-someone"
CLIENT_CALL = "/v1/datasets.DatasetApiService/DownloadDataset"
TOKEN_CALL = "/v1/security.OAuthService/IntrospectToken"


def zip_of(seed: int = 0, megabytes: float = 0.5) -> bytes:
    """A zip that does not compress, with one member."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("train/happy/Training_1.jpg", np.random.default_rng(seed).bytes(int(megabytes * 1e6)))
    return content.getvalue()


@dataclass
class Transfer:
    """One request for the archive itself: the `Range` that was asked for, the status, and the bytes that were sent."""

    range: str | None
    status: int = 0
    sent: int = 0


@dataclass
class Kaggle:
    """What the stand-in serves and what it was asked.

    Attributes:
        archive: content of the zip.
        statuses: errors with which it answers the next calls for a download, first to last.
        cuts: bytes after which it cuts the next transfers.
        storage_statuses: the same for the transfers.
        tells_identity: whether it sends an ETag.
        knows_ranges: whether it can send a part of the archive.
        calls: paths that the client posted to.
        transfers: requests for the archive.
    """

    archive: bytes
    address: str = ""
    statuses: list[int] = field(default_factory=list)
    cuts: list[int] = field(default_factory=list)
    storage_statuses: list[int] = field(default_factory=list)
    tells_identity: bool = True
    knows_ranges: bool = True
    calls: list[str] = field(default_factory=list)
    transfers: list[Transfer] = field(default_factory=list)

    @property
    def identity(self) -> str:
        return f'"{hashlib.md5(self.archive).hexdigest()}"'


class Answers(BaseHTTPRequestHandler):
    """Kaggle's two calls that a download makes, and the storage to which the second redirects."""

    kaggle: Kaggle

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.kaggle.calls.append(self.path)
        status = 200 if self._knows_caller() else 401
        if self.path == CLIENT_CALL and self.kaggle.statuses:
            status = self.kaggle.statuses.pop(0)
        if status != 200:
            self._send_json(status, f'{{"code": {status}, "message": "refused"}}')
        elif self.path == TOKEN_CALL:
            self._send_json(200, '{"active": true, "username": "someone"}')
        else:
            self.send_response(302)
            self.send_header("Location", f"/storage/archive.zip?signature={len(self.kaggle.calls)}")
            self.end_headers()

    def do_GET(self):
        if self.headers["Accept-Encoding"] == "identity":
            self._send_archive()
        else:
            self._send_headers(200, len(self.kaggle.archive))  # the client follows the redirect, and reads no content

    def _knows_caller(self) -> bool:
        basic = base64.b64encode(":".join(KEY).encode()).decode()
        return self.headers["Authorization"] in (f"Basic {basic}", f"Bearer {TOKEN}")

    def _send_json(self, status: int, text: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(text.encode())

    def _send_headers(self, status: int, size: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(size))
        if self.kaggle.tells_identity:
            self.send_header("ETag", self.kaggle.identity)
        self.end_headers()

    def _send_archive(self) -> None:
        transfer = Transfer(self.headers["Range"])
        self.kaggle.transfers.append(transfer)
        continues = self.kaggle.knows_ranges and self.headers["If-Range"] == self.kaggle.identity
        begin = int(transfer.range.removeprefix("bytes=").removesuffix("-")) if transfer.range and continues else 0
        transfer.status = self.kaggle.storage_statuses.pop(0) if self.kaggle.storage_statuses else 206 if begin else 200
        rest = self.kaggle.archive[begin:] if transfer.status < 300 else b"<Error>come back later</Error>"
        self._send_headers(transfer.status, len(rest))
        transfer.sent = self.kaggle.cuts.pop(0) if self.kaggle.cuts else len(rest)
        self.wfile.write(rest[: transfer.sent])

    def log_message(self, *_):
        """Keep the output of the tests clean."""


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch) -> Path:
    """An empty home without credentials or proxies, and an empty folder for the data."""
    for name in [
        name
        for name in os.environ
        if name.upper().startswith("KAGGLE_") or name.upper().endswith("_PROXY") or name == "XDG_CONFIG_HOME"
    ]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FER_DATA_DIR", str(tmp_path / "data"))
    (tmp_path / "home" / ".kaggle").mkdir(parents=True)
    return tmp_path / "home"


@pytest.fixture
def data(home) -> Path:
    folder = home.parent / "data"
    folder.mkdir()
    return folder


@pytest.fixture
def kaggle(home, monkeypatch) -> Iterator[Kaggle]:
    """A Kaggle on this machine, where we are known."""
    stand_in = Kaggle(zip_of())
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("AnswersOfStandIn", (Answers,), {"kaggle": stand_in}))
    stand_in.address = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    monkeypatch.setitem(kaggle_env._env_to_endpoint, kaggle_env.KaggleEnv.PROD, stand_in.address)
    monkeypatch.setenv("KAGGLE_USERNAME", KEY[0])
    monkeypatch.setenv("KAGGLE_KEY", KEY[1])
    yield stand_in
    server.shutdown()
    server.server_close()


def part_of(data: Path, kaggle: Kaggle) -> Path:
    return data / f"fer2013.zip.{kaggle.identity.strip(chr(34))}.part"


def files_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


# The download


def test_the_archive_arrives_whole_under_its_name_and_is_entered_in_the_manifest(kaggle, data):
    archive = download.download("fer2013")
    assert archive == data / "fer2013.zip"
    assert archive.read_bytes() == kaggle.archive
    assert (data / "SHA256SUMS").read_text() == f"{hashlib.sha256(kaggle.archive).hexdigest()}  fer2013.zip\n"
    assert files_in(data) == {"fer2013.zip", "SHA256SUMS"}
    assert FileTree(archive).images_below("train/happy") == ["train/happy/Training_1.jpg"]


def test_an_archive_that_is_there_is_not_asked_for_again(kaggle):
    first = download.download("fer2013")
    kaggle.calls.clear()
    assert download.download("fer2013") == first
    assert kaggle.calls == []


def test_a_folder_that_is_not_there_yet_is_made(kaggle, data):
    data.rmdir()
    assert download.download("fer2013").exists()


def test_a_cut_download_is_resumed_from_where_it_stopped(kaggle, data):
    kaggle.cuts = [300_000]
    kaggle.statuses = [200, 503]  # the first call succeeds; the one after the cut fails, and with it the command
    with pytest.raises(download.DownloadError, match="503"):
        download.download("fer2013")
    arrived = part_of(data, kaggle).stat().st_size
    assert 300_000 - download.CHUNK <= arrived <= 300_000
    assert not (data / "fer2013.zip").exists()

    archive = download.download("fer2013")
    assert [transfer.range for transfer in kaggle.transfers] == [None, f"bytes={arrived}-"]
    assert kaggle.transfers[1] == Transfer(f"bytes={arrived}-", status=206, sent=len(kaggle.archive) - arrived)
    assert archive.read_bytes() == kaggle.archive
    assert files_in(data) == {"fer2013.zip", "SHA256SUMS"}


def test_one_command_outlives_several_cuts_and_asks_for_a_fresh_address_each_time(kaggle):
    kaggle.cuts = [200_000, 150_000]
    assert download.download("fer2013").read_bytes() == kaggle.archive
    assert [transfer.status for transfer in kaggle.transfers] == [200, 206, 206]
    assert kaggle.calls.count(CLIENT_CALL) == 3


def test_a_connection_that_brings_nothing_more_is_given_up(kaggle, data):
    kaggle.cuts = [200_000, 0]
    with pytest.raises(download.DownloadError, match="no connection"):
        download.download("fer2013")
    assert len(kaggle.transfers) == 2
    assert files_in(data) == {part_of(data, kaggle).name}


def test_a_part_of_an_older_version_is_not_continued(kaggle, data):
    kaggle.cuts, kaggle.statuses = [300_000], [200, 503]
    with pytest.raises(download.DownloadError):
        download.download("fer2013")
    kaggle.archive = zip_of(seed=1)
    assert download.download("fer2013").read_bytes() == kaggle.archive
    assert kaggle.transfers[-1].range is None
    assert files_in(data) == {"fer2013.zip", "SHA256SUMS"}


def test_a_part_is_begun_anew_when_the_server_tells_no_identity(kaggle):
    kaggle.tells_identity = False
    kaggle.cuts, kaggle.statuses = [300_000], [200, 503]
    with pytest.raises(download.DownloadError):
        download.download("fer2013")
    assert download.download("fer2013").read_bytes() == kaggle.archive
    assert kaggle.transfers[-1].range is None


def test_a_part_is_begun_anew_when_the_server_sends_the_whole(kaggle):
    kaggle.knows_ranges = False
    kaggle.cuts = [300_000]
    assert download.download("fer2013").read_bytes() == kaggle.archive
    assert [transfer.status for transfer in kaggle.transfers] == [200, 200]


def test_an_error_page_is_not_added_to_what_has_arrived(kaggle, data):
    kaggle.cuts, kaggle.storage_statuses = [300_000], [200, 503]
    with pytest.raises(download.DownloadError, match="503"):
        download.download("fer2013")
    arrived = part_of(data, kaggle).read_bytes()
    assert arrived and kaggle.archive.startswith(arrived)


def test_a_part_that_is_longer_than_the_archive_is_begun_anew(kaggle, data):
    part_of(data, kaggle).write_bytes(kaggle.archive + b"more")
    assert download.download("fer2013").read_bytes() == kaggle.archive


def test_a_part_that_is_whole_is_only_checked_and_named(kaggle, data):
    part_of(data, kaggle).write_bytes(kaggle.archive)
    assert download.download("fer2013").read_bytes() == kaggle.archive
    assert kaggle.transfers == []


@pytest.mark.parametrize(
    "content", [zip_of()[:-100], b"<html>sign in to this network</html>"], ids=["truncated", "a web page"]
)
def test_what_is_no_whole_zip_is_removed_and_never_named(kaggle, data, content):
    kaggle.archive = content
    with pytest.raises(download.DownloadError, match="no whole zip .* removed: run the same command again"):
        download.download("fer2013")
    assert files_in(data) == set()


def test_the_client_signs_in_with_a_token_too(kaggle, monkeypatch):
    monkeypatch.delenv("KAGGLE_USERNAME")
    monkeypatch.setenv("KAGGLE_API_TOKEN", TOKEN)
    assert download.download("fer2013").exists()
    assert TOKEN_CALL in kaggle.calls


def test_an_unknown_data_set_is_an_error_that_lists_the_known():
    with pytest.raises(ValueError, match="'imagenet'.*fer2013, .*jaffe"):
        download.download("imagenet")


# Refusals


@pytest.mark.parametrize(
    ("status", "advice"),
    [
        (401, r"does not accept these credentials .*make a new token at https://www.kaggle.com/settings/api"),
        (403, rf"accept its terms on {PAGE}"),
        (404, rf"no data set {SLUG} .*put another copy at .*fer2013\.zip"),
        (500, rf"\(500\): run the same command again later, or download {PAGE} .* put the zip at .*fer2013\.zip"),
    ],
)
def test_a_refusal_is_one_sentence_that_says_what_to_do(kaggle, data, status, advice):
    kaggle.statuses = [status]
    with pytest.raises(download.DownloadError, match=advice) as refusal:
        download.download("fer2013")
    assert "\n" not in str(refusal.value)
    assert files_in(data) == set()


@pytest.mark.parametrize(
    "variables",
    [{"KAGGLE_KEY": "mistyped"}, {"KAGGLE_API_TOKEN": "mistyped", "KAGGLE_USERNAME": ""}],
    ids=["key", "token"],
)
def test_wrong_credentials_are_told_from_missing_ones(kaggle, monkeypatch, capsys, variables):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(download.DownloadError, match="does not accept these credentials"):
        download.download("fer2013")
    assert capsys.readouterr().out == ""


def test_without_a_network_the_host_is_named_and_the_way_round_it(kaggle, monkeypatch, data):
    monkeypatch.setitem(
        kaggle_env._env_to_endpoint, kaggle_env.KaggleEnv.PROD, "http://127.0.0.1:9"
    )  # nothing listens there
    with pytest.raises(
        download.DownloadError,
        match=rf"no connection to 127.0.0.1 .*or download {PAGE} .* put the zip at {data}/fer2013.zip",
    ):
        download.download("fer2013")


def test_missing_space_is_reported_before_the_first_byte(kaggle, monkeypatch, data):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(download.DownloadError, match=rf"{data} has 0.00 GB free .*FER_DATA_DIR"):
        download.download("fer2013")
    assert kaggle.transfers == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_disk_that_fills_up_is_reported_at_once(kaggle, data):
    part_of(data, kaggle).symlink_to("/dev/full")
    with pytest.raises(
        download.DownloadError, match=r"could not .* write .*fer2013\.zip \(No space left on device\).*FER_DATA_DIR"
    ):
        download.download("fer2013")
    assert len(kaggle.transfers) == 1
    assert not (data / "fer2013.zip").exists()


# Credentials


def test_missing_credentials_are_reported_before_kaggle_is_imported(monkeypatch, home):
    monkeypatch.setitem(sys.modules, "kaggle", None)  # an import would raise ImportError
    with pytest.raises(
        download.DownloadError, match=rf"no Kaggle credentials: .*{home}/\.kaggle/access_token .*{PAGE}"
    ):
        download.download("fer2013")


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("home/.kaggle/access_token", TOKEN),
        ("home/.kaggle/kaggle.json", '{"username": "someone", "key": "secret"}'),
        ("home/.kaggle/credentials.json", "{}"),
        ("elsewhere/kaggle.json", '{"username": "someone", "key": "secret"}'),
    ],
)
def test_credentials_are_found_where_the_client_looks(home, monkeypatch, file, content):
    if file.startswith("elsewhere"):
        monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(home.parent / "elsewhere"))
    path = home.parent / file
    path.parent.mkdir(exist_ok=True)
    path.write_text(content)
    download.require_credentials(download.SOURCES["fer2013"], Path("fer2013.zip"))


def test_half_of_the_legacy_credentials_is_none(monkeypatch):
    monkeypatch.setenv("KAGGLE_USERNAME", "someone")
    with pytest.raises(download.DownloadError, match="no Kaggle credentials"):
        download.require_credentials(download.SOURCES["fer2013"], Path("fer2013.zip"))


@pytest.mark.parametrize("content", ["token pasted as it is", "[]"])
def test_an_unreadable_kaggle_json_is_named(home, content):
    (home / ".kaggle" / "kaggle.json").write_text(content)
    with pytest.raises(download.DownloadError, match=rf"{home}/.kaggle/kaggle.json does not hold a username and a key"):
        download.require_credentials(download.SOURCES["fer2013"], Path("fer2013.zip"))


# The manifest


def test_changed_archive_fails_the_manifest(kaggle, data):
    archive = download.download("fer2013")
    archive.write_bytes(zip_of(seed=1))
    with pytest.raises(
        download.DownloadError,
        match=rf"{archive} has the SHA-256 .*remove the file and download it again, or, .*remove its line",
    ):
        download.download("fer2013")


def test_another_archive_from_kaggle_is_not_taken_for_the_recorded_one(kaggle, data):
    download.download("fer2013").unlink()
    kaggle.archive = zip_of(seed=1)
    with pytest.raises(download.DownloadError, match="remove its line from the manifest"):
        download.download("fer2013")
    assert not (data / "fer2013.zip").exists()

    (data / "SHA256SUMS").unlink()
    kaggle.transfers.clear()
    assert download.download("fer2013").read_bytes() == kaggle.archive
    assert kaggle.transfers == []  # what had arrived is used


def test_an_archive_put_in_place_by_hand_is_tested_and_entered(data):
    (data / "fer2013.zip").write_bytes(zip_of())
    (data / "ckplus.zip").write_bytes(zip_of(seed=1))
    download.download("fer2013")
    download.download("ckplus")
    assert [line.split()[1] for line in (data / "SHA256SUMS").read_text().splitlines()] == ["ckplus.zip", "fer2013.zip"]


def test_a_truncated_archive_put_in_place_by_hand_is_refused(data):
    (data / "fer2013.zip").write_bytes(zip_of()[:-100])
    with pytest.raises(download.DownloadError, match=r"fer2013\.zip is no whole zip .*remove it and download it again"):
        download.download("fer2013")
    assert not (data / "SHA256SUMS").exists()


def test_a_damaged_member_is_found_by_its_checksum(data):
    content = bytearray(zip_of())
    content[1000] ^= 1
    (data / "fer2013.zip").write_bytes(content)
    with pytest.raises(download.DownloadError, match=r"train/happy/Training_1\.jpg is damaged"):
        download.verify(data / "fer2013.zip")


@pytest.mark.skipif(not shutil.which("sha256sum"), reason="no sha256sum here")
def test_sha256sum_reads_the_manifest(kaggle, data):
    download.download("fer2013")
    check = subprocess.run(
        ["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=data, capture_output=True, text=True, check=False
    )
    assert (check.returncode, check.stdout) == (0, "fer2013.zip: OK\n")


def test_a_broken_line_of_the_manifest_is_named(data):
    (data / "fer2013.zip").write_bytes(zip_of())
    (data / "SHA256SUMS").write_text(f"{'0' * 64}  other.zip\nfer2013.zip\n")
    with pytest.raises(download.DownloadError, match="line 2 of .*SHA256SUMS .*remove that line"):
        download.verify(data / "fer2013.zip")


# Extraction

OUTSIDE = [
    "/absolute",
    "../above",
    "train/../../above",
    "C:drive",
    "C:/drive",
    "..\\above",
    "train\\..\\..\\above",
    "//server/share",
]


def zip_with(path: Path, name: str, mode: int = stat.S_IFREG | 0o644, content: bytes = b"content") -> Path:
    member = zipfile.ZipInfo(name)
    member.external_attr = mode << 16
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("train/happy/1.jpg", b"harmless")
        archive.writestr(member, content)
    return path


def tar_with(path: Path, name: str, kind: bytes = tarfile.REGTYPE, points_to: str = "") -> Path:
    member = tarfile.TarInfo(name)
    member.type, member.linkname, member.mode = kind, points_to, 0o6777
    harmless = tarfile.TarInfo("train/happy/1.jpg")
    harmless.size = 8
    with tarfile.open(path, "w:gz") as archive:
        archive.addfile(harmless, io.BytesIO(b"harmless"))
        archive.addfile(member)
    return path


def assert_nothing_is_extracted(archive: Path, reason: str) -> None:
    before = set(archive.parent.rglob("*"))
    with pytest.raises(download.DownloadError, match=f"was not extracted, .*{reason}: do not trust this archive"):
        download.extract(archive, archive.parent / "folder")
    assert set(archive.parent.rglob("*")) == before


@pytest.mark.parametrize("name", OUTSIDE)
@pytest.mark.parametrize("make", [zip_with, tar_with], ids=["zip", "tar"])
def test_a_member_outside_its_folder_is_refused(data, make, name):
    assert_nothing_is_extracted(make(data / "archive", name), "leads out of its folder")


def test_a_name_that_hides_its_end_behind_a_nul_is_refused(data):
    archive = zip_with(data / "archive.zip", "train/1.jpg@.exe")
    archive.write_bytes(archive.read_bytes().replace(b"1.jpg@.exe", b"1.jpg\0.exe"))
    assert_nothing_is_extracted(archive, "leads out of its folder")


@pytest.mark.parametrize("points_to", ["/etc/passwd", "train"])
def test_a_symbolic_link_in_a_zip_is_refused(data, points_to):
    assert_nothing_is_extracted(
        zip_with(data / "archive.zip", "link", stat.S_IFLNK | 0o777, points_to.encode()), "is a link or a device"
    )


@pytest.mark.parametrize(
    "kind",
    [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE],
    ids=["symlink", "hardlink", "device", "pipe"],
)
def test_a_link_or_device_in_a_tar_is_refused(data, kind):
    assert_nothing_is_extracted(
        tar_with(data / "archive.tar.gz", "link", kind, "train/happy/1.jpg"), "is a link or a device"
    )


@pytest.mark.parametrize("make", [zip_with, tar_with], ids=["zip", "tar"])
def test_harmless_members_are_extracted(data, make):
    folder = download.extract(make(data / "archive", "train/sad/..2.jpg"), data / "folder")
    assert folder == data / "folder"
    assert (folder / "train/happy/1.jpg").read_bytes() == b"harmless"
    assert (folder / "train/sad/..2.jpg").exists()
    assert files_in(data) == {"archive", "folder"}


def test_a_tar_grants_nobody_another_users_rights(data):
    folder = download.extract(tar_with(data / "archive.tar.gz", "program"), data / "folder")
    assert (folder / "program").stat().st_mode & (stat.S_ISUID | stat.S_ISGID | stat.S_IWOTH) == 0


def test_a_folder_that_is_there_is_not_overwritten(data):
    (data / "folder").mkdir()
    with pytest.raises(download.DownloadError, match="folder is already there: remove it"):
        download.extract(zip_with(data / "archive.zip", "2.jpg"), data / "folder")


@pytest.mark.parametrize("make", [zip_with, tar_with], ids=["zip", "tar"])
def test_a_truncated_archive_leaves_no_folder(data, make):
    archive = make(data / "archive", "2.jpg")
    archive.write_bytes(archive.read_bytes()[:-20])
    with pytest.raises(download.DownloadError, match="archive is damaged .*: remove it and download it again"):
        download.extract(archive, data / "folder")
    assert files_in(data) == {"archive"}


def test_a_tar_that_stops_between_two_members_is_no_whole_archive(data):
    whole = gzip.decompress(tar_with(data / "archive.tar.gz", "2.jpg").read_bytes())
    (data / "archive.tar").write_bytes(
        whole[:1024]
    )  # the first member: its header and its content, a block of 512 bytes each
    with pytest.raises(download.DownloadError, match="no end mark"):
        download.extract(data / "archive.tar", data / "folder")


def test_an_archive_larger_than_the_disk_is_not_extracted(data, monkeypatch):
    archive = zip_with(data / "archive.zip", "2.jpg")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10))
    with pytest.raises(download.DownloadError, match="GB free"):
        download.extract(archive, data / "folder")
    assert files_in(data) == {"archive.zip"}


def test_an_archive_that_is_not_there_is_named(data):
    with pytest.raises(download.DownloadError, match=r"there is no archive .*jaffe\.zip"):
        download.extract(data / "jaffe.zip", data / "jaffe")


# The command line


def test_the_command_downloads_and_extracts(kaggle, data, capsys):
    download.main(["fer2013", "--extract"])
    assert (data / "fer2013" / "train/happy/Training_1.jpg").exists()
    printed = capsys.readouterr().out.splitlines()
    assert printed[1] == PAGE
    assert printed[2].startswith("licence: ")
    assert printed[-1] == str(data / "fer2013")


def test_the_command_fails_with_one_sentence_and_no_traceback(data):
    command = [sys.executable, "-m", "fer_helpers.download", "fer2013"]
    run = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(download.__file__).parents[1])
    assert run.returncode == 1
    assert run.stderr.startswith("no Kaggle credentials: ")
    assert run.stderr.count("\n") == 1


def test_the_help_lists_every_source_with_its_page(capsys):
    with pytest.raises(SystemExit):
        download.main(["--help"])
    printed = capsys.readouterr().out
    assert all(source.page in printed and source.key in printed for source in download.SOURCES.values())
