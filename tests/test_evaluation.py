"""Every metric agrees with scikit-learn or its formula, and every interval with a way to compute it anew."""

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats
from sklearn import metrics
from sklearn.calibration import calibration_curve

from fer_helpers import evaluation
from fer_helpers.evaluation import calibration, confusion, cross_entropy, paired_difference, proportion_interval, scores

CLASSES = ["neutral", "happy", "sad", "surprise", "fear", "disgust", "anger"]
INTERVAL = ["ci_low", "ci_high"]


def random_case(seed: int, images: int = 200, classes: int = 7, sharpness: float = 2) -> tuple[np.ndarray, np.ndarray]:
    """Labels of uneven classes, all present, and probabilities that favour the label."""
    random = np.random.default_rng(seed)
    drawn = random.choice(classes, images - classes, p=random.dirichlet(np.full(classes, 3.0)))
    labels = np.concatenate([np.arange(classes), drawn])
    probabilities = np.exp(random.normal(size=(images, classes)) + sharpness * np.eye(classes)[labels])
    return labels, probabilities / probabilities.sum(axis=1, keepdims=True)


def by_metric(scored):
    return scored.set_index(["metric", "expression"]).sort_index()


def wilson(count: int, total: int) -> tuple[float, float]:
    """The interval by SciPy; ours is by statsmodels."""
    return tuple(stats.binomtest(count, total).proportion_ci(method="wilson"))


@pytest.mark.parametrize("seed", range(3))
def test_metrics_are_those_of_scikit_learn(seed):
    labels, probabilities = random_case(seed)
    predicted = probabilities.argmax(axis=1)
    scored = by_metric(scores(labels, probabilities, CLASSES))
    expected = {
        "accuracy": metrics.accuracy_score(labels, predicted),
        "balanced_accuracy": metrics.balanced_accuracy_score(labels, predicted),
        "macro_precision": metrics.precision_score(labels, predicted, average="macro", zero_division=0),
        "macro_f1": metrics.f1_score(labels, predicted, average="macro"),
        "log_loss": metrics.log_loss(labels, probabilities),
    }
    assert {metric: scored.at[(metric, ""), "value"] for metric in expected} == pytest.approx(expected, abs=1e-9)
    by_class = metrics.precision_recall_fscore_support(labels, predicted, zero_division=np.nan)
    for metric, values in zip(("precision", "recall", "f1"), by_class, strict=False):
        ours = [scored.at[(metric, expression), "value"] for expression in CLASSES]
        assert ours == pytest.approx(values, abs=1e-9, nan_ok=True)
    assert set(scored.reset_index()["metric"]) == set(evaluation.METRICS)


def test_scores_of_a_small_set_are_those_counted_by_hand():
    labels, classes = np.array([0, 0, 0, 1, 1, 2]), ["neutral", "happy", "sad"]
    scored = by_metric(scores(labels, np.eye(3)[[0, 0, 1, 1, 1, 0]], classes))
    whole = {"accuracy": 4 / 6, "balanced_accuracy": 5 / 9, "macro_precision": 4 / 9, "macro_f1": (2 / 3 + 4 / 5) / 3}
    for metric, value in whole.items():
        assert scored.loc[(metric, ""), ["value", "n"]].tolist() == pytest.approx([value, 6])
    by_class = {"recall": ([2 / 3, 1, 0], [3, 2, 1]), "f1": ([2 / 3, 4 / 5, 0], [3, 2, 1])}
    by_class |= {"precision": ([2 / 3, 2 / 3, np.nan], [3, 3, 0])}
    for metric, (values, counts) in by_class.items():
        rows = scored.loc[[(metric, name) for name in classes]]
        assert rows["value"].tolist() == pytest.approx(values, nan_ok=True)
        assert rows["n"].tolist() == counts


@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")
def test_expression_that_the_set_does_not_hold_has_no_row_and_no_weight_in_the_means():
    labels, probabilities = random_case(0)
    labels, probabilities = labels[labels != 5], probabilities[labels != 5]
    predicted, present = probabilities.argmax(axis=1), [0, 1, 2, 3, 4, 6]
    scored = by_metric(scores(labels, probabilities, CLASSES))
    assert (predicted == 5).any() and "disgust" not in scored.index.get_level_values("expression")
    f1 = metrics.f1_score(labels, predicted, average="macro", labels=present)
    recalls = metrics.recall_score(labels, predicted, average=None, labels=present)
    assert scored.at[("macro_f1", ""), "value"] == pytest.approx(f1, abs=1e-9)
    assert scored.at[("balanced_accuracy", ""), "value"] == pytest.approx(recalls.mean(), abs=1e-9)


