"""Tests of two models agree with closed forms, and the smallest difference is found as often as it says."""

import numpy as np
import pytest
from scipy import optimize, stats

from fer_helpers.comparison import compare_all, mcnemar, smallest_difference, smallest_paired_difference


def random_predictions(
    seed: int, images: int = 120, classes: int = 7, models: int = 2
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Labels, and predictions of models that are right about half of the time."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, images)
    accuracies = random.uniform(0.4, 0.7, models)
    return labels, [
        np.where(random.random(images) < accuracy, labels, random.integers(0, classes, images))
        for accuracy in accuracies
    ]


@pytest.mark.parametrize("seed", range(20))
def test_mcnemar_is_the_binomial_test_of_the_images_on_which_one_is_right(seed):
    labels, (first, second) = random_predictions(seed)
    tested = mcnemar(labels, first, second)
    only = [
        sum(a == label != b for label, a, b in zip(labels, one, other, strict=True))
        for one, other in ((first, second), (second, first))
    ]
    assert [tested.first_only, tested.second_only] == only
    assert tested.p == pytest.approx(stats.binomtest(only[0], sum(only), 0.5).pvalue, abs=1e-9)


def test_mcnemar_of_a_small_table_is_that_counted_by_hand():
    labels = np.zeros(9, int)
    first, second = np.array([0, 0, 0, 0, 0, 0, 1, 1, 1]), np.array([1, 1, 1, 1, 1, 0, 1, 1, 1])
    assert mcnemar(labels, first, second) == (5, 0, pytest.approx(2 * 0.5**5))


def test_models_that_say_the_same_do_not_differ():
    labels, (first, _) = random_predictions(0)
    assert mcnemar(labels, first, first) == (0, 0, 1.0)


def test_predictions_of_other_images_are_refused():
    with pytest.raises(ValueError, match="3 labels, 3 and 2 predictions"):
        mcnemar(np.zeros(3, int), np.zeros(3, int), np.zeros(2, int))


def holm(p: np.ndarray) -> np.ndarray:
    """Holm (1979): the i-th smallest of m times m + 1 - i, none smaller than the one before, none over 1."""
    order = np.argsort(p)
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(1, np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)))
    return adjusted


@pytest.mark.parametrize("seed", range(5))
def test_eight_models_give_28_pairs_with_holms_correction(seed):
    labels, predictions = random_predictions(seed, models=8)
    models = {f"B{number}": predicted for number, predicted in enumerate(predictions)}
    compared = compare_all(models, labels)
    assert len(compared) == 28
    assert compared.iloc[0][["first", "second", "n"]].tolist() == ["B0", "B1", 120]
    np.testing.assert_allclose(compared["p_holm"], holm(compared["p"].to_numpy()), atol=1e-9, rtol=0)
    for row in compared.itertuples():
        first, second = models[row.first], models[row.second]
        assert row.p == mcnemar(labels, first, second).p
        assert row.difference == pytest.approx((first == labels).mean() - (second == labels).mean(), abs=1e-9)


def test_holm_keeps_false_alarms_among_equal_models_at_their_rate(monkeypatch):
    monkeypatch.setattr(
        "gc.collect", lambda *_: 0
    )  # statsmodels calls it in every correction: minutes beside a loaded TensorFlow
    random, alarms, trials = np.random.default_rng(0), 0, 200
    labels = np.zeros(200, int)
    for _ in range(trials):
        models = {str(number): (random.random(200) > 0.6).astype(int) for number in range(4)}
        alarms += (compare_all(models, labels)["p_holm"] <= 0.05).any()
    assert alarms <= stats.binom.ppf(0.999, trials, 0.05)


def power_of_arcsine_test(difference: float, n: int, accuracy: float, alpha: float) -> float:
    """Power of the two-sided z-test of two proportions on the arcsine scale, from its definition."""
    effect = 2 * (np.arcsin(np.sqrt(accuracy + difference)) - np.arcsin(np.sqrt(accuracy)))
    shift, bound = effect * np.sqrt(n / 2), stats.norm.ppf(1 - alpha / 2)
    return stats.norm.sf(bound - shift) + stats.norm.cdf(-bound - shift)


@pytest.mark.parametrize(("n", "accuracy"), [(132, 0.8), (327, 0.5), (3_589, 0.65), (28_709, 0.1)])
@pytest.mark.parametrize(("power", "alpha"), [(0.8, 0.05), (0.9, 0.01)])
def test_smallest_difference_is_where_the_power_is_reached(n, accuracy, power, alpha):
    expected = optimize.brentq(
        lambda gain: power_of_arcsine_test(gain, n, accuracy, alpha) - power, 1e-6, 1 - accuracy, xtol=1e-13
    )
    assert smallest_difference(n, accuracy, power, alpha) == pytest.approx(expected, abs=1e-9)


def test_faultless_model_that_could_not_be_told_apart_gives_no_difference():
    assert np.isnan(smallest_difference(132, 0.99))


def test_smallest_difference_is_found_as_often_as_the_power_says():
    n, accuracy, trials = 800, 0.6, 4_000
    gain = smallest_difference(n, accuracy)
    random = np.random.default_rng(0)
    first, second = random.binomial(n, accuracy, trials) / n, random.binomial(n, accuracy + gain, trials) / n
    z = (second - first) / np.sqrt((first + second) / 2 * (1 - (first + second) / 2) * 2 / n)
    assert (np.abs(z) > stats.norm.ppf(0.975)).mean() == pytest.approx(0.8, abs=0.025)


@pytest.mark.parametrize(("n", "discordant"), [(132, 0.3), (500, 0.2), (3_589, 0.15), (28_709, 0.02)])
@pytest.mark.parametrize(("power", "alpha"), [(0.8, 0.05), (0.9, 0.01)])
def test_smallest_paired_difference_needs_just_these_images(n, discordant, power, alpha):
    difference = smallest_paired_difference(n, discordant, power, alpha)
    a, b = stats.norm.ppf(1 - alpha / 2), stats.norm.ppf(power)
    needed = (a * np.sqrt(discordant) + b * np.sqrt(discordant - difference**2)) ** 2 / difference**2
    assert needed == pytest.approx(n, rel=1e-9)


def test_smallest_paired_difference_is_found_as_often_as_the_power_says():
    n, discordant, trials = 1_000, 0.2, 4_000
    difference = smallest_paired_difference(n, discordant)
    shares = [(discordant + difference) / 2, (discordant - difference) / 2, 1 - discordant]
    first_only, second_only, _ = np.random.default_rng(0).multinomial(n, shares, trials).T
    z = (first_only - second_only) / np.sqrt(first_only + second_only)
    assert (np.abs(z) > stats.norm.ppf(0.975)).mean() == pytest.approx(0.8, abs=0.025)


@pytest.mark.parametrize(("n", "discordant"), [(3, 0.5), (50, 0.02)])
def test_too_few_discordant_images_show_no_difference(n, discordant):
    assert np.isnan(smallest_paired_difference(n, discordant))
