"""A folder, a zip, a folder inside a zip or a single table seen alike, so that a loader reads them with the same lines.

The path of an image may run on through an archive or a table, as in `fer2013.zip/train/happy/1.jpg`, `fer2013.csv/17`.
What is damaged or hostile ends in `LayoutError`, never in an error of the library that met it, and never fills memory.
"""

import contextlib
import csv
import io
import os
import posixpath
import re
import threading
import zipfile
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from fer_helpers.datasets.table import LayoutError

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".jpe", ".png", ".tif", ".tiff", ".bmp", ".webp", ".pgm", ".ppm")
MOST_BYTES, LONGEST_LINE = 64 * 2**20, 2**20  # of what is held in memory at once: one image, one line of a table
KINDS = {  # how a file begins that is something else: what it is, and the next step
    rb"\x1f\x8b|BZh|\xfd7zXZ|7z\xbc\xaf|Rar!|.{257}ustar": "a tar or another archive: unpack it and name the folder",
    rb"PAR1|\x89HDF": "a parquet or HDF5 table, which is not read: get a copy with image files",
    rb"\x89PNG|\xff\xd8\xff|II\*\0|MM\0\*|BM.{4}\0{4}|RIFF|GIF8|P[1-6]\s": "a single image: name the data set's folder",
    rb"(\xef\xbb\xbf)?\s*[<{]": "a web page or message, saved instead of the data: log in there and download it again",
    rb"version https://git-lfs": "a pointer of Git LFS, not the data: fetch it with git lfs pull",
    rb"\0*\Z": "empty: download it again",
}
A_TEXT = {rb"[\t\r\n -\xff]+\Z": "a text file: if it is a table, let its name end in .csv"}
CLUTTER = re.compile(r"(^|/)(\.|__MACOSX)")  # of macOS and editors: no part of a data set
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # of the others a small piece can fill memory
NOTHING_THERE = "no such file: {}; name one that exists, see data/README.md, or load the data set again if it was there"
_reading_archive = threading.Lock()  # a zip archive is not to be read by two threads at once


class FileTree:
    """Files by names with forward slashes: `names` are all of them, sorted, `images` those with a suffix of images.

    The location is a folder, a zip whatever its suffix, a path that runs on inside one (`ckplus.zip/CK+48`), or a
    `.csv`. `FileNotFoundError` if there is none; `LayoutError`, which says what it is, if it is a file of another kind.
    """

    def __init__(self, location: Path):
        self.location = self.base = Path(location)
        names = _names_below(self.location) if self.location.is_dir() else self._names_in_file()
        self.names = sorted(name for name in names if not CLUTTER.search(name))
        self.images = [name for name in self.names if name.lower().endswith(IMAGE_SUFFIXES)]

    def _names_in_file(self) -> list[str]:
        container, inside = split_at_container(str(self.location))
        is_table = not inside and container.suffix.lower() == ".csv" and not zipfile.is_zipfile(container)
        if is_table and (kind := _kind(container)):
            raise LayoutError(f"{container} is {kind}")
        members = {} if is_table else _open_zip(container)[1]
        if is_table or inside in members:
            self.base = self.location.parent
            return [self.location.name]
        start = f"{inside}/" if inside else ""
        names = [name.removeprefix(start) for name in members if name.startswith(start)]
        if inside and not names:
            raise FileNotFoundError(NOTHING_THERE.format(self.location))
        return names

    def path(self, name: str) -> str:
        """The path of one file, running on through the archive if there is one."""
        return f"{self.base.as_posix()}/{name}"


def same_bytes(first: str, other: str) -> bool:
    """Whether two files, on disk or in archives, hold the same bytes, read piece by piece."""
    with _opened(first) as (one, size), _opened(other) as (two, other_size):
        pieces = iter(lambda: (one.read(2**20), two.read(2**20)), (b"", b""))
        return size == other_size and all(piece == other_piece for piece, other_piece in pieces)


