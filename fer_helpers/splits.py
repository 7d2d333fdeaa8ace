"""Who trains, who chooses, who is scored."""

import pandas as pd
from sklearn.model_selection import train_test_split

from fer_helpers.datasets.table import VAL_OR_TEST


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
        _, val = train_test_split(train, test_size=val_share, random_state=seed, stratify=table.loc[train, "expression"])
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
            raise ValueError(f"the split {split!r} holds no image of {', '.join(missing)}: use more images, or drop the expression from all splits")
