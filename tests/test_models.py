"""Every EfficientNet has its published size, and is fed the same whatever file its weights come from."""

import hashlib
import re
from math import ceil
from types import SimpleNamespace

import h5py
import keras
import numpy as np
import pytest
from keras import layers
from keras.src.applications import efficientnet as keras_efficientnet
from keras.src.legacy.saving import legacy_h5_format

from fer_helpers.models import VARIANTS, efficientnet
from fer_helpers.study.claims import published

SIDE = 48
MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])  # of ImageNet, RGB from 0 to 1
# Tan and Le 2019, table 1: expansion, kernel, output channels, layers of each stage of B0.
STAGES = ((1, 3, 16, 1), (6, 3, 24, 2), (6, 5, 40, 2), (6, 3, 80, 3), (6, 5, 112, 3), (6, 5, 192, 4), (6, 3, 320, 1))
# Width and depth coefficients, side of the images, and parameters in millions as printed (Lite: in its README); blocks.
PUBLISHED = {
    "B0": (1.0, 1.0, 224, "5.3", 16),
    "B1": (1.0, 1.1, 240, "7.8", 23),
    "B2": (1.1, 1.2, 260, "9.2", 23),
    "B3": (1.2, 1.4, 300, "12", 26),
    "B4": (1.4, 1.8, 380, "19", 32),
    "B5": (1.6, 2.2, 456, "30", 39),
    "B6": (1.8, 2.6, 528, "43", 45),
    "B7": (2.0, 3.1, 600, "66", 55),
    "Lite0": (1.0, 1.0, 224, "4.7", 16),
    "Lite1": (1.0, 1.1, 240, "5.4", 21),
    "Lite2": (1.1, 1.2, 260, "6.1", 21),
    "Mini": (0.25, 0.25, 48, None, 7),
}
IMPOSSIBLE = [
    (("B8", 48), r"no EfficientNet is called 'B8': there are B0, .*, B7, Lite0, Lite1, Lite2, Mini"),
    (("Lite0", 31), "needs images of at least 32 pixels a side, not 31"),
    (("B0", 48, "scratch", "mean"), "pooling is avg or max, not 'mean'"),
    (("Mini", 48, "imagenet"), "Mini, a network for smoke runs, has no ImageNet weights: take scratch"),
    (("Lite0", 48, "no.weights.h5"), "no weights file /.*/no.weights.h5: name imagenet, scratch, or"),
]
SLOW = [pytest.param(variant, marks=pytest.mark.slow) for variant in ("B4", "B7")]


