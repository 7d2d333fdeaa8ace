"""Scores with their intervals, calibration, and which of two models is better on how many images."""

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
    labels: np.ndarray, probabilities: np.ndarray, classes: list[str], groups: np.ndarray | None = None
) -> pd.DataFrame:
    """Every metric of one model on one set of images: metric, expression ("" for the whole), value, n, ci_low, ci_high.

    Of independent images, accuracy, precision and recall carry Wilson intervals, balanced accuracy (the macro recall),
    macro precision and F1 bootstrap intervals. Where images come in groups, as frames of one person do, all intervals
    are bootstrapped over groups, drawn whole (Field and Welsh 2007, J. R. Statist. Soc. B 69). Log loss and the
    expected calibration error (`ece`) have none.

    Labels are places in `classes` (n,), probabilities (n, len(classes)), of whose equal maxima the first is the
    prediction. The n of a precision are the images predicted as that expression. Expressions that the set does not hold
    have no row. A precision of nothing is missing (NaN), and counts as 0 in the macro precision.
    """
    predicted = probabilities.argmax(axis=1)
    counts, total, random = confusion(labels, predicted, len(classes)), len(labels), np.random.default_rng(0)
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
    for metric, of in {"log_loss": cross_entropy, "ece": expected_calibration_error}.items():
        rows.append((metric, "", of(labels, probabilities), total, np.nan, np.nan))
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


def calibration(labels: np.ndarray, probabilities: np.ndarray, bins: int = CALIBRATION_BINS) -> pd.DataFrame:
    """How often a model is right when it is so sure: a reliability diagram's numbers (Guo et al. 2017, ICML, sec. 2).

    Labels are columns (n,) of `probabilities` (n, classes), whose greatest is a prediction's confidence. A bin, closed
    on the right, is a row: `low`, `high`, `n` images, mean `confidence`, `accuracy`, `ci_low`, `ci_high`, NaN if empty.
    """
    edges, confidence = np.linspace(0, 1, bins + 1), probabilities.max(axis=1)
    place = np.clip(np.digitize(confidence, edges, right=True) - 1, 0, bins - 1)  # rounded ones may be a little over 1
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


def paired_difference(first: np.ndarray, second: np.ndarray, groups: np.ndarray | None = None) -> tuple[float, ...]:
    """The accuracy of one model less that of another on the same images, and the ends of its 95 % interval.

    Bool arrays (n,), ValueError unless of one length, say whether a model is right on each image. Images, or whole
    groups of them, are drawn anew (bootstrap); two that never differ may yet do so on as many as Wilson says.
    """
    if len(first) != len(second):
        raise ValueError(f"{len(first)} and {len(second)} answers are not of the same images")
    gained = np.asarray(first).astype(int) - np.asarray(second)
    units = np.arange(len(gained)) if groups is None else pd.factorize(np.asarray(groups).astype(str), sort=True)[0]
    sums = np.stack([np.bincount(units, weights=gained), np.bincount(units)], axis=1)
    if not gained.any():
        half = proportion_interval(0, len(sums))[1]
        return 0.0, -half, half
    kinds, counts = np.unique(sums, axis=0, return_counts=True)  # to draw units anew is to draw their kinds
    drawn = np.random.default_rng(0).multinomial(len(sums), counts / len(sums), size=RESAMPLES) @ kinds
    low, high = np.percentile(drawn[:, 0] / drawn[:, 1], [2.5, 97.5])
    return gained.mean(), low, high


def smallest_difference(n: int, accuracy: float, power: float = 0.8, alpha: float = 0.05) -> float:
    """The smallest gain over an accuracy that two sets of n images show: the two-sided z-test of two proportions.

    For models scored on different images, or of whose answers nothing else is known; on the arcsine scale (Cohen 1988,
    ch. 6), with the `power` to find it at the level `alpha`. NaN if even a faultless model could not be told apart.
    """
    needed = (stats.norm.ppf(1 - alpha / 2) + stats.norm.ppf(power)) / np.sqrt(2 * n)
    angle = np.arcsin(np.sqrt(accuracy)) + needed
    return float(np.sin(angle) ** 2 - accuracy) if angle <= np.pi / 2 else float("nan")
