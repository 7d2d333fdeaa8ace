"""FER+: FER-2013's photographs labelled again by ten taggers each, eight expressions (Barsoum et al. 2016, ICMI, arXiv 1608.01041).

Layouts read, each as a folder or a zip:

    fer2013new.csv, data/FER2013{Train,Valid,Test}/fer0000000.png, each folder with its label.csv

The label of an image is the majority of its votes as the authors' own code takes it (`ferplus.py`, mode `majority`, in their repository):
single votes are dropped as outliers, and an expression needs more than half of the votes that remain. Rows without such an expression,
and those whose majority is `unknown` or `not a face`, are left out and counted; the votes are kept in columns `votes_<expression>`.
The published fer2013new.csv names four images twice, one of them with other votes: the first row counts, as in the authors' label.csv.
"""

import csv
from pathlib import Path, PurePosixPath

import numpy as np

from fer_helpers.datasets.files import FileTree
from fer_helpers.datasets.table import (
    EXPRESSIONS,
    FaceDataset,
    LayoutError,
    canonical_expression,
    make_table,
    skipped_images,
)

NAME = "ferplus"
CLASSES = EXPRESSIONS
FOLDER_SPLITS = {"FER2013Train": "train", "FER2013Valid": "val", "FER2013Test": "test"}
USAGE_FOLDERS = {"Training": "FER2013Train", "PublicTest": "FER2013Valid", "PrivateTest": "FER2013Test"}
VOTE_COLUMNS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt", "unknown", "NF")
VOTES = (
    *(f"votes_{canonical_expression(column, 'fer2013new.csv')}" for column in VOTE_COLUMNS[:8]),
    "votes_unknown",
    "votes_not_a_face",
)
FOUND_AS = ("ferplus", "ferplus.zip")
EXPECTED = "expected fer2013new.csv beside data/FER2013Train, FER2013Valid and FER2013Test; see data/README.md"


def load(location: Path) -> FaceDataset:
    """Read FER+ from a folder or a zip.

    Returns:
        The data set, with the columns `VOTES` added to the table; `skipped` lists the rows without a clear majority or without an image.

    Raises:
        FileNotFoundError: nothing is there, or not this layout.
        LayoutError: a row that does not parse, a split without images.
    """
    tree = FileTree(Path(location))
    csv_name = tree.named("fer2013new.csv")
    if csv_name is None:
        raise FileNotFoundError(f"no FER+ under {tree.location}: {EXPECTED}")
    images = {"/".join(PurePosixPath(name).parts[-2:]): name for name in tree.images_below("")}
    rows, skipped, seen = [], [], set()
    with tree.open_text(csv_name) as file:
        for number, values in enumerate(csv.DictReader(file)):
            row, fault = _row(values, f"{tree.location}/{csv_name}, data row {number}", images)
            name = f"{values.get('Usage')}/{values.get('Image name')}"
            if not fault and name in seen:
                fault = f"named a second time in {csv_name}, data row {number}: the first row counts"
            seen.add(name)
            if fault:
                skipped.append((values.get("Image name") or f"fer2013new.csv/{number}", fault))
            else:
                rows.append(row | {"path": tree.path(row["image"])})
    _check_splits(rows, tree)
    return FaceDataset(NAME, tree.location, make_table(rows), skipped_images(skipped))


def _row(values: dict[str, str], where: str, images: dict[str, str]) -> tuple[dict, str]:
    """The table's row for one row of the CSV, and why it is left out ('' if it is not)."""
    name, usage = (values.get("Image name") or "").strip(), (values.get("Usage") or "").strip()
    if usage not in USAGE_FOLDERS:
        raise LayoutError(
            f"{where}: Usage {usage!r} is none of {', '.join(USAGE_FOLDERS)}; download fer2013new.csv again"
        )
    if not name:
        return {}, "left out by the authors: no image name"
    folder = USAGE_FOLDERS[usage]
    image = images.get(f"{folder}/{name}")
    if image is None:
        return {}, f"no file {folder}/{name}, though fer2013new.csv names it"
    votes = _votes(values, where)
    label = majority(votes)
    if label is None:
        return {}, "no clear majority among its expressions"
    return {"image": image, "expression": label, "split": FOLDER_SPLITS[folder]} | dict(
        zip(VOTES, votes.tolist(), strict=True)
    ), ""


def _votes(values: dict[str, str], where: str) -> np.ndarray:
    try:
        return np.array([int(values[column]) for column in VOTE_COLUMNS])
    except (KeyError, TypeError, ValueError) as error:
        raise LayoutError(
            f"{where}: votes are not ten whole numbers ({error}); download fer2013new.csv again"
        ) from error


def majority(votes: np.ndarray) -> str | None:
    """The expression that the authors' majority rule gives, or None.

    Args:
        votes: int array (10,), in the order of `VOTE_COLUMNS`.
    """
    kept = np.where(votes > 1, votes, 0)
    winner = int(kept.argmax())
    if kept[winner] <= kept.sum() / 2 or winner >= len(CLASSES):
        return None
    return canonical_expression(VOTE_COLUMNS[winner], "fer2013new.csv")


def _check_splits(rows: list[dict], tree: FileTree) -> None:
    missing = set(FOLDER_SPLITS.values()) - {row["split"] for row in rows}
    if missing:
        raise LayoutError(f"no image of {', '.join(sorted(missing))} under {tree.location}: {EXPECTED}")
