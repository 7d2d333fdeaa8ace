"""Every EfficientNet has its published size, and is fed the same whatever file its weights come from."""

import hashlib
from math import ceil
from types import SimpleNamespace

import h5py
import keras
import numpy as np
import pytest
from keras.src.applications import efficientnet as keras_efficientnet
from keras.src.legacy.saving import legacy_h5_format

from fer_helpers import models
from fer_helpers.models import VARIANTS, classifier, efficientnet, regularised_head, two_layer_head

SIDE = 48
MEAN, STD = (
    np.array([0.485, 0.456, 0.406]),
    np.array([0.229, 0.224, 0.225]),
)  # of ImageNet's photographs, RGB from 0 to 1

# Tan and Le 2019, table 1: expansion, kernel, output channels, layers of each stage of B0.
STAGES = ((1, 3, 16, 1), (6, 3, 24, 2), (6, 5, 40, 2), (6, 3, 80, 3), (6, 5, 112, 3), (6, 5, 192, 4), (6, 3, 320, 1))
# Width and depth coefficients, side of the images, parameters in millions as printed in the same paper and its reference code.
PUBLISHED = {
    "B0": (1.0, 1.0, 224, "5.3"),
    "B1": (1.0, 1.1, 240, "7.8"),
    "B2": (1.1, 1.2, 260, "9.2"),
    "B3": (1.2, 1.4, 300, "12"),
    "B4": (1.4, 1.8, 380, "19"),
    "B5": (1.6, 2.2, 456, "30"),
    "B6": (1.8, 2.6, 528, "43"),
    "B7": (2.0, 3.1, 600, "66"),
}
BLOCKS = {"B0": 16, "B1": 23, "B2": 23, "B3": 26, "B4": 32, "B5": 39, "B6": 45, "B7": 55}


