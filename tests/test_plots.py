"""Figures of a data set show what they were given, and no single person where they promise a mean."""

import numpy as np
import pandas as pd
import pytest

from fer_helpers import plots
from fer_helpers.datasets.table import make_table


def table_of(**images: int) -> pd.DataFrame:
    """A training set with so many images of each expression."""
    rows = [
        {"image": f"{name}{number:03}.png", "path": "", "expression": name, "split": "train"}
        for name, count in images.items()
        for number in range(count)
    ]
    return make_table(rows)


def test_class_counts_print_each_number_and_the_total():
    axis = plots.class_counts(table_of(happy=3, sad=1_200)).axes[0]
    assert sorted(text.get_text() for text in axis.texts) == ["1,200", "3"]
    assert axis.get_title() == "train: 1,203 images"


def test_grey_values_are_shares_that_add_up_to_one():
    pixels = np.array([0, 0, 0, 255], "uint8").reshape(1, 2, 2, 1)
    all_pixels = plots.grey_values(pixels).axes[0]
    heights = [bar.get_height() for bar in all_pixels.patches]
    assert (heights[0], heights[255]) == (0.75, 0.25)


def test_a_mean_face_is_the_mean_and_is_blank_where_too_few_people_are_in_it():
    table = table_of(happy=plots.FEWEST_FACES, sad=plots.FEWEST_FACES - 1)
    pixels = np.where((table["expression"] == "happy").to_numpy()[:, None, None, None], 40, 200).astype(
        "uint8"
    ) * np.ones((1, 2, 2, 1), "uint8")
    happy, sad, *_ = plots.mean_faces(pixels, table).axes
    assert np.all(np.asarray(happy.images[0].get_array()) == 40)
    assert not sad.images
    assert "too few" in sad.get_title()


def test_every_face_of_a_grid_needs_a_title():
    with pytest.raises(ValueError, match="argument"):
        plots.face_grid(np.zeros((2, 4, 4, 1), "uint8"), ["only one"])


def test_agreement_is_drawn_for_the_labels_that_occur_in_canonical_order():
    shares, labels = pd.Series([0.6, 0.9, 1.0]), pd.Series(["sad", "neutral", "sad"])
    boxes = plots.vote_agreement(shares, labels).axes[1]
    assert [label.get_text() for label in boxes.get_yticklabels()] == ["neutral", "sad"]
