"""AffectNet: photographs from the web with an expression, valence and arousal (Mollahosseini et al. 2017, TAC).

Read are, anywhere in a folder or a zip, the authors' first release (CSV files with boxes), their later one of cropped
faces (`train_set/annotations/<id>_{exp,val,aro}.npy`), and Kaggle's folders (mstjebashazida's copy). The official
validation set is the split `test`: there is no other. What a network annotated is never read, and images of the three
further categories are left out.
"""

import io
import math
import re
from pathlib import Path, PurePosixPath

import numpy as np
from tqdm import tqdm

from fer_helpers.datasets.collect import Collection
from fer_helpers.datasets.files import read_file, read_rows
from fer_helpers.datasets.table import EXPRESSIONS, FaceDataset

NAME = "affectnet"
CATEGORIES = (*EXPRESSIONS, "none", "uncertain", "non-face")  # the authors' codes 0 to 10, in this very order
CODES = {str(code): category for code, category in enumerate(CATEGORIES)}
PUBLISHED_COUNTS = {"train": 287_651, "test": 4_000}  # of the eight expressions
IMAGE_FOLDER = "Manually_Annotated_Images"
CSV_SPLITS = {"validation.csv": "test", "training.csv": "train"}  # in this order: an image in both is a test image
CSV_COLUMNS = ("subDirectory_filePath", "face_x", "face_y", "face_width", "face_height")
CSV_COLUMNS += ("facial_landmarks", "expression", "valence", "arousal")
NPY_SPLITS = {"train_set": "train", "val_set": "test"}
NPY_FILE = re.compile(r"(^|/)((train_set|val_set)/(images|annotations)/[^/]+)$")
FOUND_AS = ("affectnet",)
EXPECTED = "training.csv and validation.csv over Manually_Annotated_Images/, train_set/ and val_set/ with images/ and "
EXPECTED += "annotations/, or Train/<class>/ and Test/<class>/"
OFFICIAL_NOTE = "The official validation set of AffectNet, on which the field tests, is the split test here: images to "
OFFICIAL_NOTE += "validate with have to come from train."


def load(location: Path) -> FaceDataset:
    """Read AffectNet; the authors' layouts add `valence` and `arousal`, from -1 to 1, missing where unknown.

    Boxes are (x, y, width, height) as in the CSV, even where they do not lie inside their image.
    """
    found = Collection(NAME, "AffectNet", EXPECTED, location)
    if any(map(found.named, CSV_SPLITS)):
        _read_csv(found)
    elif any(map(NPY_FILE.search, found.tree.images)):
        _read_npy(found)
    elif folders := found.split_folders():
        found.add_folders(folders, {})
        selection = "This copy is a selection made by others"
        found.notes.append(f"{selection}: whether its Test folder is the official validation set is not told.")
        return found.dataset(published=PUBLISHED_COUNTS)
    else:
        raise found.absent()
    found.notes.append(OFFICIAL_NOTE)
    for row in (row for row in found.rows if row["expression"] not in EXPRESSIONS):
        category = f"category {CATEGORIES.index(row['expression'])} ({row['expression']})"
        found.skipped.append((row["image"], f"{category}: no expression"))
    found.rows = [row for row in found.rows if row["expression"] in EXPRESSIONS]
    return found.dataset(EXPRESSIONS, published=PUBLISHED_COUNTS)


def _read_csv(found: Collection) -> None:
    """The authors' first release: CSV files with a box for each image."""
    inside = ((f"/{name}".partition(f"/{IMAGE_FOLDER}/")[2], name) for name in found.tree.images)
    images = found.one_copy((pair for pair in inside if pair[0]), depth=1, alone=False)
    if not images:
        raise found.absent(f": its CSV files are there, and no image below a folder {IMAGE_FOLDER}: unpack them")
    for csv_name, split in ((found.named(name), split) for name, split in CSV_SPLITS.items()):
        rows = read_rows(found.tree.path(csv_name), CSV_COLUMNS, header=False) if csv_name else ()
        for number, (path, *box_texts, _, code, valence, arousal) in rows:
            image, box = path.replace("\\", "/").removeprefix("./"), tuple(map(_number, box_texts))
            is_box = all(map(math.isfinite, box)) and min(box[2:]) > 0
            faults = (
                (code not in CODES, f"label {code[:80]!r} is not in 0 to 10"),
                (not is_box, f"the box ({', '.join(box_texts)[:80]}) is not x, y and a width and height above 0"),
            )
            if found.accepts(csv_name, number, image, images, *faults):
                found.add(images[image], CODES[code], split, box=box, **_affect(_number(valence), _number(arousal)))


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _affect(*numbers: float) -> dict[str, float]:
    """Valence and arousal from -1 to 1; not a number where one is unknown (-2 in the authors' files) or missing."""
    kept = (number if -1 <= number <= 1 else math.nan for number in numbers)
    return dict(zip(("valence", "arousal"), kept, strict=True))


def _read_npy(found: Collection) -> None:
    """The authors' later release: one NumPy file for each annotation."""
    tree, matches = found.tree, filter(None, map(NPY_FILE.search, found.tree.names))
    names = set(found.one_copy(((match[2], match.string) for match in matches), depth=3).values())
    without = {name for name in names if name.endswith("_exp.npy")}
    images = [name for name in tree.images if name in names and "/images/" in name]
    for image in tqdm(images, desc="annotations of AffectNet", unit="image", mininterval=2):
        path = PurePosixPath(image)
        files = [f"{path.parent.parent}/annotations/{path.stem}_{what}.npy" for what in ("exp", "val", "aro")]
        without.discard(files[0])
        try:
            code, *affect = [read_number(tree.path(name)) if name in names else math.nan for name in files]
            if code not in range(len(CODES)):
                raise ValueError(f"{tree.path(files[0])} is missing, or its expression {code:g} is not in 0 to 10")
        except ValueError as error:
            found.skip(image, f"has no label: {error}")
        else:
            found.add(image, CATEGORIES[int(code)], NPY_SPLITS[path.parts[-3]], **_affect(*affect))
    for name in sorted(without):
        found.skip(name, "has no image of that number")


def read_number(path: str) -> float:
    """The one number, perhaps written as text, in a NumPy file; a `ValueError` that names any other, or a pickle."""
    try:
        number = float(np.load(io.BytesIO(read_file(path)), allow_pickle=False).item())
        fault = "" if math.isfinite(number) else str(number)
    except Exception as error:  # NumPy evaluates the header as Python, and raises whatever that raises
        number, fault = math.nan, str(error)[:80] or repr(error)
    if fault:
        raise ValueError(f"{path} does not hold one number ({fault}): get the annotations again")
    return number