def read_rows(path: str, columns: Sequence[str], header: bool = True) -> Iterator[tuple[int, list[str]]]:
    """Number, from 0, and values of each data row of a CSV, on disk or in an archive; a value that is missing is ''.

    The file may have the `columns` in any order, among others; unless it has to begin with a `header`, it may have none
    and these columns. `LayoutError` if it lacks one of them, or is damaged or no text.
    """
    with _opened(path) as (source, _), io.TextIOWrapper(source, encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(iter(lambda: file.readline(LONGEST_LINE), ""))
        first = [value.strip() for value in next(reader, [])]
        places, start = [first.index(column) if column in first else -1 for column in columns], 0
        if not header and places[0] < 0 and len(first) == len(columns):
            places, start = range(len(columns)), 1
            yield 0, first
        elif min(places) < 0:
            found = ", ".join(first)[:200] or "none"
            raise LayoutError(f"{path} has the columns {found}: expected {', '.join(columns)}; get it again")
        for number, values in enumerate(filter(None, reader), start):
            yield number, [values[place].strip() if place < len(values) else "" for place in places]


def read_file(path: str) -> bytes:
    """The content of a file, on disk or in an archive, at most `MOST_BYTES`. Several threads may read at once."""
    with contextlib.nullcontext() if os.path.isfile(path) else _reading_archive, _opened(path) as (file, size):
        if size > MOST_BYTES:
            too_large = f"{path} has {size:,} bytes, and at most {MOST_BYTES:,} are read"
            raise LayoutError(f"{too_large}: remove it from the data set")
        return file.read(size)  # no more, whatever an archive says of it


def split_at_container(path: str) -> tuple[Path, str]:
    """The file that really is on disk, and the rest of the path inside it ('' for a plain file)."""
    whole = Path(path)
    for candidate in (whole, *whole.parents):
        if candidate.is_file():
            return candidate, "" if candidate == whole else whole.relative_to(candidate).as_posix()
    raise FileNotFoundError(NOTHING_THERE.format(path))


@contextlib.contextmanager
def _opened(path: str) -> Iterator[tuple[BinaryIO, int]]:
    """A file on disk or in an archive, and its size; what its bytes make the block raise is a `LayoutError`."""
    try:
        if os.path.isfile(path):
            with open(path, "rb") as file:
                yield file, os.fstat(file.fileno()).st_size
            return
        container, inside = split_at_container(path)
        archive, members = _open_zip(container)
        if inside not in members:
            raise FileNotFoundError(NOTHING_THERE.format(path))
        with archive.open(members[inside]) as file:
            yield file, members[inside].file_size
    except (LayoutError, FileNotFoundError, PermissionError):
        raise
    except Exception as error:  # each method of packing has errors of its own
        raise LayoutError(f"{path} is damaged or no text ({error}): remove it and download it again") from error


def _kind(location: Path, others: dict[bytes, str] | None = None) -> str:
    """What a file is that is of `KINDS`, or of others, by how it begins, and the next step; empty if it is of none."""
    with open(location, "rb") as file:
        content = file.read(512)
    kinds = KINDS | (others or {})
    return next((kind for begins, kind in kinds.items() if re.match(begins, content, re.DOTALL)), "")


def _open_zip(location: Path) -> tuple[zipfile.ZipFile, dict[str, zipfile.ZipInfo]]:
    """An archive and its files, by names with forward slashes and without a leading ./ ."""
    status = location.stat()
    return _open_zip_version(location, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=8)
def _open_zip_version(location: Path, modified: int, size: int) -> tuple[zipfile.ZipFile, dict[str, zipfile.ZipInfo]]:
    try:
        archive = zipfile.ZipFile(location)
    except Exception as error:
        kind = _kind(location, A_TEXT)
        fault = f"not a zip but {kind}" if kind else f"no readable zip ({error}): remove it and download it again"
        raise LayoutError(f"{location} is {fault}") from error
    members: dict[str, zipfile.ZipInfo] = {}
    for info in archive.infolist():
        written = info.filename.replace("\\", "/")  # as some programs for Windows have it
        name = posixpath.normpath(written).lstrip("/")
        if written.endswith("/") or CLUTTER.search(name):
            continue
        if info.flag_bits & 1 or info.compress_type not in METHODS:
            raise LayoutError(f"{location} is encrypted, or packed by a rare method: unpack it, name the folder")
        other = members.setdefault(name, info)
        if (other.CRC, other.file_size) != (info.CRC, info.file_size):
            raise LayoutError(f"{location} holds two files called {name}, which differ: unpack it and name the folder")
    return archive, members


def _names_below(folder: Path) -> Iterator[str]:
    """Names of all files below a folder; plain strings, since a `Path` for each of 36,000 images takes a second."""
    for parent, _, names in os.walk(folder):
        start = Path(parent).relative_to(folder).as_posix()
        yield from (name if start == "." else f"{start}/{name}" for name in names if os.path.isfile(f"{parent}/{name}"))
