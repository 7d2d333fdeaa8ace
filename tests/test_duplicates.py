"""Exact copies are found by their decoded pixels, and those that cross from training to test are named."""

import hashlib

import numpy as np

from fer_helpers.datasets.table import make_table
from fer_helpers.duplicates import copies_in_train, pixel_hashes

PIXELS = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 1), dtype="uint8")


def test_hash_is_that_of_the_decoded_pixels_and_changes_with_any_of_them():
    pixels = PIXELS[[0, 0, 1]]
    pixels[1, 4, 4, 0] ^= 1
    assert pixel_hashes(pixels).tolist() == [hashlib.sha256(image.tobytes()).hexdigest()[:16] for image in pixels]


def test_copies_in_train_are_those_images_outside_it_whose_pixels_stand_in_it():
    """By hand: a, c, e and g hold the same pixels; b and d do; f stands alone; g has no split."""
    splits = {"a": "train", "b": "test", "c": "train", "d": "test", "e": "val", "f": "train", "g": None}
    about = {"path": "", "expression": "happy"}
    table = make_table([{"image": image, "split": split} | about for image, split in splits.items()])
    is_copy = copies_in_train(table, pixel_hashes(PIXELS[[0, 1, 0, 1, 0, 2, 0]]))
    assert table.loc[is_copy, "image"].tolist() == ["e", "g"]
