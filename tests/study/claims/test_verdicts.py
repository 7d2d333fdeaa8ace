"""For each word a case that gets it and one just beyond its border that does not; intervals, equivalence, and rates."""

import gzip
import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.proportion import proportion_confint, proportions_ztest

from fer_helpers.study import claims, runs
from fer_helpers.study.claims import verdicts

SCORE = {"claim": "table1.b0", "value": "0.90", "metric": "accuracy", "dataset": "jaffe", "split": "test"}
SCORE |= {"model": "B0", "protocol": "paper"}
WHOLE = {"claim": "sec2.images", "value": "213", "metric": "images", "dataset": "jaffe", "split": "all"}
WHOLE |= {"unit": "images", "kind": "count", "where": "sec. 2"}


def ours(value: float, half: float = 0.001, **columns) -> dict:
    """A result that names the claim; its interval in the row, as of a run without predictions."""
    about = {"claim": "small_2020.table1.b0", "paper": "small_2020", "metric": "accuracy", "dataset": "jaffe"}
    about |= {"expression": "", "split": "test", "protocol": "paper", "model": "B0, two phases", "init": "imagenet"}
    about |= {"seed": 0, "n": 213}
    return about | {"value": value, "ci_low": value - half, "ci_high": value + half} | columns


def lite(value: float, named: bool = True, **columns) -> dict:
    about = {} if named else {"claim": "", "image_size": 96}
    return ours(value, 0.01, model="Lite0, frozen", image_size=48) | about | columns


def a_run(*rows, predictions: pd.DataFrame | None = None, name: str = "small", seeds: int = 2, **data):
    """A run as `judge` sees it, of so many alike trainings if it has no predictions."""
    about = {"run": name, "profile": "cpu", "notebook": "03_singh_2022"}
    about["parameters"] = data.pop("parameters", {"detector": "dlib", "epochs": 100, "seeds": [7]})
    about["data"] = [{"dataset": "jaffe", "source": "real photographs", "images": 213, "notes": []} | data]
    said = pd.DataFrame() if predictions is None else predictions
    rows = [row | {"seed": row["seed"] + 10 * more} for more in range(1 if len(said) else seeds) for row in rows]
    return SimpleNamespace(about=about, results=pd.DataFrame(rows, columns=runs.COLUMNS), predictions=said)


@pytest.fixture
def judged(paper):
    """The first claim of a small paper, a score unless given, as it is judged with the runs beside it."""

    def first(*of_runs, others: list[dict] = [WHOLE], **columns) -> pd.Series:  # noqa: B006, never changed
        return claims.judge(paper(SCORE | columns, *others), list(of_runs)).iloc[0]

    return first


OF_CLASS = {"metric": "precision", "expression": "happy"}
BOUND, GAP = {"value": "0.05", "metric": "accuracy_difference_below"}, {"metric": "train_less_test_last_epoch"}
CNN, OF_CNN = {"model": "standard CNN"}, {"model": "standard CNN, best test epoch"}
NEAR = {  # ours, and half of its 95 % interval: 0.0238 * 1.645 / 1.960 = 0.01997 is half of the 90 % interval
    "reproduced": [(0.90, 0.02), (0.90, 0.0238), (0.919, 0.001)],
    "undecided": [(0.90, 0.0239), (0.9195, 0.001), (0.9205, 0.001), (0.87, 0.0101)],
    "not reproduced": [(0.9215, 0.001), (0.87, 0.0099)],
}
OTHERS = [
    (0.949, 0.001, OF_CLASS, OF_CLASS, "reproduced"),  # a number of one class has five points
    (0.955, 0.001, OF_CLASS, OF_CLASS, "not reproduced"),
    (0.04, 0.005, GAP, BOUND, "reproduced"),  # a bound is held to be a bound
    (0.049, 0.005, GAP, BOUND, "undecided"),
    (0.06, 0.005, GAP, BOUND, "not reproduced"),
    (0.90, 0.001, OF_CNN | {"init": "scratch"}, CNN, "reproduced"),  # no EfficientNet: from random weights
    (0.90, 0.001, OF_CNN, CNN, "not tested"),
    (0.90, 0.001, {"metric": "accuracy_last_epoch"}, {}, "reproduced"),  # the end of a curve
    (0.90, 0.001, {"metric": "loss"}, {"metric": "loss", "unit": "nats"}, "undecided"),  # no margin was fixed for it
]
OTHERS += [(*number, {}, {}, expected) for expected, numbers in NEAR.items() for number in numbers]


