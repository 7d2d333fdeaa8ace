"""data/claims.csv holds what the papers print, and results are laid beside it by the claim's id."""

import pandas as pd
import pytest

from fer_helpers import paths
from fer_helpers.datasets.table import EXPRESSIONS
from fer_helpers.study import claims

ALL = claims.load()
PAPERS = ["huang_2024", "jiang_2025", "singh_2022", "alam_2022"]


def test_claims_have_the_documented_columns_and_unique_ids_that_start_with_their_paper():
    assert tuple(ALL.columns) == claims.COLUMNS
    assert ALL["claim"].is_unique
    assert all(row.claim.startswith(f"{row.paper}.") for row in ALL.itertuples())


def test_claims_stand_together_by_paper():
    assert ALL["paper"].drop_duplicates().tolist() == PAPERS
    assert ALL.groupby("paper", sort=False).ngroups == (ALL["paper"] != ALL["paper"].shift()).sum()


def test_every_claim_says_where_it_is_printed_and_no_share_is_above_one():
    assert (ALL["where"] != "").all()
    assert ALL["value"].notna().all()
    assert ALL.loc[ALL["unit"] == "share", "value"].between(0, 1).all()
    assert set(ALL["expression"]) <= {"", *EXPRESSIONS}


def test_a_contradiction_names_a_claim_that_exists():
    named = [word.rstrip(";,") for note in ALL["note"] for word in note.split() if word.count(".") >= 2]
    assert named
    assert set(named) <= set(ALL["claim"])


def test_contradicting_claims_name_each_other():
    pairs = set()
    for row in ALL[ALL["note"].str.contains("contradicts")].itertuples():
        named = [word.rstrip(";,") for word in row.note.partition("contradicts")[2].split() if word.count(".") >= 2]
        assert named, f"{row.claim} contradicts nothing"
        pairs |= {(row.claim, other) for other in named}
    assert len(pairs) > 2
    assert pairs == {(other, claim) for claim, other in pairs}
    assert all(claim.split(".")[0] == other.split(".")[0] for claim, other in pairs)


def test_values_are_written_with_as_many_decimals_as_are_printed():
    written = pd.read_csv(paths.PROJECT / "data" / "claims.csv", dtype=str, keep_default_na=False)
    wrong = [row.claim for row in written.itertuples() if len(row.value.partition(".")[2]) != int(row.decimals)]
    assert wrong == []


def test_a_number_of_images_has_one_row_for_each_paper_data_set_split_and_expression():
    counts = ALL[ALL["metric"] == "images"]
    assert not counts.duplicated(["paper", "dataset", "split", "expression"]).any()
    assert (counts["value"] % 1 == 0).all()


def test_only_scores_of_the_papers_themselves_have_a_protocol():
    assert set(ALL["protocol"]) == {"", "paper"}
    assert not ALL.loc[ALL["protocol"] == "paper", "note"].str.startswith("cited").any()
    assert (ALL.loc[ALL["protocol"] == "paper", "dataset"] != "").all()


def test_an_accuracy_that_no_whole_number_of_images_gives_says_so():
    scores = ALL[
        ALL["metric"].isin(["accuracy", "accuracy_low", "accuracy_high"])
        & (ALL["protocol"] == "paper")
        & ALL["n"].notna()
    ]
    assert len(scores) > 5
    for row in scores.itertuples():
        possible = abs(round(row.value * row.n) / row.n - row.value) <= 0.5 * 10.0**-row.decimals
        assert possible != ("no whole number" in row.note), row.claim


def test_huang_2024_prints_seven_class_counts_that_add_up_to_both_test_halves_of_fer2013():
    counts = claims.load("huang_2024").query("metric == 'images'")["value"]
    assert len(counts) == 7
    assert counts.sum() == 7_178 == 2 * 3_589


def test_jiang_2025_prints_class_counts_that_add_up_to_its_splits():
    images = claims.load("jiang_2025").query("metric == 'images'")
    size = images[images["expression"] == ""].set_index("split")["value"]
    by_class = images[images["expression"] != ""]
    assert by_class.groupby("split")["expression"].apply(set).to_dict() == {
        "train": set(EXPRESSIONS),
        "test": set(EXPRESSIONS),
    }
    assert by_class.groupby("split")["value"].sum().to_dict() == {"train": size["train"], "test": size["test"]}
    assert size["train"] + size["test"] == size["all"] == 287_580
    ratio = claims.load("jiang_2025").set_index("claim").loc["jiang_2025.sec2.1.split_ratio", "value"]
    assert size["train"] == ratio * size["test"]


def test_alam_2022_takes_as_many_images_of_ckplus_as_its_sequences_and_frames_make():
    printed = claims.load("alam_2022").set_index("claim")["value"]
    frames = printed["alam_2022.sec4.1.frames.expression"] + printed["alam_2022.sec4.1.frames.neutral"]
    assert printed["alam_2022.sec4.1.sequences.ckplus"] * frames == printed["alam_2022.sec4.1.images.ckplus"]


def test_an_unknown_paper_is_an_error_that_lists_the_papers():
    with pytest.raises(ValueError, match="alam_2022, huang_2024, jiang_2025, singh_2022"):
        claims.load("nobody_2020")


def test_ours_stands_beside_the_printed_number_of_the_claim_it_names():
    printed = pd.DataFrame({"claim": ["a.1", "a.2"], "where": ["table 1", "table 1"], "value": [0.9, 0.5]})
    names = ["claim", "paper", "metric", "expression", "value", "ci_low", "ci_high", "n", "protocol", "split", "init"]
    ours = pd.DataFrame(
        [
            ["a.2", "a", "accuracy", "", 0.4, 0.3, 0.5, 90, "clean", "test", "scratch"],
            ["", "a", "accuracy", "", 0.1, 0, 1, 3, "", "", ""],
        ]
    )
    joined = claims.beside(ours.set_axis(names, axis=1), printed)
    assert joined[["paper", "value", "n"]].to_numpy().tolist() == [[0.5, 0.4, 90]]


def test_a_printed_table_keeps_cited_rows_and_repeats_its_own_for_each_seed():
    results = pd.DataFrame(
        [
            ["singh_2022.table3.moeffnet", value, value - 0.1, value + 0.1, 309, "paper", "test", "scratch", seed]
            for seed, value in enumerate((0.5, 0.6))
        ],
        columns=["claim", "value", "ci_low", "ci_high", "n", "protocol", "split", "init", "seed"],
    )
    table = claims.printed_table(results, claims.load("singh_2022"), "table 3")
    assert table["model"].tolist() == ["CNN-Li", "B0", "B0"]
    assert table["paper"].tolist() == [0.78, 0.7859, 0.7859]
    assert table["value"].tolist()[1:] == [0.5, 0.6] and table["value"].isna().tolist() == [True, False, False]
