"""Official splits: who trains, who chooses, who is scored."""

import pandas as pd
import pytest

from fer_helpers import splits
from fer_helpers.datasets.table import VAL_OR_TEST, make_table


def table_of(**images: int) -> pd.DataFrame:
    """A table with so many images of happy and of sad each in the named splits."""
    rows = [
        {"image": f"{split}/{expression}/{number}.png", "path": "", "expression": expression, "split": split}
        for split, count in images.items()
        for expression in ("happy", "sad")
        for number in range(count)
    ]
    return make_table(rows)


def test_the_authors_own_splits_are_kept_as_they_are():
    table = table_of(train=20, val=5, test=7)
    pd.testing.assert_series_equal(splits.official(table)["split"], table["split"])


def hidden_halves() -> pd.DataFrame:
    table = table_of(train=20, test=7)
    table["split"] = table["split"].replace("test", VAL_OR_TEST)
    return table


def test_where_the_test_halves_are_hidden_validation_comes_from_training_stratified_and_the_whole_folder_is_tested():
    split = splits.official(hidden_halves(), val_share=0.1)
    counts = split.groupby(["split", "expression"]).size()
    assert counts.to_dict() == {("train", "happy"): 18, ("train", "sad"): 18, ("val", "happy"): 2, ("val", "sad"): 2, ("test", "happy"): 7, ("test", "sad"): 7}


def test_the_drawn_validation_set_depends_on_the_seed_alone():
    first, again, other = (set(splits.official(hidden_halves(), seed=seed).query("split == 'val'")["image"]) for seed in (0, 0, 1))
    assert first == again != other


def test_images_without_a_split_are_left_out():
    table = table_of(train=20, val=5, test=7)
    table.loc[0, "split"] = pd.NA
    assert len(splits.official(table)) == len(table) - 1


def test_a_split_that_lacks_an_expression_is_an_error_that_names_both():
    table = table_of(train=5, val=5, test=5)
    with pytest.raises(ValueError, match="'val' holds no image of sad"):
        splits.official(table[(table["split"] != "val") | (table["expression"] != "sad")])
