"""A folder, a zip, a folder inside a zip or a single table seen alike, so that a loader reads them with the same lines.

The path of an image may run on through an archive or a table, as in `fer2013.zip/train/happy/1.jpg`, `fer2013.csv/17`.
What is damaged or hostile ends in `LayoutError`, never in an error of the library that met it, and never fills memory.
"""

import csv
import io
import lzma
import os
import posixpath
import struct
import threading
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property, lru_cache
from pathlib import Path
from typing import BinaryIO

from fer_helpers.datasets.table import LayoutError

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".jpe", ".png", ".tif", ".tiff", ".bmp", ".webp", ".pgm", ".ppm")
MOST_BYTES = 64 * 2**20  # of what is held in memory at once: one image, or one line of a table
KINDS = (  # what a file is that begins so, and the next step
    (
        "a tar.gz or other archive: unpack it and name the folder",
        b"\x1f\x8b",
        b"BZh",
        b"\xfd7zXZ",
        b"7z\xbc\xaf",
        b"Rar!",
    ),
    ("a parquet or HDF5 table, which is not read: get a copy with image files", b"PAR1", b"\x89HDF"),
    ("a single image: name the folder that holds the data set", b"\x89PNG", b"\xff\xd8\xff"),
    ("a web page, saved instead of the data: log in there and download it again", b"<"),
)
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
DAMAGE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, struct.error, csv.Error)  # of bytes that changed
DAMAGE += (ValueError, ArithmeticError, RuntimeError, MemoryError, OSError)
_reading_archive = threading.Lock()  # a zip archive is not to be read by two threads at once


class DamagedFileError(LayoutError):
    """A single file is damaged or larger than any of its kind; others beside it may be read."""


class FileTree:
    """Files by names with forward slashes.

    Args:
        location: a folder, a zip whatever its suffix, a path that runs on inside one (`ckplus.zip/CK+48`), or a `.csv`.

    Raises:
        FileNotFoundError: there is no such folder, file or member.
        LayoutError: the file is no zip (the message says what it is), or one that can't be read.
    """

    def __init__(self, location: Path):
        self.location = self.base = Path(location)
        self.single = ""  # the name of the file where there is only one
        self.copies: list[str] = []  # files left aside since another holds the same bytes
        self._list = lambda: _names_below(self.location)
        if self.location.is_dir():
            return
        try:
            container, inside = split_at_container(str(location))
        except FileNotFoundError:
            message = f"no such folder or archive: {location}; name one that exists, see data/README.md"
            raise FileNotFoundError(message) from None
        if not inside and container.suffix.lower() == ".csv" and not zipfile.is_zipfile(container):
            _check_kind(container, "a table")
            self.base, self.single = container.parent, container.name
            return
        members, start = _open_zip(container)[1], f"{inside}/" if inside else ""
        self._list = lambda: (name.removeprefix(start) for name in members if name.startswith(start))
        if inside in members:
            self.base, self.single = self.location.parent, self.location.name
        elif not any(name.startswith(start) for name in members) and inside:
            tops = ", ".join(sorted({name.partition("/")[0] for name in members})[:5]) or "nothing"
            raise FileNotFoundError(f"{container} holds no {inside}, but {tops}: name what it holds")

    @cached_property
    def names(self) -> list[str]:
        """Names of all files, sorted; found when first asked for, since a folder can be large."""
        return [self.single] if self.single else sorted(name for name in self._list() if not _is_clutter(name))

    @cached_property
    def images(self) -> list[str]:
        """Names of the image files, by their suffix."""
        return [name for name in self.names if name.lower().endswith(IMAGE_SUFFIXES)]

    def path(self, name: str) -> str:
        """The path of one file, running on through the archive if there is one."""
        return f"{self.base.as_posix()}/{name}"

    def named(self, *file_names: str) -> str | None:
        """The file whose last part is one of these names, in any case, or None; two that differ are a `LayoutError`."""
        wanted = {file_name.lower() for file_name in file_names}
        first, *others = [name for name in self.names if posixpath.basename(name).lower() in wanted] or [None]
        for other in others:
            self.take_one(first, other)
        return first

    def take_one(self, first: str, other: str) -> None:
        """Leave the second of two files aside; if its bytes are not the same, it is a `LayoutError`."""
        if not same_bytes(self.path(first), self.path(other)):
            raise self.two_copies(first, other)
        self.copies += [other] * (other not in self.copies)

    def two_copies(self, first: str, other: str) -> LayoutError:
        """The error that names two copies of the data set, or of a part of it, since nobody can tell which is meant."""
        return LayoutError(
            f"{self.location} holds more than one copy, and they differ ({first}, {other}): remove one, or name the "
            "folder above the other as data, be it in an archive"
        )


def same_bytes(first: str, other: str) -> bool:
    """Whether two files, on disk or in archives, hold the same bytes, read piece by piece."""
    with _damage_of(f"{first} or {other}"), _open(first) as one, _open(other) as two:
        pieces = iter(lambda: (one.read(2**20), two.read(2**20)), (b"", b""))
        return all(piece == other_piece for piece, other_piece in pieces)


def read_rows(path: str, columns: Sequence[str], header: bool = True) -> Iterator[tuple[int, list[str]]]:
    """Number, from 0, and values of each data row of a CSV, on disk or in an archive; a value that is missing is ''.

    Args:
        path: of the file.
        columns: those to give, in this order; the file may have them in any order, among others.
        header: False if the file may begin with data; then it has these columns in this order.

    Raises:
        LayoutError: it lacks one of the columns, or is damaged or no text.
    """
    with _damage_of(path):  # a generator: errors of those who read from it are not raised in here
        reader = csv.reader(read_lines(path))
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


