"""The one table into which every data set is turned: a pandas DataFrame, one row an image."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

EXPRESSIONS = ("neutral", "happy", "sad", "surprise", "fear", "disgust", "anger", "contempt")
_ALSO = ("ne", "happiness ha", "sadness sa", "surprised su", "fearful afraid fe", "disgusted di", "angry an")
_ALSO += ("contemptuous",)  # how data sets write each expression besides
SPELLINGS = {word: name for name, words in zip(EXPRESSIONS, _ALSO, strict=True) for word in (name, *words.split())}
SPLITS = ("train", "val", "test")
VAL_OR_TEST = "val or test"  # a copy of FER-2013 whose file names hide which half of `test` an image is from
COLUMNS = ("image", "path", "label", "expression", "split", "subject", "sequence", "frame", "box")


class LayoutError(ValueError):
    """A data set is not laid out as documented; the message names the file and the next step."""


@dataclass(frozen=True)
class FaceDataset:
    """A data set as found on disk."""

    name: str  # its key, as in `fer2013`
    location: Path  # folder or archive it was read from
    table: pd.DataFrame  # one row an image, columns `COLUMNS` and any that the data set adds (FER+ keeps its votes)
    skipped: pd.DataFrame = field(default_factory=lambda: skipped_images([]))  # `image`, `reason` of what is left out
    notes: tuple[str, ...] = ()  # sentences that a reader of a result on this data must know
    generated: bool = False  # whether `fer_helpers.drawn` drew it


def make_table(rows: list[dict]) -> pd.DataFrame:
    """Rows with at least `image`, `path` and `expression` as the one table, sorted by `image`.

    Labels are places in `EXPRESSIONS`; columns that a row lacks are `pd.NA`. An `image` there twice is a `LayoutError`.
    """
    extra = [column for column in (rows[0] if rows else {}) if column not in COLUMNS]
    table = pd.DataFrame(rows).reindex(columns=[*COLUMNS, *extra])
    table["label"] = table["expression"].map(EXPRESSIONS.index)
    types = dict.fromkeys(("image", "path", "split", "expression", "subject", "sequence"), "string")
    table = table.astype(types | {"label": "int64", "frame": "Int64"}).sort_values("image", ignore_index=True)
    twice = table["image"][table["image"].duplicated()]
    if len(twice):
        raise LayoutError(f"{twice.iloc[0]} stands twice in the table: remove one of the two rows or files")
    return table


def skipped_images(pairs: list[tuple[str, str]]) -> pd.DataFrame:
    """(image, reason) pairs as the table of what was left out."""
    return pd.DataFrame(pairs, columns=["image", "reason"], dtype="string")


def expressions_in(table: pd.DataFrame) -> list[str]:
    """The expressions that the table holds, in canonical order."""
    present = set(table["expression"])
    return [expression for expression in EXPRESSIONS if expression in present]


def class_indices(table: pd.DataFrame, classes: list[str]) -> pd.Series:
    """Each row's place in `classes`, int64; `ValueError` where an expression is not among them."""
    unknown = ", ".join(sorted(set(table["expression"]) - set(classes)))
    if unknown:
        lack = f"which the classes {', '.join(classes)} lack"
        raise ValueError(f"the table holds {unknown}, {lack}: drop those rows first")
    return table["expression"].map({name: index for index, name in enumerate(classes)}).astype("int64")


def table_hash(table: pd.DataFrame) -> str:
    """SHA-256 (first 16 hexadecimal digits) over image, expression and split of each row, wherever the files lie."""
    text = table[["image", "expression", "split"]].fillna("").to_csv(index=False, lineterminator="\n")
    return hashlib.sha256(text.encode(errors="backslashreplace")).hexdigest()[:16]


def count_images(table: pd.DataFrame) -> pd.DataFrame:
    """Images for each split (rows) and expression (columns), zeros where there are none."""
    counts = pd.crosstab(table["split"].fillna("none"), table["expression"])
    return counts.reindex(columns=expressions_in(table), fill_value=0)