def scaled_channels(channels: int, width: float) -> int:
    """Channels times width, rounded to a multiple of eight and not by more than a tenth downwards."""
    wanted = channels * width
    rounded = max(8, int(wanted + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * wanted else rounded


def counted_by_hand(variant: str) -> SimpleNamespace:
    """Blocks, width of the features and numbers of a body without its top, from the paper's table alone."""
    width, depth, *_ = PUBLISHED[variant]
    channels = scaled_channels(32, width)
    parameters = (
        7 + 3 * 3 * 3 * channels + 4 * channels
    )  # mean, variance and count of the input; first convolution and its BatchNorm
    blocks = 0
    for expansion, kernel, output, repeats in STAGES:
        output = scaled_channels(output, width)
        for _ in range(ceil(depth * repeats)):
            inner, squeezed = channels * expansion, max(1, channels // 4)
            parameters += (channels * inner + 4 * inner) * (expansion > 1)  # expansion and its BatchNorm
            parameters += kernel * kernel * inner + 4 * inner  # depthwise convolution and its BatchNorm
            parameters += inner * squeezed + squeezed + squeezed * inner + inner  # squeeze and excitation, with biases
            parameters += inner * output + 4 * output  # projection and its BatchNorm
            channels, blocks = output, blocks + 1
    features = scaled_channels(1280, width)
    return SimpleNamespace(blocks=blocks, features=features, parameters=parameters + channels * features + 4 * features)


def blocks_of(body: keras.Model) -> int:
    return sum(layer.name.endswith("_dwconv") for layer in body.layers)


def photographs(count: int = 4) -> np.ndarray:
    """Images of coloured squares, which differ more than noise does."""
    squares = np.random.default_rng(0).integers(0, 256, (count, 6, 6, 3))
    return squares.repeat(SIDE // 6, axis=1).repeat(SIDE // 6, axis=2).astype("float32")


def output_of(model: keras.Model, images: np.ndarray, training: bool = False) -> np.ndarray:
    return keras.ops.convert_to_numpy(model(images, training=training))


def after_normalisation(body: keras.Model, images: np.ndarray) -> np.ndarray:
    """What the first convolution of a body sees."""
    return output_of(keras.Model(body.input, body.get_layer("stem_conv_pad").input), images)


@pytest.fixture(scope="module")
def scratch():
    """A B0 with random weights."""
    keras.utils.set_random_seed(0)
    return efficientnet("B0", SIDE)


@pytest.mark.parametrize("variant", PUBLISHED)
def test_scaling_rule_gives_the_width_and_parameters_of_every_variant(variant):
    by_hand, ours = counted_by_hand(variant), VARIANTS[variant]
    assert by_hand.blocks == BLOCKS[variant]
    assert (ours.features, ours.parameters) == (by_hand.features, by_hand.parameters)
    assert (ours.width, ours.depth, ours.side) == PUBLISHED[variant][:3]


@pytest.mark.parametrize("variant", PUBLISHED)
def test_parameters_with_the_top_are_those_printed_in_the_paper_to_their_last_digit(variant):
    printed = PUBLISHED[variant][3]
    with_top = counted_by_hand(variant).parameters + (counted_by_hand(variant).features + 1) * 1_000
    last_digit = 0.1 if "." in printed else 1.0
    assert VARIANTS[variant].published_millions == float(printed)
    assert abs(with_top / 1e6 - float(printed)) < last_digit


def test_built_network_has_the_numbers_counted_by_hand(scratch):
    by_hand = counted_by_hand("B0")
    assert (scratch.count_params(), scratch.output_shape, blocks_of(scratch)) == (
        by_hand.parameters,
        (None, by_hand.features),
        by_hand.blocks,
    )


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["B1", "B2", "B3", "B4", "B5", "B6", "B7"])
def test_built_larger_network_has_the_numbers_counted_by_hand_and_gives_finite_features(variant):
    body, by_hand = efficientnet(variant, 32), counted_by_hand(variant)
    assert (body.count_params(), blocks_of(body)) == (by_hand.parameters, by_hand.blocks)
    features = output_of(body, photographs(1)[:, :32, :32])
    assert features.shape == (1, by_hand.features)
    assert np.isfinite(features).all()


@pytest.fixture(scope="module")
def imagenet_like(tmp_path_factory):
    """A file in place of Keras's download for B0: random weights in the same format, with std where the variance should be."""
    home = tmp_path_factory.mktemp("keras")
    keras.utils.set_random_seed(0)
    body = keras.applications.EfficientNetB0(
        include_top=False, weights=None, input_shape=(SIDE, SIDE, 3), pooling="avg"
    )
    (normalization,) = (layer for layer in body.layers if isinstance(layer, keras.layers.Normalization))
    normalization.set_weights([MEAN, STD**2, np.zeros((), "int32")])
    normalization.finalize_state()
    for layer in body.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    body(photographs(16), training=True)  # statistics under which no layer loses what tells photographs apart
    normalization.set_weights([MEAN, STD, np.zeros((), "int32")])
    path = home / "models" / "efficientnetb0_notop.h5"
    path.parent.mkdir()
    with h5py.File(path, "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, body)
    digest = hashlib.md5(path.read_bytes()).hexdigest()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.src.backend.config, "_KERAS_DIR", str(home))
        patch.setitem(keras_efficientnet.WEIGHTS_HASHES, "b0", (digest, digest))
        yield path


@pytest.fixture(scope="module")
def keras_features(imagenet_like) -> np.ndarray:
    """What Keras itself makes of the photographs with `weights="imagenet"`, by its own preprocessing."""
    body = keras.applications.EfficientNetB0(
        include_top=False, weights="imagenet", input_shape=(SIDE, SIDE, 3), pooling="avg"
    )
    return output_of(body, photographs())


@pytest.fixture(scope="module")
def frozen(imagenet_like) -> keras.Model:
    """A frozen B0 with the weights of that file, named by its path."""
    return efficientnet("B0", SIDE, str(imagenet_like), frozen=True)


@pytest.mark.parametrize("route", ["imagenet", "Keras's file", "our file"])
def test_every_route_to_the_same_weights_gives_the_features_that_keras_gives(
    keras_features, frozen, route, tmp_path, network_is_down
):
    frozen.save_weights(tmp_path / "body.weights.h5")
    weights = {"imagenet": "imagenet", "our file": str(tmp_path / "body.weights.h5")}
    body = efficientnet("B0", SIDE, weights[route]) if route in weights else frozen
    assert np.ptp(keras_features, axis=0).mean() > 0.1  # the photographs are told apart
    np.testing.assert_allclose(output_of(body, photographs()), keras_features, atol=1e-5)


def test_keras_itself_feeds_the_same_file_differently_when_it_is_given_by_path(imagenet_like, keras_features):
    body = keras.applications.EfficientNetB0(
        include_top=False, weights=str(imagenet_like), input_shape=(SIDE, SIDE, 3), pooling="avg"
    )
    assert np.abs(output_of(body, photographs()) - keras_features).mean() > 0.01


def test_network_sees_pixels_less_the_mean_in_units_of_the_standard_deviation(scratch):
    expected = (photographs() / 255 - MEAN) / STD
    np.testing.assert_allclose(after_normalisation(scratch, photographs()), expected, atol=1e-5)


def test_weights_that_cannot_be_fetched_are_an_error_that_says_where_to_put_them_and_how_to_do_without(
    tmp_path, monkeypatch, network_is_down
):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(keras.src.backend.config, "_KERAS_DIR", str(tmp_path))
    with pytest.raises(FileNotFoundError) as caught:
        efficientnet("B0", SIDE, "imagenet")
    message = str(caught.value)
    assert "the ImageNet weights of B0 could not be fetched" in message
    assert "Get https://storage.googleapis.com/keras-applications/efficientnetb0_notop.h5" in message
    assert f"put it at {tmp_path}/models/efficientnetb0_notop.h5" in message
    assert "weights=scratch" in message


def test_damaged_weights_in_the_cache_are_an_error_that_says_what_to_do(tmp_path, monkeypatch, network_is_down):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(keras.src.backend.config, "_KERAS_DIR", str(tmp_path))
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "efficientnetb0_notop.h5").write_bytes(b"half a file")
    with pytest.raises(FileNotFoundError, match="the ImageNet weights of B0 could not be fetched"):
        efficientnet("B0", SIDE, "imagenet")


def test_named_file_that_is_not_there_is_an_error_that_names_it(tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r"no weights file .*/nowhere\.weights\.h5: name imagenet, scratch, or an existing"
    ):
        efficientnet("B0", SIDE, str(tmp_path / "nowhere.weights.h5"))


@pytest.mark.filterwarnings("ignore:Skipping nested container")
@pytest.mark.parametrize("name", ["other.weights.h5", "text.weights.h5", "weights.txt"])
def test_file_that_holds_no_such_body_is_an_error_that_names_it(tmp_path, name):
    path = tmp_path / name
    if name == "other.weights.h5":
        keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]).save_weights(path)
    else:
        path.write_text("no weights")
    with pytest.raises(ValueError, match=rf"{path} does not hold the weights of an EfficientNet-B0 without its top"):
        efficientnet("B0", 32, str(path))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"variant": "B8", "side": 48}, "no EfficientNet is called 'B8': there are B0, B1, B2, B3, B4, B5, B6, B7"),
        ({"variant": "B0", "side": 31}, "EfficientNet needs images of at least 32 pixels a side, not 31"),
        ({"variant": "B0", "side": 48, "pooling": "mean"}, "pooling is avg or max, not 'mean'"),
    ],
)
def test_impossible_network_is_refused_with_a_reason(arguments, message):
    with pytest.raises(ValueError, match=message):
        efficientnet(**arguments)


