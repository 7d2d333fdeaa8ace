"""AffectNet: photographs from the web in eleven categories, with valence and arousal (Mollahosseini et al. 2017, TAC).

Layouts read, each as a folder or a zip, anywhere below it:

    training.csv, validation.csv, Manually_Annotated_Images/<number>/<hash>.jpg    the authors' first release, boxes
    {train_set,val_set}/{images/<id>.jpg,annotations/<id>_{exp,val,aro}.npy}       their later release of cropped faces
    <class>/*, labels.csv                                                          Kaggle: noamsegal's training data
    {Train,Test}/<class>/*                                                         Kaggle: mstjebashazida's copy

The official validation set, on which the field tests, is the split `test`: there is no other test set. An image that
the CSV files name twice counts where validation.csv names it. `automatically_annotated.csv` is never read: a network
wrote it, trained on the rest.
"""

import io
import math
import re
from pathlib import Path, PurePosixPath

import numpy as np
from tqdm import tqdm

from fer_helpers.datasets.collect import Collection
from fer_helpers.datasets.files import read_file, read_rows
from fer_helpers.datasets.table import EXPRESSIONS, OTHER_CATEGORIES, SPELLINGS, FaceDataset

NAME = "affectnet"
CLASSES = EXPRESSIONS
CATEGORIES = (*EXPRESSIONS, *OTHER_CATEGORIES)  # the authors' codes 0 to 10, in this very order
CODES = {str(code): category for code, category in enumerate(CATEGORIES)}
ASKED = {7: CATEGORIES[:7], 8: CATEGORIES[:8], 11: CATEGORIES}  # seven are those without contempt
PUBLISHED_COUNTS = {
    7: {"train": 283_901, "test": 3_500},
    8: {"train": 287_651, "test": 4_000},
    11: {"train": 414_799, "test": 5_500},
}
IMAGE_FOLDER, AUTOMATIC_FOLDER = "Manually_Annotated_Images", "Automatically_Annotated_Images"
CSV_SPLITS = {"validation.csv": "test", "training.csv": "train"}  # in this order: an image in both is a test image
CSV_COLUMNS = ("subDirectory_filePath", "face_x", "face_y", "face_width", "face_height")
CSV_COLUMNS += ("facial_landmarks", "expression", "valence", "arousal")
NPY_SPLITS = {"train_set": "train", "val_set": "test"}
NPY_FILE = re.compile(r"(^|/)((train_set|val_set)/(images|annotations)/[^/]+)$")
FOUND_AS = ("affectnet", "affectnet_noamsegal", "affectnet-training-data")
EXPECTED = "expected training.csv and validation.csv over Manually_Annotated_Images/, train_set/ and val_set/ with "
EXPECTED += (
    "images/ and annotations/, <class>/ with labels.csv, or Train/<class>/ and Test/<class>/; see data/README.md"
)
OFFICIAL_NOTE = "The official validation set of AffectNet, on which the field tests, is the split test here: images to "
OFFICIAL_NOTE += "validate with have to come from train."


