"""Data sets of drawn faces, in the on-disk layout of each real one, so that the real loaders read them: one module a data set.

    python -m fer_helpers.drawn fer2013 ferplus     # draws them into data/cache/generated, if they are not there

Data sets are drawn into a folder named after a hash of the code that draws them.
"""

import argparse
import hashlib
import inspect
from collections.abc import Callable
from pathlib import Path

from fer_helpers import paths
from fer_helpers.drawn import affectnet, ckplus, drawing, faces, fer2013, ferplus, jaffe, rafdb

# A second layout of a data set stands under a name of its own; the loaders of `fer_helpers.datasets` read the first.
WRITERS: dict[str, Callable[[Path], None]] = {
    "fer2013": fer2013.write,
    "fer2013_csv": fer2013.write_csv,
    "ferplus": ferplus.write,
    "ckplus": ckplus.write,
    "ckplus48": ckplus.write_ck48,
    "jaffe": jaffe.write,
    "rafdb": rafdb.write,
    "rafdb_kaggle": rafdb.write_kaggle,
    "affectnet": affectnet.write,
    "affectnet_npy": affectnet.write_npy,
    "affectnet_noamsegal": affectnet.write_noamsegal,
    "affectnet_folders": affectnet.write_folders,
}


def ensure(name: str) -> Path:
    """The folder of a drawn data set, drawn if it is not there; it is redrawn when the code that draws changes.

    Raises:
        ValueError: nothing of that name can be drawn.
    """
    if name not in WRITERS:
        raise ValueError(f"no data set called {name!r} can be drawn: there are {', '.join(WRITERS)}")
    writer = inspect.getfile(WRITERS[name])
    sources = [Path(module).read_bytes() for module in (drawing.__file__, faces.__file__, writer)]
    folder = paths.cache_dir() / "generated" / hashlib.sha256(b"".join(sources)).hexdigest()[:12] / name
    if not folder.exists():
        try:
            with paths.written_whole(folder) as partial:
                WRITERS[name](partial)
        except OSError:
            if not folder.exists():  # else another process was done with it first
                raise
    return folder


def main() -> None:
    """Draw data sets from the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m fer_helpers.drawn", description="Draw data sets of faces, in the layouts of real ones."
    )
    parser.add_argument("names", nargs="+", choices=sorted(WRITERS), metavar="NAME", help=", ".join(WRITERS))
    for name in parser.parse_args().names:
        print(f"{name}: {ensure(name)}")
