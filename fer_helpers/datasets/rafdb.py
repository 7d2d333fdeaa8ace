"""RAF-DB, basic expressions: 15,339 photographs from the web, seven expressions, each labelled by about 40 people (Li et al. 2017, CVPR).

Layouts read, each as a folder or a zip, anywhere below it:

    Image/aligned/train_00001_aligned.jpg, EmoLabel/list_patition_label.txt     the authors' `basic`, spelled as they spell it
    DATASET/{train,test}/{1..7}/*.jpg, train_labels.csv, test_labels.csv        Kaggle's folders, aligned images only

With `images="original"` the authors' photographs before the alignment are read from `Image/original/train_00001.jpg`, and the faces' boxes
from `Annotation/boundingbox/train_00001_boundingbox.txt` where those are there.
"""

import csv
import re
from collections import defaultdict
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from fer_helpers.datasets.files import DAMAGED_MEMBER, FileTree
from fer_helpers.datasets.table import FaceDataset, LayoutError, make_table, skipped_images

NAME = "rafdb"
CLASSES = ("neutral", "happy", "sad", "surprise", "fear", "disgust", "anger")
CODES = {"1": "surprise", "2": "fear", "3": "disgust", "4": "happy", "5": "sad", "6": "anger", "7": "neutral"}
LABEL_FILE = "list_patition_label.txt"
CSV_FILES = {"train": "train_labels.csv", "test": "test_labels.csv"}
KINDS = ("aligned", "original")
PUBLISHED_COUNTS = {"train": 12_271, "test": 3_068}
FOUND_AS = ("rafdb", "rafdb.zip", "RAF-DB", "RAF-DB.zip", "raf-db-dataset", "raf-db-dataset.zip", "DATASET")
EXPECTED = "expected Image/aligned/ and EmoLabel/list_patition_label.txt, or train/<1..7>/ and test/<1..7>/; see data/README.md"

LISTED_NAME = re.compile(r"(train|test)_\d+\.jpg")
IMAGE_NAME = re.compile(r"((?:train|test)_\d+)(_aligned)?\.jpg", re.IGNORECASE)

Skips = list[tuple[str, str]]


def load(location: Path, images: str = "aligned") -> FaceDataset:
    """Read RAF-DB from a folder or a zip.

    Args:
        location: folder or zip that holds one of the layouts.
        images: `aligned` (100 x 100 pixels) or `original` (any size, with boxes where the copy has them).

    Returns:
        The data set; `skipped` lists lines without an image, images without a line, and what does not parse.

    Raises:
        ValueError: there is no such kind of images.
        FileNotFoundError: nothing is there, none of the layouts, or no image of this kind.
        LayoutError: two copies in one place, or a split without an image of a class.
    """
    if images not in KINDS:
        raise ValueError(f"images is one of {', '.join(KINDS)}, not {images!r}")
    tree = FileTree(Path(location))
    label_name = tree.named(LABEL_FILE)
    rows, skipped, notes = _from_list(tree, label_name, images) if label_name else _from_folders(tree, images)
    if not rows:
        raise LayoutError(
            f"no image under {tree.location} has a label: the copy is incomplete, get it again ({EXPECTED})"
        )
    table = make_table(rows)
    _check_classes(table, tree.location)
    return FaceDataset(NAME, tree.location, table, skipped_images(skipped), (*notes, *_count_note(table)))


# The authors' layout


def _from_list(tree: FileTree, label_name: str, kind: str) -> tuple[list[dict], Skips, list[str]]:
    files = _listed_images(tree, kind)
    labels, skipped = _read_labels(tree, label_name)
    skipped += [
        (listed, f"no file for {listed}, though {tree.path(label_name)} names it")
        for listed in labels
        if listed not in files
    ]
    skipped += [
        (name, f"{tree.path(name)} has no label in {label_name}")
        for listed, name in files.items()
        if listed not in labels
    ]
    boxes, faults = _read_boxes(tree) if kind == "original" else ({}, {})
    rows = []
    for listed in sorted(files.keys() & labels.keys()):
        if listed in faults:
            skipped.append((files[listed], faults[listed]))
            continue
        row = {
            "image": files[listed],
            "path": tree.path(files[listed]),
            "expression": labels[listed],
            "split": listed.partition("_")[0],
        }
        rows.append(row | {"box": boxes.get(listed)})
    without = [row["image"] for row in rows if row["box"] is None]
    notes = [f"{len(without):,} images have no bounding box, {without[0]} first."] if boxes and without else []
    return rows, skipped, notes


