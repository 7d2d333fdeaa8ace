"""Scores with their intervals, from probabilities; scikit-learn and statsmodels where they have it."""

import numpy as np
import pandas as pd
from sklearn.metrics import balanced_accuracy_score, confusion_matrix, f1_score, log_loss
from statsmodels.stats.proportion import proportion_confint

CONFIDENCE = 0.95
RESAMPLES = 2_000


def scores(labels: np.ndarray, probabilities: np.ndarray, classes: list[str], seed: int = 0) -> pd.DataFrame:
    """Every metric of one model on one set of images.

    Accuracy, precision and recall carry Wilson intervals (they are proportions of independent images); balanced accuracy and F1
    bootstrap intervals over images; log loss none.

    Args:
        labels: int array (n,), places in `classes`.
        probabilities: float array (n, len(classes)); the first of equal maxima is the prediction.
        classes: expression of each column.
        seed: of the bootstrap.

    Returns:
        Columns metric, expression (empty for the whole), value, n, ci_low, ci_high. The n of a precision counts the images
        predicted as that expression, that of a recall and F1 those labelled so. A precision of nothing is missing (NaN).
    """
    predicted = probabilities.argmax(axis=1)
    counts = confusion(labels, predicted, len(classes))
    total = len(labels)
    rows = [_proportion("accuracy", "", int(np.trace(counts)), total)]
    resampled = _resample(counts, seed)
    present = counts.sum(axis=1) > 0
    # Only expressions that the set holds have a recall; scikit-learn takes the mean of the same.
    rows.append(_bootstrapped("balanced_accuracy", "", balanced_accuracy_score(labels, predicted), total, _recalls(resampled)[:, present].mean(axis=1)))
    held = np.flatnonzero(present)
    macro_f1 = f1_score(labels, predicted, labels=held, average="macro", zero_division=0)
    rows.append(_bootstrapped("macro_f1", "", macro_f1, total, _f1s(resampled)[:, held].mean(axis=1)))
    rows.append({"metric": "log_loss", "expression": "", "value": cross_entropy(labels, probabilities), "n": total})
    for index in held:
        name, hits = classes[index], int(counts[index, index])
        rows.append(_proportion("precision", name, hits, int(counts[:, index].sum())))
        rows.append(_proportion("recall", name, hits, int(counts[index].sum())))
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


def _proportion(metric: str, expression: str, count: int, total: int) -> dict:
    low, high = proportion_interval(count, total)
    return {"metric": metric, "expression": expression, "value": count / total if total else float("nan"), "n": total, "ci_low": low, "ci_high": high}


def _bootstrapped(metric: str, expression: str, value: float, total: int, resampled: np.ndarray) -> dict:
    tail = 100 * (1 - CONFIDENCE) / 2
    low, high = np.nanpercentile(resampled, [tail, 100 - tail])
    return {"metric": metric, "expression": expression, "value": float(value), "n": total, "ci_low": float(low), "ci_high": float(high)}


def _resample(counts: np.ndarray, seed: int) -> np.ndarray:
    """Confusion matrices of resampled images, (RESAMPLES, classes, classes): drawing n images anew is a multinomial over the cells."""
    total = counts.sum()
    drawn = np.random.default_rng(seed).multinomial(total, counts.ravel() / total, size=RESAMPLES)
    return drawn.reshape(RESAMPLES, *counts.shape)


def _recalls(counts: np.ndarray) -> np.ndarray:
    """Recall by class, (m, classes), of m confusion matrices; 0 where no image was drawn."""
    return np.einsum("mii->mi", counts) / np.maximum(counts.sum(axis=2), 1)


def _f1s(counts: np.ndarray) -> np.ndarray:
    """F1 by class, (m, classes), of m confusion matrices; 0 where nothing was drawn or predicted."""
    return 2 * np.einsum("mii->mi", counts) / np.maximum(counts.sum(axis=1) + counts.sum(axis=2), 1)
