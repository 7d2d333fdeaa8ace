"""Figures of the scoreboard show what they were given."""

import pandas as pd
import pytest

from fer_helpers import plots_scoreboard


def test_verdicts_are_stacked_and_each_part_says_how_many():
    counts = pd.DataFrame({"reproduced": [2, 0], "not testable here": [3, 5]}, index=["one", "two"])
    axis = plots_scoreboard.verdict_counts(counts, "title").axes[0]
    assert [text.get_text() for text in axis.texts] == ["2", "", "3", "5"]
    assert [(bar.get_x(), bar.get_width()) for bar in axis.patches] == [(0, 2), (0, 0), (2, 3), (0, 5)]
    assert [text.get_text() for text in axis.get_legend().texts] == ["reproduced", "not testable here"]


CLAIMS = pd.DataFrame({"claim": ["a", "b"], "value": [0.9, 0.8], "possible": [True, False]})
OURS = pd.DataFrame(
    {
        "claim": "a",
        "protocol": ["paper", "clean"],
        "init": ["imagenet", "scratch"],
        "value": [0.7, 0.6],
        "judges": [True, False],
    }
)


def test_printed_numbers_that_are_impossible_have_a_mark_of_their_own():
    axis = plots_scoreboard.claims_against_ours(CLAIMS, OURS.assign(ci_low=0.5, ci_high=0.8), "title").axes[0]
    possible, impossible = axis.collections[:2]
    assert possible.get_offsets().tolist() == [[0.9, 0.0]]
    assert impossible.get_offsets().tolist() == [[0.8, 1.0]]
    assert [label.get_text() for label in axis.get_yticklabels()] == ["a", "b"]


def test_only_what_can_judge_a_claim_is_filled():
    axis = plots_scoreboard.claims_against_ours(CLAIMS, OURS.assign(ci_low=0.5, ci_high=0.8), "title").axes[0]
    judging, context = (container.lines[0] for container in axis.containers)
    assert judging.get_markerfacecolor() == judging.get_color()
    assert context.get_markerfacecolor() == "white"
    assert judging.get_marker() != context.get_marker()  # other initial weights
    assert "filled: can judge the claim" in [text.get_text() for text in axis.get_legend().texts]


def test_claims_that_no_run_scored_are_drawn_alone():
    axis = plots_scoreboard.claims_against_ours(CLAIMS, OURS.head(0).assign(ci_low=0.5, ci_high=0.8), "title").axes[0]
    assert [text.get_text() for text in axis.get_legend().texts] == ["printed", "printed, impossible"]


def test_optimism_starts_from_zero_and_has_one_colour_a_way():
    rows = pd.DataFrame({"kind": ["copies", "copies", "random"], "name": ["x", "y", "z"], "value": [0.01, -0.02, 0.2]})
    axis = plots_scoreboard.optimism(rows, "title").axes[0]
    assert [line.get_xdata().tolist() for line in axis.lines[:2]] == [[0.01, -0.02], [0.2]]
    assert [text.get_text() for text in axis.get_legend().texts] == ["copies", "random"]
    assert "points" in axis.get_xlabel()


def test_smallest_differences_are_drawn_with_the_size_of_those_that_are_printed():
    curves = pd.DataFrame({"n": [100, 1_000], "accuracy": 0.9, "value": [0.1, 0.03]})
    printed = pd.DataFrame({"name": ["paper"], "n": [132], "value": [-0.04]})
    axis = plots_scoreboard.smallest_differences(curves, printed, "title").axes[0]
    assert axis.lines[0].get_ydata().tolist() == [0.1, 0.03]
    assert axis.collections[0].get_offsets()[0].tolist() == pytest.approx([132, 0.04])
