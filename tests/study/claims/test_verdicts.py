"""Verdicts on small papers made by hand, one for each verdict and each border of the rule."""

import pandas as pd
import pytest

from fer_helpers.study import claims
from fer_helpers.study import runs as results
from fer_helpers.study.claims import checks, verdicts

CLAIM = dict.fromkeys(claims.COLUMNS, "") | {"paper": "small_2020", "where": "table 1", "unit": "share", "n": None}
RESULT = dict.fromkeys(results.COLUMNS) | {
    "run": "small",
    "paper": "small_2020",
    "notebook": "01_small",
    "dataset": "jaffe",
    "metric": "accuracy",
    "seed": 0,
}
CHECK = {"check": "", "n": None, "attainable": "unknown", "note": "nothing to hold it against"}
SCORE = {"protocol": "paper", "dataset": "jaffe", "split": "test", "model": "B0", "metric": "accuracy"}


def paper(*rows: dict) -> pd.DataFrame:
    """Claims; a row gives its id without the paper, its value as printed, and whatever differs from `CLAIM`."""
    filled = [
        CLAIM
        | row
        | {
            "claim": f"small_2020.{row['claim']}",
            "value": float(row["value"]),
            "decimals": len(row["value"].partition(".")[2]),
        }
        for row in rows
    ]
    return pd.DataFrame(filled, columns=claims.COLUMNS).astype({"n": "Int64", "decimals": "Int64"})


def ours(*rows: dict) -> pd.DataFrame:
    """Results; a row may give the id of its claim without the paper."""
    filled = [RESULT | row | ({"claim": f"small_2020.{row['claim']}"} if "claim" in row else {}) for row in rows]
    return pd.DataFrame(filled, columns=results.COLUMNS)


def found(*rows: dict) -> pd.DataFrame:
    """What checks found."""
    filled = [CHECK | row | {"claim": f"small_2020.{row['claim']}"} for row in rows]
    return pd.DataFrame(filled, columns=["claim", *CHECK]).astype({"n": "Int64"})


def record(
    run: str = "small", source: str = "real photographs", images: int = 213, dataset: str = "jaffe", notes: tuple = ()
) -> dict:
    """A `run.json` as far as it counts here."""
    return {
        "run": run,
        "profile": "cpu",
        "data": [{"dataset": dataset, "source": source, "images": images, "notes": list(notes)}],
    }


def judged(
    printed: pd.DataFrame, rows: pd.DataFrame, *of_checks: dict, runs: tuple[dict, ...] = (record(),)
) -> pd.Series:
    """What is said of the first claim."""
    return verdicts.judge(printed, rows, found(*of_checks), list(runs)).iloc[0]


def score(value: str = "0.90", **columns) -> dict:
    return SCORE | {"claim": "table1.b0", "value": value} | columns


def measured(value: float, low: float | None = None, high: float | None = None, **columns) -> dict:
    named = {
        "claim": "table1.b0",
        "split": "random",
        "protocol": "paper",
        "model": "B0, two phases",
        "init": "imagenet",
        "n": 213,
    }
    return (
        named
        | {
            "value": value,
            "ci_low": value - 0.001 if low is None else low,
            "ci_high": value + 0.001 if high is None else high,
        }
        | columns
    )


WHOLE = {
    "claim": "sec2.images",
    "value": "213",
    "metric": "images",
    "dataset": "jaffe",
    "split": "all",
    "unit": "images",
    "where": "sec. 2",
}


# ------------------------------------------------------------------------------------------------------------------ scores


@pytest.mark.parametrize(
    ("value", "verdict"),
    [
        (0.90, "reproduced"),
        (0.88, "reproduced"),
        (0.92, "reproduced"),
        (0.8799, "not reproduced"),
        (0.9201, "not reproduced"),
        (0.5, "not reproduced"),
    ],
)
def test_score_is_reproduced_within_two_points_and_no_further(value, verdict):
    found = judged(paper(score(), WHOLE), ours(measured(value)))
    assert (found["verdict"], found["context"]) == (verdict, False)
    assert found["difference"] == pytest.approx(value - 0.90)


@pytest.mark.parametrize(("high", "verdict"), [(0.9, "reproduced"), (0.95, "reproduced"), (0.899, "not reproduced")])
def test_score_is_reproduced_within_an_interval_that_is_wider_than_two_points(high, verdict):
    assert judged(paper(score(), WHOLE), ours(measured(0.80, 0.70, high)))["verdict"] == verdict