def test_first_of_equal_probabilities_is_the_prediction_and_confusion_has_labels_in_rows():
    scored = by_metric(scores(np.array([0, 1]), np.full((2, 2), 0.5), ["neutral", "happy"]))
    assert scored.loc["recall", "value"].to_dict() == {"neutral": 1, "happy": 0}
    counts = confusion(np.array([0, 0, 2]), np.array([0, 2, 1]), 4)
    assert counts.tolist() == [[1, 0, 1, 0], [0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0]]


def test_cross_entropy_is_the_mean_negative_logarithm_and_an_impossible_label_costs_a_finite_amount():
    probabilities = np.array([[0.5, 0.25, 0.25], [0.1, 0.8, 0.1]])
    assert cross_entropy(np.array([0, 2]), probabilities) == pytest.approx((np.log(2) + np.log(10)) / 2, abs=1e-9)
    assert cross_entropy(np.array([1]), np.array([[1.0, 0.0]])) == pytest.approx(-np.log(1e-7), rel=1e-6)


def test_an_interval_holds_its_own_share_where_statsmodels_rounds_past_it():
    """0 of 7 and 7 of 7 among others: a figure draws no negative error bar."""
    for total in range(1, 60):
        for count in (0, total):
            low, high = proportion_interval(count, total)
            assert low <= count / total <= high


def test_accuracy_precision_and_recall_carry_wilsons_interval_and_losses_none():
    for count, total in ((0, 1), (1, 1), (0, 50), (50, 50), (37, 111), (2_500, 3_589)):
        assert proportion_interval(count, total) == pytest.approx(wilson(count, total), abs=1e-9)
    assert np.isnan(proportion_interval(0, 0)).all()
    labels, probabilities = random_case(3)
    predicted = probabilities.argmax(axis=1)
    scored, hits = by_metric(scores(labels, probabilities, CLASSES)), predicted == labels
    of = {("accuracy", ""): labels >= 0}
    for place, expression in enumerate(CLASSES):
        of |= {("recall", expression): labels == place, ("precision", expression): predicted == place}
    for row, chosen in of.items():
        expected = wilson(int(hits[chosen].sum()), int(chosen.sum()))
        assert scored.loc[row, INTERVAL].tolist() == pytest.approx(expected, abs=1e-9)
    assert scored.loc[["log_loss", "ece"], INTERVAL].isna().all(axis=None)


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
    scored, again = (by_metric(scores(labels, probabilities, CLASSES[:3])) for _ in range(2))
    assert scored.equals(again)
    for metric, values in by_hand.items():
        expected = np.percentile(values, [2.5, 97.5])
        # A 90 % interval would end a third of a standard deviation nearer.
        assert scored.loc[metric, INTERVAL].tolist() == pytest.approx(expected.tolist(), abs=0.2 * values.std())


def test_interval_over_groups_covers_where_the_one_over_images_is_too_narrow():
    """Of an accuracy, and of the difference of two; 70 % of 40 people are right, on all 8 of their frames."""
    covered, people = pd.DataFrame(0, ["accuracy", "difference"], ["groups", "images"]), np.repeat(np.arange(40), 8)
    for seed in range(100):
        labels, right = people % 2, (np.random.default_rng(seed).random(40) < 0.7)[people]
        predicted = np.where(right, labels, 1 - labels)
        other = np.random.default_rng(seed).random(320) < 0.5
        for name, groups in {"groups": people, "images": None}.items():
            row = scores(labels, np.eye(2)[predicted], ["neutral", "happy"], groups=groups).iloc[0]
            covered.at["accuracy", name] += row["ci_low"] <= 0.7 <= row["ci_high"]
            _, low, high = paired_difference(predicted == labels, other, groups)
            covered.at["difference", name] += low <= 0.2 <= high
    assert covered["groups"].between(90, 99).all()
    assert (covered["images"] < 75).all()


