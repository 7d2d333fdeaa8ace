"""data/claims.csv holds what the papers print, and results are laid beside it by the claim's id."""

import pandas as pd
import pytest

from fer_helpers import claims
from fer_helpers.datasets.table import EXPRESSIONS

ALL = claims.load()


def test_claims_have_the_documented_columns_and_unique_ids_that_start_with_their_paper():
    assert tuple(ALL.columns) == claims.COLUMNS
    assert ALL["claim"].is_unique
    assert all(row.claim.startswith(f"{row.paper}.") for row in ALL.itertuples())


def test_every_claim_says_where_it_is_printed_and_no_share_is_above_one():
    assert (ALL["where"] != "").all()
    assert ALL["value"].notna().all()
    assert ALL.loc[ALL["unit"] == "share", "value"].between(0, 1).all()
    assert set(ALL["expression"]) <= {"", *EXPRESSIONS}


def test_a_contradiction_names_a_claim_that_exists():
    named = [word.rstrip(";,") for note in ALL["note"] for word in note.split() if word.count(".") >= 2]
    assert named
    assert set(named) <= set(ALL["claim"])


def test_huang_2024_prints_seven_class_counts_that_add_up_to_both_test_halves_of_fer2013():
    counts = claims.load("huang_2024").query("metric == 'images'")["value"]
    assert len(counts) == 7
    assert counts.sum() == 7_178 == 2 * 3_589


def test_an_unknown_paper_is_an_error_that_lists_the_papers():
    with pytest.raises(ValueError, match="huang_2024, singh_2022"):
        claims.load("nobody_2020")


def test_ours_stands_beside_the_printed_number_of_the_claim_it_names():
    printed = pd.DataFrame({"claim": ["a.1", "a.2"], "where": ["table 1", "table 1"], "value": [0.9, 0.5]})
    names = ["claim", "paper", "metric", "expression", "value", "ci_low", "ci_high", "n", "protocol", "split", "init"]
    ours = pd.DataFrame([["a.2", "a", "accuracy", "", 0.4, 0.3, 0.5, 90, "clean", "test", "scratch"], ["", "a", "accuracy", "", 0.1, 0, 1, 3, "", "", ""]])
    joined = claims.beside(ours.set_axis(names, axis=1), printed)
    assert joined[["paper", "value", "n"]].to_numpy().tolist() == [[0.5, 0.4, 90]]
