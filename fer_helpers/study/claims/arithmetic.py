"""Which printed numbers are possible: shares of whole images, sizes of a part, averages over classes, mean losses, confusion matrices."""

import math
from decimal import Decimal
from fractions import Fraction
from functools import cache
from itertools import combinations_with_replacement, permutations

import numpy as np

LN2 = math.log(2)
ROUNDINGS = {"rounded up": math.ceil, "rounded": lambda x: math.floor(x + Fraction(1, 2)), "rounded down": math.floor}


def step(value: Decimal) -> Decimal:
    """One unit of the last printed decimal: 0.0001 for 0.9957."""
    return Decimal(1).scaleb(value.as_tuple().exponent)


def bounds(value: Decimal) -> tuple[Decimal, Decimal]:
    """What a printed number was before it was rounded: at least the first, and below the second.

    Half a unit of the last decimal below it counts, as half up and half even bring it there; above it, where digits
    were cut off, a unit.
    """
    return value - step(value) / 2, value + step(value)


def rounded(share: Fraction, decimals: int) -> Decimal:
    """A share, rounded half up, to so many decimals."""
    return Decimal(math.floor(share * 10**decimals + Fraction(1, 2))).scaleb(-decimals)


def counts(value: Decimal, total: int) -> range:
    """The whole numbers of images, of `total`, that print as a share under some way of rounding; empty if none does.

    GRIM (Brown and Heathers 2017, Soc. Psychol. Personal. Sci. 8): a proportion is a mean of zeros and ones. Each image
    counts once.
    """
    low, high = bounds(value)
    return range(max(0, math.ceil(low * total)), max(0, min(total + 1, math.ceil(high * total))))


def smallest_total(value: Decimal) -> int:
    """The smallest number of images a whole number of which prints as a share from 0 to 1."""
    return next(total for total in range(1, int(1 / step(value)) + 1) if counts(value, total))


def slips(value: Decimal, total: int) -> list[Decimal]:
    """The shares of `total` images, rounded half up, that differ from a printed one in one digit behind the point: likely slips of the pen."""
    decimals, near = -value.as_tuple().exponent, int(value * total)
    numbers = (number for number in range(near - total // 10 - 1, near + total // 10 + 2) if 0 <= number <= total)
    forms = sorted({rounded(Fraction(number, total), decimals) for number in numbers})
    return [form for form in forms if sum(a != b for a, b in zip(str(form), str(value), strict=False)) == 1]


def sizes_of_share(share: Decimal, images: int, by_class: dict[str, int] | None = None) -> dict[str, int]:
    """How many images a share of a data set is, for each rule of rounding, of the whole and, where known, class by class."""
    sizes = {rule: way(Fraction(share) * images) for rule, way in ROUNDINGS.items()}
    if by_class:
        sizes |= {
            f"{rule} class by class": sum(way(Fraction(share) * number) for number in by_class.values())
            for rule, way in ROUNDINGS.items()
        }
    return sizes


@cache
def averages(value: Decimal, sizes: tuple[int, ...], most_errors: int = 3) -> dict[str, bool]:
    """Whether averages over classes that are not the accuracy can be printed so, by trying every way of making a few errors.

    Args:
        value: as printed.
        sizes: test images of each class.
        most_errors: more are not tried: there are then so many ways that nearly every number is some average.
    """
    images = np.array(sizes, "float64")
    cells = [a * len(sizes) + b for a, b in permutations(range(len(sizes)), 2)]
    tried = []
    for errors in range(1, most_errors + 1):
        ways = np.array(list(combinations_with_replacement(cells, errors)))
        matrices = np.zeros((len(ways), len(sizes) ** 2))
        for column in ways.T:
            np.add.at(matrices, (np.arange(len(ways)), column), 1)
        tried.append(matrices.reshape(len(ways), len(sizes), len(sizes)))
    wrong = np.concatenate(tried)
    right = images - wrong.sum(axis=2)
    predicted = right + wrong.sum(axis=1)
    recalls, precisions = right / images, right / np.maximum(predicted, 1)
    f1, weights = 2 * right / (images + predicted), images / images.sum()
    found = {
        "macro recall": recalls.mean(axis=1),
        "macro precision": precisions.mean(axis=1),
        "macro F1": f1.mean(axis=1),
    }
    found |= {"weighted precision": precisions @ weights, "weighted F1": f1 @ weights}
    low, high = (float(end) for end in bounds(value))
    return {name: bool(((low <= numbers) & (numbers < high)).any()) for name, numbers in found.items()}


def entropy(images: list[int]) -> float:
    """The entropy of labels in nats: the loss of a network that gives each class its share, whatever the image."""
    shares = np.array(images) / sum(images)
    return float(-(shares[shares > 0] * np.log(shares[shares > 0])).sum())


def least_cross_entropy(accuracy: float) -> float:
    """The least mean cross-entropy, in nats, at an accuracy: of a wrong image the true class has at most 1/2, which costs at least ln 2."""
    return (1 - accuracy) * LN2


@cache
def accuracy_range(images: tuple, precisions: tuple, recalls: tuple = ()) -> tuple[float, float] | None:
    """The accuracies that class counts and precisions by class allow: an integer program over the confusion matrix.

    Assumed: every class was predicted at least once (else it has no precision), and each image has one prediction.

    Args:
        images: pairs of class and images labelled so.
        precisions: pairs of class and precision as printed, for each of these classes.
        recalls: the same of recalls, for some of them; what papers call the accuracy of a class.

    Returns:
        Lowest and highest accuracy, or None if no confusion matrix has these precisions and recalls.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp  # takes half a second to import

    names, of_class = [name for name, _ in images], np.array([number for _, number in images])
    known = dict(recalls)
    allowed = [counts(known[name], number) if name in known else range(number + 1) for name, number in images]
    if not all(allowed):
        return None
    size = len(names)
    cells = np.eye(size * size).reshape(size, size, size * size)  # rows are labels, columns predictions
    right, predicted = cells[range(size), range(size)], cells.sum(axis=0)
    least, most = np.zeros((size, size)), np.full((size, size), np.inf)
    np.fill_diagonal(least, [numbers[0] for numbers in allowed])
    np.fill_diagonal(most, [numbers[-1] for numbers in allowed])
    printed = [dict(precisions)[name] for name in names]
    low, high = (np.array([[float(bounds(value)[end])] for value in printed]) for end in (0, 1))
    below = [-float(step(value)) for value in printed]  # below `high` by at least one unit of the last decimal
    constraints = [
        LinearConstraint(cells.sum(axis=1), of_class, of_class),
        LinearConstraint(right - low * predicted, 0, np.inf),
        LinearConstraint(right - high * predicted, -np.inf, below),
        LinearConstraint(predicted, 1, np.inf),
    ]
    limits = {"integrality": np.ones(size * size), "bounds": Bounds(least.ravel(), most.ravel())}
    solved = [milp(sign * right.sum(axis=0), constraints=constraints, **limits) for sign in (1, -1)]
    if not all(found.success for found in solved):
        return None
    return solved[0].fun / of_class.sum(), -solved[1].fun / of_class.sum()
