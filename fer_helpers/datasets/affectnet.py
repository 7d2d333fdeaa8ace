"""AffectNet: photographs from the web, eight expressions and three further categories, valence and arousal (Mollahosseini et al. 2017, TAC).

Layouts read, each as a folder or a zip, anywhere below it:

    training.csv, validation.csv, Manually_Annotated_Images/<number>/<hash>.jpg              the authors' first release, with face boxes
    {train_set,val_set}/{images/<id>.jpg,annotations/<id>_{exp,val,aro,lnd}.npy}             the authors' later release of cropped faces
    <class>/*, labels.csv                                                                    Kaggle's noamsegal/affectnet-training-data
    {Train,Test}/<class>/*                                                                   Kaggle's mstjebashazida/affectnet

The official validation set, on which the field tests, is the split `test`: there is no other test set. An image that the CSV files name
twice counts where validation.csv names it. `automatically_annotated.csv` is never read: a network wrote it, trained on the rest.
"""

import csv
import io
import math
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TextIO

import numpy as np
import pandas as pd
from tqdm import tqdm

from fer_helpers.datasets.files import DAMAGED_MEMBER, FileTree
from fer_helpers.datasets.table import (
    EXPRESSIONS,
    OTHER_CATEGORIES,
    FaceDataset,
    LayoutError,
    canonical_expression,
    make_table,
    skipped_images,
)

NAME = "affectnet"
CLASSES = EXPRESSIONS
CATEGORIES = (*EXPRESSIONS, *OTHER_CATEGORIES)  # the authors' codes 0 to 10, in this very order
ASKED = {7: CATEGORIES[:7], 8: CATEGORIES[:8], 11: CATEGORIES}  # seven are those without contempt
PUBLISHED_COUNTS = {
    7: {"train": 283_901, "test": 3_500},
    8: {"train": 287_651, "test": 4_000},
    11: {"train": 414_799, "test": 5_500},
}
IMAGE_FOLDER = "Manually_Annotated_Images"
CSV_SPLITS = {
    "validation.csv": "test",
    "training.csv": "train",
}  # validation first: an image in both stays in the test set
CSV_COLUMNS = (
    "subDirectory_filePath",
    "face_x",
    "face_y",
    "face_width",
    "face_height",
    "facial_landmarks",
    "expression",
    "valence",
    "arousal",
)
NPY_SPLITS = {"train_set": "train", "val_set": "test"}
FOLDER_SPLITS = {"train": "train", "test": "test"}
FOUND_AS = (
    "affectnet",
    "affectnet.zip",
    "AffectNet",
    "AffectNet.zip",
    "affectnet_noamsegal",
    "affectnet_noamsegal.zip",
    "affectnet-training-data.zip",
)
EXPECTED = (
    "expected training.csv and validation.csv over Manually_Annotated_Images/, train_set/ and val_set/ with images/ and annotations/, "
    "<class>/ with labels.csv, or Train/<class>/ and Test/<class>/; see data/README.md"
)

OFFICIAL_NOTE = "The official validation set of AffectNet, on which the field tests, is the split test here: images to validate with have to come from train."

Skips = list[tuple[str, str]]
Found = tuple[list[dict], Skips, list[str]]


def load(location: Path, categories: int = 8, labels: str = "csv") -> FaceDataset:
    """Read AffectNet from a folder or a zip.

    Args:
        location: folder or zip that holds one of the layouts.
        categories: 8 expressions, 7 (without contempt), or 11 with `none`, `uncertain` and `non-face`.
        labels: for noamsegal's copy, `csv` or `folder`: which label counts where they disagree. The CSV is what that copy publishes as its
            labels; its description says that a network improved AffectNet's own, and not which of the two it wrote.

    Returns:
        The data set; `skipped` lists images of other categories and all that is wrong. The authors' layouts add columns `valence` and
        `arousal` (from -1 to 1, missing where unknown), noamsegal's adds `folder_expression` and `csv_expression`. Boxes are (x, y, width,
        height) as in the CSV; whether they lie inside their image shows only when it is cropped.

    Raises:
        ValueError: `categories` or `labels` has no such value.
        FileNotFoundError: nothing is there, or none of the layouts.
        LayoutError: a CSV that lacks its columns, an unknown class folder, two copies in one place, no image at all.
    """
    if categories not in ASKED:
        raise ValueError(f"categories is one of {', '.join(map(str, ASKED))}, not {categories!r}")
    if labels not in ("csv", "folder"):
        raise ValueError(f"labels is one of csv, folder, not {labels!r}")
    tree = FileTree(Path(location))
    rows, skipped, notes = _read(tree, labels)
    kept = [row for row in rows if row["expression"] in ASKED[categories]]
    if not kept:
        raise LayoutError(
            f"no image under {tree.location} is of the {categories} categories asked for: the copy is incomplete ({EXPECTED})"
        )
    skipped += [
        (row["image"], _category_reason(row["expression"], categories))
        for row in rows
        if row["expression"] not in ASKED[categories]
    ]
    table = make_table(kept)
    notes += [*_affect_note(table), *_count_note(table, categories)]
    return FaceDataset(NAME, tree.location, table, skipped_images(skipped), tuple(notes))


