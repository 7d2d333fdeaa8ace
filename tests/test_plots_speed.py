"""Figures of benchmarks show every ratio with its interval and target, and every round."""

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from fer_helpers.plots_speed import ratios_and_targets, rounds_of_ways


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def ratios() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "comparison": ["frozen body", "streaming", "inference"],
            "value": [18.0, 0.6, 4.0],
            "ci_low": [17.0, 0.55, np.nan],
            "ci_high": [19.0, 0.7, np.nan],
            "target": [15.0, 0.85, np.nan],
            "reached": [True, False, True],
        }
    )


def test_every_comparison_stands_at_its_ratio_and_those_that_fall_short_look_different():
    axis = ratios_and_targets(ratios(), "Ratios").axes[0]
    assert [label.get_text() for label in axis.get_yticklabels()] == ["frozen body", "streaming", "inference"]
    reached, short = (container.lines[0] for container in axis.containers)
    assert (
        list(reached.get_xdata()) == [18.0, 4.0] and list(short.get_xdata()) == [0.6] and list(short.get_ydata()) == [1]
    )
    assert reached.get_marker() != short.get_marker()


def test_targets_are_marked_where_there_are_some_and_intervals_drawn_to_their_ends():
    axis = ratios_and_targets(ratios(), "Ratios").axes[0]
    targets = next(collection for collection in axis.collections if collection.get_label() == "target")
    assert targets.get_offsets().tolist() == [[15.0, 0.0], [0.85, 1.0]]
    ends = axis.containers[0].lines[2][0].get_segments()[0][:, 0]
    assert ends.tolist() == [17.0, 19.0]


def test_without_a_ratio_that_falls_short_the_legend_does_not_speak_of_one():
    axis = ratios_and_targets(ratios().assign(reached=True), "Ratios").axes[0]
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ["target", "measured, reached"]


def test_every_round_is_drawn_in_shortest_medians_of_its_own_comparison():
    rounds = pd.DataFrame(
        {
            "comparison": ["reading"] * 4 + ["cropping"] * 2,
            "way": ["ours", "theirs", "ours", "theirs", "ours", "theirs"],
            "seconds": [1, 2, 1, 4, 10, 20.0],
        }
    )
    axis = rounds_of_ways(rounds, "Rounds").axes[0]
    assert [label.get_text() for label in axis.get_yticklabels()] == [
        "reading: ours",
        "reading: theirs",
        "cropping: ours",
        "cropping: theirs",
    ]
    assert axis.collections[0].get_offsets().tolist() == [[1, 0], [2, 1], [1, 0], [4, 1], [1, 2], [2, 3]]
