"""Who trains, who chooses, who is scored."""

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold, train_test_split

from fer_helpers.datasets.table import VAL_OR_TEST, expressions_in

GROUPS = {
    "random": None,
    "sequence": "sequence",
    "subject": "subject",
}  # what a split keeps on one side; random cuts through everything


def official(table: pd.DataFrame, seed: int = 0, val_share: float = 0.1) -> pd.DataFrame:
    """The split of the data set's authors, with a validation set in any case.

    Where the copy hides which test images are for validation, all of them are the test set, and validation images are drawn from the
    training set, stratified by expression.

    Args:
        table: the one table, with `split`.
        seed, val_share: of the validation images drawn from the training set where the copy has none of its own.

    Returns:
        The table with `split` one of train, val, test; images without a split are left out.

    Raises:
        ValueError: a split would lack an expression that another split has.
    """
    table = table[table["split"].notna()].copy()
    table["split"] = table["split"].replace(VAL_OR_TEST, "test")
    if not (table["split"] == "val").any():
        train = table.index[table["split"] == "train"]
        _, val = train_test_split(
            train, test_size=val_share, random_state=seed, stratify=table.loc[train, "expression"]
        )
        table.loc[val, "split"] = "val"
    check_expressions(table)
    return table.reset_index(drop=True)


def check_expressions(table: pd.DataFrame) -> None:
    """Make sure that each split holds each expression of the table.

    Raises:
        ValueError: it does not; the message names the split and the expressions.
    """
    counts = pd.crosstab(table["split"], table["expression"])
    for split, row in counts.iterrows():
        missing = list(row.index[row == 0])
        if missing:
            raise ValueError(
                f"the split {split!r} holds no image of {', '.join(missing)}: use more images, or drop the expression from all splits"
            )


def folds(table: pd.DataFrame, by: str, count: int, seed: int = 0) -> pd.Series:
    """The fold, from 0, in which each image is tested, stratified by expression as far as the groups allow.

    Args:
        table: the one table.
        by: `random` (each image for itself), `sequence` or `subject`, which keep all images of one on one side.
        count: number of folds; as many as there are subjects leaves one subject out at a time.
        seed: of the order.

    Returns:
        int64, one entry a row, with the table's index.

    Raises:
        ValueError: no such way to split, an image without its sequence or subject, fewer groups than folds, fewer images of an
            expression than folds, or an expression that stands in one fold alone and so could not be learned.
    """
    if by not in GROUPS:
        raise ValueError(f"a split is made by {', '.join(GROUPS)}, not {by!r}")
    groups = None if by == "random" else _groups(table, by, count)
    _check_counts(table, by, count)
    maker = StratifiedKFold if groups is None else StratifiedGroupKFold
    assigned = np.empty(len(table), "int64")
    for fold, (_, tested) in enumerate(
        maker(count, shuffle=True, random_state=seed).split(table, table["expression"], groups)
    ):
        assigned[tested] = fold
    return pd.Series(assigned, index=table.index, name="fold")


def leave_one_subject_out(table: pd.DataFrame) -> pd.Series:
    """A fold for each subject, in the order of their names, as int64 with the table's index.

    Raises:
        ValueError: an image without a subject, or only one subject.
    """
    subjects = _groups(table, "subject", 2)
    return pd.Series(pd.factorize(subjects, sort=True)[0].astype("int64"), index=table.index, name="fold")


def tested_in(table: pd.DataFrame, assigned: pd.Series, fold: int) -> pd.DataFrame:
    """The table with `split` test for the images of one fold, and train for all others.

    Raises:
        ValueError: an expression is tested that no training image shows.
    """
    divided = table.assign(split=np.where(assigned == fold, "test", "train"))
    divided["split"] = divided["split"].astype("string")
    train, test = (expressions_in(divided[divided["split"] == split]) for split in ("train", "test"))
    unlearned = [expression for expression in test if expression not in train]
    if unlearned:
        raise ValueError(
            f"fold {fold} holds all images of {', '.join(unlearned)}: use more folds, or drop the expression"
        )
    return divided


def with_validation(table: pd.DataFrame, by: str, share: float, seed: int = 0) -> pd.DataFrame:
    """The table with a part of its training images as `val`, drawn as `folds` draws them.

    Args:
        table: the one table, with `split`.
        by: as for `folds`.
        share: of the training images; the nearest whole fraction (a half, a third, a quarter, ...) is taken.
        seed: of the order.

    Raises:
        ValueError: as for `folds`.
    """
    train = table[table["split"] == "train"]
    chosen = folds(train, by, round(1 / share), seed)
    table = table.copy()
    table.loc[chosen.index[chosen == 0], "split"] = "val"
    return table


def share_in_train(table: pd.DataFrame, column: str) -> float:
    """The share of test images whose sequence, subject or other group also stands in the training set; NaN where groups are unknown.

    Args:
        table: the one table, with `split`.
        column: `sequence`, `subject`, or any other column that names groups.
    """
    train, test = (table.loc[table["split"] == split, column] for split in ("train", "test"))
    if test.isna().all():
        return float("nan")
    return float(test.isin(set(train.dropna())).mean())


def _groups(table: pd.DataFrame, by: str, least: int) -> pd.Series:
    groups = table[by]
    if groups.isna().any():
        first = table.loc[groups.isna(), "image"].iloc[0]
        raise ValueError(
            f"{groups.isna().sum():,} images have no {by}, the first is {first}: this data set can't be split by {by}"
        )
    if groups.nunique() < least:
        raise ValueError(
            f"{least} folds by {by} need as many of them, and there are {groups.nunique()}: use fewer folds"
        )
    return groups


def _check_counts(table: pd.DataFrame, by: str, count: int) -> None:
    """Make sure that each expression can stand in more than one fold."""
    of_expression = table.groupby("expression")["image" if by == "random" else GROUPS[by]].nunique()
    rare = of_expression[of_expression < (count if by == "random" else 2)]
    if len(rare):
        unit = "images" if by == "random" else f"{GROUPS[by]}s"
        raise ValueError(
            f"{rare.index[0]} has {rare.iloc[0]} {unit}, too few for {count} folds by {by}: use fewer folds, or drop the expression"
        )


def shared_expressions(source: pd.DataFrame, target: pd.DataFrame) -> list[str]:
    """The expressions that two tables have in common, in canonical order: over these a model of one can be scored on the other.

    Raises:
        ValueError: there is none; the message lists those of each.
    """
    of_source, of_target = expressions_in(source), expressions_in(target)
    shared = [expression for expression in of_source if expression in of_target]
    if not shared:
        raise ValueError(
            f"no expression is in both data sets: one has {', '.join(of_source) or 'none'}, the other {', '.join(of_target) or 'none'}; "
            "name two data sets that share at least one"
        )
    return shared
