"""The published rule of scaling gives the networks that Keras builds; published facts are those of the data sets."""

import re

import pytest

from fer_helpers.datasets import affectnet, ckplus, fer2013, jaffe, rafdb
from fer_helpers.datasets.table import EXPRESSIONS
from fer_helpers.study.claims import published


@pytest.mark.parametrize("variant", ["B0", *(pytest.param(f"B{k}", marks=pytest.mark.slow) for k in (4, 7))])
def test_layers_are_those_that_keras_builds(variant):
    import keras

    build = getattr(keras.applications, f"EfficientNet{variant}")
    layers = {layer.name: layer for layer in build(include_top=False, weights=None, input_shape=(32, 32, 3)).layers}
    blocks = [found.groups() for name in layers if (found := re.fullmatch(r"(block(\d)[a-z])_dwconv", name))]
    widths = [(layers[f"{name}_dwconv"].output.shape[-1], layers[f"{name}_project_conv"].filters) for name, _ in blocks]
    built = [(int(stage), *both) for (_, stage), both in zip(blocks, widths, strict=True)]
    told = [(k, within, out) for k, (all_of, out) in enumerate(published.stages(variant), 1) for within in all_of]
    assert told == built
    stem, top = layers["stem_conv"], layers["top_conv"]
    facts = {"mbconv_blocks": len(blocks), "stem.filters": stem.filters, "features": top.filters}
    for metric, number in facts.items():
        assert list(published.FIGURES["efficientnet", metric, "", variant].values) == [number]
    assert (stem.kernel_size[0], stem.strides[0], top.kernel_size[0]) == (3, 2, 1)
    assert layers["stem_conv_pad"].padding == ((0, 1), (0, 1))


def test_published_counts_are_those_that_the_data_sets_are_checked_against():
    splits = {"fer2013": fer2013.PUBLISHED_COUNTS, "rafdb": rafdb.PUBLISHED_COUNTS}
    assert all(published.images(name, split) == {n} for name, of in splits.items() for split, n in of.items())
    assert sum(affectnet.PUBLISHED_COUNTS.values()) in published.images("affectnet", "all")
    of_jaffe = {name: n for name, n in jaffe.PUBLISHED.items() if name in EXPRESSIONS}
    assert published.CLASS_IMAGES["jaffe", 213] == of_jaffe
    assert published.CLASS_IMAGES["ckplus", 327] == ckplus.PUBLISHED_SEQUENCES
    assert {327, 593} == set(published.FIGURES["ckplus", "sequences", "", ""].values)
    sizes = {"fer2013": {3_589, 7_178}, "rafdb": {3_068}, "jaffe": {213}, "ckplus": {327, 1_308}}
    assert set(published.CLASS_IMAGES) == {(name, size) for name, of in sizes.items() for size in of}
    assert all(set(by_class) <= set(EXPRESSIONS) for by_class in published.CLASS_IMAGES.values())
