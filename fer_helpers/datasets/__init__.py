"""One module a data set, each turning a folder or archive into the same table."""

from pathlib import Path
from types import ModuleType

from fer_helpers import paths
from fer_helpers.datasets import fer2013, ferplus
from fer_helpers.datasets.table import FaceDataset

LOADERS: dict[str, ModuleType] = {module.NAME: module for module in (fer2013, ferplus)}


def load(name: str, data: str = "real") -> FaceDataset:
    """Load a data set by its name.

    Args:
        name: one of `LOADERS`, as in `fer2013`.
        data: `real` for the photographs under `FER_DATA_DIR`, `generated` for faces drawn by this project in the same
            layout, or the path of a folder or archive.

    Raises:
        ValueError: no loader has that name.
        FileNotFoundError: the data set is not there; the message says what was expected where.
    """
    if name not in LOADERS:
        raise ValueError(f"no data set is called {name!r}: there are {', '.join(LOADERS)}")
    if data == "generated":
        from dataclasses import replace

        from fer_helpers.datasets import generated

        return replace(LOADERS[name].load(generated.ensure(name)), generated=True)
    return LOADERS[name].load(find(name) if data == "real" else Path(data).expanduser())


def find(name: str) -> Path:
    """The folder or zip of a data set under `FER_DATA_DIR`.

    Raises:
        FileNotFoundError: neither a folder nor a zip of that name is there.
    """
    folder = paths.data_dir()
    candidates = [folder / name, folder / f"{name}.zip", folder / f"{name}.csv"]
    found = next((path for path in candidates if path.exists()), None)
    if found is None:
        raise FileNotFoundError(
            f"no {name} in {folder}: put the folder {name}/ or the archive {name}.zip there, or set FER_DATA_DIR "
            f"to the folder that holds it ({LOADERS[name].EXPECTED}); to try without it, pass data=generated"
        )
    return found