def load(location: Path, categories: int = 8, labels: str = "csv") -> FaceDataset:
    """Read AffectNet.

    The authors' layouts add columns `valence` and `arousal` (from -1 to 1, missing where unknown), noamsegal's adds
    `folder_expression` and `csv_expression`. Boxes are (x, y, width, height) as in the CSV; whether they lie inside
    their image shows only when it is cropped.

    Args:
        location: folder or zip that holds one of the layouts.
        categories: 8 expressions, 7 (without contempt), or 11 with `none`, `uncertain`, `non-face`; others are skipped.
        labels: for noamsegal's copy, `csv` or `folder`: which label counts where they disagree. The CSV is what that
            copy publishes as labels; its description says that a network improved AffectNet's own, not which they are.

    Raises:
        ValueError: `categories` or `labels` has no such value.
    """
    if categories not in ASKED:
        raise ValueError(f"categories is one of {', '.join(map(str, ASKED))}, not {categories!r}")
    if labels not in ("csv", "folder"):
        raise ValueError(f"labels is one of csv, folder, not {labels!r}")
    found = Collection(NAME, "AffectNet", EXPECTED, location)
    _read(found, labels)
    other = [row for row in found.rows if row["expression"] not in ASKED[categories]]
    found.rows = [row for row in found.rows if row["expression"] in ASKED[categories]]
    for row in other:
        category = f"category {CATEGORIES.index(row['expression'])} ({row['expression']})"
        found.skipped.append((row["image"], f"{category}: not one of the {categories} expressions asked for"))
    unknown = sum(math.isnan(row.get("valence", 0) + row.get("arousal", 0)) for row in found.rows)
    if unknown:
        known = "no number from -1 to 1"
        found.notes.append(f"Valence or arousal of {unknown:,} images is unknown ({known}) and missing here.")
    published = {f"images in {split}": number for split, number in PUBLISHED_COUNTS[categories].items()}
    if not any(row["split"] for row in found.rows):  # a selection without splits
        published = {"images": sum(published.values())}
    whose = f"the numbers of {categories} categories of Mollahosseini et al. 2017"
    return found.dataset(published=published, whose=whose)


def _read(found: Collection, labels: str) -> None:
    """All rows of the copy, whatever their category."""
    tree = found.tree
    automatic = {name for name in tree.images if f"/{AUTOMATIC_FOLDER}/" in f"/{name}"}
    if automatic:
        found.passed_over |= automatic
        found.notes.append(f"{len(automatic):,} images below {AUTOMATIC_FOLDER} are not read: a network labelled them.")
    if any(map(tree.named, CSV_SPLITS)):
        _read_csv(found)
    elif any(map(NPY_FILE.search, tree.images)):
        _read_npy(found)
    elif folders := found.split_folders():
        for split, names in folders.items():
            for name in names:
                found.add(name, found.class_of(name), split)
        selection = "This copy is a selection made by others"
        found.notes.append(f"{selection}: whether its Test folder is the official validation set is not told.")
    elif csv_name := tree.named("labels.csv"):
        _read_labels(found, csv_name, labels)
    else:
        automatic_csv = tree.named("automatically_annotated.csv")
        raise found.absent(f": {automatic_csv} alone is not read, a network wrote it" if automatic_csv else "")


def _read_csv(found: Collection) -> None:
    """The authors' first release: CSV files with a box for each image."""
    tree, codes = found.tree, set()
    inside = ((f"/{name}".partition(f"/{IMAGE_FOLDER}/")[2], name) for name in tree.images)
    images = found.one_copy((pair for pair in inside if pair[0]), depth=1, alone=False)
    if not images:
        raise found.absent(f": its CSV files are there, and no image below a folder {IMAGE_FOLDER}: unpack them")
    found.notes.append(OFFICIAL_NOTE)
    for file_name, split in CSV_SPLITS.items():
        csv_name = tree.named(file_name)
        if csv_name is None:
            found.notes.append(f"This copy has no {file_name}, so the split {split} is empty.")
            continue
        rows = read_rows(tree.path(csv_name), CSV_COLUMNS, header=False)
        for number, (path, *box_texts, _, code, valence, arousal) in rows:
            image, box = _listed(path), _box(box_texts)
            codes.add(code)
            faults = (
                (code not in CODES, f"expression {code[:80]!r} is not in 0 to 10"),
                (box is None, f"the box ({', '.join(box_texts)[:80]}) is not x, y and a width and height above 0"),
            )
            if found.accepts(csv_name, number, image, images, *faults):
                affect = {"valence": _affect(valence), "arousal": _affect(arousal)}
                found.add(images[image], CODES[code], split, box=box, **affect)
        found.check_numbering(codes, 0, 10, csv_name)


def _listed(path: str) -> str:
    """A path as a label file gives it, perhaps with backslashes, as one with forward slashes."""
    return path.replace("\\", "/").removeprefix("./")