def _listed_images(tree: FileTree, kind: str) -> dict[str, str]:
    """Where the image of this kind lies, by its name in the label file."""
    files: dict[str, str] = {}
    for name in tree.images_below(""):
        match = IMAGE_NAME.fullmatch(PurePosixPath(name).name)
        if not match or bool(match[2]) != (kind == "aligned"):
            continue
        listed = f"{match[1].lower()}.jpg"
        if listed in files:
            raise LayoutError(
                f"{tree.location} holds more than one copy of RAF-DB ({files[listed]}, {name}): name the folder above one of them"
            )
        files[listed] = name
    if not files:
        suffix = "_aligned" if kind == "aligned" else ""
        raise FileNotFoundError(
            f"no {kind} images of RAF-DB under {tree.location}: expected Image/{kind}/train_00001{suffix}.jpg; the authors pack them as {kind}.zip, "
            "which has to be unpacked, or ask for the other kind of images"
        )
    return files


def _read_labels(tree: FileTree, label_name: str) -> tuple[dict[str, str], Skips]:
    """The expression of each listed image, and the lines that give none."""
    labels, skipped = {}, []
    with tree.open_text(label_name) as file:
        for number, line in enumerate(file, start=1):
            parts = line.split()
            if not parts:
                continue
            fault = _line_fault(parts, labels)
            if fault:
                skipped.append((f"{label_name}/{number}", f"{tree.path(label_name)}, line {number}: {fault}"))
            else:
                labels[parts[0]] = CODES[parts[1]]
    return labels, skipped


def _line_fault(parts: list[str], labels: dict[str, str]) -> str:
    """What is wrong with a line of the label file, '' if nothing is."""
    if len(parts) != 2 or not LISTED_NAME.fullmatch(parts[0]):
        return f"{' '.join(parts)[:80]!r} is no name and label, as in 'train_00001.jpg 5'"
    if parts[1] not in CODES:
        return f"label {parts[1]!r} of {parts[0]} is not in 1 to 7"
    if parts[0] in labels:
        return f"{parts[0]} is named a second time: its first line counts"
    return ""


def _read_boxes(tree: FileTree) -> tuple[dict[str, tuple[float, ...]], dict[str, str]]:
    """The box (x, y, width, height) of each original image by its listed name, and what is wrong with those that are none."""
    boxes, faults = {}, {}
    for name in tree.names:
        file_name = PurePosixPath(name).name
        if file_name.endswith("_boundingbox.txt"):
            listed = f"{file_name.removesuffix('_boundingbox.txt')}.jpg"
            try:
                left, top, right, bottom = map(float, tree.read_bytes(name).split())
            except (ValueError, *DAMAGED_MEMBER) as error:
                faults[listed] = f"{tree.path(name)} does not hold four numbers x1 y1 x2 y2 ({error}): get it again"
                continue
            if np.isfinite([left, top, right, bottom]).all() and right > left and bottom > top:
                boxes[listed] = (left, top, round(right - left, 4), round(bottom - top, 4))
            else:
                faults[listed] = (
                    f"{tree.path(name)} holds a box without an area ({left:g} {top:g} {right:g} {bottom:g}): get it again"
                )
    return boxes, faults


# Kaggle's layout


def _from_folders(tree: FileTree, kind: str) -> tuple[list[dict], Skips, list[str]]:
    folders = _label_folders(tree)
    if kind == "original":
        raise FileNotFoundError(
            f"{tree.location} holds aligned images only: ask for images='aligned', or name a copy in the authors' layout"
        )
    rows, skipped, notes = [], [], []
    for split in ("train", "test"):
        files = [
            (name, label) for (folder, label), names in folders.items() if _split_of(folder) == split for name in names
        ]
        faults = {name: _file_fault(name, label, split) for name, label in files}
        skipped += [(name, f"{tree.path(name)}: {fault}") for name, fault in faults.items() if fault]
        good = [(name, label) for name, label in files if not faults[name]]
        rows += [
            {"image": name, "path": tree.path(name), "expression": CODES[label], "split": split} for name, label in good
        ]
        csv_name = tree.named(CSV_FILES[split])
        if csv_name:
            more_skipped, more_notes = _compare_csv(
                tree, csv_name, {PurePosixPath(name).name: label for name, label in files}
            )
            skipped += more_skipped
            notes += more_notes
    return rows, skipped, notes


