"""One module a data set, each turning a folder or archive into the same table.

A module here has `NAME` (its key), `EXPECTED` (the layouts, in a clause), `FOUND_AS` (what it is called under `FER_DATA_DIR`) and
`load(location, **options)`.
"""

from dataclasses import replace
from pathlib import Path
from types import ModuleType

from fer_helpers import paths
from fer_helpers.datasets import affectnet, ckplus, fer2013, ferplus, jaffe, rafdb
from fer_helpers.datasets.table import FaceDataset

LOADERS: dict[str, ModuleType] = {module.NAME: module for module in (fer2013, ferplus, ckplus, jaffe, rafdb, affectnet)}


def load(name: str, data: str = "real", **options) -> FaceDataset:
    """Load a data set by its name.

    Args:
        name: one of `LOADERS`, as in `fer2013`.
        data: `real` for the photographs under `FER_DATA_DIR`, `generated` for faces drawn by this project in the same
            layout, or the path of the data set, or of a folder that holds it as `FER_DATA_DIR` would.
        **options: of the data set's own `load`, as in `last_frames=1` for CK+.

    Raises:
        ValueError: no loader has that name.
        FileNotFoundError: the data set is not there; the message says what was expected where.
    """
    if name not in LOADERS:
        raise ValueError(f"no data set is called {name!r}: there are {', '.join(LOADERS)}")
    if data == "generated":
        from fer_helpers import drawn as generated

        return replace(LOADERS[name].load(generated.ensure(name), **options), generated=True)
    return LOADERS[name].load(find(name, data), **options)


def load_present(
    names: list[str], data: str = "real", options: dict[str, dict] | None = None
) -> tuple[dict[str, FaceDataset], dict[str, str]]:
    """Load those of several data sets that are there.

    Args:
        names: keys of `LOADERS`.
        data: as for `load`.
        options: for each name, options of its `load`.

    Returns:
        The data sets by name, in the order of `names`; and for each of the others the sentence that says what was looked for where.

    Raises:
        FileNotFoundError: none of them is there.
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
    """The folder or archive of a data set: under `FER_DATA_DIR`, or below or at a path.

    Raises:
        FileNotFoundError: it is not under `FER_DATA_DIR`, or the path is not there.
    """
    folder = paths.data_dir() if data == "real" else Path(data).expanduser()
    found = next((folder / entry for entry in LOADERS[name].FOUND_AS if (folder / entry).exists()), None)
    if found is None and data == "real":
        raise FileNotFoundError(
            f"no {name} in {folder}: put it there under one of the names {', '.join(LOADERS[name].FOUND_AS)}, or set FER_DATA_DIR "
            f"to the folder that holds it ({LOADERS[name].EXPECTED}); to try without it, pass data=generated"
        )
    return found or folder
