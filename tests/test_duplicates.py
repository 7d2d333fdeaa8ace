"""Copies are found whether exact, brightened or re-encoded, and those that cross from training to test are named."""

import hashlib

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage

from fer_helpers.datasets.table import make_table
from fer_helpers.duplicates import (
    copies_in_train,
    duplicate_groups,
    near_constant,
    near_duplicate_groups,
    near_duplicates,
    pixel_hashes,
)


def faces(count: int, side: int = 48) -> np.ndarray:
    """Smooth random images with values from 60 to 180, uint8 (count, side, side, 1)."""
    noise = np.random.default_rng(0).normal(size=(count, side, side))
    blurred = ndimage.gaussian_filter(noise, (0, 4, 4))
    lowest, highest = blurred.min(axis=(1, 2), keepdims=True), blurred.max(axis=(1, 2), keepdims=True)
    return (60 + 120 * (blurred - lowest) / (highest - lowest)).astype("uint8")[..., None]


def table_of(*rows: tuple[str, str, str | None]) -> pd.DataFrame:
    return make_table(
        [{"image": image, "path": image, "expression": expression, "split": split} for image, expression, split in rows]
    )


# By hand: a, c and e hold the same pixels; b and d do; f stands alone.
SPLITS = {"a": "train", "b": "test", "c": "train", "d": "test", "e": "val", "f": "train"}
SHOWN = {"a": "happy", "b": "sad", "c": "happy", "d": "fear", "e": "happy", "f": "sad"}
TABLE = table_of(*((image, SHOWN[image], split) for image, split in SPLITS.items()))
PIXELS = faces(3)[[0, 1, 0, 1, 0, 2]]


def test_hash_is_that_of_the_decoded_pixels_and_changes_with_any_of_them():
    pixels = faces(2)[[0, 0, 1]]
    pixels[1, 20, 20, 0] ^= 1
    assert pixel_hashes(pixels).tolist() == [hashlib.sha256(image.tobytes()).hexdigest()[:16] for image in pixels]
    assert pixel_hashes(pixels).nunique() == 3


def test_groups_of_the_same_pixels_are_those_found_by_hand():
    groups = duplicate_groups(TABLE, pixel_hashes(PIXELS)).sort_values("members", ignore_index=True)
    columns = ["images", "splits", "expressions", "members", "conflicting", "crosses_splits"]
    assert list(groups) == list(duplicate_groups(TABLE.head(3), pixel_hashes(faces(3)))) == columns
    expected = [[3, "train+val", "happy", "a c e", False, True], [2, "test", "fear+sad", "b d", True, False]]
    assert groups.to_numpy().tolist() == expected


def test_image_without_a_split_counts_as_another_split_and_copies_in_train_are_images_outside_it():
    table = table_of(("a", "happy", "train"), ("b", "happy", None))
    assert duplicate_groups(table, pixel_hashes(faces(1)[[0, 0]]))["splits"].tolist() == ["none+train"]
    assert copies_in_train(TABLE, pixel_hashes(PIXELS)).tolist() == [False, False, False, False, True, False]


def test_brightened_and_re_encoded_copies_are_near_duplicates_and_other_faces_are_not():
    originals = faces(20)
    brightened = (originals[3] * 0.8 + 40).astype("uint8")
    noisy = np.clip(originals[7] + np.random.default_rng(1).normal(0, 4, originals[7].shape), 0, 255).astype("uint8")
    plain = np.full_like(noisy, 128)
    pixels = np.stack([*originals, brightened, noisy, plain]).repeat(3, axis=3)  # colours, compared by their grey
    assert near_duplicates(pixels)[["first", "second"]].to_numpy().tolist() == [[3, 20], [7, 21]]


def test_correlations_are_pearsons_of_the_thumbnails():
    pixels = np.concatenate([faces(8), faces(2)])
    thumbnails = pixels.reshape(10, 16, 3, 16, 3).mean(axis=(2, 4)).reshape(10, 256)
    correlations = np.corrcoef(thumbnails)
    places = [(first, second) for first, second in np.argwhere(correlations >= -0.2) if first < second]
    pairs = near_duplicates(pixels, correlation=-0.2)
    assert list(zip(pairs["first"], pairs["second"], strict=True)) == places
    np.testing.assert_allclose(pairs["correlation"], [correlations[pair] for pair in places], atol=1e-4)
    assert (0, 8) in places and correlations[0, 8] == pytest.approx(1)


@pytest.mark.parametrize(
    ("first", "second", "joined"),
    [([0, 4, 2], [4, 5, 3], [[0, 4, 5], [1], [2, 3], [6]]), ([], [], [[n] for n in range(7)])],
)
def test_groups_join_what_any_chain_of_pairs_joins(first, second, joined):
    groups = near_duplicate_groups(pd.DataFrame({"first": first, "second": second}, dtype="int64"), images=7)
    assert sorted(np.flatnonzero(groups == group).tolist() for group in set(groups)) == joined


def test_near_constant_images_are_those_of_small_standard_deviation():
    checks = np.indices((48, 48)).sum(axis=0)[None, ..., None] % 2
    pixels = np.concatenate([100 + 2 * amplitude * checks for amplitude in (0, 4, 6)]).astype("uint8")  # deviations
    assert near_constant(pixels, deviation=5.0).tolist() == [True, True, False]