def _read(tree: FileTree, labels: str) -> Found:
    """All rows of the copy, whatever their category, what is wrong, and notes."""
    if any(map(tree.named, CSV_SPLITS)):
        return _from_csv(tree)
    by_folders = _by_folders(tree)
    if by_folders["annotations"]:
        return _from_npy(tree, by_folders["annotations"])
    if by_folders["splits"]:
        return _from_split_folders(tree, by_folders["splits"])
    csv_name = tree.named("labels.csv")
    if csv_name:
        return _from_labels(tree, csv_name, labels)
    automatic = (
        ": automatically_annotated.csv alone is not read, a network wrote it"
        if tree.named("automatically_annotated.csv")
        else ""
    )
    raise FileNotFoundError(f"no AffectNet under {tree.location}{automatic}: {EXPECTED}")


def _by_folders(tree: FileTree) -> dict[str, list[str]]:
    """Images below `train_set/images`, as `annotations`, and those below `Train/<class>`, as `splits`."""
    found = {"annotations": [], "splits": []}
    for name in tree.images_below(""):
        parts = name.rsplit("/", 3)[-3:]
        if len(parts) < 3:
            continue
        if parts[0] in NPY_SPLITS and parts[1] == "images":
            found["annotations"].append(name)
        elif parts[0].lower() in FOLDER_SPLITS:
            found["splits"].append(name)
    return found


# CSV files


def _from_csv(tree: FileTree) -> Found:
    images, notes, rows, skipped = _manual_images(tree), [OFFICIAL_NOTE], [], []
    seen: dict[str, str] = {}
    for file_name, split in CSV_SPLITS.items():
        csv_name = tree.named(file_name)
        if csv_name is None:
            notes.append(f"This copy has no {file_name}, so the split {split} is empty.")
            continue
        with tree.open_text(csv_name) as file:
            for number, values in _csv_rows(file, tree.path(csv_name)):
                where = f"{file_name}, data row {number}"
                row, fault = _csv_row(values, images, seen)
                seen.setdefault(values[0].strip(), where)
                if fault:
                    skipped.append(
                        (
                            values[0].strip() or f"{file_name}/{number}",
                            f"{tree.path(csv_name)}, data row {number}: {fault}",
                        )
                    )
                else:
                    rows.append(row | {"path": tree.path(row["image"]), "split": split})
    return rows, skipped, notes


def _manual_images(tree: FileTree) -> dict[str, str]:
    """Where each image lies, by its path below the folder of annotated images, as the CSV files name it."""
    images: dict[str, str] = {}
    for name in tree.images_below(""):
        _, folder, inside = f"/{name}".partition(f"/{IMAGE_FOLDER}/")
        if not folder:
            continue
        if inside in images:
            raise LayoutError(
                f"{tree.location} holds more than one copy of AffectNet ({images[inside]}, {name}): name the folder above one of them"
            )
        images[inside] = name
    if not images:
        raise FileNotFoundError(
            f"no image below a folder {IMAGE_FOLDER} under {tree.location}, though its CSV files are there: unpack the images beside them"
        )
    return images


def _csv_rows(file: TextIO, csv_path: str) -> Iterator[tuple[int, list[str]]]:
    """Number and values of each data row, in the order of `CSV_COLUMNS`; the header may be missing, as it is in some copies."""
    reader = csv.reader(file)
    first = [value.strip() for value in next(reader, [])]
    if CSV_COLUMNS[0] in first:
        missing = [column for column in CSV_COLUMNS if column not in first]
        if missing:
            raise LayoutError(f"{csv_path} lacks the columns {', '.join(missing)}: get it again from its authors")
        places = [first.index(column) for column in CSV_COLUMNS]
        start = 0
    else:
        if len(first) != len(CSV_COLUMNS):
            raise LayoutError(
                f"{csv_path} begins with a row of {len(first)} values, neither the header nor {len(CSV_COLUMNS)} values: get it again"
            )
        places = range(len(CSV_COLUMNS))
        start = 1
        yield 0, first
    for number, values in enumerate(reader, start):
        yield number, [values[place] if place < len(values) else "" for place in places]


