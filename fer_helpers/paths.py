"""Where things are: the only module that knows a folder of the project."""

import contextlib
import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent


def resolve(text: str | os.PathLike) -> Path:
    """The absolute path meant: a relative one starts at the project's folder wherever one works, `~` is the home.

    `data/cache/...` is in the folder that `FER_CACHE_DIR` names, as everything that is kept there.
    """
    path = Path(text).expanduser()
    in_cache = path.parts[:2] == ("data", "cache")
    return cache_dir().joinpath(*path.parts[2:]) if in_cache else PROJECT / path


def data_dir() -> Path:
    """The folder of the real data sets: `FER_DATA_DIR`, or `data/raw`."""
    return resolve(os.environ.get("FER_DATA_DIR") or "data/raw")


def cache_dir() -> Path:
    """The folder of what can be made again (drawn faces, crops, epoch backups): `FER_CACHE_DIR`, or `data/cache`."""
    return PROJECT / Path(os.environ.get("FER_CACHE_DIR") or "data/cache").expanduser()


def reports_dir() -> Path:
    """The folder of the reports, one folder a profile, one folder a run in it."""
    return PROJECT / "reports"


def notebooks_dir() -> Path:
    """The folder of the numbered notebooks and of `profiles/`."""
    return PROJECT / "notebooks"


@contextlib.contextmanager
def written_whole(target: Path) -> Iterator[Path]:
    """Yield a temporary path beside `target`, which takes its place once the block has ended without an error.

    Raises OSError, whose message names `target`, where the disk is full or the folder can't be written.
    """
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove(partial)  # left by a killed process of the same number: in a container numbers come again
        yield partial
        os.replace(partial, target)
    except OSError as error:
        advice = "set FER_CACHE_DIR" if target.is_relative_to(cache_dir()) else "name another place"
        reason = f"could not write {target}: {error.strerror or error}; free some space or {advice}"
        raise OSError(error.errno, reason) from error
    finally:
        _remove(partial)


def _remove(path: Path) -> None:
    if path.exists():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
