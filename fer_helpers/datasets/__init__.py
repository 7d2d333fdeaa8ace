"""One module a data set, each turning a folder or archive into the same table.

A loader has `NAME` (its key), `EXPECTED` (the layouts, in a clause), `FOUND_AS` (its names under `FER_DATA_DIR`) and
`load(location, **options)`, which raises `FileNotFoundError` where there is none of the layouts, and `LayoutError`
where a copy can't be right. What is wrong with a single file is a row of `skipped`.
"""

import re
from dataclasses import replace
from pathlib import Path

from fer_helpers import paths
from fer_helpers.datasets import affectnet, ckplus, fer2013, ferplus, jaffe, rafdb
from fer_helpers.datasets.collect import SPLIT_FOLDERS
from fer_helpers.datasets.files import FileTree, same_bytes
from fer_helpers.datasets.table import FaceDataset, LayoutError

LOADERS = {module.NAME: module for module in (fer2013, ferplus, ckplus, jaffe, rafdb, affectnet)}


def load(name: str, data: str = "real", **options) -> FaceDataset:
    """Load a data set by its name, one of `LOADERS`; options are those of its own `load`.

    `data` is `real` for the photographs under `FER_DATA_DIR`, `generated` for faces that this project draws, or a path
    of the data set, maybe inside a zip, or of a folder that holds it as `FER_DATA_DIR` would. `ValueError`: no loader
    has that name; `FileNotFoundError`: it is not there; `LayoutError`: it can't be right, or two copies differ.
    """
    if data == "generated" and name in LOADERS:
        from fer_helpers import drawn

        return replace(LOADERS[name].load(drawn.ensure(name), **options), generated=True)
    location, *copies = _places(name, data)
    dataset = LOADERS[name].load(location, **options)
    notes = [f"{copy} holds the same files as {location}, byte for byte: one of the two was read." for copy in copies]
    return replace(dataset, notes=(*dataset.notes, *notes))


def load_present(names: list[str], data: str = "real", options: dict[str, dict] | None = None) -> tuple[dict, dict]:
    """Those of several data sets that are there, by name, and for each other name what was looked for where.

    `options` are those of each name; `FileNotFoundError` if none of them is there.
    """
    present, absent = {}, {}
    for name in names:
        try:
            present[name] = load(name, data, **(options or {}).get(name, {}))
        except FileNotFoundError as error:
            absent[name] = str(error)
    if not present:
        raise FileNotFoundError("\n".join(absent.values()) or "no data set was named")
    return present, absent


def find(name: str, data: str = "real") -> Path:
    """The folder or archive of a data set: under `FER_DATA_DIR`, or at or below a path; errors are those of `load`."""
    return _places(name, data)[0]


def _places(name: str, data: str) -> list[Path]:
    """All places under which the data set is found; they hold the same files."""
    if name not in LOADERS:
        raise ValueError(f"no data set is called {name!r}: there are {', '.join(LOADERS)}")
    folder, loader = paths.data_dir() if data == "real" else paths.resolve(data), LOADERS[name]
    known = [entry.lower() for entry in loader.FOUND_AS]
    entries = {entry: entry.name.lower().removesuffix(".zip") for entry in folder.iterdir()} if folder.is_dir() else {}
    if data != "real" and (folder.name.lower() in known or SPLIT_FOLDERS.keys() & entries.values()):
        entries = {}  # this is the data set itself
    places = sorted((known.index(key), place) for place, key in entries.items() if key in known)
    if not places and data == "real":
        names = f"put it there under one of the names {', '.join(loader.FOUND_AS)}, as a folder or a .zip"
        advice = "or set FER_DATA_DIR to the folder that holds it; to try without it, pass data=generated"
        alike = [entry.name for entry in entries if re.sub(r"\W|_", "", entry.name.lower()).startswith(name)]
        other = f"; {min(alike)}, which lies there, has another name or is packed otherwise" if alike else ""
        raise FileNotFoundError(f"no {name} in {folder}: {names} (expected {loader.EXPECTED}), {advice}{other}")
    first, *others = [place for _, place in places] or [folder]
    for other in others:
        one, two = FileTree(first), FileTree(other)
        if one.names != two.names or not all(same_bytes(one.path(file), two.path(file)) for file in one.names):
            both = f"{first} and {other} are two copies of {name}, which differ"
            raise LayoutError(f"{both}: name one of them as data, or move one away")
    return [first, *others]