def _csv_row(values: list[str], images: dict[str, str], seen: dict[str, str]) -> tuple[dict, str]:
    """The table's row for one row of a CSV, and what is wrong with it ('' if nothing is)."""
    listed, *box_texts, _, code, valence, arousal = (value.strip() for value in values)
    if not listed:
        return {}, "no path of an image"
    if listed in seen:
        return {}, f"{listed} is named a second time: {seen[listed]} counts"
    expression, box = _category(code), _box(box_texts)
    if expression is None:
        return {}, f"expression {code!r} is not in 0 to {len(CATEGORIES) - 1}"
    if box is None:
        return {}, f"the box ({', '.join(box_texts)}) is not x, y and a width and height above 0"
    if listed not in images:
        return {}, f"no file {listed} below {IMAGE_FOLDER}"
    return {
        "image": images[listed],
        "expression": expression,
        "box": box,
        "valence": _affect(valence),
        "arousal": _affect(arousal),
    }, ""


def _category(code: str) -> str | None:
    return CATEGORIES[int(code)] if code.isdecimal() and int(code) < len(CATEGORIES) else None


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


# One NumPy file for each annotation


def _from_npy(tree: FileTree, images: list[str]) -> Found:
    names, rows, skipped = set(tree.names), [], []
    for image in tqdm(images, desc="annotations of AffectNet", unit="image", mininterval=2):
        start = _annotations_of(image)
        try:
            code = _number(tree, f"{start}_exp.npy", names)
            affect = {
                column: _optional_number(tree, f"{start}_{short}.npy", names)
                for column, short in (("valence", "val"), ("arousal", "aro"))
            }
        except ValueError as error:
            skipped.append((image, str(error)))
            continue
        if code not in range(len(CATEGORIES)):
            skipped.append(
                (image, f"{tree.path(f'{start}_exp.npy')}: expression {code:g} is not in 0 to {len(CATEGORIES) - 1}")
            )
            continue
        split = NPY_SPLITS[image.rsplit("/", 3)[-3]]
        rows.append(
            {"image": image, "path": tree.path(image), "expression": CATEGORIES[int(code)], "split": split} | affect
        )
    with_image = {f"{_annotations_of(image)}_exp.npy" for image in images}
    without = (name for name in tree.names if name.endswith("_exp.npy") and name not in with_image)
    skipped += [(name, f"{tree.path(name)}: there is no image of that number") for name in without]
    return rows, skipped, [OFFICIAL_NOTE]


def _annotations_of(image: str) -> str:
    """`train_set/annotations/7` for `train_set/images/7.jpg`."""
    path = PurePosixPath(image)
    return f"{path.parent.parent}/annotations/{path.stem}"


def _optional_number(tree: FileTree, name: str, names: set[str]) -> float:
    return _affect(_number(tree, name, names)) if name in names else math.nan


def _number(tree: FileTree, name: str, names: set[str]) -> float:
    """The one number, perhaps written as text, in a NumPy file; a pickle is never opened.

    Raises:
        ValueError: the file is missing or holds anything else; the message names it.
    """
    if name not in names:
        raise ValueError(f"{tree.path(name)} is missing: get the annotations again")
    try:
        value = np.load(io.BytesIO(tree.read_bytes(name)), allow_pickle=False)
        number = float(value.item())
    except (ValueError, TypeError, AttributeError, EOFError, OSError, *DAMAGED_MEMBER) as error:
        raise ValueError(
            f"{tree.path(name)} does not hold one number ({str(error)[:80]}): get the annotations again"
        ) from error
    if not math.isfinite(number):
        raise ValueError(f"{tree.path(name)} does not hold one number ({number}): get the annotations again")
    return number


# Class folders


def _from_split_folders(tree: FileTree, images: list[str]) -> Found:
    rows = []
    tops: dict[str, str] = {}
    for name in images:
        top, class_folder, _ = name.rsplit("/", 2)
        split = FOLDER_SPLITS[PurePosixPath(top).name.lower()]
        if tops.setdefault(split, top) != top:
            raise LayoutError(
                f"{tree.location} holds more than one copy of AffectNet ({tops[split]}, {top}): name the folder above one of them"
            )
        rows.append(
            {
                "image": name,
                "path": tree.path(name),
                "expression": canonical_expression(class_folder, tree.path(top)),
                "split": split,
            }
        )
    return (
        rows,
        [],
        [
            "This copy is a selection made by others: whether its Test folder is the official validation set is not told."
        ],
    )


