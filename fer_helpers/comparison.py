"""Which of two models is better on the same images, and how large a difference so many images can show at all."""

from itertools import combinations
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import optimize, stats
from statsmodels.stats.contingency_tables import mcnemar as mcnemar_test
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import NormalIndPower


class McNemar(NamedTuple):
    """Images that only one of two models gets right, and the p-value of the hypothesis that both are right equally often."""

    first_only: int
    second_only: int
    p: float


def mcnemar(labels: np.ndarray, first: np.ndarray, second: np.ndarray) -> McNemar:
    """McNemar's exact test of two models on the same images (McNemar 1947, Psychometrika 12; statsmodels).

    The images must be independent: where frames of one person come together, p is too small.

    Args:
        labels: int array (n,).
        first: predictions of one model, int array (n,), in the same order.
        second: those of the other.

    Raises:
        ValueError: the three are not of the same length.
    """
    if not len(labels) == len(first) == len(second):
        raise ValueError(
            f"{len(labels)} labels, {len(first)} and {len(second)} predictions: McNemar's test compares two models on the same images"
        )
    first_right, second_right = np.asarray(first) == labels, np.asarray(second) == labels
    first_only, second_only = int((first_right & ~second_right).sum()), int((second_right & ~first_right).sum())
    agreeing = [int((first_right & second_right).sum()), int((~first_right & ~second_right).sum())]
    tested = mcnemar_test([[agreeing[0], first_only], [second_only, agreeing[1]]], exact=True)
    return McNemar(first_only, second_only, float(tested.pvalue))


def compare_all(predictions: dict[str, np.ndarray], labels: np.ndarray) -> pd.DataFrame:
    """McNemar's exact test for every pair of models, with Holm's correction over the pairs (Holm 1979, Scand. J. Statist. 6).

    Args:
        predictions: for each model its predictions, int array (n,), of the same images in the same order; two models or more.
        labels: int array (n,).

    Returns:
        One row a pair: `first`, `second` (the models), `n`, `first_only`, `second_only` (images that only it gets right),
        `difference` (accuracy of the first less that of the second), `p`, `p_holm`.
    """
    pairs = list(combinations(predictions, 2))
    tests = [mcnemar(labels, predictions[first], predictions[second]) for first, second in pairs]
    frame = pd.concat(
        [pd.DataFrame(pairs, columns=["first", "second"]), pd.DataFrame(tests, columns=McNemar._fields)], axis=1
    )
    frame.insert(2, "n", len(labels))
    frame.insert(5, "difference", (frame["first_only"] - frame["second_only"]) / len(labels))
    return frame.assign(p_holm=multipletests(frame["p"], method="holm")[1])


def smallest_difference(n: int, accuracy: float, power: float = 0.8, alpha: float = 0.05) -> float:
    """The smallest gain in accuracy that two models scored on n images each, other ones for each, can show: two proportions, unpaired.

    A two-sided z-test at level `alpha` finds a gain of this size with probability `power` (Cohen 1988, ch. 6: proportions on the
    arcsine scale; statsmodels). It fits an accuracy of ours against a printed one, of whose images nothing is known.

    Args:
        n: images that each model is scored on.
        accuracy: of the worse model, as a fraction of 1.
        power: probability that the difference is found.
        alpha: level of the test.

    Returns:
        The difference of the accuracies as a fraction of 1; NaN if even a faultless model could not be told apart.
    """
    start, end = np.arcsin(np.sqrt(accuracy)), np.pi / 2

    def missing(angle: float) -> float:
        return NormalIndPower().power(2 * (angle - start), nobs1=n, alpha=alpha) - power

    if missing(end) < 0:
        return float("nan")
    angle = optimize.brentq(missing, start, end, xtol=1e-13)  # solve_power stops at seven digits
    return float(np.sin(angle) ** 2 - accuracy)


def smallest_paired_difference(n: int, discordant: float, power: float = 0.8, alpha: float = 0.05) -> float:
    """The smallest difference in accuracy that two models scored on the same n images can show: McNemar's test.

    From the test's usual sample size, n d² = (a √q + b √(q − d²))², solved for the difference d, where q is the share of discordant
    images and a and b are the normal quantiles of 1 − alpha / 2 and of the power (Connor 1987, Biometrics 43). The exact test needs
    a little more.

    Args:
        n: images.
        discordant: share of the images that exactly one of the two gets right.
        power: probability that the difference is found.
        alpha: level of the two-sided test.

    Returns:
        The difference of the accuracies as a fraction of 1; NaN where even one model right on all discordant images would not do.
    """
    a, b = stats.norm.ppf(1 - alpha / 2), stats.norm.ppf(power)
    beneath_root = n - a**2 + b**2
    if beneath_root < 0:
        return float("nan")
    difference = np.sqrt(discordant) * (a * np.sqrt(n) + b * np.sqrt(beneath_root)) / (n + b**2)
    return float(difference) if difference <= discordant else float("nan")
