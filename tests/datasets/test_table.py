"""Every data set becomes the same table, and every spelling on disk one of eight expressions."""

import hashlib

import pytest

from fer_helpers.datasets.table import LayoutError, class_indices, count_images, expressions_in, make_table, table_hash

CANONICAL = ["neutral", "happy", "sad", "surprise", "fear", "disgust", "anger", "contempt"]


def row(image: str, expression: str = "happy", split: str | None = "train", **more) -> dict:
    return {"image": image, "path": f"/anywhere/{image}", "expression": expression, "split": split} | more


def test_labels_are_places_in_the_canonical_order():
    table = make_table([row(f"{place}.png", name) for place, name in enumerate(CANONICAL)])
    assert table["label"].tolist() == list(range(8)) and table["label"].dtype == "int64"
    assert expressions_in(table.sample(frac=1, random_state=0)) == CANONICAL
    assert expressions_in(table.iloc[[7, 2, 0]]) == ["neutral", "sad", "contempt"]


def test_rows_come_sorted_by_image_with_the_documented_columns_and_those_of_the_data_set():
    table = make_table([row("b.png", "sad", None, votes=7), row("c.png", "fear", None), row("a.png", "anger", None)])
    documented = ["image", "path", "label", "expression", "split", "subject", "sequence", "frame", "box"]
    assert (list(table), table["votes"].dropna().tolist()) == ([*documented, "votes"], [7])
    assert [*table[["image", "label"]].itertuples(name=None)] == [(0, "a.png", 6), (1, "b.png", 2), (2, "c.png", 4)]
    assert table[["split", "subject", "sequence", "frame", "box"]].isna().all(axis=None)


def test_image_that_stands_twice_is_an_error_that_names_it():
    with pytest.raises(LayoutError, match=r"a\.png stands twice .* remove one"):
        make_table([row("a.png"), row("b.png"), row("a.png", "sad")])


def test_class_indices_are_places_in_the_given_classes_and_another_expression_is_an_error_that_names_it():
    table = make_table([row("a.png", "sad"), row("b.png", "fear"), row("c.png", "sad")])
    indices = class_indices(table, ["fear", "sad"])
    assert (indices.tolist(), indices.dtype) == ([1, 0, 1], "int64")
    with pytest.raises(ValueError, match="the table holds fear, which the classes sad, anger lack: drop those rows"):
        class_indices(table, ["sad", "anger"])


def test_hash_is_the_sha256_of_images_expressions_and_splits_as_text():
    table = make_table([row("b.png", "sad", None), row("a.png")])
    text = b"image,expression,split\na.png,happy,train\nb.png,sad,\n"
    assert table_hash(table) == hashlib.sha256(text).hexdigest()[:16]
    assert table_hash(table.assign(path="elsewhere")) == table_hash(table) != table_hash(table.assign(split="test"))


def test_counts_are_those_made_by_hand():
    rows = [row("1", "sad"), row("2", "sad"), row("3"), row("4", "sad", "test"), row("5", "happy", None)]
    counts = count_images(make_table(rows)).to_dict("split")
    assert counts == {"index": ["none", "test", "train"], "columns": ["happy", "sad"], "data": [[1, 0], [0, 1], [1, 2]]}