@pytest.mark.parametrize("init", ["scratch", "cpu.01_huang_2024.weights.h5"])
def test_run_with_other_initial_weights_is_context_however_near_or_far(init):
    for value in (0.90, 0.20):
        row = judged(paper(score(), WHOLE), ours(measured(value, init=init)))
        assert (row["verdict"], row["context"], row["paper_value"], row["paper_init"]) == (
            "not testable here",
            True,
            value,
            init,
        )
        assert f"initial weights {init}, not imagenet" in row["reason"]


def test_network_that_is_no_efficientnet_begins_from_random_weights():
    printed = paper(score(model="standard CNN"), WHOLE)
    network = {"model": "standard CNN, best test epoch"}
    assert judged(printed, ours(measured(0.91, init="scratch", **network)))["verdict"] == "reproduced"
    assert judged(printed, ours(measured(0.91, init="imagenet", **network)))["verdict"] == "not testable here"


def test_another_network_is_context():
    row = judged(paper(score(model="B7"), WHOLE), ours(measured(0.90)))
    assert (row["verdict"], row["context"]) == ("not testable here", True)
    assert "B0, two phases, not B7" in row["reason"]


def test_another_number_of_images_than_printed_is_context():
    for images, verdict in [(213, "reproduced"), (212, "reproduced"), (150, "not testable here")]:
        row = judged(paper(score(), WHOLE), ours(measured(0.90)), runs=(record(images=images),))
        assert row["verdict"] == verdict
    assert "150 images of JAFFE, not 213" in row["reason"]


def test_parts_that_are_printed_count_as_the_whole():
    parts = [
        WHOLE | {"claim": f"sec2.{split}", "value": value, "split": split}
        for split, value in (("train", "100"), ("test", "50"))
    ]
    assert (
        judged(paper(score(), WHOLE, *parts), ours(measured(0.90)), runs=(record(images=150),))["verdict"]
        == "reproduced"
    )


def test_generated_faces_never_count():
    row = judged(paper(score(), WHOLE), ours(measured(0.90)), runs=(record(source="generated faces"),))
    assert (row["verdict"], row["context"]) == ("not testable here", True)
    assert "generated faces" in row["reason"]


def test_run_without_a_record_never_counts():
    assert judged(paper(score(), WHOLE), ours(measured(0.90)), runs=())["verdict"] == "not testable here"


def test_without_any_records_all_runs_are_taken_to_be_real():
    assert verdicts.judge(paper(score()), ours(measured(0.90)), found())["verdict"].tolist() == ["reproduced"]


def test_clean_protocol_is_shown_beside_and_judges_nothing():
    clean = measured(0.60, protocol="clean", split="subject") | {"claim": ""}
    fold = measured(0.10, protocol="clean", split="subject fold 0") | {"claim": ""}
    row = judged(paper(score(), WHOLE), ours(measured(0.90), fold, clean))
    assert (row["verdict"], row["paper_value"], row["clean_value"], row["clean_split"]) == (
        "reproduced",
        0.90,
        0.60,
        "subject",
    )


def test_score_under_protocol_clean_alone_is_context():
    row = judged(paper(score(), WHOLE), ours(measured(0.90, protocol="clean")))
    assert (row["verdict"], row["context"], row["clean_value"]) == ("not testable here", True, 0.90)
    assert pd.isna(row["paper_value"])


def test_best_test_epoch_stands_beside_the_same_network_under_clean():
    clean = measured(0.60, protocol="clean", split="subject", model="standard CNN", init="scratch") | {"claim": ""}
    best = measured(0.90, model="standard CNN, best test epoch", init="scratch")
    assert judged(paper(score(model="standard CNN"), WHOLE), ours(best, clean))["clean_value"] == 0.60


def test_first_seed_stands_for_a_run():
    assert judged(paper(score(), WHOLE), ours(measured(0.5, seed=1), measured(0.90, seed=0)))["paper_value"] == 0.90


