"""What can be printed: held to counts by hand and to trying every whole number."""

import itertools
import math
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from sklearn.metrics import classification_report, precision_score
from sklearn.model_selection import train_test_split

from fer_helpers.study.claims import arithmetic


@pytest.mark.parametrize("total", [1, 7, 8, 40, 125])
def test_a_number_is_possible_exactly_if_some_way_of_rounding_prints_it(total):
    half = Fraction(1, 2)
    for hundredths, number in itertools.product(range(101), range(total + 1)):
        exact, as_float = Fraction(number * 100, total), int(f"{number / total:.2f}".replace(".", ""))
        printed = {math.floor(exact), math.ceil(exact), round(exact), math.floor(exact + half), as_float}
        assert (number in arithmetic.counts(Decimal(hundredths).scaleb(-2), total)) == (hundredths in printed)
    assert list(arithmetic.counts(Decimal("0.9545"), 132)) == [126] and not arithmetic.counts(Decimal("0.9957"), 132)


def test_the_fewest_images_that_give_a_share_and_slips_of_one_digit():
    found = [arithmetic.smallest_total(Decimal(value)) for value in ("0.9167", "0.33", "1.00", "0.9957")]
    assert found == [12, 3, 1, 228]  # 227/228 = 0.99561..., and 226/227 = 0.99559...
    assert arithmetic.slips(Decimal("0.9878"), 132) == ["0.9848"]  # 130/132
    assert arithmetic.slips(Decimal("0.9957"), 132) == arithmetic.slips(Decimal("0.9347"), 132) == []


def test_a_tenth_of_213_images_is_rounded_in_each_way():
    sizes = arithmetic.sizes_of_share(Decimal("0.10"), 213)
    assert sizes == {"rounded up": 22, "rounded": 21, "rounded down": 21}
    assert sizes["rounded up"] == len(train_test_split(list(range(213)), test_size=0.10)[1])
    by_class = arithmetic.sizes_of_share(Decimal("0.10"), 55, {"happy": 34, "sad": 21})  # 3.4 and 2.1
    assert list(by_class.values())[3:] == [7, 5, 5]


@pytest.mark.parametrize("mean", ["macro precision", "macro recall", "macro F1", "weighted precision", "weighted F1"])
def test_averages_over_classes_are_found_by_trying_all_errors_and_not_beyond_them(mean):
    sizes = (5, 9, 14)
    labels, predicted = np.repeat(range(3), sizes), np.repeat(range(3), sizes)
    predicted[[0, 6]] = [2, 2]  # two errors
    kind, _, name = mean.partition(" ")
    report = classification_report(labels, predicted, output_dict=True)[f"{kind} avg"]
    report = report[name.lower().replace("f1", "f1-score")]
    assert arithmetic.averages(Decimal(f"{report:.6f}"), sizes)[mean]
    assert not any(arithmetic.averages(Decimal("0.999001"), sizes).values())


@pytest.mark.parametrize("precisions", [("0.67", "0.50"), ("1.00", "0.50"), ("0.75", "0.80"), ("0.50", "0.50")])
def test_the_accuracies_that_precisions_allow_are_those_of_the_matrices_that_have_them(precisions):
    expected = []  # by trying all confusion matrices of 7 and 5 images
    for right, other in itertools.product(range(8), range(6)):
        labels, predicted = [0] * 7 + [1] * 5, [0] * right + [1] * (7 - right) + [1] * other + [0] * (5 - other)
        shares = precision_score(labels, predicted, average=None, labels=[0, 1], zero_division=0)
        columns = np.bincount(predicted, minlength=2)
        told = zip(shares * columns, columns, precisions, strict=True)
        if columns.all() and all(round(hits) in arithmetic.counts(Decimal(p), n) for hits, n, p in told):
            expected.append((right + other) / 12)
    found = arithmetic.accuracy_range((7, 5), tuple(map(Decimal, precisions)))
    assert found == (pytest.approx((min(expected), max(expected))) if expected else None)


def test_recalls_narrow_the_accuracies_or_leave_none():
    images, precisions = (50, 50, 50), (Decimal("0.90"), Decimal("0.60"), Decimal("0.60"))
    low, high = arithmetic.accuracy_range(images, precisions)
    narrow_low, narrow_high = arithmetic.accuracy_range(images, precisions, (Decimal("0.80"), None, None))
    assert low <= narrow_low <= narrow_high <= high and narrow_high - narrow_low < high - low
    for recall in ("0.8123", "0.10"):  # no whole number of 50; 5 right are neither 5/5 nor 5/6
        assert arithmetic.accuracy_range(images, precisions, (Decimal(recall), None, None)) is None


def test_a_mean_over_folds_prints_so_if_some_errors_in_some_folds_make_it():
    for value, folds in {"0.9957": [], "0.9347": [10], "0.9878": [5, 10]}.items():
        assert arithmetic.folds_of_mean(Decimal(value), 1308) == folds
    errors = [0] * 8 + [42, 43]  # of 0.9347, in the two folds of 130 images
    assert sum(1 - wrong / size for wrong, size in zip(errors, [131] * 8 + [130] * 2, strict=True)) / 10 < 0.9348
