"""Which printed numbers are possible: shares of whole images, averages over classes, confusion matrices."""

import math
from decimal import Decimal
from fractions import Fraction
from functools import cache
from itertools import combinations_with_replacement, permutations

import numpy as np

USUAL_FOLDS = (5, 10)  # of a cross-validation
ROUNDINGS = {"rounded up": math.ceil, "rounded": lambda x: math.floor(x + Fraction(1, 2)), "rounded down": math.floor}


def step(value: Decimal) -> Decimal:
    """One unit of the last printed decimal: 0.0001 for 0.9957."""
    return Decimal(1).scaleb(value.as_tuple().exponent)


def bounds(value: Decimal) -> tuple[Decimal, Decimal]:
    """What a printed number was before it was rounded half up, to even or down: from the first to below the second."""
    return value - step(value) / 2, value + step(value)


def counts(value: Decimal, total: int) -> range:
    """The whole numbers of images, of `total`, that print as a share under some way of rounding, up too; or none.

    GRIM (Brown and Heathers 2017, Soc. Psychol. Personal. Sci. 8): a proportion is a mean of zeros and ones.
    """
    low, high = value - step(value), value + step(value)
    return range(max(0, math.floor(low * total) + 1), min(total + 1, math.ceil(high * total)))


def folds_of_mean(value: Decimal, total: int) -> list[int]:
    """How many folds, of the usual numbers, of `total` images, can have a mean share that prints so.

    Errors lower the mean most in the smaller folds and least in the larger ones.
    """
    low, high = value - step(value), value + step(value)
    fewest = {folds: math.floor((1 - high) * folds * (total // folds)) + 1 for folds in USUAL_FOLDS}  # errors
    return [folds for folds, errors in fewest.items() if errors < (1 - low) * folds * -(-total // folds)]


def smallest_total(value: Decimal) -> int:
    """The smallest number of images a whole number of which prints as a share from 0 to 1."""
    return next(total for total in range(1, int(1 / step(value)) + 1) if counts(value, total))


def slips(value: Decimal, total: int) -> list[str]:
    """Shares of `total` images that differ from a printed one in a single digit: likely slips of the pen."""
    forms = {f"{number / total:.{-value.as_tuple().exponent}f}" for number in range(total + 1)}
    return sorted(form for form in forms if sum(a != b for a, b in zip(form, str(value), strict=True)) == 1)


def sizes_of_share(share: Decimal, images: int, by_class: dict[str, int] | None = None) -> dict[str, int]:
    """How many images a share is, by rule of rounding, of the whole and, where classes are known, of each of them."""
    sizes = {rule: way(Fraction(share) * images) for rule, way in ROUNDINGS.items()}
    for rule, way in ROUNDINGS.items() if by_class else ():
        sizes[f"{rule} class by class"] = sum(way(Fraction(share) * number) for number in by_class.values())
    return sizes


@cache
def averages(value: Decimal, sizes: tuple[int, ...]) -> dict[str, bool]:
    """Whether averages over classes other than the accuracy print so, by trying every way of making up to three errors.

    `sizes` are the test images of each class; with more errors nearly every number is some average.
    """
    images, side = np.array(sizes, "float64"), len(sizes)
    cells = [a * side + b for a, b in permutations(range(side), 2)]
    ways = (way for errors in (1, 2, 3) for way in combinations_with_replacement(cells, errors))
    wrong = np.array([np.bincount(way, minlength=side * side) for way in ways]).reshape(-1, side, side)
    right, weights = images - wrong.sum(axis=2), images / images.sum()
    predicted = right + wrong.sum(axis=1)
    precisions, f1 = right / np.maximum(predicted, 1), 2 * right / (images + predicted)
    of_class = {"macro recall": right / images, "macro precision": precisions, "macro F1": f1}
    found = {name: numbers.mean(axis=1) for name, numbers in of_class.items()}
    found |= {"weighted precision": precisions @ weights, "weighted F1": f1 @ weights}
    low, high = map(float, bounds(value))
    return {name: bool(((low <= numbers) & (numbers < high)).any()) for name, numbers in found.items()}


@cache
def accuracy_range(
    images: tuple[int, ...], precisions: tuple[Decimal, ...], recalls: tuple[Decimal | None, ...] = ()
) -> tuple[float, float] | None:
    """The lowest and highest accuracy of the confusion matrices that class counts and precisions allow; None if none.

    An integer program over images of each class (`images`), the printed precisions of these classes and, where known,
    recalls. Assumed: every class was predicted at least once (else it has no precision), each image once.
    """
    from scipy.optimize import LinearConstraint, milp  # takes half a second to import

    known = zip(images, recalls or [None] * len(images), strict=True)
    allowed = [range(number + 1) if recall is None else counts(recall, number) for number, recall in known]
    if not all(allowed):
        return None
    size = len(images)
    cells = np.eye(size * size).reshape(size, size, size * size)  # rows are labels, columns predictions
    right, predicted = cells[range(size), range(size)], cells.sum(axis=0)
    low, high, unit = np.array([(*bounds(value), step(value)) for value in precisions], float).T
    constraints = [
        LinearConstraint(cells.sum(axis=1), images, images),
        LinearConstraint(predicted, 1),
        LinearConstraint(right, [numbers[0] for numbers in allowed], [numbers[-1] for numbers in allowed]),
        LinearConstraint(right - low[:, None] * predicted, 0),
        LinearConstraint(right - high[:, None] * predicted, ub=-unit),  # below `high` by at least one unit
    ]
    whole = np.ones(size * size)
    lowest, highest = (milp(sign * right.sum(axis=0), integrality=whole, constraints=constraints) for sign in (1, -1))
    return (lowest.fun / sum(images), -highest.fun / sum(images)) if lowest.success and highest.success else None
