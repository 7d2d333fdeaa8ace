"""A folder or a zip archive seen alike, so that a loader reads both with the same lines.

The path of an image may run on through an archive or a table, as in `fer2013.zip/train/happy/Training_1.jpg` or `fer2013.csv/17`.
"""

import csv
import io
import lzma
import os
import threading
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property, lru_cache
from pathlib import Path
from typing import BinaryIO, TextIO

from fer_helpers.datasets.table import LayoutError

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp")
_reading_archive = threading.Lock()  # a zip archive is not to be read by two threads at once
DAMAGED_MEMBER = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError)  # a wrong checksum, or bytes that do not unpack


class FileTree:
    """The files below a folder or inside a zip, by names with forward slashes.

    Args:
        location: a folder or a `.zip` file.

    Raises:
        FileNotFoundError: there is no such folder or file.
        LayoutError: the file is no readable zip, or an encrypted one.
    """

    def __init__(self, location: Path):
        self.location = Path(location)
        if self.location.is_dir():
            self._archive = None
        elif self.location.is_file():
            self._archive = _open_zip(self.location)
        else:
            raise FileNotFoundError(
                f"no such folder or archive: {self.location}; name one that exists, see data/README.md"
            )

    @cached_property
    def names(self) -> list[str]:
        """Names of all files, sorted; found when first asked for, since a folder can be large."""
        names = (
            _names_below(self.location)
            if self._archive is None
            else (name for name in self._archive.namelist() if not name.endswith("/"))
        )
        return sorted(name for name in names if not _is_clutter(name))

    def read_bytes(self, name: str) -> bytes:
        """The content of one file."""
        if self._archive is None:
            return (self.location / name).read_bytes()
        return self._archive.read(name)

    @contextmanager
    def open_text(self, name: str) -> Iterator[TextIO]:
        """One file opened for reading as UTF-8 text, not loaded as a whole.

        Raises:
            LayoutError: what is read inside the block is no text, no CSV, or damaged.
        """
        try:
            with self._open(name) as source, io.TextIOWrapper(source, encoding="utf-8-sig", newline="") as file:
                yield file
        except (UnicodeDecodeError, csv.Error, *DAMAGED_MEMBER) as error:
            raise LayoutError(
                f"{self.path(name)} is damaged or no text ({error}): remove it and download it again"
            ) from error

    def _open(self, name: str) -> BinaryIO:
        return open(self.location / name, "rb") if self._archive is None else self._archive.open(name)

    def path(self, name: str) -> str:
        """The path of one file, running on through the archive if there is one."""
        return f"{self.location.as_posix()}/{name}"

    def named(self, file_name: str) -> str | None:
        """The first file whose last part is `file_name`, or None."""
        return next((name for name in self.names if f"/{name}".endswith(f"/{file_name}")), None)

    def images_below(self, folder: str) -> list[str]:
        """Names of the image files anywhere below `folder` ('' for all)."""
        start = f"{folder}/" if folder else ""
        return [name for name in self.names if name.startswith(start) and name.lower().endswith(IMAGE_SUFFIXES)]


def _names_below(folder: Path) -> Iterator[str]:
    """Names of all files below a folder; plain strings, since a `Path` for each of 36,000 images takes a second."""
    for parent, _, names in os.walk(folder):
        start = Path(parent).relative_to(folder).as_posix()
        yield from (name if start == "." else f"{start}/{name}" for name in names if os.path.isfile(f"{parent}/{name}"))


def _is_clutter(name: str) -> bool:
    """What macOS and editors leave in archives and folders: no part of a data set."""
    return any(part.startswith((".", "__MACOSX")) for part in name.split("/"))


def _open_zip(location: Path) -> zipfile.ZipFile:
    status = location.stat()
    return _open_zip_version(location, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=8)
def _open_zip_version(location: Path, modified: int, size: int) -> zipfile.ZipFile:
    try:
        archive = zipfile.ZipFile(location)
    except zipfile.BadZipFile as error:
        raise LayoutError(f"{location} is no readable zip ({error}): remove it and download it again") from error
    if any(member.flag_bits & 1 for member in archive.infolist()):
        raise LayoutError(f"{location} is encrypted: extract it with its password and name the folder instead")
    return archive


def split_at_container(path: str) -> tuple[Path, str]:
    """The file that really is on disk, and the rest of the path inside it ('' for a plain file).

    Raises:
        FileNotFoundError: no part of the path is a file.
    """
    whole = Path(path)
    for candidate in (whole, *whole.parents):
        if candidate.is_file():
            return candidate, "" if candidate == whole else whole.relative_to(candidate).as_posix()
    raise FileNotFoundError(f"{path} is gone: it was there when the data set was read; load the data set again")


def read_encoded(paths: list[str]) -> Iterator[bytes]:
    """The undecoded bytes of each image file, in order, from folders and zip archives; none where an archive is damaged.

    Several threads may do so at once.

    Raises:
        FileNotFoundError: a file is no longer there.
    """
    for path in paths:
        try:
            with open(path, "rb", buffering=0) as file:
                content = file.read()
        except (FileNotFoundError, NotADirectoryError):  # inside an archive, or gone
            content = _read_member(*split_at_container(path))
        yield content


def _read_member(container: Path, name: str) -> bytes:
    try:
        with _reading_archive:
            return _open_zip(container).read(name)
    except DAMAGED_MEMBER:
        return b""
