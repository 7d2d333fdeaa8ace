"""Every data set becomes the same table, and every spelling on disk one of eight expressions."""

import hashlib

import pandas as pd
import pytest

from fer_helpers.datasets.table import (
    LayoutError,
    canonical_expression,
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
    assert {canonical_expression(spelling, "a folder") for spelling in spellings.split()} == {expression}


def test_spaces_around_a_spelling_do_not_matter():
    assert canonical_expression(" Fear ", "a folder") == "fear"


def test_unknown_spelling_is_an_error_that_names_it_its_place_and_what_to_do():
    with pytest.raises(LayoutError, match=r"unknown expression 'bored' in faces/train: .* rename or remove it"):
        canonical_expression("bored", "faces/train")


def test_labels_are_places_in_the_canonical_order():
    table = make_table([row(f"{place}.png", expression) for place, expression in enumerate(CANONICAL)])
    assert table["label"].tolist() == [0, 1, 2, 3, 4, 5, 6, 7]
    assert table["label"].dtype == "int64"


def test_table_has_the_documented_columns_first_and_those_of_the_data_set_after():
    table = make_table([row("a.png", votes_happy=7)])
    assert list(table) == [
        "image",
        "path",
        "label",
        "expression",
        "split",
        "subject",
        "sequence",
        "frame",
        "box",
        "votes_happy",
    ]
    assert table["votes_happy"].tolist() == [7]


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


def test_no_rows_make_an_empty_table():
    assert len(make_table([])) == 0


def test_expressions_of_a_table_come_in_canonical_order():
    table = make_table([row("a.png", "contempt"), row("b.png", "sad"), row("c.png", "neutral"), row("d.png", "sad")])
    assert expressions_in(table) == ["neutral", "sad", "contempt"]


def test_affectnets_other_categories_come_after_the_expressions():
    table = make_table(
        [row("a.png", "non-face"), row("b.png", "contempt"), row("c.png", "none"), row("d.png", "uncertain")]
    )
    assert table["label"].tolist() == [10, 7, 8, 9]
    assert expressions_in(table) == ["contempt", "none", "uncertain", "non-face"]


def test_class_indices_are_places_in_the_given_classes():
    table = make_table([row("a.png", "sad"), row("b.png", "fear"), row("c.png", "sad")])
    indices = class_indices(table, ["fear", "sad"])
    assert indices.tolist() == [1, 0, 1]
    assert indices.dtype == "int64"


def test_expression_outside_the_classes_is_an_error_that_names_it():
    table = make_table([row("a.png", "sad"), row("b.png", "contempt")])
    with pytest.raises(
        ValueError, match="the table holds contempt, which the classes sad, fear lack: drop those rows first"
    ):
        class_indices(table, ["sad", "fear"])


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
    expected = pd.DataFrame({"happy": [1, 0, 1], "sad": [0, 1, 2]}, index=["none", "test", "train"])
    pd.testing.assert_frame_equal(
        count_images(table), expected, check_names=False, check_column_type=False, check_index_type=False
    )


def test_skipped_images_keep_their_reasons():
    skipped = skipped_images([("a.png", "damaged"), ("b.png", "no label")])
    assert skipped.to_dict("list") == {"image": ["a.png", "b.png"], "reason": ["damaged", "no label"]}
    assert list(skipped_images([])) == ["image", "reason"]
