"""What can be printed: held to counts by hand and to trying every whole number."""

import itertools
import math
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, log_loss, precision_score
from sklearn.model_selection import train_test_split

from fer_helpers.study.claims import arithmetic


def test_each_way_of_rounding_prints_a_tie_in_its_own_way():
    assert arithmetic.printed_forms(Fraction(1, 8), 2) == {
        "half up": Decimal("0.13"),
        "half even": Decimal("0.12"),
        "cut off": Decimal("0.12"),
        "float": Decimal("0.12"),
    }
    assert arithmetic.printed_forms(Fraction(3, 8), 2) == {
        "half up": Decimal("0.38"),
        "half even": Decimal("0.38"),
        "cut off": Decimal("0.37"),
        "float": Decimal("0.38"),
    }


def test_a_share_of_all_images_is_printed_with_its_zeros():
    assert {str(form) for form in arithmetic.printed_forms(Fraction(1), 4).values()} == {"1.0000"}


@pytest.mark.parametrize(
    ("value", "total", "possible"),
    [
        ("0.9957", 132, []),  # 131/132 = 0.9924
        ("0.9545", 132, [126]),  # 0.95454...
        ("0.12", 8, [1]),  # 0.125, half to even or cut off
        ("0.13", 8, [1]),  # 0.125, half up
        ("0.37", 8, [3]),  # 0.375, cut off
        ("0.38", 8, [3]),
        ("0.11", 8, []),
        ("0.14", 8, []),
        ("0.66", 3, [2]),  # 0.666..., cut off
        ("0.68", 3, []),
        ("1.00", 21, [21]),
        ("0.00", 21, [0]),
        ("0.7", 10, [7]),
        ("1.01", 10, []),
    ],
)
def test_the_whole_numbers_that_give_a_share(value, total, possible):
    assert list(arithmetic.counts(Decimal(value), total)) == possible


@pytest.mark.parametrize("total", [1, 7, 8, 40, 125])
def test_a_number_is_possible_exactly_if_some_way_of_rounding_prints_it(total):
    for hundredths in range(101):
        value = Decimal(hundredths).scaleb(-2)
        tried = [
            number
            for number in range(total + 1)
            if value in arithmetic.printed_forms(Fraction(number, total), 2).values()
        ]
        # Half down is no usual way: what it alone prints counts as possible, for a float just below a tie is printed so.
        half_down = [
            number
            for number in range(total + 1)
            if math.ceil(Fraction(number * 100, total) - Fraction(1, 2)) == hundredths
        ]
        assert set(tried) <= set(arithmetic.counts(value, total)) <= {*tried, *half_down}


def test_the_images_next_to_a_share_are_one_if_it_is_a_whole_number():
    assert arithmetic.neighbours(Decimal("0.9957"), 132) == [131, 132]
    assert arithmetic.neighbours(Decimal("0.5"), 132) == [66]
    assert arithmetic.neighbours(Decimal("1.00"), 132) == [132]


def test_the_fewest_images_that_give_a_share():
    assert arithmetic.smallest_total(Decimal("0.9167")) == 12  # 11/12
    assert arithmetic.smallest_total(Decimal("0.33")) == 3
    assert arithmetic.smallest_total(Decimal("1.00")) == 1
    assert arithmetic.smallest_total(Decimal("0.9957")) == 230  # 229/230 = 0.99565..., and 228/229 = 0.99563...


def test_a_tenth_of_213_images_is_rounded_in_each_way():
    assert arithmetic.sizes_of_share(Decimal("0.10"), 213) == {
        22: "10 % of 213, rounded up",
        21: "10 % of 213, rounded",
    }
    *_, test = train_test_split(list(range(213)), test_size=0.10)
    assert next(iter(arithmetic.sizes_of_share(Decimal("0.10"), 213))) == len(test)


def test_a_share_drawn_class_by_class_is_rounded_in_each_class():
    sizes = arithmetic.sizes_of_share(Decimal("0.10"), 55, {"happy": 34, "sad": 21})  # 3.4 and 2.1, 5.5 in all
    assert sizes == {
        6: "10 % of 55, rounded up",
        5: "10 % of 55, rounded down",
        7: "10 % of 55, rounded up class by class",
    }


