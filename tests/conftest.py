"""What several test modules share: hand-made images and folders, real data sets if present, no network."""

import io
import os
import shutil
import socket
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
from PIL import Image

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
CHROMIUM_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
DESK = {"width": 1280, "height": 900}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest begins first, so that both processes of `make test` end together."""
    items.sort(key=lambda item: ("test_smoke" not in item.nodeid, item.get_closest_marker("slow") is None))


@pytest.fixture(scope="session")
def real_data() -> Callable[[str], Path]:
    """Where a real data set lies, by its name; the test is skipped where it is absent."""

    def find(name: str) -> Path:
        folder = Path(os.environ.get("FER_DATA_DIR") or "nowhere").expanduser()
        present = [folder / found for found in (name, f"{name}.zip") if (folder / found).exists()]
        if not present:
            pytest.skip(f"needs the real {name}: set FER_DATA_DIR to a folder with {name}/ or {name}.zip")
        return present[0]

    return find


@pytest.fixture
def network_is_down(monkeypatch):
    """Any connection to another machine fails as it does without a network; this machine's own servers answer."""
    connect = socket.socket.connect

    def refuse(self: socket.socket, address):
        if self.family == socket.AF_UNIX or address[0] in ("127.0.0.1", "::1", "localhost"):
            return connect(self, address)
        raise OSError(101, "Network is unreachable")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    unresolved = socket.gaierror(-3, "Temporary failure in name resolution")
    monkeypatch.setattr(socket, "getaddrinfo", Mock(side_effect=unresolved))


@pytest.fixture(scope="session")
def run_python() -> Callable[..., subprocess.CompletedProcess]:
    """Runs Python in the project's folder: (*arguments, status in which it must end, **more of the environment)."""

    def run(*arguments: object, status: int = 0, **environment: str) -> subprocess.CompletedProcess:
        where = {"cwd": Path(__file__).parent.parent, "env": os.environ | environment}
        done = subprocess.run([sys.executable, *map(str, arguments)], **where, capture_output=True, text=True)
        assert done.returncode == status, done.stdout[-3_000:] + done.stderr[-3_000:]
        return done

    return run


@pytest.fixture(scope="session")
def encode() -> Callable[..., bytes]:
    """An array, or an image of Pillow, as the bytes of an image file, by Pillow: the package reads with OpenCV."""

    def encoded(image: np.ndarray | Image.Image, suffix: str = ".png", **options) -> bytes:
        image = image if isinstance(image, Image.Image) else Image.fromarray(image)
        image.save(content := io.BytesIO(), Image.registered_extensions()[suffix], **options)
        return content.getvalue()

    return encoded


@pytest.fixture(scope="session")
def write_files() -> Callable[[Path, dict[str, bytes | str]], Path]:
    """Write files, content by name, below a folder or, by the suffix, into a zip; returns the target."""

    def write(target: Path, files: dict[str, bytes | str]) -> Path:
        if target.suffix == ".zip":
            with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
                for name, content in files.items():
                    archive.writestr(name, content)
            return target
        for name, content in files.items():
            path = target / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        return target

    return write


@pytest.fixture(params=["", ".zip"], ids=["folder", "zip"])
def lay_out(request, tmp_path, write_files) -> Callable[[dict[str, bytes | str]], Path]:
    """The same hand-made data set once as a folder and once as a zip."""
    return lambda files: write_files(tmp_path / f"data{request.param}", files)


@pytest.fixture(scope="module")
def chromium():
    """A headless Chromium; the test is skipped where there is none."""
    if CHROMIUM is None:
        pytest.skip("needs Chromium: install it from the distribution's packages")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium):
    """Opens a file with the network off; fails the test if the page asks for anything else or logs an error."""
    contexts, requests, complaints = [], [], []

    def open_file(file: Path, *, viewport: dict = DESK, scheme: str = "light"):
        contexts.append(chromium.new_context(offline=True, viewport=viewport, color_scheme=scheme))
        page = contexts[-1].new_page()
        page.on("request", lambda request: requests.append((file.as_uri(), request.url)))
        page.on("console", lambda message: complaints.append((message.type, message.text)))
        page.on("pageerror", lambda error: complaints.append(("error", str(error))))
        page.goto(file.as_uri())
        return page

    yield open_file
    for context in contexts:
        context.close()
    assert [url for page, url in requests if url != page and not url.startswith("data:")] == []
    assert [text for kind, text in complaints if kind in ("error", "warning")] == []
