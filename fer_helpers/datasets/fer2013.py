"""FER-2013: 35,887 grey photographs of 48x48 pixels, seven expressions (Goodfellow et al. 2013, ICONIP).

Layouts read, each as a folder or a zip:

    train/<class>/*, test/<class>/*     Kaggle's folders; class spellings differ between copies
    fer2013.csv, icml_face_data.csv     emotion, pixels, Usage: the files of the 2013 challenge

The official validation set is PublicTest, the official test set PrivateTest. Kaggle's folders keep both in `test`; where the file
names do not tell them apart, `split` is `val or test` and a note says so.
"""

import csv
import sys
from pathlib import Path, PurePosixPath
from typing import TextIO

import numpy as np
import pandas as pd

from fer_helpers.datasets.files import FileTree
from fer_helpers.datasets.table import (
    SPLITS,
    VAL_OR_TEST,
    FaceDataset,
    LayoutError,
    canonical_expression,
    make_table,
    skipped_images,
)

NAME = "fer2013"
CLASSES = ("neutral", "happy", "sad", "surprise", "fear", "disgust", "anger")
CSV_EXPRESSIONS = ("anger", "disgust", "fear", "happy", "sad", "surprise", "neutral")  # the codes 0 to 6 of fer2013.csv
CSV_NAMES = ("fer2013.csv", "icml_face_data.csv")
USAGE_SPLITS = {"Training": "train", "PublicTest": "val", "PrivateTest": "test"}
PIXEL_VALUES = frozenset(map(str, range(256)))
SIDE = 48
PUBLISHED_COUNTS = {"train": 28_709, "val": 3_589, "test": 3_589}
FOUND_AS = ("fer2013", "fer2013.zip", "fer2013.csv", "icml_face_data.csv")
EXPECTED = "expected train/<class>/ and test/<class>/, or fer2013.csv; see data/README.md"


def load(location: Path) -> FaceDataset:
    """Read FER-2013 from a folder, a zip, or the bare CSV.

    Args:
        location: folder or zip that holds one of the layouts at its top or one level below, or a `.csv` file.

    Returns:
        The data set; `skipped` lists CSV rows that hold no image.

    Raises:
        FileNotFoundError: nothing is there, or none of the layouts.
        LayoutError: an unknown class folder, a split without an image of a class, two copies in one place, a CSV that is damaged or
            lacks its columns.
    """
    location = Path(location)
    if location.suffix == ".csv" and location.is_file():
        return _from_csv(FileTree(location.parent), location.name, location)
    tree = FileTree(location)
    csv_name = next((name for name in map(tree.named, CSV_NAMES) if name), None)
    return _from_csv(tree, csv_name, location) if csv_name else _from_folders(tree)


def _from_folders(tree: FileTree) -> FaceDataset:
    folders = _class_folders(tree)
    rows = []
    for (split_folder, class_folder), names in folders.items():
        expression = canonical_expression(class_folder, f"{tree.location}/{split_folder}")
        split = _split_of_folder(split_folder)
        rows += [
            {"image": name, "path": tree.path(name), "expression": expression, "split": split or _test_half(name)}
            for name in names
        ]
    table = make_table(rows)
    _check_classes(table, tuple(table["split"].unique()), tree.location)
    return FaceDataset(NAME, tree.location, table, notes=_notes(table))


def _class_folders(tree: FileTree) -> dict[tuple[str, str], list[str]]:
    """Image names by (folder of the split, folder of the class)."""
    folders: dict[tuple[str, str], list[str]] = {}
    for name in tree.images_below(""):
        split_folder, _, class_folder = name.rpartition("/")[0].rpartition("/")
        if split_folder.rpartition("/")[2].lower() in ("train", "test"):
            folders.setdefault((split_folder, class_folder), []).append(name)
    tops = sorted({split_folder for split_folder, _ in folders})
    if {PurePosixPath(top).name.lower() for top in tops} != {"train", "test"}:
        raise FileNotFoundError(f"no FER-2013 under {tree.location}: {EXPECTED}")
    if len(tops) > 2:
        raise LayoutError(
            f"{tree.location} holds more than one copy of FER-2013 ({', '.join(tops)}): name the folder above one of them"
        )
    return folders