def _box(texts: list[str]) -> tuple[float, ...] | None:
    try:
        box = tuple(map(float, texts))
    except ValueError:
        return None
    return box if all(map(math.isfinite, box)) and min(box[2:]) > 0 else None


def _affect(value: str | float) -> float:
    """A valence or arousal from -1 to 1; not a number where it is unknown (-2 in the authors' files) or none."""
    try:
        number = float(value)
    except ValueError:
        return math.nan
    return number if -1 <= number <= 1 else math.nan


def _read_npy(found: Collection) -> None:
    """The authors' later release: one NumPy file for each annotation."""
    tree, matches = found.tree, filter(None, map(NPY_FILE.search, found.tree.names))
    names = set(found.one_copy(((match[2], match.string) for match in matches), depth=3).values())
    without = {name for name in names if name.endswith("_exp.npy")}
    images = [name for name in tree.images if name in names and "/images/" in name]
    for image in tqdm(images, desc="annotations of AffectNet", unit="image", mininterval=2):
        path = PurePosixPath(image)
        start = f"{path.parent.parent}/annotations/{path.stem}".removeprefix("./")
        without.discard(f"{start}_exp.npy")
        try:
            code = _number(tree.path(f"{start}_exp.npy"))
            affect = {
                column: _affect(_number(tree.path(f"{start}_{short}.npy")))
                if f"{start}_{short}.npy" in names
                else math.nan
                for column, short in (("valence", "val"), ("arousal", "aro"))
            }
            if code not in range(len(CODES)):
                raise ValueError(f"{tree.path(f'{start}_exp.npy')}: expression {code:g} is not in 0 to 10")
        except ValueError as error:
            found.skip(image, f"has no label: {error}")
            continue
        found.add(image, CATEGORIES[int(code)], NPY_SPLITS[path.parts[-3]], **affect)
    for name in sorted(without):
        found.skip(name, "has no image of that number")
    found.notes.append(OFFICIAL_NOTE)


def _number(path: str) -> float:
    """The one number, perhaps written as text, in a NumPy file; a pickle is never opened.

    Raises:
        ValueError: the file is missing or holds anything else; the message names it.
    """
    try:
        number = float(np.load(io.BytesIO(read_file(path)), allow_pickle=False).item())
    except FileNotFoundError as error:
        raise ValueError(f"{path} is missing: get the annotations again") from error
    except Exception as error:  # NumPy evaluates the header as Python, and raises whatever that raises
        raise ValueError(f"{path} does not hold one number ({str(error)[:80]}): get the annotations again") from error
    if not math.isfinite(number):
        raise ValueError(f"{path} does not hold one number ({number}): get the annotations again")
    return number


def _read_labels(found: Collection, csv_name: str, labels: str) -> None:
    """Noamsegal's copy: class folders and labels.csv."""
    keyed = (("/".join(name.split("/")[-2:]), name) for name in found.tree.images if "/" in name)
    images = found.one_copy(keyed, depth=2, alone=False)
    if not images:
        raise found.absent(": labels.csv is there, and no image in a class folder")
    folders = {key: found.class_of(name) for key, name in images.items()}
    other = []
    for number, (path, label) in read_rows(found.tree.path(csv_name), ("pth", "label")):
        key, listed = _listed(path), SPELLINGS.get(label.lower(), "")
        if found.accepts(csv_name, number, key, images, (not listed, f"unknown expression {label[:80]!r}")):
            expressions = {"folder_expression": folders[key], "csv_expression": listed}
            found.add(images[key], expressions[f"{labels}_expression"], **expressions)
            other += [f"{images[key]} (folder {folders[key]}, CSV {listed})"] * (listed != folders[key])
    if other:
        counts = "the folder" if labels == "folder" else f"the label in {csv_name}"
        share = f"{len(other):,} of {len(found.rows):,} images ({len(other) / len(found.rows):.1%})"
        share += f" have another label in {csv_name} than their folder; {counts} counts"
        found.notes.append(f"{share}. The first is {min(other)}.")
    found.notes.append("This copy is a selection made by others, without official splits.")
