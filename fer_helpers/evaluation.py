"""Scores with their intervals, calibration, spread over seeds, and which of two models is better on how many images."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.metrics import confusion_matrix, log_loss
from statsmodels.stats.proportion import proportion_confint

PROPORTIONS = ("accuracy", "precision", "recall")
METRICS = (*PROPORTIONS, "balanced_accuracy", "macro_precision", "macro_f1", "log_loss", "ece", "f1")  # of `scores`
RESAMPLES = 2_000
CALIBRATION_BINS = 15  # as Guo et al. 2017 have them, table 1


def scores(
    labels: np.ndarray, probabilities: np.ndarray, classes: list[str], seed: int = 0, groups: np.ndarray | None = None
) -> pd.DataFrame:
    """Every metric of one model on one set of images.

    Of independent images, accuracy, precision and recall carry Wilson intervals, balanced accuracy (the macro recall),
    macro precision and F1 bootstrap intervals. Where images come in groups, as frames of one person do, all intervals
    are bootstrapped over groups, drawn whole (Field and Welsh 2007, J. R. Statist. Soc. B 69). Log loss and the
    expected calibration error (`ece`) have none.

    Args:
        labels: int array (n,), places in `classes`.
        probabilities: float array (n, len(classes)); the first of equal maxima is the prediction.
        classes: expression of each column.
        seed: of the bootstrap.
        groups: for each image the group it belongs to, as its subject; None if images are independent.

    Returns:
        Columns metric, expression (empty for the whole), value, n, ci_low, ci_high. The n of a precision counts the
        images predicted as that expression, that of a recall and F1 those labelled so. Expressions that the set does
        not hold have no row. A precision of nothing is missing (NaN), and counts as 0 in the macro precision.
    """
    predicted = probabilities.argmax(axis=1)
    counts, total, random = confusion(labels, predicted, len(classes)), len(labels), np.random.default_rng(seed)
    held = np.flatnonzero(counts.sum(axis=1))
    if groups is None:  # to draw n images anew is to draw the cells of their confusion matrix
        drawn = random.multinomial(total, counts.ravel() / total, size=RESAMPLES)
    else:
        names, members = np.unique(np.asarray(groups).astype(str), return_inverse=True)
        cells = np.zeros((len(names), counts.size))  # whole numbers as floats, whose products are much faster
        np.add.at(cells, (members, labels * len(classes) + predicted), 1)
        chances = np.full(len(names), 1 / len(names))
        # A hundred at a time: all at once would be a gigabyte for the groups of 57,516 images.
        parts = [random.multinomial(len(names), chances, size=RESAMPLES // 20) @ cells for _ in range(20)]
        drawn = np.concatenate(parts).astype("int64")
    observed, resampled = _metrics(counts[None], held), _metrics(drawn.reshape(-1, *counts.shape), held)
    rows = []
    for (metric, place), (value,) in observed.items():
        n = total if place is None else int(counts.sum(axis=0 if metric == "precision" else 1)[place])
        if metric in PROPORTIONS and (groups is None or not 0 < value < 1):
            # Without an error to resample a bootstrap says [1, 1]; there are no more observations than groups.
            seen = n if groups is None else min(n, len(names))
            interval = proportion_interval(round(value * seen) if n else 0, seen)
        else:
            interval = np.nanpercentile(resampled[metric, place], [2.5, 97.5])
        rows.append((metric, "" if place is None else classes[place], value, n, *interval))
    for metric, value in (
        ("log_loss", cross_entropy(labels, probabilities)),
        ("ece", expected_calibration_error(labels, probabilities)),
    ):
        rows.append((metric, "", value, total, np.nan, np.nan))
    return pd.DataFrame(rows, columns=["metric", "expression", "value", "n", "ci_low", "ci_high"])


def _metrics(counts: np.ndarray, held: np.ndarray) -> dict[tuple[str, int | None], np.ndarray]:
    """Values (m,) of each metric, of the whole or of one class, for m confusion matrices (m, classes, classes)."""
    hits, labelled, predicted = np.einsum("mii->mi", counts), counts.sum(axis=2), counts.sum(axis=1)
    by_class = {
        "precision": _shares(hits, predicted),
        "recall": _shares(hits, labelled),
        "f1": 2 * hits / np.maximum(labelled + predicted, 1),
    }
    means = {metric: np.nan_to_num(values[:, held]).mean(axis=1) for metric, values in by_class.items()}
    whole = {
        "accuracy": hits.sum(axis=1) / counts.sum(axis=(1, 2)),
        "balanced_accuracy": means["recall"],
        "macro_precision": means["precision"],
        "macro_f1": means["f1"],
    }
    of_classes = {(metric, place): by_class[metric][:, place] for place in held for metric in by_class}
    return {(metric, None): values for metric, values in whole.items()} | of_classes


def _shares(counts: np.ndarray, totals: np.ndarray) -> np.ndarray:
    """Counts over totals, missing where the total is 0."""
    return np.divide(counts, totals, out=np.full(counts.shape, np.nan), where=totals > 0)


def confusion(labels: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Images by label (rows) and prediction (columns), int array (classes, classes)."""
    return confusion_matrix(labels, predicted, labels=range(classes))


