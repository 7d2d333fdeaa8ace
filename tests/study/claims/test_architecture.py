"""The published rule of scaling gives the networks that Keras builds."""

import re

import pytest

from fer_helpers.datasets.table import EXPRESSIONS
from fer_helpers.study.claims import architecture, published


@pytest.mark.parametrize(
    "variant", ["B0", pytest.param("B4", marks=pytest.mark.slow), pytest.param("B7", marks=pytest.mark.slow)]
)
def test_layers_are_those_that_keras_builds(variant):
    import keras

    body = getattr(keras.applications, f"EfficientNet{variant}")(
        include_top=False, weights=None, input_shape=(32, 32, 3)
    )
    names = [layer.name for layer in body.layers]
    blocks = [found.groups() for name in names if (found := re.fullmatch(r"block(\d)([a-z])_dwconv", name))]
    built = [
        (
            int(stage),
            body.get_layer(f"block{stage}{letter}_dwconv").output.shape[-1],
            body.get_layer(f"block{stage}{letter}_project_conv").filters,
        )
        for stage, letter in blocks
    ]
    stem, top = body.get_layer("stem_conv"), body.get_layer("top_conv")
    assert architecture.layout(variant) == (stem.filters, built, top.filters)
    assert (stem.kernel_size[0], stem.strides[0], top.kernel_size[0]) == (3, 2, 1)
    assert body.get_layer("stem_conv_pad").padding == ((0, 1), (0, 1))


def test_b0_has_the_stages_of_tan_and_le():
    blocks = architecture.layout("B0").blocks
    stages = sorted({stage for stage, *_ in blocks})
    assert [sum(at == stage for at, *_ in blocks) for stage in stages] == [1, 2, 2, 3, 3, 4, 1]
    assert [next(out for at, _, out in blocks if at == stage) for stage in stages] == [16, 24, 40, 80, 112, 192, 320]


def test_class_counts_add_up_to_the_set_that_they_are_of():
    assert all(sum(by_class.values()) == total for (_, total), by_class in published.CLASS_IMAGES.items())
    assert all(set(by_class) <= set(EXPRESSIONS) for by_class in published.CLASS_IMAGES.values())
    sizes = {name: sum(of.values()) for name, of in published.PARTS.items()}
    assert sizes == {"PrivateTest": 3_589, "PublicTest": 3_589, "PublicTest and PrivateTest": 7_178}


def test_every_data_set_with_figures_has_a_name():
    known = {dataset for dataset, *_ in published.FIGURES} | set(published.TEST_SETS) | set(published.WHOLE_SETS)
    assert known <= set(published.NAMES)
    assert {309, 327, 593, 618, 636, 654, 981, 1_308} <= set(published.WHOLE_SETS["ckplus"].values())
