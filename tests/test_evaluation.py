"""Every metric agrees with scikit-learn or its formula, and 95 % intervals cover about 95 % of the time."""

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics
from sklearn.calibration import calibration_curve

from fer_helpers import evaluation
from fer_helpers.evaluation import (
    calibration,
    confusion,
    cross_entropy,
    expected_calibration_error,
    over_seeds,
    proportion_interval,
    scores,
)

CLASSES = ["neutral", "happy", "sad", "surprise", "fear", "disgust", "anger"]


def random_case(
    seed: int, images: int = 200, classes: int = 7, sharpness: float = 2.0
) -> tuple[np.ndarray, np.ndarray]:
    """Labels of uneven classes, all present, and probabilities that favour the label."""
    random = np.random.default_rng(seed)
    labels = np.concatenate(
        [np.arange(classes), random.choice(classes, images - classes, p=random.dirichlet(np.full(classes, 3.0)))]
    )
    logits = random.normal(size=(images, classes)) + sharpness * np.eye(classes)[labels]
    probabilities = np.exp(logits)
    return labels, probabilities / probabilities.sum(axis=1, keepdims=True)


def value(scored, metric: str, expression: str = "") -> float:
    return scored.loc[(scored["metric"] == metric) & (scored["expression"] == expression), "value"].item()


def wilson(count: int, total: int) -> tuple[float, float]:
    """The interval as in Wilson (1927), with z = 1.96."""
    z, share = stats.norm.ppf(0.975), count / total
    middle = (share + z**2 / (2 * total)) / (1 + z**2 / total)
    half = z / (1 + z**2 / total) * np.sqrt(share * (1 - share) / total + z**2 / (4 * total**2))
    return middle - half, middle + half


