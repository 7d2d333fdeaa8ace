"""Scores with their intervals and calibration, from probabilities, and their spread over seeds; scikit-learn, SciPy and statsmodels where they have it."""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.metrics import balanced_accuracy_score, confusion_matrix, f1_score, log_loss, precision_score
from statsmodels.stats.proportion import proportion_confint

CONFIDENCE = 0.95
METRICS = (
    "accuracy",
    "balanced_accuracy",
    "macro_precision",
    "macro_f1",
    "log_loss",
    "ece",
    "precision",
    "recall",
    "f1",
)  # of `scores`
RESAMPLES = 2_000
CALIBRATION_BINS = 15  # as Guo et al. 2017 have them, table 1


def scores(
    labels: np.ndarray, probabilities: np.ndarray, classes: list[str], seed: int = 0, groups: np.ndarray | None = None
) -> pd.DataFrame:
    """Every metric of one model on one set of images.

    Of independent images, accuracy, precision and recall carry Wilson intervals (they are proportions); balanced accuracy (which is the
    macro recall), macro precision and F1 bootstrap intervals over images. Where images come in groups, as frames of one person do, all
    intervals are bootstrapped over groups, drawn whole (Field and Welsh 2007, J. R. Statist. Soc. B 69). Log loss and the expected
    calibration error (`ece`) have none.

    Args:
        labels: int array (n,), places in `classes`.
        probabilities: float array (n, len(classes)); the first of equal maxima is the prediction.
        classes: expression of each column.
        seed: of the bootstrap.
        groups: for each image the group it belongs to, as its subject; None if images are independent.

    Returns:
        Columns metric, expression (empty for the whole), value, n, ci_low, ci_high. The n of a precision counts the images
        predicted as that expression, that of a recall and F1 those labelled so. A precision of nothing is missing (NaN), and counts
        as 0 in the macro precision.
    """
    predicted = probabilities.argmax(axis=1)
    counts = confusion(labels, predicted, len(classes))
    total = len(labels)
    resampled = (
        _resample(counts, seed) if groups is None else _resample_groups(labels, predicted, len(classes), groups, seed)
    )
    proportion = partial(
        _proportion, independent=total if groups is None else len(set(groups)), grouped=groups is not None
    )
    rows = [
        proportion(
            "accuracy",
            "",
            int(np.trace(counts)),
            total,
            _shares(np.einsum("mii->m", resampled), resampled.sum(axis=(1, 2))),
        )
    ]
    present = counts.sum(axis=1) > 0
    # Only expressions that the set holds have a recall; scikit-learn takes the mean of the same.
    rows.append(
        _bootstrapped(
            "balanced_accuracy",
            "",
            balanced_accuracy_score(labels, predicted),
            total,
            _recalls(resampled)[:, present].mean(axis=1),
        )
    )
    held = np.flatnonzero(present)
    macro_precision = precision_score(labels, predicted, labels=held, average="macro", zero_division=0)
    rows.append(
        _bootstrapped("macro_precision", "", macro_precision, total, _precisions(resampled)[:, held].mean(axis=1))
    )
    macro_f1 = f1_score(labels, predicted, labels=held, average="macro", zero_division=0)
    rows.append(_bootstrapped("macro_f1", "", macro_f1, total, _f1s(resampled)[:, held].mean(axis=1)))
    rows.append({"metric": "log_loss", "expression": "", "value": cross_entropy(labels, probabilities), "n": total})
    rows.append(
        {"metric": "ece", "expression": "", "value": expected_calibration_error(labels, probabilities), "n": total}
    )
    for index in held:
        name, hits = classes[index], int(counts[index, index])
        of_class = resampled[:, index, index]
        rows.append(
            proportion(
                "precision",
                name,
                hits,
                int(counts[:, index].sum()),
                _shares(of_class, resampled[:, :, index].sum(axis=1)),
            )
        )
        rows.append(
            proportion(
                "recall", name, hits, int(counts[index].sum()), _shares(of_class, resampled[:, index].sum(axis=1))
            )
        )
        f1 = _f1s(counts[None])[0, index]
        rows.append(_bootstrapped("f1", name, f1, int(counts[index].sum()), _f1s(resampled)[:, index]))
    return pd.DataFrame(rows, columns=["metric", "expression", "value", "n", "ci_low", "ci_high"])


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
    low, high = proportion_confint(count, total, alpha=1 - CONFIDENCE, method="wilson")
    return float(low), float(high)


class OverSeeds(NamedTuple):
    """A number over the seeds of a training: its mean, standard deviation (n - 1) and Student's 95 % interval of the mean."""

    mean: float
    sd: float
    ci_low: float
    ci_high: float


def over_seeds(values: Sequence[float]) -> OverSeeds:
    """Mean and spread of one number over seeds.

    The interval is about the mean over all seeds on these test images (`scipy.stats.t`); it says nothing about other images. Of one
    seed there is no spread and no interval (NaN).

    Raises:
        ValueError: there is no value.
    """
    if not len(values):
        raise ValueError("no values to take the mean of: score at least one seed")
    mean, nothing = float(np.mean(values)), float("nan")
    if len(values) == 1:
        return OverSeeds(mean, nothing, nothing, nothing)
    sd = float(np.std(values, ddof=1))
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(values) - 1)) * sd / len(values) ** 0.5
    return OverSeeds(mean, sd, mean - half, mean + half)