def test_no_probabilities_have_a_smaller_cross_entropy_than_the_least_of_their_accuracy():
    random = np.random.default_rng(0)
    probabilities = random.dirichlet([0.3, 0.3, 0.3], size=4_000)
    labels = random.integers(0, 3, size=4_000)
    accuracy = (probabilities.argmax(axis=1) == labels).mean()
    assert log_loss(labels, probabilities.clip(1e-12)) > arithmetic.least_cross_entropy(accuracy)


def test_the_least_cross_entropy_is_reached_by_right_images_at_1_and_wrong_ones_at_a_half():
    probabilities = np.array([[1, 0], [1, 0], [1, 0], [0.5 - 1e-9, 0.5 + 1e-9]])
    assert log_loss([0, 0, 0, 0], probabilities, labels=[0, 1]) == pytest.approx(
        arithmetic.least_cross_entropy(0.75), abs=1e-6
    )


def test_calibrated_probabilities_need_the_more_entropy_the_more_errors_they_make():
    # Two classes at a half each: half of the images are wrong, and each costs ln 2.
    assert arithmetic.least_calibrated_cross_entropy(0.5) == pytest.approx(math.log(2))
    for chances in ([0.6, 0.4], [0.5, 0.3, 0.2], [0.9, 0.05, 0.05], [0.25] * 4):
        entropy = -sum(chance * math.log(chance) for chance in chances)
        assert entropy >= arithmetic.least_calibrated_cross_entropy(max(chances)) - 1e-12


def tried(images: dict[str, int], precisions: dict[str, Decimal]) -> list[float]:
    """Accuracies of all confusion matrices of two classes that have these precisions, by trying them all."""
    first, second = images.values()
    found = []
    for right, other in itertools.product(range(first + 1), range(second + 1)):
        labels = [0] * first + [1] * second
        predicted = [0] * right + [1] * (first - right) + [1] * other + [0] * (second - other)
        columns = confusion_matrix(labels, predicted, labels=[0, 1]).sum(axis=0)
        shares = precision_score(labels, predicted, average=None, labels=[0, 1], zero_division=0)
        printed = [
            value in arithmetic.printed_forms(Fraction(share).limit_denominator(200), 2).values()
            for share, value in zip(shares, precisions.values(), strict=True)
        ]
        if columns.all() and all(printed):
            found.append((right + other) / len(labels))
    return found


@pytest.mark.parametrize(
    "precisions", [("0.67", "0.50"), ("1.00", "0.50"), ("0.75", "0.80"), ("0.33", "1.00"), ("0.50", "0.50")]
)
def test_the_accuracies_that_precisions_allow_are_those_of_the_matrices_that_have_them(precisions):
    images = {"happy": 7, "sad": 5}
    of_class = dict(zip(images, map(Decimal, precisions), strict=True))
    expected = tried(images, of_class)
    found = arithmetic.accuracy_range(images, of_class)
    assert found == (pytest.approx((min(expected), max(expected))) if expected else None)


def test_precisions_that_no_confusion_matrix_has_allow_no_accuracy():
    # All that is predicted happy is happy, and so is all that is predicted sad: then nothing is labelled sad.
    assert arithmetic.accuracy_range({"happy": 3, "sad": 3}, {"happy": Decimal("1.00"), "sad": Decimal("0.00")}) is None


def test_recalls_narrow_the_accuracies_or_leave_none():
    images = {"happy": 50, "sad": 50, "fear": 50}
    precisions = {"happy": Decimal("0.90"), "sad": Decimal("0.60"), "fear": Decimal("0.60")}
    low, high = arithmetic.accuracy_range(images, precisions)
    narrow_low, narrow_high = arithmetic.accuracy_range(images, precisions, {"happy": Decimal("0.80")})
    assert low <= narrow_low <= narrow_high <= high
    assert narrow_high - narrow_low < high - low
    assert arithmetic.accuracy_range(images, precisions, {"happy": Decimal("0.8123")}) is None  # no whole number of 50
    assert (
        arithmetic.accuracy_range(images, precisions, {"happy": Decimal("0.10")}) is None
    )  # 5 right: 5/5 and 5/6 are not 0.90