@pytest.mark.parametrize("seed", range(5))
def test_metrics_of_the_whole_set_are_those_of_scikit_learn(seed):
    labels, probabilities = random_case(seed)
    predicted = probabilities.argmax(axis=1)
    scored = scores(labels, probabilities, CLASSES)
    assert value(scored, "accuracy") == pytest.approx(metrics.accuracy_score(labels, predicted), abs=1e-9)
    assert value(scored, "balanced_accuracy") == pytest.approx(
        metrics.balanced_accuracy_score(labels, predicted), abs=1e-9
    )
    macro_precision = metrics.precision_score(labels, predicted, average="macro", zero_division=0)
    assert value(scored, "macro_precision") == pytest.approx(macro_precision, abs=1e-9)
    assert value(scored, "macro_f1") == pytest.approx(metrics.f1_score(labels, predicted, average="macro"), abs=1e-9)
    assert value(scored, "log_loss") == pytest.approx(metrics.log_loss(labels, probabilities), abs=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_metrics_of_each_expression_are_those_of_scikit_learn(seed):
    labels, probabilities = random_case(seed)
    predicted = probabilities.argmax(axis=1)
    expected = metrics.precision_recall_fscore_support(labels, predicted, zero_division=np.nan)
    scored = scores(labels, probabilities, CLASSES)
    for metric, values in zip(("precision", "recall", "f1"), expected, strict=False):
        for place, expression in enumerate(CLASSES):
            assert value(scored, metric, expression) == pytest.approx(values[place], abs=1e-9, nan_ok=True)


def test_scores_of_a_small_set_are_those_counted_by_hand():
    labels = np.array([0, 0, 0, 1, 1, 2])
    probabilities = np.eye(3)[[0, 0, 1, 1, 1, 0]]
    scored = scores(labels, probabilities, ["neutral", "happy", "sad"])
    assert value(scored, "accuracy") == pytest.approx(4 / 6)
    assert value(scored, "balanced_accuracy") == pytest.approx((2 / 3 + 1 + 0) / 3)
    assert value(scored, "macro_precision") == pytest.approx((2 / 3 + 2 / 3 + 0) / 3)
    assert value(scored, "macro_f1") == pytest.approx((2 / 3 + 4 / 5 + 0) / 3)
    assert value(scored, "precision", "neutral") == pytest.approx(2 / 3)
    assert value(scored, "recall", "happy") == 1
    assert np.isnan(value(scored, "precision", "sad"))
    assert value(scored, "f1", "sad") == 0


def test_n_counts_the_images_that_each_proportion_is_of():
    labels = np.array([0, 0, 0, 1, 1, 2])
    scored = scores(labels, np.eye(3)[[0, 0, 1, 1, 1, 0]], ["neutral", "happy", "sad"])
    counts = scored.set_index(["metric", "expression"])["n"]
    assert {
        metric: counts[metric, ""] for metric in ("accuracy", "balanced_accuracy", "macro_f1", "log_loss")
    } == dict.fromkeys(("accuracy", "balanced_accuracy", "macro_f1", "log_loss"), 6)
    assert [counts["recall", name] for name in ("neutral", "happy", "sad")] == [3, 2, 1]
    assert [counts["f1", name] for name in ("neutral", "happy", "sad")] == [3, 2, 1]
    assert [counts["precision", name] for name in ("neutral", "happy", "sad")] == [3, 3, 0]


@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")
def test_expression_that_the_set_does_not_hold_has_no_row_and_no_weight_in_the_means():
    labels, probabilities = random_case(0)
    kept = labels != 5
    labels, predicted = labels[kept], probabilities[kept].argmax(axis=1)
    scored = scores(labels, probabilities[kept], CLASSES)
    assert (predicted == 5).any()
    assert "disgust" not in set(scored["expression"])
    present = [0, 1, 2, 3, 4, 6]
    assert value(scored, "macro_f1") == pytest.approx(
        metrics.f1_score(labels, predicted, average="macro", labels=present), abs=1e-9
    )
    recalls = metrics.recall_score(labels, predicted, average=None, labels=present)
    assert value(scored, "balanced_accuracy") == pytest.approx(recalls.mean(), abs=1e-9)


def test_first_of_equal_probabilities_is_the_prediction():
    scored = scores(np.array([0, 1]), np.full((2, 2), 0.5), ["neutral", "happy"])
    assert value(scored, "recall", "neutral") == 1
    assert value(scored, "recall", "happy") == 0


def test_confusion_has_labels_in_rows_and_predictions_in_columns():
    assert confusion(np.array([0, 0, 2]), np.array([0, 2, 1]), 4).tolist() == [
        [1, 0, 1, 0],
        [0, 0, 0, 0],
        [0, 1, 0, 0],
        [0, 0, 0, 0],
    ]


def test_cross_entropy_is_the_mean_negative_logarithm_of_the_labels_probability():
    probabilities = np.array([[0.5, 0.25, 0.25], [0.1, 0.8, 0.1]])
    assert cross_entropy(np.array([0, 2]), probabilities) == pytest.approx((np.log(2) + np.log(10)) / 2, abs=1e-9)


def test_impossible_label_costs_a_finite_amount():
    assert cross_entropy(np.array([1]), np.array([[1.0, 0.0]])) == pytest.approx(-np.log(1e-7), rel=1e-6)


@pytest.mark.parametrize(("count", "total"), [(0, 1), (1, 1), (0, 50), (50, 50), (3, 7), (37, 111), (2_500, 3_589)])
def test_interval_of_a_proportion_is_wilsons(count, total):
    assert proportion_interval(count, total) == pytest.approx(wilson(count, total), abs=1e-9)


def test_proportion_of_nothing_has_no_interval():
    assert np.isnan(proportion_interval(0, 0)).all()


def test_accuracy_precision_and_recall_carry_wilsons_interval():
    labels, probabilities = random_case(3)
    predicted = probabilities.argmax(axis=1)
    scored = scores(labels, probabilities, CLASSES).set_index(["metric", "expression"])
    hits = predicted == labels
    for place, expression in enumerate(CLASSES):
        expected = wilson(int(hits[labels == place].sum()), int((labels == place).sum()))
        assert scored.loc[("recall", expression), ["ci_low", "ci_high"]].tolist() == pytest.approx(expected, abs=1e-9)
        expected = wilson(int(hits[predicted == place].sum()), int((predicted == place).sum()))
        assert scored.loc[("precision", expression), ["ci_low", "ci_high"]].tolist() == pytest.approx(
            expected, abs=1e-9
        )
    assert scored.loc[("accuracy", ""), ["ci_low", "ci_high"]].tolist() == pytest.approx(
        wilson(int(hits.sum()), len(hits)), abs=1e-9
    )


@pytest.mark.parametrize("metric", ["log_loss", "ece"])
def test_log_loss_and_calibration_error_carry_no_interval(metric):
    scored = scores(*random_case(0), CLASSES).set_index("metric")
    assert scored.loc[metric, ["ci_low", "ci_high"]].isna().all()


def test_scores_are_of_the_metrics_that_the_module_lists():
    assert tuple(scores(*random_case(0), CLASSES)["metric"].unique()) == evaluation.METRICS


def test_bootstrap_intervals_are_those_of_drawing_the_images_anew():
    labels, probabilities = random_case(1, images=150, classes=3, sharpness=1.0)
    cells = 3 * labels + probabilities.argmax(axis=1)
    draws = np.random.default_rng(0).integers(0, 150, (5_000, 150))
    counts = np.stack([np.bincount(cells[chosen], minlength=9) for chosen in draws]).reshape(-1, 3, 3)
    hits, labelled, predicted = np.einsum("mii->mi", counts), counts.sum(axis=2), counts.sum(axis=1)
    by_hand = {
        ("balanced_accuracy", ""): (hits / labelled).mean(axis=1),
        ("macro_precision", ""): (hits / predicted).mean(axis=1),
        ("macro_f1", ""): (2 * hits / (labelled + predicted)).mean(axis=1),
        ("f1", "happy"): (2 * hits / (labelled + predicted))[:, 1],
    }
    scored = scores(labels, probabilities, CLASSES[:3]).set_index(["metric", "expression"])
    for metric, values in by_hand.items():
        expected = np.percentile(values, [2.5, 97.5])
        # A 90 % interval would end a third of a standard deviation nearer.
        assert scored.loc[metric, ["ci_low", "ci_high"]].tolist() == pytest.approx(
            expected.tolist(), abs=0.2 * values.std()
        )


def test_same_seed_gives_the_same_intervals_and_another_seed_others():
    case = random_case(0)
    first, again, other = (scores(*case, CLASSES, seed=seed) for seed in (1, 1, 2))
    assert first.equals(again)
    assert not first.equals(other)
    assert first["value"].equals(other["value"])


def test_intervals_cover_the_truth_about_as_often_as_they_say(monkeypatch):
    monkeypatch.setattr(evaluation, "RESAMPLES", 400)
    random = np.random.default_rng(0)
    population = np.array(
        [[0.30, 0.08, 0.02], [0.05, 0.25, 0.05], [0.04, 0.06, 0.15]]
    )  # shares of images by label and prediction
    hits, labelled, predicted = np.diag(population), population.sum(axis=1), population.sum(axis=0)
    truth = {
        ("accuracy", ""): hits.sum(),
        ("recall", "happy"): hits[1] / labelled[1],
        ("precision", "sad"): hits[2] / predicted[2],
        ("balanced_accuracy", ""): (hits / labelled).mean(),
        ("macro_precision", ""): (hits / predicted).mean(),
        ("macro_f1", ""): (2 * hits / (labelled + predicted)).mean(),
        ("f1", "neutral"): 2 * hits[0] / (labelled[0] + predicted[0]),
    }
    samples, images = 300, 300
    covered = dict.fromkeys(truth, 0)
    for sample in range(samples):
        cells = random.choice(9, images, p=population.ravel())
        scored = scores(cells // 3, np.eye(3)[cells % 3], CLASSES[:3], seed=sample).set_index(["metric", "expression"])
        for key, true in truth.items():
            covered[key] += scored.at[key, "ci_low"] <= true <= scored.at[key, "ci_high"]
    # What a coverage of 0.93 to 0.97 gives in all but one of a thousand simulations.
    low, high = stats.binom.ppf(0.0005, samples, 0.93), stats.binom.ppf(0.9995, samples, 0.97)
    assert {key: count for key, count in covered.items() if not low <= count <= high} == {}


def frames_of(people: int, frames: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Labels, probabilities and people of images whose errors come by the person; and the accuracy that they are drawn from."""
    random = np.random.default_rng(seed)
    right = np.repeat(random.random(people) < 0.7, frames)
    labels = np.repeat(np.arange(people) % 2, frames)
    return labels, np.eye(2)[np.where(right, labels, 1 - labels)], np.repeat(np.arange(people), frames), 0.7


def test_interval_over_groups_covers_where_the_one_over_images_is_too_narrow():
    covered = {"groups": 0, "images": 0}
    for seed in range(200):
        labels, probabilities, people, truth = frames_of(40, 8, seed)
        for name, groups in {"groups": people, "images": None}.items():
            row = scores(labels, probabilities, ["neutral", "happy"], groups=groups).iloc[0]
            covered[name] += row["ci_low"] <= truth <= row["ci_high"]
    assert 0.90 <= covered["groups"] / 200 <= 0.99
    assert covered["images"] / 200 < 0.65


def test_groups_of_one_image_give_the_interval_of_independent_images():
    labels, probabilities = random_case(3, images=400)
    alone = scores(labels, probabilities, CLASSES, groups=np.arange(400)).iloc[0]
    wilson_low, wilson_high = wilson(round(alone["value"] * 400), 400)
    assert alone["ci_low"] == pytest.approx(wilson_low, abs=0.012)
    assert alone["ci_high"] == pytest.approx(wilson_high, abs=0.012)


def test_without_an_error_the_interval_over_groups_counts_groups_and_not_images():
    labels = np.repeat([0, 1], 50)
    row = scores(labels, np.eye(2)[labels], ["neutral", "happy"], groups=np.arange(100) // 10).iloc[0]
    assert (row["ci_low"], row["ci_high"]) == pytest.approx(wilson(10, 10))


def error_of_calibration(labels: np.ndarray, probabilities: np.ndarray, bins: int) -> float:
    """Guo et al. (2017), eq. 3, image by image."""
    confidence, hit = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    total = 0.0
    for place in range(bins):
        inside = [number for number, sure in enumerate(confidence) if place / bins < sure <= (place + 1) / bins]
        total += abs(sum(hit[inside]) - sum(confidence[inside])) / len(labels)
    return total


@pytest.mark.parametrize("bins", [5, 15])
@pytest.mark.parametrize("seed", range(5))
def test_calibration_error_is_that_of_guo_2017(seed, bins):
    labels, probabilities = random_case(seed)
    assert expected_calibration_error(labels, probabilities, bins) == pytest.approx(
        error_of_calibration(labels, probabilities, bins), abs=1e-9
    )


def test_scores_hold_the_calibration_error_over_fifteen_bins():
    labels, probabilities = random_case(0)
    assert value(scores(labels, probabilities, CLASSES), "ece") == pytest.approx(
        error_of_calibration(labels, probabilities, 15), abs=1e-9
    )


@pytest.mark.parametrize("seed", range(5))
def test_bins_of_calibration_are_those_of_scikit_learn(seed):
    labels, probabilities = random_case(seed)
    bins = calibration(labels, probabilities, 10)
    hits, confidence = calibration_curve(probabilities.argmax(axis=1) == labels, probabilities.max(axis=1), n_bins=10)
    filled = bins[bins["n"] > 0]
    np.testing.assert_allclose(filled["accuracy"], hits, atol=1e-9, rtol=0)
    np.testing.assert_allclose(filled["confidence"], confidence, atol=1e-9, rtol=0)
    assert bins["n"].sum() == len(labels)


def test_bins_of_calibration_are_closed_on_the_right_and_empty_ones_hold_nothing():
    labels = np.array([0, 0, 1, 1])
    bins = calibration(labels, np.array([[0.5, 0.5], [0.75, 0.25], [0.0, 1.0], [0.8, 0.2]]), bins=4)
    assert bins["n"].tolist() == [0, 1, 1, 2]
    assert bins["accuracy"].tolist() == pytest.approx([np.nan, 1, 1, 0.5], nan_ok=True)
    assert bins["confidence"].tolist() == pytest.approx([np.nan, 0.5, 0.75, 0.9], nan_ok=True)
    assert bins.loc[3, ["ci_low", "ci_high"]].tolist() == pytest.approx(wilson(1, 2))
    assert bins.loc[0, ["ci_low", "ci_high"]].isna().all()


def test_model_that_is_as_right_as_it_is_sure_has_hardly_an_error_of_calibration():
    random = np.random.default_rng(0)
    probabilities = random.dirichlet(np.ones(4), 20_000)
    labels = (random.random((20_000, 1)) > probabilities.cumsum(axis=1)).sum(axis=1)
    assert expected_calibration_error(labels, probabilities) < 0.02
    assert expected_calibration_error((labels + 1) % 4, probabilities) > 0.3


@pytest.mark.parametrize("seed", range(5))
def test_mean_over_seeds_has_the_interval_that_does_not_reject_its_ends(seed):
    values = np.random.default_rng(seed).normal(0.6, 0.02, 5)
    summary = over_seeds(values)
    assert summary.mean == pytest.approx(sum(values) / 5, abs=1e-9)
    assert summary.sd == pytest.approx(np.sqrt(sum((values - sum(values) / 5) ** 2) / 4), abs=1e-9)
    assert stats.ttest_1samp(values, summary.ci_low).pvalue == pytest.approx(0.05, abs=1e-9)
    assert stats.ttest_1samp(values, summary.ci_high).pvalue == pytest.approx(0.05, abs=1e-9)


def test_one_seed_has_a_mean_and_no_spread():
    assert over_seeds([0.5]) == pytest.approx((0.5, np.nan, np.nan, np.nan), nan_ok=True)


def test_no_seed_is_an_error():
    with pytest.raises(ValueError, match="score at least one seed"):
        over_seeds([])


def test_interval_over_seeds_covers_the_mean_at_its_rate():
    random = np.random.default_rng(0)
    summaries = [over_seeds(random.normal(0.6, 0.02, 3)) for _ in range(2_000)]
    covered = sum(summary.ci_low <= 0.6 <= summary.ci_high for summary in summaries)
    assert stats.binom.ppf(0.0005, 2_000, 0.95) <= covered <= stats.binom.ppf(0.9995, 2_000, 0.95)


@pytest.mark.parametrize("share", [0.02, 0.3, 0.65, 0.97])
def test_wilsons_interval_covers_at_its_rate(share):
    counts = np.random.default_rng(0).binomial(500, share, 2_000)
    intervals = {count: proportion_interval(int(count), 500) for count in np.unique(counts)}
    covered = np.mean([intervals[count][0] <= share <= intervals[count][1] for count in counts])
    assert 0.93 <= covered <= 0.97
