"""Figures of a training show what they were given."""

import numpy as np
import pandas as pd

from fer_helpers import plots_training


def test_learning_curves_draw_each_set_and_mark_the_chosen_epoch():
    history = pd.DataFrame(
        {
            "epoch": [1, 2, 3],
            "loss": [2.0, 1.5, 1.0],
            "accuracy": [0.2, 0.4, 0.6],
            "val_loss": [2.1, 1.7, 1.6],
            "val_accuracy": [0.1, 0.3, 0.5],
        }
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
    rows = pd.DataFrame(
        {
            "name": ["a", "a", "b"],
            "paper": [0.5, 0.5, np.nan],
            "value": [0.4, 0.45, 0.3],
            "series": ["clean", "paper", "clean"],
        }
    )
    rows = rows.assign(ci_low=rows["value"] - 0.1, ci_high=rows["value"] + 0.1)
    axis = plots_training.paper_against_ours(rows, "title", "accuracy").axes[0]
    assert axis.collections[-1].get_offsets().tolist() == [[0.5, 0.0]]
    assert [label.get_text() for label in axis.get_yticklabels()] == ["a", "b"]


def test_an_embedding_has_one_point_an_image_and_one_colour_an_expression():
    points = np.arange(8.0).reshape(4, 2)
    axis = plots_training.embedding(points, pd.Series(["happy", "sad", "happy", "sad"]), "title").axes[0]
    np.testing.assert_array_equal(axis.collections[0].get_offsets(), points)
    assert {text.get_text() for text in axis.get_legend().texts} == {"happy", "sad"}


def test_accuracy_by_size_has_a_panel_a_data_set_and_the_printed_numbers_where_there_are_any():
    rows = pd.DataFrame(
        {
            "dataset": ["a", "a", "b"],
            "image_size": [224, 48, 48],
            "value": [0.5, 0.6, 0.7],
            "paper": [np.nan, 0.9, np.nan],
        }
    )
    first, second = plots_training.accuracy_by_size(rows.assign(ci_low=0.4, ci_high=0.8)).axes
    assert [label.get_text() for label in first.get_xticklabels()] == ["48", "224"]
    np.testing.assert_array_equal(first.lines[0].get_ydata(), [0.6, 0.5])
    assert first.collections[-1].get_offsets().compressed().tolist() == [
        0.0,
        0.9,
    ]  # the size without a printed number has no mark
    assert second.get_title() == "b"


def test_accuracy_by_leakage_says_how_much_leaks_under_each_split():
    pooled = pd.DataFrame(
        {
            "split": ["random", "subject"],
            "model": "B0",
            "value": [0.9, 0.6],
            "sequence_shared": [1.0, 0.0],
            "subject_shared": [0.98, np.nan],
        }
    )
    by_fold = pd.DataFrame({"split": ["random", "random", "subject"], "model": "B0", "value": [0.85, 0.95, 0.6]})
    axis = plots_training.accuracy_by_leakage(pooled.assign(ci_low=0.5, ci_high=0.95), by_fold, "title").axes[0]
    labels = [label.get_text() for label in axis.get_xticklabels()]
    assert labels == ["random, by image\nsame sequence: 100%\nsame person: 98%", "by subject\nsame sequence: 0%"]
    np.testing.assert_array_equal(axis.lines[0].get_ydata(), [0.9, 0.6])
    assert len(axis.collections[-1].get_offsets()) == 3


def test_implied_coefficients_draw_one_line_a_dimension_over_the_networks():
    implied = pd.DataFrame({"depth": [0.0, 0.5], "width": [0.0, 0.1], "resolution": [0.0, 0.4]}, index=["B0", "B1"])
    axis = plots_training.implied_coefficients(implied).axes[0]
    assert [line.get_label() for line in axis.lines] == ["from its depth", "from its width", "from its resolution"]
    np.testing.assert_array_equal(axis.lines[2].get_ydata(), [0.0, 0.4])
    assert list(axis.lines[0].get_xdata()) == ["B0", "B1"]


def test_valence_stands_to_the_right_and_arousal_upwards():
    columns = pd.MultiIndex.from_product([["valence", "arousal"], ["mean", "std"]])
    affect = pd.DataFrame([[0.6, 0.1, 0.2, 0.3], [-0.5, 0.2, -0.1, 0.1]], index=["happy", "sad"], columns=columns)
    axis = plots_training.valence_arousal(affect, "title").axes[0]
    centres = [container.lines[0].get_xydata()[0].tolist() for container in axis.containers]
    assert centres == [[0.6, 0.2], [-0.5, -0.1]]
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ["happy", "sad"]


def test_a_pair_of_source_and_target_stands_in_its_row_and_column_and_a_missing_one_stays_blank():
    cells = pd.DataFrame(
        {
            "source": ["a", "a", "b"],
            "target": ["a", "b", "b"],
            "value": [0.5, 0.25, 0.75],
            "floor": [0.2, 0.1, 0.3],
            "images": [9, 1_200, 5],
        }
    )
    axis = plots_training.source_by_target(cells, ["a", "b"], "title", "accuracy").axes[0]
    values = axis.collections[0].get_array()
    assert values.reshape(2, 2).filled(-1).tolist() == [[0.5, 0.25], [-1, 0.75]]
    assert [text.get_text() for text in axis.texts if text.get_text()] == [
        "50.0%\n(floor 20.0%)\nn 9",
        "25.0%\n(floor 10.0%)\nn 1,200",
        "75.0%\n(floor 30.0%)\nn 5",
    ]
    assert [label.get_text() for label in axis.get_xticklabels()] == ["a", "b"]
