"""The figures that the papers are held against agree with each other."""

from fer_helpers.datasets import fer2013
from fer_helpers.datasets.table import EXPRESSIONS
from fer_helpers.study.claims import published


def test_class_counts_add_up_to_the_set_that_they_are_of():
    assert all(sum(by_class.values()) == total for (_, total), by_class in published.CLASS_IMAGES.items())
    tested = [
        images
        for sets in (*published.TEST_SETS.values(), *published.WHOLE_SETS.values())
        for images in sets
        if images.by_class
    ]
    assert len(tested) == 4
    assert all(sum(images.by_class.values()) == images.images for images in tested)


def test_classes_are_expressions():
    assert all(set(by_class) <= set(EXPRESSIONS) for by_class in published.CLASS_IMAGES.values())


def test_every_data_set_with_figures_has_a_name():
    assert {dataset for dataset, *_ in published.FIGURES} | set(published.TEST_SETS) | set(published.WHOLE_SETS) <= set(
        published.NAMES
    )


def test_fer2013_is_its_three_parts():
    assert sum(fer2013.PUBLISHED_COUNTS.values()) == published.FER2013_IMAGES["all"] == 35_887
    assert fer2013.PUBLISHED_COUNTS["val"] + fer2013.PUBLISHED_COUNTS["test"] == published.FER2013_IMAGES["val+test"]


def test_the_factor_that_tan_and_le_print_is_that_of_gpipe_by_b7():
    assert round(published.COSTS["GPipe"].parameters / published.COSTS["B7"].parameters, 1) == float(
        published.SMALLER_THAN_GPIPE
    )