def _label_folders(tree: FileTree) -> dict[tuple[str, str], list[str]]:
    """Image names by (folder of the split, label)."""
    folders: dict[tuple[str, str], list[str]] = defaultdict(list)
    for name in tree.images_below(""):
        parts = PurePosixPath(name).parts
        if len(parts) >= 3 and parts[-3].lower() in CSV_FILES and parts[-2].isdigit():
            folders["/".join(parts[:-2]), parts[-2]].append(name)
    tops = sorted({folder for folder, _ in folders})
    if {_split_of(top) for top in tops} != set(CSV_FILES):
        raise FileNotFoundError(f"no RAF-DB under {tree.location}: {EXPECTED}")
    if len(tops) > 2:
        raise LayoutError(
            f"{tree.location} holds more than one copy of RAF-DB ({', '.join(tops)}): name the folder above one of them"
        )
    return folders


def _split_of(folder: str) -> str:
    return PurePosixPath(folder).name.lower()


def _file_fault(name: str, label: str, split: str) -> str:
    """What is wrong with a file in a label folder, '' if nothing is."""
    if label not in CODES:
        return f"its folder {label!r} is not in 1 to 7"
    named = PurePosixPath(name).name.partition("_")[0]
    if named in CSV_FILES and named != split:
        return f"its folder says {split} and its name {named}: which is right can't be told"
    return ""


def _compare_csv(tree: FileTree, csv_name: str, labels: dict[str, str]) -> tuple[Skips, list[str]]:
    """What the CSV of a split says otherwise than the folders, whose label counts: rows that name no file or nothing, and sentences."""
    skipped, seen, other = [], {}, []
    with tree.open_text(csv_name) as file:
        rows = csv.DictReader(file)
        if not {"image", "label"} <= set(rows.fieldnames or []):
            raise LayoutError(
                f"{tree.path(csv_name)} has the columns {', '.join(rows.fieldnames or []) or 'none'}: expected image, label; get it again"
            )
        for number, row in enumerate(rows):
            image, label = (row["image"] or "").strip(), (row["label"] or "").strip()
            fault = _csv_fault(image, label, labels, seen)
            if fault:
                skipped.append((image or f"{csv_name}/{number}", f"{tree.path(csv_name)}, data row {number}: {fault}"))
                continue
            seen[image] = label
            if label != labels[image]:
                other.append(f"{image} (folder {labels[image]}, CSV {label})")
    unnamed = [image for image in labels if image not in seen]
    notes = (
        [
            f"{len(other):,} images have another label in {csv_name} than their folder, whose label counts; the first is {other[0]}."
        ]
        if other
        else []
    )
    notes += (
        [f"{len(unnamed):,} images have no row in {csv_name} and keep their folder's label; the first is {unnamed[0]}."]
        if unnamed
        else []
    )
    return skipped, notes


def _csv_fault(image: str, label: str, labels: dict[str, str], seen: dict[str, str]) -> str:
    """What is wrong with a row of a CSV, '' if nothing is."""
    if image not in labels:
        return f"no file for {image!r}"
    if label not in CODES:
        return f"label {label!r} is not in 1 to 7; the folder's counts"
    return f"{image} is named a second time: the first row counts" if image in seen else ""


# Both layouts


def _check_classes(table: pd.DataFrame, location: Path) -> None:
    """Make sure that each split holds every class."""
    for split in PUBLISHED_COUNTS:
        missing = [name for name in CLASSES if name not in set(table.loc[table["split"] == split, "expression"])]
        if missing:
            raise LayoutError(
                f"{location} holds no image of {', '.join(missing)} in the split {split!r}: the copy is incomplete, get it again"
            )


def _count_note(table: pd.DataFrame) -> list[str]:
    counts = {split: int((table["split"] == split).sum()) for split in PUBLISHED_COUNTS}
    if counts == PUBLISHED_COUNTS:
        return []
    published = (
        f"the published numbers are {PUBLISHED_COUNTS['train']:,} and {PUBLISHED_COUNTS['test']:,} (Li et al. 2017)"
    )
    return [f"This copy gives {counts['train']:,} images to train and {counts['test']:,} to test; {published}."]