@pytest.mark.parametrize(("pooling", "reduce"), [("avg", np.mean), ("max", np.max)])
def test_features_are_the_mean_or_the_maximum_of_the_last_map(scratch, pooling, reduce):
    body = scratch if pooling == "avg" else efficientnet("B0", SIDE, pooling=pooling)
    last_map = output_of(keras.Model(body.input, body.get_layer("top_activation").output), photographs())
    assert last_map.shape == (4, 2, 2, 1280)
    np.testing.assert_allclose(output_of(body, photographs()), reduce(last_map, axis=(1, 2)), rtol=1e-4, atol=1e-6)


def test_batchnorm_statistics_move_by_the_given_momentum():
    body = efficientnet("B0", SIDE, batchnorm_momentum=0.6)
    stem = body.get_layer("stem_bn")
    before = output_of(keras.Model(body.input, stem.input), photographs())
    body(photographs(), training=True)
    expected = 0.6 * 0 + 0.4 * before.mean(axis=(0, 1, 2))
    np.testing.assert_allclose(keras.ops.convert_to_numpy(stem.moving_mean), expected, atol=1e-5)


def one_step(body: keras.Model) -> tuple[keras.Model, list[np.ndarray], list[np.ndarray]]:
    """Train one step; returns the network and all numbers of the body before and after it."""
    model = classifier(body, two_layer_head(7, hidden=8))
    model.compile("sgd", "sparse_categorical_crossentropy", run_eagerly=True)
    before = body.get_weights()
    model.train_on_batch(photographs(), np.array([0, 1, 2, 3]))
    return model, before, body.get_weights()