@pytest.mark.parametrize(("value", "half", "columns", "claim", "expected"), OTHERS)
def test_result_is_reproduced_by_equivalence_within_its_margin(judged, value, half, columns, claim, expected):
    assert judged(a_run(ours(value, half, **columns)), **claim)["word"] == expected
    of_one = judged(a_run(ours(value, half, **columns), seeds=1), **claim)["word"]  # which says nothing of others
    assert of_one == ("not tested" if expected == "not tested" else "undecided")


@pytest.mark.parametrize("total", [132, 3_589])
def test_equivalence_is_that_of_two_one_sided_tests(total):
    random = np.random.default_rng(total)
    for right in random.integers(int(0.84 * total), int(0.96 * total), 20):
        found = verdicts.interval(np.repeat([1, 0], [right, total - right]), np.arange(total), np.zeros(total))
        ends = ((0.90 - 0.02, "larger"), (0.90 + 0.02, "smaller"))  # Wilson's interval inverts the score test
        tested = max(proportions_ztest(right, total, end, side, prop_var=end)[1] for end, side in ends)
        assert (verdicts.equivalence(0.90, found, 0.02) == "reproduced") == (tested <= 0.05)


RATES = [
    *((132, points, {"undecided": rate}) for points, rate in enumerate((0.99, 0.98, 0.96))),  # so few can't reproduce
    (132, 4, {"undecided": 0.80}),
    (3_589, 0, {"reproduced": 0.95}),
    (3_589, 1, {"reproduced": 0.5, "reproduced or undecided": 0.999}),
    (3_589, 2, {"undecided": 0.90}),
    (3_589, 4, {"not reproduced": 0.93}),
]


@pytest.mark.parametrize(("total", "points", "least"), RATES)
def test_simulated_studies_get_the_right_word_at_the_stated_rates(total, points, least):
    drawn = np.random.default_rng(points).binomial(total, 0.90 - points / 100, 4_000)
    numbers, studies = np.unique(drawn, return_counts=True)
    words = {}
    for right, many in zip(numbers, studies, strict=True):
        ends = [proportion_confint(right, total, alpha, "wilson") for alpha in (0.05, 0.10)]
        word = verdicts.equivalence(0.90, verdicts.Interval(right / total, *ends[0], *ends[1]), 0.02)
        words[word] = words.get(word, 0) + many / len(drawn)
    for names, rate in least.items():
        assert sum(words.get(name, 0) for name in names.split(" or ")) >= rate, words
    # at the margin or beyond: the level of the test
    assert words.get("reproduced", 0) <= (0.055 if points >= 2 else 1)
    assert words.get("not reproduced", 0) <= (0.03 if points <= 2 else 1)


@pytest.mark.parametrize(("points", "expected", "least"), [(0, "reproduced", 0.95), (4, "not reproduced", 0.9)])
def test_simulated_studies_of_three_seeds_get_the_right_word_too(points, expected, least):
    random, words = np.random.default_rng(points), []
    for _ in range(40):
        hits = (random.random((3, 3_589)) < 0.90 - points / 100).ravel()
        found = verdicts.interval(hits, np.tile(range(3_589), 3), np.repeat(range(3), 3_589))
        words.append(verdicts.equivalence(0.90, found, 0.02))
    assert words.count(expected) >= least * len(words)


PEOPLE = np.repeat(np.random.default_rng(0).random(50) < 0.8, 10)  # each is right on all images or on none
WILSON = [  # hits, groups, and the independent images that Wilson's interval is of
    (np.repeat([1, 0], [120, 12]), np.arange(132), 120, 132, 1e-9),
    (PEOPLE, np.repeat(range(50), 10), PEOPLE.sum() / 10, 50, 0.02),
    (np.ones(500), np.repeat(range(50), 10), 50, 50, 1e-9),  # faultless ones have an interval too
]
DIFFERENT = [
    ({"init": "scratch"}, {}, "initial weights scratch, not imagenet"),
    ({"model": "B7"}, {}, "B7, not B0"),
    ({"protocol": "clean"}, {}, "protocol clean"),
    ({"metric": "f1"}, {}, "f1, not accuracy"),
    ({"dataset": "ckplus"}, {"dataset": "ckplus", "images": 213}, "CK+, not JAFFE"),
    ({}, {"images": 150}, "150 images of JAFFE, not 213"),
    ({}, {"source": "generated faces"}, "generated faces"),
    ({}, {"dataset": "ckplus"}, "no record of the JAFFE"),
    ({}, {"parameters": {"detector": "none", "epochs": 100}}, "detector none, not dlib"),
    ({"model": "B7"}, {"parameters": {"detector": "none"}}, "B7, not B0; detector none, not dlib"),
]