def _check_classes(table: pd.DataFrame, splits: tuple[str, ...], location: Path) -> None:
    """Make sure that each split holds every class of FER-2013 and no other."""
    other = sorted(set(table["expression"]) - set(CLASSES))
    if other:
        first = table.loc[table["expression"] == other[0], "path"].iloc[0]
        raise LayoutError(
            f"{first} is labelled {other[0]}, which FER-2013 does not have: remove that class, or name another data set"
        )
    for split in splits:
        missing = [name for name in CLASSES if name not in set(table.loc[table["split"] == split, "expression"])]
        if missing:
            raise LayoutError(
                f"{location} holds no image of {', '.join(missing)} in the split {split!r}: the copy is incomplete, download it again"
            )


def _split_of_folder(split_folder: str) -> str | None:
    return "train" if PurePosixPath(split_folder).name.lower() == "train" else None


def _test_half(name: str) -> str:
    usage = name.rpartition("/")[2].partition("_")[0]
    return USAGE_SPLITS.get(usage, VAL_OR_TEST)


def _notes(table: pd.DataFrame) -> tuple[str, ...]:
    hidden = int((table["split"] == VAL_OR_TEST).sum())
    if not hidden:
        return ()
    told = f"The file names of this copy do not tell PublicTest from PrivateTest ({hidden:,} images): they can only be used together, "
    return (told + "and validation images have to come from the training set.",)


def _from_csv(tree: FileTree, csv_name: str, location: Path) -> FaceDataset:
    csv_path = tree.path(csv_name)
    with tree.open_text(csv_name) as file:
        rows, skipped = _csv_rows(file, csv_path)
    if not rows:
        raise LayoutError(f"{csv_path} holds no readable image: download it again")
    table = make_table(rows)
    _check_classes(table, SPLITS, Path(csv_path))
    return FaceDataset(NAME, location, table, skipped_images(skipped))


def _csv_rows(file: TextIO, csv_path: str) -> tuple[list[dict], list[tuple[str, str]]]:
    """The rows of the table, and the names of those left out with the reason."""
    csv.field_size_limit(sys.maxsize)
    reader = csv.reader(file)
    columns = [column.strip() for column in next(reader, [])]
    if not {"emotion", "pixels", "Usage"} <= set(columns):
        raise LayoutError(
            f"{csv_path} has the columns {', '.join(columns) or 'none'}: expected emotion, pixels, Usage; download it again"
        )
    rows, skipped = [], []
    for number, values in enumerate(reader):
        row, fault = _csv_row(dict(zip(columns, values, strict=False)), number, csv_path)
        if fault:
            skipped.append((f"{PurePosixPath(csv_path).name}/{number}", f"{csv_path}, data row {number}: {fault}"))
        else:
            rows.append(row)
    return rows, skipped


def _csv_row(values: dict[str, str], number: int, csv_path: str) -> tuple[dict, str]:
    """The table's row for one row of the CSV, and what is wrong with it ('' if nothing is)."""
    code, usage = values.get("emotion", "").strip(), values.get("Usage", "").strip()
    if code not in map(str, range(len(CSV_EXPRESSIONS))):
        return {}, f"label {code!r} is not in 0 to {len(CSV_EXPRESSIONS) - 1}"
    if usage not in USAGE_SPLITS:
        return {}, f"Usage {usage!r} is none of {', '.join(USAGE_SPLITS)}"
    pixels = values.get("pixels", "").split()
    if len(pixels) != SIDE * SIDE:
        return {}, f"{len(pixels):,} pixels, not {SIDE * SIDE:,}"
    if not PIXEL_VALUES.issuperset(pixels):
        return {}, "a pixel that is no number from 0 to 255"
    # Zero-padded, so that sorting by name keeps the order of the file.
    image = f"{PurePosixPath(csv_path).name}/{number:05d}"
    path = f"{csv_path}/{number:05d}"
    return {"image": image, "path": path, "expression": CSV_EXPRESSIONS[int(code)], "split": USAGE_SPLITS[usage]}, ""


def read_csv_pixels(file: TextIO, rows: set[int]) -> dict[int, np.ndarray]:
    """The images of some data rows of a FER-2013 CSV.

    Args:
        file: the CSV, opened as text.
        rows: numbers of the data rows, from 0.

    Returns:
        For each row its uint8 array (48, 48).
    """
    csv.field_size_limit(sys.maxsize)
    reader = csv.reader(file)
    place = [column.strip() for column in next(reader)].index("pixels")
    return {
        number: np.array(values[place].split(), dtype="uint8").reshape(SIDE, SIDE)
        for number, values in enumerate(reader)
        if number in rows
    }