def cross_entropy(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Mean cross-entropy in nats; probabilities are kept from 0 by 1e-7, as Keras does."""
    clipped = np.clip(probabilities, 1e-7, None)
    return float(log_loss(labels, clipped / clipped.sum(axis=1, keepdims=True), labels=range(probabilities.shape[1])))


def proportion_interval(count: int, total: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a proportion (Wilson 1927, JASA 22); NaN for a total of 0."""
    if total == 0:
        return float("nan"), float("nan")
    low, high = proportion_confint(count, total, alpha=0.05, method="wilson")
    share = count / total  # at 0 and 1 rounding can leave it just outside
    return min(float(low), share), max(float(high), share)


class OverSeeds(NamedTuple):
    """A number over the seeds of a training: its mean, standard deviation (n - 1) and Student's 95 % interval."""

    mean: float
    sd: float
    ci_low: float
    ci_high: float


def over_seeds(values: Sequence[float]) -> OverSeeds:
    """Mean and spread of one number over seeds; of one seed there is no spread and no interval (NaN).

    The interval is about the mean over all seeds on these test images; it says nothing about other images.

    Raises:
        ValueError: there is no value.
    """
    if not len(values):
        raise ValueError("no values to take the mean of: score at least one seed")
    mean = float(np.mean(values))
    if len(values) == 1:
        return OverSeeds(mean, *[float("nan")] * 3)
    sd = float(np.std(values, ddof=1))
    half = float(stats.t.ppf(0.975, len(values) - 1)) * sd / len(values) ** 0.5
    return OverSeeds(mean, sd, mean - half, mean + half)


def calibration(labels: np.ndarray, probabilities: np.ndarray, bins: int = CALIBRATION_BINS) -> pd.DataFrame:
    """How often a model is right when it is so sure: a reliability diagram's numbers (Guo et al. 2017, ICML, sec. 2).

    Args:
        labels: int array (n,), columns of `probabilities`.
        probabilities: float array (n, classes); the greatest of a row is the model's confidence in its prediction.
        bins: number of bins of equal width, each closed on the right.

    Returns:
        One row a bin: `low`, `high` (its ends), `n` images, `confidence` (their mean), `accuracy`, `ci_low`, `ci_high`
        (Wilson's). An empty bin has no confidence, accuracy or interval (NaN).
    """
    edges, confidence = np.linspace(0, 1, bins + 1), probabilities.max(axis=1)
    # rounded probabilities may be a little over 1
    place = np.clip(np.digitize(confidence, edges, right=True) - 1, 0, bins - 1)
    images = np.bincount(place, minlength=bins)
    hits = np.bincount(place, weights=probabilities.argmax(axis=1) == labels, minlength=bins)
    frame = pd.DataFrame({"low": edges[:-1], "high": edges[1:], "n": images})
    frame["confidence"] = _shares(np.bincount(place, weights=confidence, minlength=bins), images)
    frame["accuracy"] = _shares(hits, images)
    frame[["ci_low", "ci_high"]] = [proportion_interval(*pair) for pair in zip(hits, images, strict=True)]
    return frame


def expected_calibration_error(labels: np.ndarray, probabilities: np.ndarray, bins: int = CALIBRATION_BINS) -> float:
    """Mean distance of accuracy and confidence over the bins, weighted by their images (Guo et al. 2017, eq. 3)."""
    filled = calibration(labels, probabilities, bins).query("n > 0")
    return float(np.average((filled["accuracy"] - filled["confidence"]).abs(), weights=filled["n"]))


class Difference(NamedTuple):
    """The accuracy of one model less that of another, and its 95 % interval."""

    value: float
    ci_low: float
    ci_high: float


def paired_difference(
    first: np.ndarray, second: np.ndarray, groups: np.ndarray | None = None, seed: int = 0
) -> Difference:
    """How much more often one model is right on the same images than another, with a bootstrap interval.

    Images are drawn anew, or whole groups of them. Where the two never differ, they may yet do so on as many as
    Wilson's interval of none allows.

    Args:
        first, second: bool arrays (n,): whether a model is right on each image.
        groups: for each image the group it belongs to, as its subject; None if images are independent.
        seed: of the bootstrap.

    Raises:
        ValueError: the two are not of the same length.
    """
    if len(first) != len(second):
        raise ValueError(f"{len(first)} and {len(second)} answers are not of the same images")
    gained = np.asarray(first).astype(int) - np.asarray(second)
    units = (
        np.arange(len(gained)) if groups is None else np.unique(np.asarray(groups).astype(str), return_inverse=True)[1]
    )
    sums = np.stack([np.bincount(units, weights=gained), np.bincount(units)], axis=1)
    if not gained.any():
        half = proportion_interval(0, len(sums))[1]
        return Difference(0.0, -half, half)
    kinds, counts = np.unique(sums, axis=0, return_counts=True)  # to draw units anew is to draw their kinds
    drawn = np.random.default_rng(seed).multinomial(len(sums), counts / len(sums), size=RESAMPLES) @ kinds
    return Difference(gained.mean(), *np.percentile(drawn[:, 0] / drawn[:, 1], [2.5, 97.5]))


def smallest_difference(n: int, accuracy: float, power: float = 0.8, alpha: float = 0.05) -> float:
    """The smallest gain in accuracy that two sets of n images show: the two-sided z-test of two proportions.

    For models scored on different images, or on images of which nothing else is known; on the arcsine scale (Cohen
    1988, ch. 6). NaN if even a faultless model could not be told apart.

    Args:
        n: images that each model is scored on.
        accuracy: of the worse model, as a fraction of 1; so is the result.
        power: probability that the difference is found.
        alpha: level of the test.
    """
    needed = (stats.norm.ppf(1 - alpha / 2) + stats.norm.ppf(power)) / np.sqrt(2 * n)
    angle = np.arcsin(np.sqrt(accuracy)) + needed
    return float(np.sin(angle) ** 2 - accuracy) if angle <= np.pi / 2 else float("nan")


def smallest_paired_difference(n: int, discordant: float, power: float = 0.8, alpha: float = 0.05) -> float:
    """The smallest difference in accuracy that two models scored on the same n images can show: McNemar's test.

    From the test's usual sample size, n d² = (a √q + b √(q − d²))², solved for d, where q is the share of discordant
    images, and a and b are the normal quantiles of 1 − alpha / 2 and of the power (Connor 1987, Biometrics 43). The
    exact test needs a little more. NaN where even one model right on all discordant images would not do.

    Args:
        n: images.
        discordant: share of the images that exactly one of the two gets right.
        power: probability that the difference is found.
        alpha: level of the two-sided test.
    """
    a, b = stats.norm.ppf(1 - alpha / 2), stats.norm.ppf(power)
    beneath_root = n - a**2 + b**2
    if beneath_root < 0:
        return float("nan")
    difference = np.sqrt(discordant) * (a * np.sqrt(n) + b * np.sqrt(beneath_root)) / (n + b**2)
    return float(difference) if difference <= discordant else float("nan")