def _from_labels(tree: FileTree, csv_name: str, labels: str) -> Found:
    images = _class_images(tree)
    listed, skipped = _read_labels(tree, csv_name, images)
    rows, expressions = [], {}
    for key, name in images.items():
        folder = key.partition("/")[0]
        if folder not in expressions:
            expressions[folder] = canonical_expression(folder, str(tree.location))
        if key not in listed:
            skipped.append((name, f"{tree.path(name)} has no label in {csv_name}"))
            continue
        by = {"folder": expressions[folder], "csv": listed[key]}
        row = {"image": name, "path": tree.path(name), "expression": by[labels]}
        rows.append(row | {"folder_expression": by["folder"], "csv_expression": by["csv"]})
    return (
        rows,
        skipped,
        [
            *_disagreement_note(rows, csv_name, labels),
            "This copy is a selection made by others, without official splits.",
        ],
    )


def _class_images(tree: FileTree) -> dict[str, str]:
    """Where each image lies, by `<class>/<file>`, as labels.csv names it."""
    images: dict[str, str] = {}
    for name in tree.images_below(""):
        key = "/".join(name.rsplit("/", 2)[-2:])
        if "/" not in key:
            continue
        if key in images:
            raise LayoutError(
                f"{tree.location} holds more than one copy of AffectNet ({images[key]}, {name}): name the folder above one of them"
            )
        images[key] = name
    if not images:
        raise FileNotFoundError(
            f"no image in a class folder under {tree.location}, though labels.csv is there: {EXPECTED}"
        )
    return images


def _read_labels(tree: FileTree, csv_name: str, images: dict[str, str]) -> tuple[dict[str, str], Skips]:
    """The expression that labels.csv gives each image, by `<class>/<file>`, and the rows that give none."""
    listed, skipped = {}, []
    with tree.open_text(csv_name) as file:
        rows = csv.DictReader(file)
        if not {"pth", "label"} <= set(rows.fieldnames or []):
            raise LayoutError(
                f"{tree.path(csv_name)} has the columns {', '.join(rows.fieldnames or []) or 'none'}: expected pth, label; get it again"
            )
        for number, row in enumerate(rows):
            image = (row["pth"] or "").strip()
            fault = _listed_fault(image, images, listed)
            if not fault:
                try:
                    listed[image] = canonical_expression(row["label"] or "", csv_name)
                    continue
                except LayoutError as error:
                    fault = str(error)
            skipped.append((image or f"{csv_name}/{number}", f"{tree.path(csv_name)}, data row {number}: {fault}"))
    return listed, skipped


def _listed_fault(image: str, images: dict[str, str], listed: dict[str, str]) -> str:
    """What is wrong with the path in a row of labels.csv, '' if nothing is."""
    if not image:
        return "no path of an image"
    if image not in images:
        return f"no file {image}"
    return f"{image} is named a second time: the first row counts" if image in listed else ""


def _disagreement_note(rows: list[dict], csv_name: str, labels: str) -> list[str]:
    other = [row for row in rows if row["folder_expression"] != row["csv_expression"]]
    if not other:
        return []
    first = f"{other[0]['image']} (folder {other[0]['folder_expression']}, CSV {other[0]['csv_expression']})"
    counts = {"csv": f"the label in {csv_name}", "folder": "the folder"}[labels]
    told = f"{len(other):,} of {len(rows):,} images ({len(other) / len(rows):.1%}) have another label in {csv_name} than their folder"
    return [f"{told}; {counts} counts. The first is {first}."]


# All layouts


def _category_reason(expression: str, categories: int) -> str:
    return f"category {CATEGORIES.index(expression)} ({expression}): not one of the {categories} expressions asked for"


def _affect_note(table: pd.DataFrame) -> list[str]:
    if "valence" not in table:
        return []
    unknown = int(table[["valence", "arousal"]].isna().any(axis=1).sum())
    return (
        [f"Valence or arousal of {unknown:,} images is unknown (no number from -1 to 1) and missing in the table."]
        if unknown
        else []
    )


def _count_note(table: pd.DataFrame, categories: int) -> list[str]:
    published = PUBLISHED_COUNTS[categories]
    counts = {split: int((table["split"] == split).sum()) for split in published}
    if counts == published:
        return []
    told = (
        f"{counts['train']:,} images to train and {counts['test']:,} to test"
        if any(counts.values())
        else f"{len(table):,} images"
    )
    return [
        f"This copy gives {told}; the authors' release has {published['train']:,} and {published['test']:,} of {categories} categories "
        "(Mollahosseini et al. 2017)."
    ]
