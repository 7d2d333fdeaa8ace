"""Downloads, against a server on this machine that answers as Kaggle does; the real Kaggle client talks to it."""

import base64
import hashlib
import io
import os
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from kagglesdk import kaggle_env

from fer_helpers import download

PAGE = "https://www.kaggle.com/datasets/msambare/fer2013"
AUTHORIZED = "Basic " + base64.b64encode(b"someone:key-of-someone").decode()
ADVICE = {
    401: "save a token from https://www.kaggle.com/settings/api",
    403: f"accept its terms on its page.*download {PAGE} with a browser",
    404: r"does not give msambare/fer2013 \(404\).*put the zip at .*fer2013\.zip",
    500: rf"\(500\): .* run the same command again, .* or download {PAGE} .* put the zip at .*fer2013\.zip",
}
WRONG = [{"KAGGLE_KEY": "mistyped"}, {"KAGGLE_KEY": "“pasted”"}, {"KAGGLE_USERNAME": ""}]
WRONG += [{"KAGGLE_API_TOKEN": "mistyped", "KAGGLE_USERNAME": ""}]


def zip_of(seed: int = 0) -> bytes:
    """A zip of 3 MB that does not compress, with one member."""
    with zipfile.ZipFile(content := io.BytesIO(), "w") as archive:
        archive.writestr("train/happy/Training_1.jpg", np.random.default_rng(seed).bytes(3_000_000))
    return content.getvalue()


class Answers(BaseHTTPRequestHandler):
    """Kaggle's two calls that a download makes, and the storage to which the second redirects."""

    def do_POST(self):
        kaggle = self.server.kaggle
        self.rfile.read(int(self.headers["Content-Length"]))
        kaggle.calls.append(self.path)
        introspects = self.path.endswith("IntrospectToken")
        status = 200 if self.headers["Authorization"] == AUTHORIZED else 401
        if status == 200 and kaggle.statuses and not introspects:
            status = kaggle.statuses.pop(0)
        if status != 200 or introspects:
            self._send(status, b'{"active": true, "username": "someone"}', {"Content-Type": "application/json"})
        else:
            self._send(302, b"", {"Location": "/storage/archive.zip"})

    def do_GET(self):
        kaggle, asked = self.server.kaggle, self.headers["Range"]
        kaggle.ranges.append(asked)
        etag = f'"{hashlib.md5(kaggle.archive).hexdigest()}"'
        begin = int(asked[6:-1]) if asked and self.headers["If-Range"] == etag else 0
        self._send(206 if begin else 200, kaggle.archive[begin:], {"ETag": etag, "Accept-Ranges": "bytes"})

    def _send(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(content))}).items():
            self.send_header(name, value)
        self.end_headers()
        cuts = self.server.kaggle.cuts if self.command == "GET" else []
        self.wfile.write(content[: cuts.pop(0) if cuts else None])

    def log_message(self, *_):
        """Keep the output of the tests clean."""


@pytest.fixture(autouse=True)
def data(tmp_path, monkeypatch) -> Path:
    """An empty folder for the data, and a home without credentials or proxies."""
    for name in os.environ:
        if name.upper().startswith("KAGGLE_") or name.upper().endswith("_PROXY") or name == "XDG_CONFIG_HOME":
            monkeypatch.delenv(name)
    for name, folder in (("HOME", "home"), ("FER_DATA_DIR", "data")):
        monkeypatch.setenv(name, str(tmp_path / folder))
        (tmp_path / folder).mkdir()
    return tmp_path / "data"


