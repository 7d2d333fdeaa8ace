"""Data sets of faces drawn by a program, laid out as the real ones, so that the real loaders read them."""

import hashlib
from pathlib import Path

from fer_helpers import paths
from fer_helpers.drawn import drawing, layouts


def ensure(name: str) -> Path:
    """The folder of a data set of `LAYOUTS`, drawn if it is not there; a hash of the code that draws is in its name."""
    code = b"".join(Path(module.__file__).read_bytes() for module in (drawing, layouts))
    folder = paths.cache_dir() / "generated" / f"{name}.{hashlib.sha256(code).hexdigest()[:12]}"
    if not folder.exists():
        try:
            with paths.written_whole(folder) as partial:
                for path, content in layouts.LAYOUTS[name]():
                    (partial / path).parent.mkdir(parents=True, exist_ok=True)
                    (partial / path).write_bytes(content)
        except OSError:
            if not folder.exists():  # else another process was done with it first
                raise
    return folder