def read_lines(path: str) -> Iterator[str]:
    """The lines of a UTF-8 text, on disk or in an archive, not loaded as a whole; `LayoutError` if it is none."""
    with _damage_of(path), _open(path) as source, io.TextIOWrapper(source, encoding="utf-8-sig", newline="") as file:
        while line := file.readline(MOST_BYTES):
            if len(line) == MOST_BYTES:
                raise LayoutError(
                    f"{path} has a line of {MOST_BYTES:,} characters or more: it is no text, get it again"
                )
            yield line


def read_file(path: str) -> bytes:
    """The content of a file, on disk or in an archive. Several threads may read at once.

    Raises:
        FileNotFoundError: it is not there.
        DamagedFileError: it is damaged, or larger than `MOST_BYTES`.
    """
    try:
        with open(path, "rb", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            content = file.read() if size <= MOST_BYTES else b""
    except (FileNotFoundError, NotADirectoryError):  # inside an archive, or gone
        archive, member = _member(path)
        size = member.file_size
        with _damage_of(path), _reading_archive:
            content = archive.read(member) if size <= MOST_BYTES else b""
    if size > MOST_BYTES:
        raise DamagedFileError(
            f"{path} has {size:,} bytes, and at most {MOST_BYTES:,} are read: remove it from the data set"
        )
    return content


def read_encoded(paths: list[str]) -> Iterator[bytes]:
    """The undecoded bytes of each image file, as `read_file` gives them; none where one is damaged or too large."""
    for path in paths:
        try:
            yield read_file(path)
        except DamagedFileError:
            yield b""


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


@contextmanager
def _damage_of(path: str) -> Iterator[None]:
    """Whatever a library raises for a damaged file as the one error that names the file."""
    try:
        yield
    except (LayoutError, FileNotFoundError, PermissionError):
        raise
    except DAMAGE as error:
        raise DamagedFileError(f"{path} is damaged or no text ({error}): remove it and download it again") from error


def _open(path: str) -> BinaryIO:
    if os.path.isfile(path):
        return open(path, "rb")
    archive, member = _member(path)
    return archive.open(member)


def _member(path: str) -> tuple[zipfile.ZipFile, zipfile.ZipInfo]:
    container, inside = split_at_container(path)
    archive, members = _open_zip(container)
    if inside not in members:
        raise FileNotFoundError(f"{path} is gone: load the data set again")
    return archive, members[inside]


def _open_zip(location: Path) -> tuple[zipfile.ZipFile, dict[str, zipfile.ZipInfo]]:
    """An archive and its files, by names with forward slashes and without a leading ./ ."""
    status = location.stat()
    return _open_zip_version(location, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=8)
def _open_zip_version(location: Path, modified: int, size: int) -> tuple[zipfile.ZipFile, dict[str, zipfile.ZipInfo]]:
    try:
        with _damage_of(str(location)):
            archive = zipfile.ZipFile(location)
    except DamagedFileError as error:
        _check_kind(location, "a zip")
        raise LayoutError(
            f"{location} is no readable zip ({error.__cause__}): remove it and download it again"
        ) from error
    members: dict[str, zipfile.ZipInfo] = {}
    for info in archive.infolist():
        written = info.filename.replace("\\", "/")  # as some programs for Windows have it
        name = posixpath.normpath(written).lstrip("/")
        if written.endswith("/") or _is_clutter(name):
            continue
        method, other = (
            zipfile.compressor_names.get(info.compress_type, info.compress_type),
            members.setdefault(name, info),
        )
        faults = {
            "is encrypted: extract it with its password": info.flag_bits & 1,
            f"is packed with method {method}, which Python can't read: unpack it": info.compress_type not in METHODS,
            f"holds two files called {name}, which differ: unpack it": (other.CRC, other.file_size)
            != (info.CRC, info.file_size),
        }
        for fault in filter(faults.get, faults):
            raise LayoutError(f"{location} {fault} and name the folder instead")
    return archive, members


def _check_kind(location: Path, wanted: str) -> None:
    """Raise a `LayoutError` that says what a file is, and what to do, if it begins as one of another kind does."""
    with open(location, "rb") as file:
        content = file.read(512)
    kind = next((kind for kind, *starts in KINDS if content.lstrip().startswith(tuple(starts))), "")
    if content[257:262] == b"ustar":
        kind = "a tar: unpack it and name the folder"
    elif not content.strip(b"\0"):
        kind = "empty: download it again"
    elif not kind and wanted == "a zip" and all(byte >= 32 or byte in b"\t\r\n" for byte in content):
        kind = "a text file: if it is a table, let its name end in .csv"
    if kind:
        raise LayoutError(f"{location} is not {wanted} but {kind}")


def _names_below(folder: Path) -> Iterator[str]:
    """Names of all files below a folder; plain strings, since a `Path` for each of 36,000 images takes a second."""
    for parent, _, names in os.walk(folder):
        start = Path(parent).relative_to(folder).as_posix()
        yield from (name if start == "." else f"{start}/{name}" for name in names if os.path.isfile(f"{parent}/{name}"))


def _is_clutter(name: str) -> bool:
    """What macOS and editors leave in archives and folders: no part of a data set."""
    return any(part.startswith((".", "__MACOSX")) for part in name.split("/"))