@pytest.mark.parametrize(("hits", "groups", "right", "total", "within"), WILSON)
def test_interval_of_one_training_is_wilsons_of_as_many_images_as_there_are_groups(hits, groups, right, total, within):
    found = verdicts.interval(hits, groups, np.zeros(len(hits)))
    assert found[1:3] == pytest.approx(proportion_confint(right, total, 0.05, "wilson"), abs=within)
    assert found[3:5] == pytest.approx(proportion_confint(right, total, 0.10, "wilson"), abs=within)


@pytest.mark.parametrize("spread", [0.0, 0.03])
def test_interval_over_seeds_and_images_covers_the_truth(spread):
    random, covered = np.random.default_rng(1), 0
    for _ in range(60):
        chances = 0.8 + spread * random.standard_normal((5, 1))
        hard = (random.standard_normal(400) + random.standard_normal((5, 400))) / 2**0.5  # images, and seeds on them
        hits = (hard < stats.norm.ppf(chances)).ravel()
        found = verdicts.interval(hits, np.tile(range(400), 5), np.repeat(range(5), 400))
        covered += found.low <= 0.8 <= found.high
    assert covered >= 55  # of 60; 57 expected


@pytest.mark.parametrize("metric", ["accuracy", "precision", "recall"])
def test_predictions_of_all_seeds_are_one_interval(judged, metric):
    random, label = np.random.default_rng(0), np.resize(["happy", "sad"], 900)
    p = np.where((random.random(900) < 0.8) == (label == "happy"), 0.9, 0.1)  # right on four of five
    said = pd.DataFrame({"seed": np.repeat([0, 1, 2], 300), "image": np.tile(range(300), 3), "label": label})
    keys = {"dataset": "jaffe", "model": "B0", "init": "imagenet", "protocol": "paper", "split": "test"}
    said = said.assign(p_happy=p, p_sad=1 - p, image_size=48, fold=np.nan, **keys)  # as most notebooks leave it
    about = {"metric": metric, "expression": "" if metric == "accuracy" else "happy"}
    rows = [ours(0.5, seed=seed, model="B0", image_size=48, **about) for seed in (0, 1, 2)]
    found = judged(a_run(*rows, predictions=said), **about)
    of = {"accuracy": label != "", "precision": p > 0.5, "recall": label == "happy"}[metric]
    assert (found["ours"], found["seeds"]) == (pytest.approx(((p > 0.5) == (label == "happy"))[of].mean()), 3)
    assert 0.05 < found["ours_high"] - found["ours_low"] < 0.25
    assert found["word"] in ("not reproduced", "undecided") and "One training" not in found["reason"]


@pytest.mark.parametrize(("row", "data", "told"), DIFFERENT)
def test_run_that_differs_judges_nothing_however_near_and_says_in_what(judged, row, data, told):
    for value in (0.90, 0.20):
        found = judged(a_run(ours(value, **row), **data))
        assert (found["word"], found["ours"]) == ("not tested", value)
        assert told in found["differs"] and told in found["reason"]
        assert f"ours, {found['ours']:.3g} in cpu/small, differs: {found['differs']}" in found["reason"]


def test_an_equalised_copy_is_named_wherever_it_was_found_and_keeps_a_score_from_judging(judged):
    looked = a_run({"dataset": "jaffe", "metric": "flat_histogram_share", "value": 0.51, "seed": 0}, name="00", seeds=1)
    found = judged(a_run(ours(0.90)), looked)
    assert (found["word"], found["differs"]) == ("not tested", "a copy of JAFFE with equalised histograms")
    looked.results["value"] = 0.5
    assert judged(a_run(ours(0.90)), looked)["word"] == "reproduced"


PARTS = [WHOLE | {"claim": f"sec2.{s}", "value": n, "split": s} for s, n in (("train", "100"), ("test", "50"))]
COPIES = [(213, [WHOLE], "reproduced"), (209, [WHOLE], "reproduced"), (208, [WHOLE], "not tested")]
COPIES += [(150, PARTS, "reproduced"), (150, [WHOLE], "not tested")]
FRAMES = [
    WHOLE | {"claim": f"sec2.{metric}", "metric": metric, "value": value, "dataset": "ckplus"}
    for metric, value in (("sequences", "593"), ("frames_per_sequence", "1"))
]
COPIES += [(593, FRAMES, "reproduced"), (327, FRAMES, "not tested")]  # a whole as sequences, and frames of each
OF_MODEL = {"standard CNN": "cnn_epochs 20, not 50; folds 5, not 10", "B0": "phase1_epochs 20, no"}


