"""FER-2013: 35,887 grey photographs of 48x48 pixels, seven expressions (Goodfellow et al. 2013, ICONIP).

Read are Kaggle's folders, and the tables of the challenge. The official validation set is PublicTest, the official
test set PrivateTest: where nothing tells them apart in a folder `test`, `split` is `val or test` and a note says so.
"""

from pathlib import Path

import numpy as np

from fer_helpers.datasets.collect import Collection
from fer_helpers.datasets.files import read_rows
from fer_helpers.datasets.table import EXPRESSIONS, SPELLINGS, SPLITS, VAL_OR_TEST, FaceDataset

NAME = "fer2013"
CLASSES = EXPRESSIONS[:7]
FOLDERS = {spelling: name for spelling, name in SPELLINGS.items() if name in CLASSES}
CODES = dict(zip("0123456", ("anger", "disgust", "fear", "happy", "sad", "surprise", "neutral"), strict=True))
CSV_NAMES = ("fer2013.csv", "icml_face_data.csv")
USAGE_SPLITS = {"Training": "train", "PublicTest": "val", "PrivateTest": "test"}
PIXEL_VALUES = frozenset(map(str, range(256)))
SIDE = 48
NO_PIXELS = f"pixels that are not {SIDE * SIDE:,} numbers from 0 to 255"
PUBLISHED_COUNTS = {"train": 28_709, "val": 3_589, "test": 3_589}
FOUND_AS = ("fer2013", *CSV_NAMES)
EXPECTED = "train/<class>/ and test/<class>/, or fer2013.csv"


def load(location: Path) -> FaceDataset:
    """Read FER-2013 from a folder, a zip, or the bare CSV; a split without an image of a class is an error."""
    found = Collection(NAME, "FER-2013", EXPECTED, location)
    csv_name, folders = found.named(*CSV_NAMES, location.name), found.split_folders()
    if csv_name and folders:
        raise found.two_copies(csv_name, next(iter(folders.values()))[0])
    if csv_name:
        _read_csv(found, csv_name)
        return found.dataset(CLASSES, SPLITS)
    if "train" not in folders or len(folders) < 2:
        raise found.absent(f" but folders of {', '.join(folders)}" if folders else "")
    prefixes = {usage.lower(): split for usage, split in USAGE_SPLITS.items()}
    found.add_folders(folders, prefixes, FOLDERS)
    tested = [row for row in found.rows if row["split"] == "test" and "val" not in folders]
    hidden = [row for row in tested if row["image"].rpartition("/")[2].partition("_")[0].lower() not in prefixes]
    for row in hidden:
        row["split"] = VAL_OR_TEST
    if hidden:
        alike = f"File names of this copy do not tell PublicTest from PrivateTest ({len(hidden):,} images)"
        found.notes.append(f"{alike}: use them together, and validate with images of the training set.")
    return found.dataset(CLASSES)


def _read_csv(found: Collection, csv_name: str) -> None:
    path, file_name = found.tree.path(csv_name), csv_name.rpartition("/")[2]
    for number, (code, usage, pixel_text) in read_rows(path, ("emotion", "Usage", "pixels")):
        pixels, image = pixel_text.split(), f"{file_name}/{number:05d}"  # padded: by name, in the order of the file
        faults = (
            (code not in CODES, f"label {code[:80]!r} is not in 0 to 6"),
            (usage not in USAGE_SPLITS, f"Usage {usage[:80]!r} is none of {', '.join(USAGE_SPLITS)}"),
            (len(pixels) != SIDE * SIDE or not PIXEL_VALUES.issuperset(pixels), NO_PIXELS),
        )
        if found.accepts(csv_name, number, image, {image: ""}, *faults):
            found.add(image, CODES[code], USAGE_SPLITS[usage], path=f"{path}/{number:05d}")


def read_csv_pixels(path: str, rows: set[int]) -> dict[int, np.ndarray]:
    """The images of some data rows of a FER-2013 CSV, also in an archive: for each row its uint8 array (48, 48)."""
    return {
        number: np.array(pixels.split(), dtype="uint8").reshape(SIDE, SIDE)
        for number, (pixels,) in read_rows(path, ("pixels",))
        if number in rows
    }