def test_frozen_body_trains_nothing_and_keeps_its_batchnorm_statistics(frozen):
    head_only = 4  # two layers of weights and biases
    model, before, after = one_step(frozen)
    assert frozen.trainable_weights == []
    assert len(model.trainable_weights) == head_only
    for was, now in zip(before, after, strict=True):
        np.testing.assert_array_equal(was, now)


def test_frozen_body_gives_the_same_features_while_its_head_trains(frozen):
    model = classifier(frozen, two_layer_head(7, hidden=8))
    training, inference = (output_of(model, photographs(), training=training) for training in (True, False))
    assert np.ptp(inference, axis=0).max() > 0.01
    np.testing.assert_allclose(training, inference, atol=1e-5)


def test_body_that_is_not_frozen_trains_weights_and_batchnorm_statistics():
    body = efficientnet("B0", SIDE)
    _, before, after = one_step(body)
    names = [weight.path for weight in body.weights]
    changed = {name for name, was, now in zip(names, before, after, strict=True) if not np.array_equal(was, now)}
    assert any(name.endswith("stem_conv/kernel") for name in changed)
    assert any(name.endswith("stem_bn/moving_mean") for name in changed)


def built(head: keras.Sequential, width: int) -> keras.Sequential:
    head.build((None, width))
    return head


def test_regularised_head_has_the_layers_that_huang_2024_prints():
    dense, dropout, probabilities = built(regularised_head(7, l1=0.01, l2=0.02), 1280).layers
    assert (dense.units, dense.activation) == (256, keras.activations.relu)
    assert (dropout.rate, dropout.seed) == (0.45, 123)
    assert (probabilities.units, probabilities.activation) == (7, keras.activations.softmax)


def test_regularised_head_costs_l1_of_weights_and_biases_and_l2_of_weights():
    head = built(regularised_head(7, l1=0.01, l2=0.02), 5)
    weights, biases = np.random.default_rng(0).normal(size=(5, 256)), np.random.default_rng(1).normal(size=256)
    head.layers[0].set_weights([weights, biases])
    expected = 0.01 * (np.abs(weights).sum() + np.abs(biases).sum()) + 0.02 * (weights**2).sum()
    assert float(sum(head.losses)) == pytest.approx(expected, rel=1e-5)