def test_run_that_can_judge_goes_before_one_that_can_not_and_a_trained_body_before_scratch():
    rows = [
        measured(0.3, run="a", init="scratch"),
        measured(0.4, run="b", init="body.weights.h5"),
        measured(0.5, run="c"),
    ]
    runs = tuple(record(name) for name in "abc")
    assert judged(paper(score(), WHOLE), ours(*rows), runs=runs)["paper_run"] == "c"
    assert judged(paper(score(), WHOLE), ours(*rows[:2]), runs=runs)["paper_run"] == "b"


def test_runs_of_two_profiles_are_told_apart_by_their_profile():
    runs = (record(), record(source="generated faces") | {"profile": "smoke"})
    rows = ours(measured(0.90, run="smoke/small"), measured(0.5, run="cpu/small"))
    row = judged(paper(score(), WHOLE), rows, runs=runs)
    assert (row["paper_run"], row["verdict"]) == ("cpu/small", "not reproduced")


def test_number_printed_twice_is_measured_once():
    again = score(claim="abstract", where="abstract")
    frame = verdicts.judge(paper(score(), again, WHOLE), ours(measured(0.90)), found(), [record()])
    assert frame["verdict"].tolist()[:2] == ["reproduced", "reproduced"]


def test_cells_of_one_table_that_differ_by_what_no_column_says_stand_alone():
    cells = [score(claim="table1.b0"), score(claim="table1.b0.large"), score(claim="abstract", where="abstract")]
    frame = verdicts.judge(paper(*cells, WHOLE), ours(measured(0.90)), found(), [record()])
    assert frame["verdict"].tolist()[:3] == ["reproduced", "not testable here", "not testable here"]


def test_arithmetic_on_a_claim_is_no_measurement_of_it():
    possible = measured(0.99, metric="accuracy_with_errors", init=None, protocol=None, model="1 errors")
    row = judged(paper(score(), WHOLE), ours(possible))
    assert pd.isna(row["paper_value"])
    assert row["verdict"] == "not testable here"


def test_bound_is_held_to_be_a_bound():
    printed = paper(score("0.05", metric="accuracy_difference_below"), WHOLE)
    for value, verdict in [(-0.3, "reproduced"), (0.049, "reproduced"), (0.051, "not reproduced")]:
        assert judged(printed, ours(measured(value, metric="train_less_test_last_epoch")))["verdict"] == verdict


def test_end_of_a_curve_is_the_score_after_the_last_epoch():
    assert (
        judged(paper(score(metric="loss"), WHOLE), ours(measured(0.90, metric="loss_last_epoch")))["verdict"]
        == "reproduced"
    )


# ------------------------------------------------------------------------------------------------------------------ counts


def counted(value: float, **columns) -> dict:
    return {"claim": "sec2.images", "metric": "images", "split": "all", "value": value} | columns


@pytest.mark.parametrize(("value", "verdict"), [(213, "reproduced"), (212, "not reproduced")])
def test_count_is_reproduced_if_it_is_the_same(value, verdict):
    row = judged(paper(WHOLE), ours(counted(value)))
    assert (row["verdict"], row["counted"], row["counted_run"]) == (verdict, value, "small")


def test_copy_that_is_not_as_published_refutes_no_count():
    runs = (record(notes=("This copy has lost an image.",)),)
    assert judged(paper(WHOLE), ours(counted(212)), runs=runs)["verdict"] == "not testable here"
    assert judged(paper(WHOLE), ours(counted(213)), runs=runs)["verdict"] == "reproduced"


def test_count_that_the_authors_published_is_not_refuted_by_another_copy():
    published = {"claim": "sec2.images", "check": "published_figure", "attainable": "yes"}
    assert judged(paper(WHOLE), ours(counted(212)), published)["verdict"] == "not testable here"
    assert judged(paper(WHOLE), ours(counted(213)), published)["verdict"] == "reproduced"
    assert "published the same" in judged(paper(WHOLE), ours(), published)["reason"]


def test_count_of_generated_faces_never_counts():
    row = judged(paper(WHOLE), ours(counted(213)), runs=(record(source="generated faces"),))
    assert (row["verdict"], row["context"]) == ("not testable here", True)


def test_statement_about_a_network_is_rounded_as_it_is_printed():
    product = {"claim": "sec2.product", "value": "2", "metric": "scaling_product", "unit": ""}
    for value, verdict in [(1.92, "reproduced"), (1.49, "not reproduced")]:
        row = {"claim": "sec2.product", "metric": "scaling_product", "value": value, "dataset": None}
        assert judged(paper(product), ours(row))["verdict"] == verdict