@pytest.mark.parametrize(("images", "counts", "expected"), COPIES)
def test_copies_may_lose_two_images_in_a_hundred_of_the_whole_or_of_its_parts(judged, images, counts, expected):
    of = {"dataset": counts[0]["dataset"]}
    assert judged(a_run(ours(0.90, **of), images=images, **of), others=counts, **of)["word"] == expected


def test_run_that_can_judge_goes_before_others_and_all_are_listed(tmp_path, paper, judged):
    several = [a_run(ours(0.3, init="scratch"), name="a"), a_run(ours(0.5), name="b")]
    several.append(a_run(ours(0.9), name="c", images=9))
    for run, status in zip(several, ("finished", "finished", "failed"), strict=True):
        folder = tmp_path / run.about["run"]
        folder.mkdir()
        (folder / "run.json").write_text(json.dumps(run.about | {"status": status}))
        run.results.to_csv(folder / "results.csv", index=False)
    (tmp_path / "b" / "predictions.csv.gz").write_bytes(gzip.compress(b"image,group\na.tiff,NA\nb.tiff,\n"))
    assert claims.finished_runs(tmp_path)[1].predictions["group"].fillna("missing").tolist() == ["NA", "missing"]
    (tmp_path / "b" / "predictions.csv.gz").unlink()
    for of_runs in (several, claims.finished_runs(tmp_path)):
        assert judged(*of_runs)[["run", "word"]].tolist() == ["cpu/b", "not reproduced"]
        listed = claims.measured(paper(SCORE, WHOLE), of_runs)["run"].tolist()
        assert listed == ["cpu/a", "cpu/b", "cpu/c"][: len(of_runs)]


def test_of_two_runs_that_differ_alike_that_of_most_seeds_is_shown_and_judges(judged):
    one, five = a_run(lite(0.3), name="a"), a_run(*(lite(0.89, seed=seed) for seed in range(5)), name="b")
    assert judged(one, five)[["run", "seeds", "word"]].tolist() == ["cpu/b", 10, "supported"]


def test_of_two_settings_that_differ_alike_that_of_the_paper_s_size_of_images_is_shown(judged):
    settings = [("96px", 0.5, {"image_size": 96, "epochs": 100}), ("48px", 0.3, {"image_size": 48, "epochs": 4})]
    found = judged(*(a_run(lite(v, epochs=of["epochs"]), name=name, parameters=of) for name, v, of in settings))
    assert found["run"] == "cpu/48px" and "epochs 4, not 100" in found["differs"]


@pytest.mark.parametrize(("model", "told"), OF_MODEL.items())
def test_a_standard_cnn_differs_only_in_what_it_has(judged, model, told):
    run = a_run(ours(0.9, model=model), parameters={"cnn_epochs": 20, "phase1_epochs": 20, "folds": 5})
    run.about["notebook"] = "04_alam_2022"
    differs = judged(run, model=model)["differs"]
    assert f"; {told}" in f"; {differs}"
    assert ("cnn_epochs" in differs, "phase1_epochs" in differs) == (model != "B0", model == "B0")


STATEMENTS = {"not reproduced": "reproduced, not reproduced", "not tested": "not tested, reproduced"}
STATEMENTS |= {"reproduced": "reproduced, reproduced", "false": "agrees, false"}
NEAREST = [
    ([lite(0.871)], "supported"),  # 0.881 is within 0.90 - 0.02
    ([lite(0.869)], "not tested"),
    ([lite(0.871), {"dataset": "jaffe", "metric": "flat_histogram_share", "value": 0.51, "seed": 0}], "not tested"),
    ([lite(0.90, model="Lite1")], "not tested"),  # of B1
    ([lite(0.90, init="scratch")], "not tested"),
    ([lite(0.60)], "not tested"),  # one setting is not the most favourable of several
    ([lite(0.60), lite(0.83, named=False)], "doubtful"),  # 0.84 < 0.85
    ([lite(0.60), lite(0.8401, named=False)], "not tested"),
    ([lite(0.60), lite(0.89, named=False)], "not tested"),  # not the setting fixed beforehand
    ([lite(0.60), lite(0.70, named=False, protocol="clean")], "doubtful"),
    ([lite(0.60), lite(0.70, named=False), lite(0.85, False, paper="other_2021", model="Lite0")], "not tested"),
    ([lite(0.88), ours(0.5)], "not reproduced"),  # the network itself goes first
]


