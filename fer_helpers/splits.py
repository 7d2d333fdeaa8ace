"""Who trains, who chooses, who is scored: functions of the one table that set or read its column `split`."""

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold, train_test_split

from fer_helpers.datasets.table import SPLITS, VAL_OR_TEST, expressions_in

WAYS = ("random", "sequence", "subject")  # what a split keeps on one side with all its images; random: nothing


def official(table: pd.DataFrame, seed: int = 0, val_share: float = 0.1) -> pd.DataFrame:
    """The split of the data set's authors, with a validation set in any case; images without a split are left out.

    Where the copy has no validation images, or hides which of the test images they are, they are drawn from the
    training set, stratified by expression. ValueError where there is no test set, or a split lacks an expression that
    another one has.
    """
    table = table[table["split"].notna()].reset_index(drop=True)
    table["split"] = table["split"].replace(VAL_OR_TEST, "test")
    if not (table["split"] == "val").any() and (table["split"] == "train").any():
        train = table[table["split"] == "train"]
        drawn = train_test_split(train.index, test_size=val_share, random_state=seed, stratify=train["expression"])[1]
        table.loc[drawn, "split"] = "val"
    for split, counts in pd.crosstab(table["split"], table["expression"]).reindex(SPLITS, fill_value=0).iterrows():
        if not counts.any():
            raise ValueError(f"the split {split!r} holds no image: take a copy of the data set that has one")
        if missing := ", ".join(counts.index[counts == 0]):
            raise ValueError(f"the split {split!r} holds no image of {missing}: use more images, or drop it everywhere")
    return table


def folds(table: pd.DataFrame, by: str, count: int, seed: int = 0) -> pd.Series:
    """The fold, from 0, in which each image of the table is tested, stratified by expression as far as groups allow.

    `by` is one of `WAYS`; as many folds as there are subjects leave one subject out at a time. ValueError for another
    way to split, an image without its group, or too few groups or images of an expression.
    """
    if by not in WAYS:
        raise ValueError(f"a split is made by {', '.join(WAYS)}, not {by!r}")
    groups = table["image"] if by == "random" else table[by]
    if groups.isna().any():
        without = table.loc[groups.isna(), "image"]
        raise ValueError(f"{len(without):,} images have no {by}, such as {without.iloc[0]}: it can't be split by {by}")
    if (there := groups.nunique()) < count:
        raise ValueError(f"{count} folds by {by} need as many groups, and there are {there}: use fewer folds")
    sizes = groups.groupby(table["expression"]).nunique()
    if (rare := sizes[sizes < (count if by == "random" else 2)]).size:
        few = f"{rare.index[0]} has {rare.iloc[0]} {'image' if by == 'random' else by}s, too few for {count} folds"
        raise ValueError(f"{few} by {by}: use fewer folds, or drop the expression")
    maker = (StratifiedKFold if by == "random" else StratifiedGroupKFold)(count, shuffle=True, random_state=seed)
    assigned = pd.Series(-1, index=table.index, name="fold")
    for fold, (_, tested) in enumerate(maker.split(table, table["expression"], None if by == "random" else groups)):
        assigned.iloc[tested] = fold
    return assigned


def tested_in(table: pd.DataFrame, assigned: pd.Series, fold: int) -> pd.DataFrame:
    """The table with `split` test for one fold of `folds`, else train; ValueError if that lacks a tested expression."""
    table = table.assign(split=pd.Series(np.where(assigned == fold, "test", "train"), table.index, "string"))
    train, test = (expressions_in(table[table["split"] == split]) for split in ("train", "test"))
    if unlearned := ", ".join(expression for expression in test if expression not in train):
        raise ValueError(f"fold {fold} holds all images of {unlearned}: use more folds, or drop the expression")
    return table


def with_validation(table: pd.DataFrame, by: str, share: float, seed: int = 0) -> pd.DataFrame:
    """The table with a share of its training images as `val`, one of `folds`: a half, a third, a quarter, ..."""
    train = table[table["split"] == "train"]
    chosen = folds(train, by, round(1 / share), seed)
    return table.assign(split=table["split"].mask(table.index.isin(chosen.index[chosen == 0]), "val"))