def test_what_a_check_finds_in_the_network_itself_is_a_count():
    features = {"claim": "sec2.features", "value": "1792", "metric": "features", "model": "B4", "unit": "features"}
    row = judged(
        paper(features),
        ours(),
        {"claim": "sec2.features", "check": "network", "attainable": "yes", "note": "B4 has 1,792 features."},
    )
    assert (row["verdict"], row["counted"], row["counted_run"], row["reason"]) == (
        "reproduced",
        1792,
        "checks",
        "B4 has 1,792 features.",
    )


# -------------------------------------------------------------------------------------------------------------- impossible


def no(claim: str = "table1.b0", **columns) -> dict:
    return {"claim": claim, "check": "said_again", "attainable": "no", "note": "Printed as two numbers."} | columns


def test_what_a_check_denies_is_impossible_and_says_why():
    row = judged(paper(score()), ours(), no())
    assert (row["verdict"], row["attainable"], row["explanation"]) == (
        "impossible as printed",
        "no",
        "Printed as two numbers.",
    )


def test_impossible_number_stays_impossible_when_measured():
    row = judged(paper(score(), WHOLE), ours(measured(0.90)), no())
    assert (row["verdict"], row["paper_value"]) == ("impossible as printed", 0.90)


def test_number_of_images_that_the_paper_does_not_state_makes_nothing_impossible():
    tried = no(check="whole_images", n=131)
    for n, verdict in [(131, "impossible as printed"), (132, "not testable here"), (None, "not testable here")]:
        assert judged(paper(score(n=n)), ours(), tried)["verdict"] == verdict


def test_possible_is_yes_unless_something_speaks_against_it():
    yes = {"claim": "table1.b0", "check": "whole_images", "n": 22, "attainable": "yes"}
    assert judged(paper(score()), ours(), yes)["attainable"] == "yes"
    assert judged(paper(score()), ours(), yes, no())["attainable"] == "no"
    assert judged(paper(score()), ours())["attainable"] == "unknown"


# --------------------------------------------------------------------------------------------------------------- no result


@pytest.mark.parametrize(
    ("claim", "reason"),
    [
        (score(), "ImageNet weights"),
        (score(dataset="affectnet"), "AffectNet"),
        (score(note="cited; another test"), "Cited"),
        ({"claim": "sec3.epochs", "value": "50", "metric": "epochs", "model": "B0"}, "setting"),
        ({"claim": "sec3.gpu", "value": "32", "metric": "hardware_gpu_memory"}, "computed with"),
        ({"claim": "fig2.best", "value": "6", "metric": "best_epoch_loss", "dataset": "jaffe"}, "another draw"),
        (WHOLE | {"dataset": "rafdb"}, "RAF-DB"),
        (WHOLE, "No run reports"),
    ],
)
def test_claim_without_a_result_says_why(claim, reason):
    row = judged(paper(claim), ours())
    assert row["verdict"] == "not testable here"
    assert reason in row["reason"]


def test_results_without_a_claim_are_counted_by_run_and_metric():
    rows = ours(
        measured(0.9), {"metric": "near_pairs: r >= 0.95"}, {"metric": "near_pairs: r >= 0.97"}, {"claim": "unknown"}
    )
    left = verdicts.unmatched(rows, paper(score()))
    assert left.to_numpy().tolist() == [["small", "near_pairs", 2], ["small", "accuracy", 1]]


def test_what_the_scoreboard_repeats_is_no_result_of_its_own():
    rows = ours(measured(0.90, notebook="05_scoreboard"))
    assert judged(paper(score()), rows)["paper_run"] == ""
    assert verdicts.unmatched(rows, paper()).empty


def test_every_claim_has_one_row_one_verdict_and_a_reason():
    printed = claims.load()
    nothing = pd.DataFrame(columns=results.COLUMNS)
    of_checks = pd.DataFrame(columns=checks.COLUMNS)
    frame = verdicts.judge(printed, nothing, of_checks, [])
    assert tuple(frame.columns) == verdicts.COLUMNS
    assert frame["claim"].tolist() == printed["claim"].tolist()
    assert frame["verdict"].isin(verdicts.VERDICTS).all()
    assert (frame["reason"] != "").all()