@pytest.mark.parametrize("expected", STATEMENTS)
def test_a_statement_of_several_rows_gets_the_gravest_word_and_is_reproduced_if_all_of_it_is(expected):
    rows = pd.DataFrame({"statement": "all", "word": STATEMENTS[expected].split(", ")})
    assert claims.statements(rows)["word"].tolist() == [expected]


@pytest.mark.parametrize(("rows", "expected"), NEAREST)
def test_nearest_relative_supports_or_casts_doubt_and_no_more(judged, rows, expected):
    assert judged(a_run(*rows))["word"] == expected


def test_what_the_nearest_relative_reached_in_its_best_setting_is_told_where_it_judges_nothing(judged):
    other = lite(0.85, named=False, paper="other_2021", model="Lite0, trained")
    reason = judged(a_run(lite(0.60), name="a"), a_run(other, name="b"))["reason"]
    told = "In the best of 2 settings, by these very scores, the nearest relative, Lite0, trained at 96 px in cpu/b, "
    told += "has 0.8500 [0.8400, 0.8600]; 0.9 is printed. In the setting fixed beforehand Lite0, frozen at 48 px has "
    told += "0.6000 [0.5900, 0.6100] (Lite0, not B0)."
    assert reason == f"Weights: no run of B0 began from those of ImageNet. {told}"
    otherwise = {"name": "a", "seeds": 1, "parameters": {"detector": "none"}}
    reason = judged(a_run(lite(0.60), **otherwise), a_run(other, name="b"))["reason"]
    told = "nearest to that fixed beforehand Lite0, frozen at 48 px has 0.6000 [0.5900, 0.6100], one training"
    assert reason.endswith(f"{told} (Lite0, not B0; detector none, not dlib).")


def test_impossible_stays_impossible_when_measured_and_contradiction_names_the_other_side(paper):
    twice = [SCORE, SCORE | {"value": "0.95", "claim": "abstract.b0", "where": "abstract"}]
    found = claims.judge(paper(*twice, WHOLE), [a_run(ours(0.90))])
    assert found["word"].tolist()[:2] == ["contradicts itself"] * 2
    assert "small_2020.abstract.b0" in found["reason"][0] and "small_2020.table1.b0" in found["reason"][1]
    twice[0] = SCORE | {"value": "0.9957", "n": 132}
    found = claims.judge(paper(*twice, WHOLE), [a_run(ours(0.9957))])
    assert found["word"].tolist()[:2] == ["impossible", "not tested"]
    assert found["reason"][:2].str.contains("Nor can these be true together: .*small_2020").all()


TRAIN = WHOLE | {"split": "train", "value": "190"}
STATED = [
    (WHOLE, None, "agrees"),  # as published
    (WHOLE | {"value": "214"}, None, "false"),
    *((TRAIN, counted, word) for counted, word in ((None, "not tested"), (190, "agrees"), (189, "not tested"))),
    ({"claim": "sec3.epochs", "value": "50", "metric": "epochs", "kind": "setting"}, None, "nothing to test"),
    (SCORE | {"kind": "cited"}, None, "nothing to test"),
]
REASONS = [
    ({}, "Data under agreement: JAFFE"),
    ({"dataset": "affectnet to fer2013"}, "Data under agreement: AffectNet"),
    ({"dataset": "fer2013"}, "Weights: no run of B0 began from those of ImageNet"),
    ({"dataset": "fer2013", "note": "open: the direction"}, "Not printed well enough: the direction"),
    ({"dataset": ""}, "Not printed well enough: n"),
    ({"dataset": "fer2013", "model": "standard CNN"}, "Hardware"),
]


@pytest.mark.parametrize(("row", "of_run", "expected"), STATED)
def test_statements_agree_are_false_or_have_nothing_to_test(paper, row, of_run, expected):
    counted = ours(of_run or 0, claim="small_2020.sec2.images", metric="images", init=None, protocol=None)
    found = claims.judge(paper(row), [a_run(counted)] if of_run else []).iloc[0]
    assert found["word"] == expected and found["reason"]
    generated = claims.judge(paper(row), [a_run(counted, source="generated faces")]).iloc[0]
    assert generated["word"] == ("not tested" if of_run else expected)


