"""Official splits, and those made here: who trains, who chooses, who is scored, and who stands on both sides."""

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


def test_where_the_test_halves_are_hidden_validation_comes_from_training_and_the_whole_folder_is_tested():
    counts = splits.official(hidden_halves(), val_share=0.1).groupby(["split", "expression"]).size()
    sizes = {"train": 18, "val": 2, "test": 7}
    assert counts.to_dict() == {(split, name): size for split, size in sizes.items() for name in ("happy", "sad")}


def test_the_drawn_validation_set_depends_on_the_seed_alone():
    first, again, other = (
        set(splits.official(hidden_halves(), seed=seed).query("split == 'val'")["image"]) for seed in (0, 0, 1)
    )
    assert first == again != other


def test_images_without_a_split_are_left_out():
    table = table_of(train=20, val=5, test=7)
    table.loc[0, "split"] = pd.NA
    assert len(splits.official(table)) == len(table) - 1


def test_a_split_that_lacks_an_expression_is_an_error_that_names_both():
    table = table_of(train=5, val=5, test=5)
    with pytest.raises(ValueError, match="'val' holds no image of sad"):
        splits.official(table[(table["split"] != "val") | (table["expression"] != "sad")])


# random, sequence, subject


def filmed(subjects: int = 20, expressions=("happy", "sad", "anger"), frames: int = 3) -> pd.DataFrame:
    """Each subject shows each expression in a sequence of so many frames."""
    names = [
        {"subject": f"S{subject:03}", "sequence": f"S{subject:03}_{name}", "expression": name, "frame": frame}
        for subject in range(subjects)
        for name in expressions
        for frame in range(frames)
    ]
    return make_table([row | {"image": f"{row['sequence']}_{row['frame']}", "path": ""} for row in names])


@pytest.mark.parametrize("by", ["random", "sequence", "subject"])
def test_each_image_is_tested_in_one_of_the_folds_which_are_alike(by):
    table = filmed()
    assigned = splits.folds(table, by, 5, seed=1)
    counts = pd.crosstab(assigned, table["expression"])
    assert counts.shape == (5, 3)
    assert counts.to_numpy().min() >= 9 and counts.to_numpy().max() <= 15  # 12 each if it came out even


@pytest.mark.parametrize(("by", "whole"), [("sequence", "sequence"), ("subject", "subject"), ("subject", "sequence")])
def test_groups_stay_on_one_side(by, whole):
    table = filmed()
    assigned = splits.folds(table, by, 5)
    assert (assigned.groupby(table[whole]).nunique() == 1).all()


def test_random_folds_put_frames_of_a_sequence_on_both_sides_and_sequence_folds_people():
    table = filmed()
    shares = {by: splits.tested_in(table, splits.folds(table, by, 5), 0) for by in ("random", "sequence", "subject")}
    assert splits.share_in_train(shares["random"], "sequence") > 0.9
    assert splits.share_in_train(shares["sequence"], "sequence") == 0
    assert splits.share_in_train(shares["sequence"], "subject") > 0.9
    assert splits.share_in_train(shares["subject"], "subject") == 0


def test_share_in_train_is_the_one_counted_by_hand():
    table = filmed(subjects=2, expressions=("happy",), frames=3).assign(
        split=["train", "test", "test", "test", "test", "train"]
    )
    table.loc[5, "sequence"] = "S009_happy"
    assert splits.share_in_train(table, "sequence") == 2 / 4
    assert splits.share_in_train(table, "subject") == 1


def test_share_of_unknown_groups_is_unknown():
    table = filmed(subjects=2).assign(sequence=pd.array([pd.NA] * 18, "string"), split="test")
    assert pd.isna(splits.share_in_train(table, "sequence"))


def test_folds_depend_on_the_seed_alone():
    table = filmed()
    first, again, other = (splits.folds(table, "subject", 5, seed=seed) for seed in (3, 3, 4))
    pd.testing.assert_series_equal(first, again)
    assert (first != other).any()


def test_as_many_folds_as_subjects_leave_one_subject_out_at_a_time():
    table = filmed(subjects=4)
    assigned = splits.folds(table, "subject", 4)
    assert sorted(assigned.groupby(table["subject"]).unique().map(list)) == [[0], [1], [2], [3]]


def test_validation_people_come_out_of_the_training_set_and_are_nobody_else():
    divided = splits.tested_in(filmed(), splits.folds(filmed(), "subject", 5), 2)
    chosen = splits.with_validation(divided, "subject", 0.25, seed=0)
    people = {split: set(rows["subject"]) for split, rows in chosen.groupby("split")}
    assert {split: len(members) for split, members in people.items()} == {"train": 12, "val": 4, "test": 4}
    assert not people["train"] & people["val"]
    assert (chosen["split"] == "test").equals(divided["split"] == "test")


def test_what_cannot_be_split_is_an_error_that_names_it():
    table = filmed()
    rare = table[(table["expression"] != "anger") | (table["subject"] == "S003")].reset_index(drop=True)
    nameless = table.assign(subject=table["subject"].mask(table.index == 7))
    cases = {
        "random, sequence, subject, not 'person'": (table, "person"),
        f"1 images have no subject, such as {table.loc[7, 'image']}": (nameless, "subject"),
        "5 folds by subject need as many groups, and there are 4": (filmed(subjects=4), "subject"),
        "anger has 1 subjects, too few for 5 folds by subject": (rare, "subject"),
        "anger has 3 images, too few for 5 folds by random": (rare, "random"),
    }
    for message, (wrong, by) in cases.items():
        with pytest.raises(ValueError, match=message):
            splits.folds(wrong, by, 5)


def test_a_fold_that_tests_what_nobody_showed_in_training_is_an_error():
    table = filmed(subjects=3)
    alone = table[(table["expression"] != "anger") | (table["subject"] == "S001")].reset_index(drop=True)
    with pytest.raises(ValueError, match="fold 1 holds all images of anger"):
        splits.tested_in(alone, pd.Series(pd.factorize(alone["subject"], sort=True)[0]), 1)


def test_shared_expressions_are_those_of_both_tables_in_canonical_order():
    source = pd.DataFrame({"expression": ["anger", "happy", "neutral", "sad"]})
    target = pd.DataFrame({"expression": ["contempt", "sad", "anger", "sad"]})
    assert splits.shared_expressions(source, target) == splits.shared_expressions(target, source) == ["sad", "anger"]


def test_two_data_sets_without_a_common_expression_are_an_error_that_lists_what_each_has():
    source, target = (
        pd.DataFrame({"expression": ["happy", "neutral"]}),
        pd.DataFrame({"expression": ["contempt", "fear"]}),
    )
    with pytest.raises(ValueError, match="one has neutral, happy, the other fear, contempt; name two data sets"):
        splits.shared_expressions(source, target)
