"""Which printed numbers are possible: shares of whole images, sizes of a part, mean losses, precisions beside class counts."""

import math
from decimal import Decimal
from fractions import Fraction
from functools import partial

import numpy as np

HALF = Fraction(1, 2)
LN2 = math.log(2)


def printed_forms(share: Fraction, decimals: int) -> dict[str, Decimal]:
    """A number as each of the usual ways of rounding prints it: `half up`, `half even`, `cut off`, and `float`, which is Python's own."""
    scaled = share * 10**decimals
    whole = {"half up": math.floor(scaled + HALF), "half even": round(scaled), "cut off": math.floor(scaled)}
    return {rule: Decimal(number).scaleb(-decimals) for rule, number in whole.items()} | {
        "float": Decimal(f"{float(share):.{decimals}f}")
    }


def step(value: Decimal) -> Decimal:
    """One unit of the last printed decimal: 0.0001 for 0.9957."""
    return Decimal(1).scaleb(value.as_tuple().exponent)


def bounds(value: Decimal) -> tuple[Decimal, Decimal]:
    """What a printed number was before it was rounded: at least the first, and below the second.

    Half a unit of the last decimal below it counts, as half up and half even (at an even digit) bring it there; above it, where the
    digits that follow were cut off, a whole unit.
    """
    return value - step(value) / 2, value + step(value)


def counts(value: Decimal, total: int) -> range:
    """The whole numbers of images, of `total`, that print as a share.

    GRIM (Brown and Heathers 2017, Soc. Psychol. Personal. Sci. 8), which they state for means of integers: a proportion is the mean of
    zeros and ones. Assumed: each image counts once, and once only.

    Args:
        value: the share as printed, so `Decimal("0.9957")` for 99.57 %.
        total: number of images.

    Returns:
        Empty if no whole number prints so under any way of rounding.
    """
    low, high = bounds(value)
    return range(max(0, math.ceil(low * total)), max(0, min(total + 1, math.ceil(high * total))))


def neighbours(value: Decimal, total: int) -> list[int]:
    """The whole numbers of images next below and above a share of `total`; one if the share is a whole number of them."""
    exact = Fraction(value) * total
    return [number for number in dict.fromkeys((math.floor(exact), math.ceil(exact))) if 0 <= number <= total]


def smallest_total(value: Decimal) -> int:
    """The smallest number of images a whole number of which prints as a share from 0 to 1."""
    return next(total for total in range(1, int(1 / step(value)) + 1) if counts(value, total))


def sizes_of_share(share: Decimal, images: int, by_class: dict[str, int] | None = None) -> dict[int, str]:
    """How many images a share of a data set can be, with the way of getting there.

    Args:
        share: as printed, 0.10 for 10 %.
        images: in the whole data set.
        by_class: images of each class, if known: a share may be drawn class by class.

    Returns:
        Sizes, those of the whole before those drawn class by class; scikit-learn's `train_test_split` rounds a test set up.
    """
    ways = {"rounded up": math.ceil, "rounded": lambda number: math.floor(number + HALF), "rounded down": math.floor}
    percent = f"{Fraction(share) * 100} % of {images:,}"
    sizes: dict[int, str] = {}
    for name, way in ways.items():
        sizes.setdefault(way(Fraction(share) * images), f"{percent}, {name}")
    for name, way in ways.items():
        if by_class:
            sizes.setdefault(
                sum(way(Fraction(share) * number) for number in by_class.values()), f"{percent}, {name} class by class"
            )
    return sizes


def least_cross_entropy(accuracy: float) -> float:
    """The least mean cross-entropy, in nats, at an accuracy; there is no greatest.

    Of a wrong image another class has at least the probability of the true one, which is so at most 1/2 and costs at least ln 2; a right
    image may cost nothing. Assumed: loss and accuracy are means over the same images, unweighted, without smoothed labels.
    """
    return (1 - accuracy) * LN2


def least_calibrated_cross_entropy(accuracy: float) -> float:
    """The same for calibrated probabilities: an error rate is at most half the mean entropy in bits (Hellman and Raviv 1970, IEEE Trans. Inf. Theory 16)."""
    return 2 * (1 - accuracy) * LN2


def accuracy_range(
    images: dict[str, int], precisions: dict[str, Decimal], recalls: dict[str, Decimal] | None = None
) -> tuple[float, float] | None:
    """The accuracies that class counts and precisions by class allow: an integer program over the confusion matrix.

    Assumed: every class was predicted at least once (else it has no precision), and each image has one prediction.

    Args:
        images: images labelled as each class.
        precisions: of each of these classes, as printed.
        recalls: of some of them, as printed; what papers call the accuracy of a class.

    Returns:
        Lowest and highest accuracy, or None if no confusion matrix has these precisions and recalls.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp  # takes half a second to import

    matrix = np.arange(len(images) ** 2).reshape(
        len(images), len(images)
    )  # numbers of the cells; rows are labels, columns predictions
    rows = LinearConstraint(_of_cells(matrix), list(images.values()), list(images.values()))
    allowed = [
        counts(recalls[name], number) if recalls and name in recalls else range(number + 1)
        for name, number in images.items()
    ]
    if not all(allowed):
        return None
    diagonal = np.diag(matrix)
    least, most = np.zeros(matrix.size), np.full(matrix.size, np.inf)
    least[diagonal], most[diagonal] = [right[0] for right in allowed], [right[-1] for right in allowed]
    right = _of_cells(diagonal[None])[0]
    solve = partial(
        milp,
        integrality=np.ones(matrix.size),
        bounds=Bounds(least, most),
        constraints=[rows, *_precise(matrix, [precisions[name] for name in images])],
    )
    lowest, highest = solve(right), solve(-right)
    return (
        (lowest.fun / sum(images.values()), -highest.fun / sum(images.values()))
        if lowest.success and highest.success
        else None
    )


def _of_cells(cells: np.ndarray) -> np.ndarray:
    """For each row of cell numbers, (m, k), the sum of these cells, as coefficients (m, cells of the whole matrix)."""
    size = int(cells.max()) + 1
    return np.array([np.bincount(row, minlength=size) for row in cells], "float64")


def _precise(matrix: np.ndarray, precisions: list[Decimal]) -> list:
    """Constraints: the diagonal cell of each column is, of the column's sum, a share that is printed as the precision."""
    from scipy.optimize import LinearConstraint

    right, predicted = _of_cells(np.diag(matrix)[:, None]), _of_cells(matrix.T)
    low = np.array([[float(bounds(value)[0])] for value in precisions])
    high = np.array([[float(bounds(value)[1])] for value in precisions])
    smallest = [
        -float(step(value)) for value in precisions
    ]  # below `high` times a whole number by at least one unit of the last decimal
    return [
        LinearConstraint(right - low * predicted, 0, np.inf),
        LinearConstraint(right - high * predicted, -np.inf, smallest),
        LinearConstraint(predicted, 1, np.inf),
    ]