def test_dropout_of_the_head_drops_the_same_45_percent_in_every_run():
    inputs = np.ones((50, 256), "float32")
    first, again = (built(regularised_head(7, 0, 0), 256).layers[1](inputs, training=True) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert (np.asarray(first) == 0).mean() == pytest.approx(0.45, abs=0.02)


def test_two_layer_head_has_two_layers_of_the_given_width():
    hidden, probabilities = built(two_layer_head(8, hidden=64), 1280).layers
    assert (hidden.kernel.shape, probabilities.kernel.shape) == ((1280, 64), (64, 8))
    assert probabilities.activation is keras.activations.softmax


@pytest.mark.parametrize(
    "head", [lambda: regularised_head(7, 0.01, 0.02), lambda: two_layer_head(7, 32)], ids=["regularised", "two layers"]
)
def test_probabilities_are_float32_and_sum_to_one_under_mixed_precision_too(head):
    keras.mixed_precision.set_dtype_policy("mixed_float16")
    try:
        network = built(head(), 16)
    finally:
        keras.mixed_precision.set_dtype_policy("float32")
    probabilities = output_of(network, np.random.default_rng(0).normal(size=(5, 16)).astype("float32"))
    assert probabilities.dtype == "float32"
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)


def test_classifier_maps_images_to_probabilities(scratch):
    model = classifier(scratch, two_layer_head(7, hidden=8))
    assert model.input_shape == (None, SIDE, SIDE, 3)
    assert output_of(model, photographs()).shape == (4, 7)


# ------------------------------------------------------------------------------------------ two phases, and a baseline


@pytest.fixture(scope="module")
def two_phase_body():
    return models.efficientnet("B0", 32, frozen=True)


def trainable_layers(body) -> set[str]:
    return {layer.name for layer in body.layers if layer.trainable_weights}


@pytest.mark.parametrize(("batchnorm", "more"), [(False, set()), (True, {"block7a_project_bn", "top_bn"})])
def test_the_last_six_layers_of_b0_hold_two_convolutions_and_two_batchnorms(two_phase_body, batchnorm, more):
    models.set_trainable(two_phase_body, False)
    learning = models.unfreeze_last(two_phase_body, 6, train_batchnorm=batchnorm)
    assert set(learning) == trainable_layers(two_phase_body) == {"block7a_project_conv", "top_conv"} | more


def test_all_layers_learn_again_after_only_the_last_did(two_phase_body):
    models.set_trainable(two_phase_body, True)
    everything = trainable_layers(two_phase_body)
    models.unfreeze_last(two_phase_body, 6, train_batchnorm=False)
    models.set_trainable(two_phase_body, True)
    assert trainable_layers(two_phase_body) == everything
    assert len(everything) > 100
    models.set_trainable(two_phase_body, False)
    assert trainable_layers(two_phase_body) == set()


@pytest.mark.parametrize("count", [0, 10_000])
def test_more_layers_than_there_are_cannot_be_unfrozen(two_phase_body, count):
    with pytest.raises(ValueError, match=f"{count} of them can't be unfrozen"):
        models.unfreeze_last(two_phase_body, count, train_batchnorm=False)


def test_the_baseline_has_the_parameters_counted_by_hand():
    network = models.standard_cnn(48, 7, (32, 64))
    first, second, dense = 5 * 5 * 3 * 32 + 32, 5 * 5 * 32 * 64 + 64, 12 * 12 * 64 * 7 + 7
    assert network.count_params() == first + second + dense
    probabilities = network.predict_on_batch(np.zeros((2, 48, 48, 3), "uint8"))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)


def test_a_softmax_head_is_one_dense_layer():
    head = models.softmax_head(8)
    head.build((None, 1_792))
    assert head.count_params() == 1_792 * 8 + 8


def test_a_network_saved_as_hdf5_predicts_the_same_once_it_is_loaded_again(tmp_path):
    body = models.efficientnet("B0", 32)
    network = classifier(body, models.softmax_head(7))
    random = np.random.default_rng(0)
    head = network.layers[-1]
    head.set_weights(
        [random.normal(size=weights.shape) * 1_000 for weights in head.get_weights()]
    )  # so that a small change shows
    pictures = random.integers(0, 256, (4, 32, 32, 3)).astype("uint8")
    network.compile(optimizer="adam", loss="sparse_categorical_crossentropy")
    network.save(tmp_path / "network.h5")
    np.testing.assert_array_equal(
        models.load_hdf5(tmp_path / "network.h5").predict_on_batch(pictures), network.predict_on_batch(pictures)
    )