def test_groups_of_one_image_are_independent_images_and_without_an_error_groups_are_counted():
    alone = scores(*random_case(3, images=400), CLASSES, groups=np.arange(400)).iloc[0]
    assert alone[INTERVAL].tolist() == pytest.approx(wilson(round(alone["value"] * 400), 400), abs=0.012)
    labels = np.repeat([0, 1], 50)
    row = scores(labels, np.eye(2)[labels], ["neutral", "happy"], groups=np.arange(100) // 10).iloc[0]
    assert row[INTERVAL].tolist() == pytest.approx(wilson(10, 10))


@pytest.mark.parametrize("seed", range(3))
def test_calibration_is_that_of_guo_2017_and_its_bins_are_those_of_scikit_learn(seed):
    labels, probabilities = random_case(seed)
    sure, hit = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    for bins in (5, 15):  # Guo et al. (2017), eq. 3
        inside = [(place / bins < sure) & (sure <= (place + 1) / bins) for place in range(bins)]
        expected = sum(abs(hit[chosen].sum() - sure[chosen].sum()) for chosen in inside) / len(labels)
        assert evaluation.expected_calibration_error(labels, probabilities, bins) == pytest.approx(expected, abs=1e-9)
    assert by_metric(scores(labels, probabilities, CLASSES)).at[("ece", ""), "value"] == pytest.approx(expected)
    bins = calibration(labels, probabilities, 10)
    hits, confidence = calibration_curve(hit, sure, n_bins=10)
    filled = bins[bins["n"] > 0]
    np.testing.assert_allclose(filled["accuracy"], hits, atol=1e-9, rtol=0)
    np.testing.assert_allclose(filled["confidence"], confidence, atol=1e-9, rtol=0)
    assert bins["n"].sum() == len(labels)


def test_bins_of_calibration_are_closed_on_the_right_and_empty_ones_hold_nothing():
    bins = calibration(np.array([0, 0, 1, 1]), np.array([[0.5, 0.5], [0.75, 0.25], [0.0, 1.0], [0.8, 0.2]]), bins=4)
    assert bins["n"].tolist() == [0, 1, 1, 2]
    assert bins["accuracy"].tolist() == pytest.approx([np.nan, 1, 1, 0.5], nan_ok=True)
    assert bins["confidence"].tolist() == pytest.approx([np.nan, 0.5, 0.75, 0.9], nan_ok=True)
    assert bins.loc[3, INTERVAL].tolist() == pytest.approx(wilson(1, 2))
    assert bins.loc[0, INTERVAL].isna().all()


def test_paired_difference_is_that_of_the_accuracies_with_the_interval_of_drawing_images_anew():
    right, other = np.random.default_rng(4).random((2, 300)) < [[0.65], [0.5]]
    draws = np.random.default_rng(1).integers(0, 300, (5_000, 300))
    drawn = right[draws].mean(axis=1) - other[draws].mean(axis=1)
    difference, near = paired_difference(right, other), 0.2 * drawn.std()
    assert difference[0] == pytest.approx(right.mean() - other.mean())
    assert difference[1:] == pytest.approx(tuple(np.percentile(drawn, [2.5, 97.5])), abs=near)
    swapped = paired_difference(other, right, groups=np.arange(300))
    assert swapped == pytest.approx((-difference[0], -difference[2], -difference[1]), abs=near)
    with pytest.raises(ValueError, match="3 and 2 answers"):
        paired_difference(np.zeros(3, bool), np.zeros(2, bool))


def test_models_that_never_differ_may_yet_differ_on_as_many_groups_as_none_of_so_many_allows():
    right, allowed = np.arange(120) % 3 == 0, wilson(0, 12)[1]
    assert paired_difference(right, right, groups=np.arange(120) // 10) == pytest.approx((0, -allowed, allowed))


@pytest.mark.parametrize(("n", "accuracy"), [(132, 0.8), (327, 0.5), (3_589, 0.65), (28_709, 0.1)])
@pytest.mark.parametrize(("power", "alpha"), [(0.8, 0.05), (0.9, 0.01)])
def test_smallest_difference_is_where_the_power_is_reached(n, accuracy, power, alpha):
    def missing(gain: float) -> float:
        """Of the power of the two-sided z-test of two proportions on the arcsine scale, from its definition."""
        effect = 2 * (np.arcsin(np.sqrt(accuracy + gain)) - np.arcsin(np.sqrt(accuracy)))
        shift, bound = effect * np.sqrt(n / 2), stats.norm.ppf(1 - alpha / 2)
        return power - stats.norm.sf(bound - shift) - stats.norm.cdf(-bound - shift)

    expected = optimize.brentq(missing, 1e-6, 1 - accuracy, xtol=1e-13)
    # but for the chance, one in a million, that the worse one is found to be better
    assert evaluation.smallest_difference(n, accuracy, power, alpha) == pytest.approx(expected, abs=1e-6)


def test_too_few_images_show_no_difference():
    assert np.isnan(evaluation.smallest_difference(132, 0.99))