@pytest.mark.parametrize(("columns", "reason"), REASONS)
def test_what_is_not_tested_has_one_of_four_reasons(judged, columns, reason):
    found = judged(others=[], **columns)
    assert found["word"] == "not tested" and found["reason"].startswith(reason)


def test_printed_number_stands_beside_its_interval_floor_and_rival(judged):
    rival = SCORE | {"claim": "table1.b1", "model": "B1", "value": "0.9773"}
    sizes = [WHOLE | {"claim": f"s.{e}", "expression": e, "value": n} for e, n in (("happy", "99"), ("sad", "33"))]
    found = judged(value="0.9848", n=132, others=[rival, *(row | {"split": "test"} for row in sizes)])
    assert (found["printed_low"], found["printed_high"]) == pytest.approx(proportion_confint(130, 132, method="wilson"))
    assert (found["floor"], found["compared_with"], found["images_apart"]) == (0.75, "B1", 1)
    assert found["apart"] < found["smallest"] < 0.05 or np.isnan(found["smallest"])
    rounded, low, high = judged(value="0.98", n=132), *(proportion_confint(k, 132, method="wilson") for k in (129, 130))
    assert (rounded["printed_low"], rounded["printed_high"]) == pytest.approx((low[0], high[1]))
    assert np.isnan(judged(value="0.9957", n=132)["printed_low"])  # no number of images prints so


WORDS_OF_THE_PAPERS = {
    "impossible": "alam_2022.abstract.accuracy.ckplus alam_2022.table3.accuracy_high.ckplus.first",
    "contradicts itself": "huang_2024.sec3.epochs huang_2024.fig2.best_epoch_loss alam_2022.sec1.phase2.learning_rate "
    "alam_2022.table3.accuracy_low.ckplus.first alam_2022.table3.accuracy_low.ckplus.second",
    "doubtful": "jiang_2025.fig2.train_loss.first singh_2022.table4.moeffnet alam_2022.table1.jaffe.128",
    "ambiguous": "jiang_2025.sec2.2.3.stem.padding alam_2022.sec4.3.image_size singh_2022.abstract.accuracy.dfew",
    "false": "huang_2024.sec2.2.1.mbconv_blocks jiang_2025.sec2.2.3.channels.stage4 jiang_2025.sec1.release_year",
    "agrees": "jiang_2025.sec1.images_low huang_2024.sec2.1.images.fear singh_2022.sec4.1.release_year",
    "not tested": "alam_2022.table5.errors singh_2022.table2.moeffnet jiang_2025.abstract.accuracy_difference",
    "nothing to test": "singh_2022.table3.cnn_li alam_2022.sec4.4.epochs_total",
}


@pytest.fixture(scope="module")
def everything() -> pd.DataFrame:
    """The four papers judged by checks alone."""
    return claims.judge(claims.load())


@pytest.mark.parametrize("expected", WORDS_OF_THE_PAPERS)
def test_numbers_of_the_four_papers_get_their_words(everything, expected):
    names = WORDS_OF_THE_PAPERS[expected].split()
    assert everything.set_index("claim").loc[names, "word"].tolist() == [expected] * len(names)


def test_every_claim_has_one_word_each_statement_counts_once_and_a_notebook_says_the_same(everything):
    assert everything["claim"].tolist() == claims.load()["claim"].tolist()
    assert set(everything["word"]) <= set(claims.WORDS) and everything["reason"].str.fullmatch(r".+\.").all()
    once, told = claims.statements(everything), claims.headline(everything)
    assert len(once) == everything["statement"].nunique() < len(everything)
    results = (once["kind"] == "result").sum()
    assert told.startswith(f"Of {results} results, 0 reproduced, 0 not reproduced, 1 impossible, 4 contradict them")
    sentence, table = claims.verdict(a_run(), "alam_2022")
    own = once[(once["paper"] == "alam_2022") & (once["kind"] == "result")]
    assert table["word"].tolist() == own["word"].tolist() and sentence == claims.headline(own)
    reason = claims.verdict(a_run(), "singh_2022").table.set_index("claim").loc["table2.moeffnet", "reason"]
    low, high = proportion_confint(round(0.7102 * 3589), 3589, method="wilson")
    beside = f"interval [{low:.3f}, {high:.3f}], floor {879 / 3589:.3f}, 35 images from Pat-ResNet."  # 0.98 points
    assert reason.endswith(beside)