def scaled_channels(channels: int, width: float) -> int:
    """Channels times width, rounded to a multiple of eight and not by more than a tenth downwards."""
    rounded = max(8, int(channels * width + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels * width else rounded


def counted_by_hand(variant: str) -> SimpleNamespace:
    """Blocks, width of the features, and all and only trainable numbers of a body, from the paper's table alone."""
    width, depth, *_ = PUBLISHED[variant]
    lite = not variant.startswith("B")
    channels, features = (32, 1280) if lite else (scaled_channels(32, width), scaled_channels(1280, width))
    convolutions, batchnorms, blocks = 3 * 3 * 3 * channels, channels + features, 0
    for number, (expansion, kernel, output, repeats) in enumerate(STAGES):
        output = scaled_channels(output, width)
        for _ in range(repeats if lite and number in (0, 6) else ceil(depth * repeats)):
            inner, squeezed = channels * expansion, max(1, channels // 4)
            convolutions += channels * inner * (expansion > 1) + kernel * kernel * inner + inner * output
            batchnorms += inner * (expansion > 1) + inner + output
            if not lite:
                convolutions += 2 * inner * squeezed + squeezed + inner  # squeeze and excitation, with biases
            channels, blocks = output, blocks + 1
    convolutions += channels * features
    trained = convolutions + 2 * batchnorms
    everything = trained + 2 * batchnorms + (0 if lite else 7)  # mean, variance and count of the input
    return SimpleNamespace(blocks=blocks, features=features, parameters=everything, trained=trained)


def photographs(count: int = 4) -> np.ndarray:
    """Images of coloured squares, which differ more than noise does."""
    squares = np.random.default_rng(0).integers(0, 256, (count, 6, 6, 3))
    return squares.repeat(SIDE // 6, axis=1).repeat(SIDE // 6, axis=2).astype("float32")


def output_of(model: keras.Model, images: np.ndarray, training: bool = False) -> np.ndarray:
    return keras.ops.convert_to_numpy(model(images, training=training))


def seen_by_the_stem(body: keras.Model, images: np.ndarray) -> np.ndarray:
    return output_of(keras.Model(body.input, body.get_layer("stem_conv").input), images)


@pytest.mark.parametrize("variant", PUBLISHED)
def test_scaling_rule_gives_the_parameters_of_every_variant_as_they_are_printed(variant):
    by_hand, (*scale, printed, blocks) = counted_by_hand(variant), PUBLISHED[variant]
    assert by_hand.blocks == blocks
    assert VARIANTS[variant] == tuple(scale)
    if printed:  # with the top, to the last digit
        with_top = (by_hand.trained if variant[0] == "L" else by_hand.parameters) + (by_hand.features + 1) * 1_000
        assert abs(with_top / 1e6 - float(printed)) < (0.05 if variant[0] == "L" else 0.1 if "." in printed else 1.0)


@pytest.fixture(scope="module")
def body(request) -> keras.Model:
    return efficientnet(request.param, 32)


@pytest.mark.parametrize("body", ["B0", "Lite0", "Lite2", "Mini", *SLOW], indirect=True)
def test_built_network_has_the_numbers_counted_by_hand_and_gives_finite_features(body, request):
    by_hand = counted_by_hand(request.node.callspec.params["body"])
    blocks = sum(layer.name.endswith("dwconv") for layer in body.layers)
    assert (body.count_params(), blocks) == (by_hand.parameters, by_hand.blocks)
    features = output_of(body, photographs(1)[:, :32, :32])
    assert features.shape == (1, by_hand.features) and np.isfinite(features).all()


@pytest.mark.parametrize("body", ["B0", *SLOW], indirect=True)
def test_the_published_rule_of_scaling_gives_the_layers_that_are_built(body, request):
    variant, built = request.node.callspec.params["body"], {layer.name: layer for layer in body.layers}
    blocks = [found.groups() for name in built if (found := re.fullmatch(r"(block(\d)[a-z])_dwconv", name))]
    widths = [(built[f"{name}_dwconv"].output.shape[-1], built[f"{name}_project_conv"].filters) for name, _ in blocks]
    found = [(int(stage), *both) for (_, stage), both in zip(blocks, widths, strict=True)]
    told = [(k, within, out) for k, (all_of, out) in enumerate(published.stages(variant), 1) for within in all_of]
    assert told == found
    stem, top = built["stem_conv"], built["top_conv"]
    for metric, number in ("mbconv_blocks", len(blocks)), ("stem.filters", stem.filters), ("features", top.filters):
        assert list(published.FIGURES["efficientnet", metric, "", variant].values) == [number]
    assert (stem.kernel_size[0], stem.strides[0], top.kernel_size[0]) == (3, 2, 1)
    assert built["stem_conv_pad"].padding == ((0, 1), (0, 1))


def keras_b0(weights: str | None) -> keras.Model:
    shape = (SIDE, SIDE, 3)
    return keras.applications.EfficientNetB0(include_top=False, weights=weights, input_shape=shape, pooling="avg")


@pytest.fixture(scope="module")
def imagenet_like(tmp_path_factory):
    """A file in place of Keras's download for B0: random weights in its format, std where the variance should be."""
    home = tmp_path_factory.mktemp("keras")
    keras.utils.set_random_seed(0)
    body = keras_b0(None)
    (normalization,) = (layer for layer in body.layers if isinstance(layer, layers.Normalization))
    normalization.set_weights([MEAN, STD**2, np.zeros((), "int32")])
    normalization.finalize_state()
    for layer in body.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = 0.0
    body(photographs(16), training=True)  # statistics under which no layer loses what tells photographs apart
    normalization.set_weights([MEAN, STD, np.zeros((), "int32")])
    (path := home / "models" / "efficientnetb0_notop.h5").parent.mkdir()
    with h5py.File(path, "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, body)
    digest = hashlib.md5(path.read_bytes()).hexdigest()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KERAS_HOME", str(home))
        patch.setattr(keras.src.backend.config, "_KERAS_DIR", str(home))
        patch.setitem(keras_efficientnet.WEIGHTS_HASHES, "b0", (digest, digest))
        yield path


@pytest.fixture(scope="module")
def frozen(imagenet_like) -> keras.Model:
    """A frozen B0 with the weights of that file, named by its path."""
    return efficientnet("B0", SIDE, str(imagenet_like), frozen=True)


def test_every_route_to_the_same_weights_gives_the_features_of_keras(imagenet_like, frozen, tmp_path, network_is_down):
    expected = output_of(keras_b0("imagenet"), photographs())  # by Keras's own preprocessing
    assert np.ptp(expected, axis=0).mean() > 0.1  # the photographs are told apart
    frozen.save_weights(tmp_path / "body.weights.h5")
    for body in (frozen, *(efficientnet("B0", SIDE, w) for w in ("imagenet", str(tmp_path / "body.weights.h5")))):
        np.testing.assert_allclose(output_of(body, photographs()), expected, atol=1e-5)
    by_path = output_of(keras_b0(str(imagenet_like)), photographs())  # Keras itself feeds it differently then
    assert np.abs(by_path - expected).mean() > 0.01


def test_networks_see_normalised_pixels(frozen):
    images = photographs()
    seen = seen_by_the_stem(frozen, images)[:, :SIDE, :SIDE]
    np.testing.assert_allclose(seen, (images / 255 - MEAN) / STD, atol=1e-5)
    np.testing.assert_allclose(seen_by_the_stem(efficientnet("Mini", SIDE), images), (images - 127) / 128, atol=1e-6)


def test_weights_damaged_or_not_to_be_had_are_an_error_that_says_what_to_do(tmp_path, monkeypatch, network_is_down):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    file = tmp_path / "models" / "efficientnetb0_notop.h5"
    url = r"https://storage\.googleapis\.com/keras-applications/efficientnetb0_notop\.h5"
    unfetched = rf"weights of B0 could not be fetched .*\. Get {url} .* put it at {file}; or take Lite0, .*=scratch"
    with pytest.raises(FileNotFoundError, match=unfetched):
        efficientnet("B0", SIDE, "imagenet")
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(b"half a file")
    with pytest.raises(ValueError, match=rf"{file} is damaged: its MD5 is not .* get {url} again"):
        efficientnet("B0", SIDE, "imagenet")
    assert file.read_bytes() == b"half a file"


@pytest.mark.filterwarnings("ignore:Skipping nested container")
@pytest.mark.parametrize("name", ["other.weights.h5", "weights.txt", "text.weights.h5"])
@pytest.mark.parametrize("variant", ["B0", "Lite0"])
def test_file_that_holds_no_such_body_is_an_error_that_names_it(tmp_path, variant, name):
    (path := tmp_path / name).write_text("no weights")
    if name == "other.weights.h5":
        efficientnet("Mini", 32).save_weights(path)
    with pytest.raises(ValueError, match=rf"{path} does not hold the weights of an EfficientNet-{variant} body"):
        efficientnet(variant, 32, str(path))


@pytest.mark.parametrize(("arguments", "message"), IMPOSSIBLE)
def test_impossible_network_is_refused_with_a_reason(arguments, message):
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        efficientnet(*arguments)


@pytest.mark.parametrize(("pooling", "reduce"), [("avg", np.mean), ("max", np.max)])
def test_features_are_the_mean_or_the_maximum_of_the_last_map(pooling, reduce):
    body = efficientnet("Mini", SIDE, pooling=pooling)
    last_map = output_of(keras.Model(body.input, body.get_layer("top_activation").output), photographs())
    assert last_map.shape == (4, 2, 2, 1280) and last_map.max() <= 6
    np.testing.assert_allclose(output_of(body, photographs()), reduce(last_map, axis=(1, 2)), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("variant", ["B0", "Mini"])
def test_batchnorm_statistics_move_by_the_given_momentum(variant):
    body = efficientnet(variant, SIDE, batchnorm_momentum=0.6)
    stem = body.get_layer("stem_bn")
    before = output_of(keras.Model(body.input, stem.input), photographs()).mean(axis=(0, 1, 2))
    body(photographs(), training=True)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(stem.moving_mean), 0.6 * 0 + 0.4 * before, atol=1e-5)


def network_on(body: keras.Model) -> keras.Sequential:
    """As notebooks build one."""
    head = [layers.Dense(8, activation="relu"), layers.Dense(7, activation="softmax", dtype="float32")]
    model = keras.Sequential([body, *head])
    model.compile("sgd", "sparse_categorical_crossentropy", run_eagerly=True)
    return model


@pytest.mark.parametrize("variant", ["B0", "Lite0"])
def test_frozen_body_in_a_sequential_keeps_all_its_numbers_and_its_features_while_the_head_trains(variant, frozen):
    body = frozen if variant == "B0" else efficientnet("Lite0", SIDE, "imagenet", frozen=True)
    model, before = network_on(body), body.get_weights()
    model.train_on_batch(photographs(), np.arange(4))
    assert len(model.trainable_weights) == 4  # two layers of weights and biases
    for was, now in zip(before, body.get_weights(), strict=True):
        np.testing.assert_array_equal(was, now)
    learning, resting = (output_of(model, photographs(), training=training) for training in (True, False))
    assert np.ptp(resting, axis=0).max() > 0.01
    np.testing.assert_allclose(learning, resting, atol=1e-5)


def test_body_that_is_not_frozen_trains_weights_and_batchnorm_statistics_and_drops_blocks():
    body = efficientnet("Lite0", SIDE)
    before, names = body.get_weights(), ["/".join(weight.path.split("/")[-2:]) for weight in body.weights]
    network_on(body).train_on_batch(photographs(), np.arange(4))
    weights = zip(names, before, body.get_weights(), strict=True)
    changed = {name for name, was, now in weights if not np.array_equal(was, now)}
    assert {"stem_conv/kernel", "stem_bn/moving_mean", "top_bn/gamma"} <= changed
    rates = [layer.rate for layer in body.layers if isinstance(layer, layers.Dropout)]
    assert rates == pytest.approx([0.2 * block / 16 for block in (2, 4, 6, 7, 9, 10, 12, 13, 14)])