@pytest.fixture
def kaggle(monkeypatch):
    """A Kaggle on this machine, where we are known; its client does not wait before it tries again."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    # What it serves, its next errors, where it cuts its next transfers, and what it was asked.
    server.kaggle = SimpleNamespace(archive=zip_of(), statuses=[], cuts=[], calls=[], ranges=[])
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setitem(kaggle_env._env_to_endpoint, kaggle_env.KaggleEnv.PROD, address)
    monkeypatch.setenv("KAGGLE_USERNAME", "someone")
    monkeypatch.setenv("KAGGLE_KEY", "key-of-someone")
    monkeypatch.setattr("time.sleep", lambda _: None)
    yield server.kaggle
    server.shutdown()
    server.server_close()


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def refused(match: str) -> None:
    with pytest.raises(download.DownloadError, match=match) as refusal:
        download.download("fer2013")
    assert "\n" not in str(refusal.value)


def test_the_archive_arrives_whole_under_its_name_is_recorded_and_not_asked_for_again(kaggle, data, capsys):
    download.main(["fer2013"])
    printed, archive = capsys.readouterr().out.splitlines(), data / "fer2013.zip"
    assert printed[-1] == str(archive) and PAGE in printed and any(line.startswith("licence: ") for line in printed)
    assert archive.read_bytes() == kaggle.archive
    assert (data / "SHA256SUMS").read_text() == f"{hashlib.sha256(kaggle.archive).hexdigest()}  fer2013.zip\n"
    assert names_in(data) == {"fer2013.zip", "SHA256SUMS"}
    kaggle.calls.clear()
    assert download.download("fer2013") == archive and kaggle.calls == []


@pytest.mark.parametrize("changed", [False, True], ids=["same archive", "archive changed meanwhile"])
def test_a_download_that_was_cut_goes_on_with_the_next_command_unless_the_archive_has_changed(kaggle, data, changed):
    kaggle.cuts = [2_000_000] + [0] * 5
    refused("Kaggle does not give .*run the same command again, which continues what has arrived")
    assert names_in(data) == {".fer2013.part"}
    kaggle.ranges.clear()
    kaggle.archive = zip_of(seed=1) if changed else kaggle.archive
    assert download.download("fer2013").read_bytes() == kaggle.archive
    assert any(asked for asked in kaggle.ranges) is not changed
    assert names_in(data) == {"fer2013.zip", "SHA256SUMS"}


@pytest.mark.parametrize("content", [zip_of()[:-100], b"<html>sign in</html>"], ids=["cut", "a web page"])
def test_what_is_no_whole_zip_is_never_named_and_the_next_command_begins_anew(kaggle, data, content):
    whole, kaggle.archive = kaggle.archive, content
    refused("no whole zip .*download it again")
    assert "fer2013.zip" not in names_in(data)
    kaggle.archive = whole
    assert download.download("fer2013").read_bytes() == whole


@pytest.mark.parametrize("status", ADVICE)
def test_a_refusal_is_one_sentence_that_says_what_to_do(kaggle, data, status):
    kaggle.statuses = [status] * 20
    refused(ADVICE[status])
    assert names_in(data) == set()


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_wrong_or_half_credentials_are_one_sentence(kaggle, monkeypatch, capsys, wrong):
    for name, value in wrong.items():
        monkeypatch.setenv(name, value)
    refused(rf"\(401\): no or wrong credentials: save a token .*/\.kaggle/access_token, or download {PAGE}")
    assert "auth login" not in capsys.readouterr().out


def test_without_a_network_the_way_round_it_is_named(kaggle, monkeypatch, data):
    monkeypatch.setitem(kaggle_env._env_to_endpoint, kaggle_env.KaggleEnv.PROD, "http://127.0.0.1:9")  # nothing listens
    refused(rf"Kaggle does not give .*ConnectionError.*or download {PAGE} .* put the zip at {data}/fer2013.zip")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_is_named(kaggle, data):
    (data / ".fer2013.part").mkdir()
    (data / ".fer2013.part/fer2013.zip").symlink_to("/dev/full")
    refused(r"could not write .*fer2013\.zip \(.*No space left on device.*FER_DATA_DIR")
    assert "fer2013.zip" not in names_in(data)


def test_another_archive_than_the_recorded_one_is_refused_wherever_it_comes_from(kaggle, data):
    (archive := download.download("fer2013")).write_bytes(zip_of(seed=1))
    refused(rf"{archive} has the SHA-256 .*remove the file and download it again, or, .* its line in the manifest")
    archive.unlink()
    kaggle.archive = zip_of(seed=1)
    refused("its line in the manifest")
    assert not archive.exists()
    for damaged in (b"\xff", b"zz  fer2013.zip\n"):
        (data / "SHA256SUMS").write_bytes(damaged)
        refused("SHA256SUMS is damaged in line 1: remove it, or restore it")
    (data / "SHA256SUMS").unlink()
    assert download.download("fer2013").read_bytes() == kaggle.archive


def test_archives_put_in_place_by_hand_are_tested_and_entered(data):
    damaged = bytearray(zip_of())
    damaged[1000] ^= 1
    for content, fault in ((damaged, r"train/happy/Training_1\.jpg"), (zip_of()[:-100], "not a zip")):
        (data / "fer2013.zip").write_bytes(content)
        refused(rf"fer2013\.zip is no whole zip .*{fault}.*download it again")
        assert names_in(data) == {"fer2013.zip"}
    for name in ("fer2013", "ckplus"):
        (data / f"{name}.zip").write_bytes(zip_of())
        download.download(name)
    assert (data / "SHA256SUMS").read_text().split()[1::2] == ["fer2013.zip", "ckplus.zip"]


def test_the_command_fails_with_one_sentence_and_its_help_lists_every_source(run_python):
    failed = run_python("-m", "fer_helpers.download", "fer2013", status=1).stderr
    assert failed.startswith("Kaggle does not give msambare/fer2013 (401): no or wrong credentials")
    lost = run_python("-m", "fer_helpers.download", "fer2013", status=1, FER_DATA_DIR="~nobody_at_all").stderr
    assert lost.startswith("FER_DATA_DIR begins in no home folder (")
    assert failed.count("\n") == lost.count("\n") == 1
    shown = run_python("-m", "fer_helpers.download", "--help").stdout
    assert all(key in shown and page in shown for key, page in download.PAGES.items())
