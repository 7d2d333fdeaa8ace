"""Every data set becomes the same table, and every spelling on disk one of eight expressions."""

import hashlib

import pytest

from fer_helpers.datasets.table import (
    SPELLINGS,
    LayoutError,
    class_indices,
    count_images,
    expressions_in,
    make_table,
    skipped_images,
    table_hash,
)

CANONICAL = ["neutral", "happy", "sad", "surprise", "fear", "disgust", "anger", "contempt"]


def row(image: str, expression: str = "happy", split: str | None = "train", **more) -> dict:
    return {"image": image, "path": f"/anywhere/{image}", "expression": expression, "split": split} | more


@pytest.mark.parametrize(
    ("expression", "spellings"),
    {
        "neutral": "neutral Neutral NEUTRAL NE",
        "happy": "happy happiness Happy HA",
        "sad": "sad sadness Sad SA",
        "surprise": "surprise surprised Surprise SU",
        "fear": "fear fearful Fear FE",
        "disgust": "disgust disgusted Disgust DI",
        "anger": "anger angry Angry AN",
        "contempt": "contempt Contempt",
    }.items(),
)
def test_every_spelling_that_a_data_set_uses_is_one_canonical_expression(expression, spellings):
    assert {SPELLINGS[spelling.lower()] for spelling in spellings.split()} == {expression}


def test_labels_are_places_in_the_canonical_order_which_affectnets_other_categories_follow():
    names = [*CANONICAL, "none", "uncertain", "non-face"]
    table = make_table([row(f"{place:02d}.png", name) for place, name in enumerate(names)])
    assert table["label"].tolist() == list(range(11)) and table["label"].dtype == "int64"
    assert expressions_in(table.sample(frac=1, random_state=0)) == names
    assert expressions_in(table.iloc[[7, 2, 0]]) == ["neutral", "sad", "contempt"]


def test_table_has_the_documented_columns_first_and_those_of_the_data_set_after():
    table = make_table([row("a.png", votes_happy=7)])
    documented = ["image", "path", "label", "expression", "split", "subject", "sequence", "frame", "box"]
    assert (list(table), table["votes_happy"].tolist()) == ([*documented, "votes_happy"], [7])


def test_what_a_data_set_does_not_know_is_missing():
    table = make_table([row("a.png", split=None)])
    assert table[["split", "subject", "sequence", "frame", "box"]].isna().all(axis=None)


def test_rows_come_sorted_by_image_in_whatever_order_they_are_found():
    table = make_table([row("b.png", "sad"), row("c.png", "fear"), row("a.png", "anger")])
    assert table["image"].tolist() == ["a.png", "b.png", "c.png"]
    assert table["expression"].tolist() == ["anger", "sad", "fear"]
    assert table.index.tolist() == [0, 1, 2]


def test_image_that_stands_twice_is_an_error_that_names_it():
    with pytest.raises(LayoutError, match=r"a\.png stands twice .* remove one"):
        make_table([row("a.png"), row("b.png"), row("a.png", "sad")])


def test_class_indices_are_places_in_the_given_classes_and_another_expression_is_an_error_that_names_it():
    table = make_table([row("a.png", "sad"), row("b.png", "fear"), row("c.png", "sad")])
    indices = class_indices(table, ["fear", "sad"])
    assert (indices.tolist(), indices.dtype) == ([1, 0, 1], "int64")
    with pytest.raises(
        ValueError, match="the table holds fear, which the classes sad, anger lack: drop those rows first"
    ):
        class_indices(table, ["sad", "anger"])


def test_hash_is_the_sha256_of_images_expressions_and_splits_as_text():
    text = "image,expression,split\na.png,happy,train\nb.png,sad,\n"
    table = make_table([row("b.png", "sad", None), row("a.png")])
    assert table_hash(table) == hashlib.sha256(text.encode()).hexdigest()[:16]


def test_hash_is_the_same_wherever_the_files_lie():
    here, there = (make_table([row("a.png", path=f"{folder}/a.png")]) for folder in ("/here", "/there.zip"))
    assert table_hash(here) == table_hash(there)


@pytest.mark.parametrize("change", [{"image": "other.png"}, {"expression": "sad"}, {"split": "test"}])
def test_hash_changes_with_any_of_image_expression_and_split(change):
    assert table_hash(make_table([row("a.png")])) != table_hash(make_table([row("a.png") | change]))


def test_counts_are_those_made_by_hand():
    table = make_table(
        [row("1", "sad"), row("2", "sad"), row("3", "happy"), row("4", "sad", "test"), row("5", "happy", None)],
    )
    counts = count_images(table)
    assert (list(counts), counts.T.to_dict("list")) == (
        ["happy", "sad"],
        {"none": [1, 0], "test": [0, 1], "train": [1, 2]},
    )


def test_skipped_images_keep_their_reasons():
    assert skipped_images([("a.png", "damaged")]).to_dict("records") == [{"image": "a.png", "reason": "damaged"}]
    assert list(skipped_images([])) == ["image", "reason"]
