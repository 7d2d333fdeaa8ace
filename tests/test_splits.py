"""Official splits, and those made here: who trains, who chooses, who is scored, and who stands on both sides."""

from itertools import product

import pandas as pd
import pytest

from fer_helpers import splits
from fer_helpers.datasets.table import VAL_OR_TEST, make_table


def table_of(**images: int) -> pd.DataFrame:
    """A table with so many images of happy and of sad each in the named splits."""
    places = [(split, face, n) for split in images for face in ("happy", "sad") for n in range(images[split])]
    rows = [{"image": f"{split}/{face}/{n}.png", "expression": face, "split": split} for split, face, n in places]
    return make_table([row | {"path": ""} for row in rows])


def test_the_authors_own_splits_are_kept_as_they_are_without_images_that_have_none():
    table = table_of(train=20, val=5, test=7)
    pd.testing.assert_series_equal(splits.official(table)["split"], table["split"])
    table.loc[0, "split"] = pd.NA
    assert len(splits.official(table)) == len(table) - 1


def test_where_the_test_halves_are_hidden_validation_is_drawn_from_training_by_the_seed_alone():
    table = table_of(train=20, test=7)
    table["split"] = table["split"].replace("test", VAL_OR_TEST)
    first, again, other = (splits.official(table, seed, val_share=0.1) for seed in (0, 0, 1))
    counts, sizes = first.groupby(["split", "expression"]).size(), {"train": 18, "val": 2, "test": 7}
    assert counts.to_dict() == {(split, name): size for split, size in sizes.items() for name in ("happy", "sad")}
    assert first.equals(again) and not first.equals(other)


def filmed(subjects: int = 20, expressions=("happy", "sad", "anger"), frames: int = 3) -> pd.DataFrame:
    """Each subject shows each expression in a sequence of so many frames."""
    shown = product([f"S{subject:03}" for subject in range(subjects)], expressions, range(frames))
    names = [{"subject": who, "sequence": f"{who}_{name}", "expression": name, "frame": n} for who, name, n in shown]
    return make_table([row | {"image": f"{row['sequence']}_{row['frame']}", "path": ""} for row in names])


def test_each_image_is_tested_in_one_of_the_folds_which_are_alike_and_groups_stay_on_one_side():
    table, shares = filmed(), {}
    for by in splits.WAYS:
        assigned = splits.folds(table, by, 5, seed=1)
        counts = pd.crosstab(assigned, table["expression"])
        assert counts.shape == (5, 3)
        assert counts.to_numpy().min() >= 9 and counts.to_numpy().max() <= 15  # 12 each if it came out even
        assert by == "random" or (assigned.groupby(table[by]).nunique() == 1).all()
        divided = splits.tested_in(table, assigned, 0)
        train, test = (divided[divided["split"] == split] for split in ("train", "test"))
        shares[by] = [test[column].isin(train[column]).mean() for column in ("sequence", "subject")]
    assert shares["random"][0] > 0.9 and shares["sequence"][0] == 0
    assert shares["sequence"][1] > 0.9 and shares["subject"] == [0, 0]


def test_folds_depend_on_the_seed_alone_and_as_many_as_subjects_leave_one_out_at_a_time():
    first, again, other = (splits.folds(filmed(), "subject", 5, seed=seed) for seed in (3, 3, 4))
    assert first.equals(again) and (first != other).any()
    table = filmed(subjects=4)
    of_subject = splits.folds(table, "subject", 4).groupby(table["subject"])
    assert sorted(of_subject.unique().map(list)) == [[0], [1], [2], [3]]


def test_validation_people_come_out_of_the_training_set_and_are_nobody_else():
    divided = splits.tested_in(filmed(), splits.folds(filmed(), "subject", 5), 2)
    chosen = splits.with_validation(divided, "subject", 0.25, seed=0)
    people = {split: set(rows["subject"]) for split, rows in chosen.groupby("split")}
    assert {split: len(members) for split, members in people.items()} == {"train": 12, "val": 4, "test": 4}
    assert not people["train"] & people["val"]
    assert (chosen["split"] == "test").equals(divided["split"] == "test")


TABLE, OFFICIAL = filmed(), table_of(train=5, val=5, test=5)
RARE = TABLE[(TABLE["expression"] != "anger") | (TABLE["subject"] == "S003")].reset_index(drop=True)
UNKNOWN = TABLE.assign(subject=TABLE["subject"].mask(TABLE.index == 7))
NOT_SAD = OFFICIAL[(OFFICIAL["split"] != "val") | (OFFICIAL["expression"] != "sad")]
ALONE = filmed(subjects=3).query("expression != 'anger' or subject == 'S001'").reset_index(drop=True)
NONE = "holds no image: take a copy of the data set that has one"
UNSPLIT = [
    (splits.folds, (TABLE, "person", 5), "random, sequence, subject, not 'person'"),
    (splits.folds, (UNKNOWN, "subject", 5), "1 images have no subject, such as S000_sad_1"),
    (splits.folds, (filmed(subjects=4), "subject", 5), "5 folds by subject need as many groups, and there are 4"),
    (splits.folds, (RARE, "subject", 5), "anger has 1 subjects, too few for 5 folds by subject"),
    (splits.folds, (RARE, "random", 5), "anger has 3 images, too few for 5 folds by random"),
    (splits.official, (NOT_SAD,), "'val' holds no image of sad"),
    (splits.official, (TABLE.assign(split="test"),), f"the split 'train' {NONE}"),
    (splits.official, (TABLE.assign(split=["val", "train", "train"] * 60),), f"the split 'test' {NONE}"),
    (splits.tested_in, (ALONE, pd.Series(pd.factorize(ALONE["subject"])[0]), 1), "fold 1 holds all images of anger"),
]


@pytest.mark.parametrize(("split", "arguments", "message"), UNSPLIT)
def test_what_cannot_be_split_or_lacks_an_expression_is_refused_by_name_before_a_training(split, arguments, message):
    with pytest.raises(ValueError, match=message):
        split(*arguments)
