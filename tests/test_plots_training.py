"""Figures of a training show what they were given."""

import numpy as np
import pandas as pd

from fer_helpers import plots_training


def test_learning_curves_draw_each_set_and_mark_the_chosen_epoch():
    history = pd.DataFrame(
        {"epoch": [1, 2, 3], "loss": [2.0, 1.5, 1.0], "accuracy": [0.2, 0.4, 0.6], "val_loss": [2.1, 1.7, 1.6], "val_accuracy": [0.1, 0.3, 0.5]}
    )
    loss, accuracy = plots_training.learning_curves(history, chosen=3, sets={"": "training", "val_": "validation"}).axes
    assert [line.get_label() for line in accuracy.lines] == ["training", "validation", "chosen epoch (3)"]
    np.testing.assert_array_equal(accuracy.lines[1].get_ydata(), history["val_accuracy"])
    assert "nats" in loss.get_ylabel()


def test_a_confusion_matrix_prints_the_share_of_its_row_and_the_count():
    axis = plots_training.confusion_matrix(np.array([[3, 1], [0, 4]]), ["happy", "sad"], "title").axes[0]
    assert [text.get_text() for text in axis.texts] == ["75%\n3", "25%\n1", "0%\n0", "100%\n4"]
    assert axis.get_ylabel() == "label"


def test_printed_numbers_stand_once_for_each_name_beside_ours():
    rows = pd.DataFrame({"name": ["a", "a", "b"], "paper": [0.5, 0.5, np.nan], "value": [0.4, 0.45, 0.3], "series": ["clean", "paper", "clean"]})
    rows = rows.assign(ci_low=rows["value"] - 0.1, ci_high=rows["value"] + 0.1)
    axis = plots_training.paper_against_ours(rows, "title", "accuracy").axes[0]
    assert axis.collections[-1].get_offsets().tolist() == [[0.5, 0.0]]
    assert [label.get_text() for label in axis.get_yticklabels()] == ["a", "b"]


def test_an_embedding_has_one_point_an_image_and_one_colour_an_expression():
    points = np.arange(8.0).reshape(4, 2)
    axis = plots_training.embedding(points, pd.Series(["happy", "sad", "happy", "sad"]), "title").axes[0]
    np.testing.assert_array_equal(axis.collections[0].get_offsets(), points)
    assert {text.get_text() for text in axis.get_legend().texts} == {"happy", "sad"}