def calibration(labels: np.ndarray, probabilities: np.ndarray, bins: int = CALIBRATION_BINS) -> pd.DataFrame:
    """How often a model is right when it is so sure: a reliability diagram's numbers (Guo et al. 2017, ICML, sec. 2).

    Args:
        labels: int array (n,), columns of `probabilities`.
        probabilities: float array (n, classes); the greatest of a row is the model's confidence in its prediction.
        bins: number of bins of equal width, each closed on the right.

    Returns:
        One row a bin: `low`, `high` (its ends), `n` images, `confidence` (their mean), `accuracy`, `ci_low`, `ci_high` (Wilson's, of
        independent images). An empty bin has no confidence, accuracy or interval (NaN).
    """
    edges = np.linspace(0, 1, bins + 1)
    confidence = probabilities.max(axis=1)
    place = np.clip(
        np.digitize(confidence, edges, right=True) - 1, 0, bins - 1
    )  # rounded probabilities may be a little over 1
    images = np.bincount(place, minlength=bins)
    hits = np.bincount(place, weights=probabilities.argmax(axis=1) == labels, minlength=bins)
    frame = pd.DataFrame({"low": edges[:-1], "high": edges[1:], "n": images})
    frame["confidence"] = _shares(np.bincount(place, weights=confidence, minlength=bins), images)
    frame["accuracy"] = _shares(hits, images)
    frame[["ci_low", "ci_high"]] = [
        proportion_interval(int(right), int(total)) for right, total in zip(hits, images, strict=True)
    ]
    return frame


def expected_calibration_error(labels: np.ndarray, probabilities: np.ndarray, bins: int = CALIBRATION_BINS) -> float:
    """Mean distance of accuracy and confidence over the bins of `calibration`, weighted by their images (Guo et al. 2017, eq. 3)."""
    filled = calibration(labels, probabilities, bins).query("n > 0")
    return float(np.average((filled["accuracy"] - filled["confidence"]).abs(), weights=filled["n"]))


def _proportion(
    metric: str, expression: str, count: int, total: int, resampled: np.ndarray, independent: int, grouped: bool
) -> dict:
    """A row for a share of images, its interval Wilson's or, for images in groups, from the shares of resampled groups."""
    value = count / total if total else float("nan")
    if grouped and 0 < count < total:
        return _bootstrapped(metric, expression, value, total, resampled)
    # Without an error to resample a bootstrap says [1, 1]: then there are as many independent observations as groups, and no more.
    observed = min(total, independent)
    low, high = (
        proportion_interval(observed if count == total else 0, observed)
        if grouped
        else proportion_interval(count, total)
    )
    return {"metric": metric, "expression": expression, "value": value, "n": total, "ci_low": low, "ci_high": high}


def _bootstrapped(metric: str, expression: str, value: float, total: int, resampled: np.ndarray) -> dict:
    tail = 100 * (1 - CONFIDENCE) / 2
    low, high = np.nanpercentile(resampled, [tail, 100 - tail])
    return {
        "metric": metric,
        "expression": expression,
        "value": float(value),
        "n": total,
        "ci_low": float(low),
        "ci_high": float(high),
    }


def _resample(counts: np.ndarray, seed: int) -> np.ndarray:
    """Confusion matrices of resampled images, (RESAMPLES, classes, classes): drawing n images anew is a multinomial over the cells."""
    total = counts.sum()
    drawn = np.random.default_rng(seed).multinomial(total, counts.ravel() / total, size=RESAMPLES)
    return drawn.reshape(RESAMPLES, *counts.shape)


def _resample_groups(
    labels: np.ndarray, predicted: np.ndarray, classes: int, groups: np.ndarray, seed: int
) -> np.ndarray:
    """Confusion matrices of resampled groups, (RESAMPLES, classes, classes): as many groups as there are, each drawn whole."""
    names, members = np.unique(groups.astype(str), return_inverse=True)
    of_group = np.zeros(
        (len(names), classes * classes)
    )  # whole numbers, as floats: their products are exact, and much faster
    np.add.at(of_group, (members, labels * classes + predicted), 1)
    random, chances = np.random.default_rng(seed), np.full(len(names), 1 / len(names))
    # A hundred at a time: all at once would be a gigabyte for the groups of 57,516 images.
    parts = [random.multinomial(len(names), chances, size=RESAMPLES // 20) @ of_group for _ in range(20)]
    return np.concatenate(parts).astype("int64").reshape(RESAMPLES, classes, classes)


def _shares(counts: np.ndarray, totals: np.ndarray) -> np.ndarray:
    """Counts over totals, missing where the total is 0."""
    return np.divide(counts, totals, out=np.full(len(counts), np.nan), where=totals > 0)


def _recalls(counts: np.ndarray) -> np.ndarray:
    """Recall by class, (m, classes), of m confusion matrices; 0 where no image was drawn."""
    return np.einsum("mii->mi", counts) / np.maximum(counts.sum(axis=2), 1)


def _precisions(counts: np.ndarray) -> np.ndarray:
    """Precision by class, (m, classes), of m confusion matrices; 0 where nothing was predicted."""
    return np.einsum("mii->mi", counts) / np.maximum(counts.sum(axis=1), 1)


def _f1s(counts: np.ndarray) -> np.ndarray:
    """F1 by class, (m, classes), of m confusion matrices; 0 where nothing was drawn or predicted."""
    return 2 * np.einsum("mii->mi", counts) / np.maximum(counts.sum(axis=1) + counts.sum(axis=2), 1)
