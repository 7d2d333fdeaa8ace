"""EfficientNet-B0 to B7 (Tan and Le 2019, arXiv 1905.11946), the heads that the papers put on them, and one paper's baseline.

Every network here takes raw RGB from 0 to 255, (n, side, side, 3): rescaling and normalisation are layers of the network.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from keras import layers, regularizers

BATCHNORM_MOMENTUM = 0.99  # what Keras builds EfficientNet with
IMAGENET_MEAN = np.array([0.485, 0.456, 0.406], "float32")  # of RGB from 0 to 1
IMAGENET_STD = np.array([0.229, 0.224, 0.225], "float32")


@dataclass(frozen=True)
class Variant:
    """One of EfficientNet's eight published sizes.

    Attributes:
        width, depth: factors on B0's channels and layers (Tan and Le 2019, and their reference implementation).
        side: side of the images it was trained on, in pixels.
        features: width of the last feature map.
        parameters: all numbers of the body without its top, as Keras counts them: BatchNorm statistics and the seven of the
            normalisation included.
        published_millions: parameters with the top for 1,000 classes, as printed in Tan and Le 2019, table 2.
    """

    width: float
    depth: float
    side: int
    features: int
    parameters: int
    published_millions: float


VARIANTS = {
    "B0": Variant(1.0, 1.0, 224, 1280, 4_049_571, 5.3),
    "B1": Variant(1.0, 1.1, 240, 1280, 6_575_239, 7.8),
    "B2": Variant(1.1, 1.2, 260, 1408, 7_768_569, 9.2),
    "B3": Variant(1.2, 1.4, 300, 1536, 10_783_535, 12.0),
    "B4": Variant(1.4, 1.8, 380, 1792, 17_673_823, 19.0),
    "B5": Variant(1.6, 2.2, 456, 2048, 28_513_527, 30.0),
    "B6": Variant(1.8, 2.6, 528, 2304, 40_960_143, 43.0),
    "B7": Variant(2.0, 3.1, 600, 2560, 64_097_687, 66.0),
}


def efficientnet(
    variant: str,
    side: int,
    weights: str = "scratch",
    pooling: str = "avg",
    frozen: bool = False,
    batchnorm_momentum: float = BATCHNORM_MOMENTUM,
) -> keras.Model:
    """The body of an EfficientNet without its top: images (n, side, side, 3) from 0 to 255 -> features (n, width).

    Whatever the weights, the network sees (pixel / 255 - mean) / std with ImageNet's mean and std. Left to itself Keras does so only
    for `weights="imagenet"`, by one more layer, and feeds the same weights differently when they come from a file.

    Args:
        variant: `B0` to `B7`.
        side: height and width of the images in pixels, at least 32.
        weights: `imagenet`, `scratch` (random), or the path of an HDF5 file of such a body (`save_weights`, or Keras's `_notop.h5`).
        pooling: `avg` or `max` over the last feature map.
        frozen: train no weight of the body.
        batchnorm_momentum: of the running statistics; Keras's 0.99 lags behind when an epoch has few steps.

    Raises:
        ValueError: no such variant or pooling, a side below 32, or a file of another architecture.
        FileNotFoundError: the ImageNet weights could not be fetched, or the named file is not there.
    """
    _check(variant, side, pooling)
    if weights == "imagenet":
        reference = _imagenet_body(variant, side)
    body = _keras_builder(variant)(include_top=False, weights=None, input_shape=(side, side, 3), pooling=pooling)
    if weights == "imagenet":
        body.set_weights(reference.get_weights())
    elif weights != "scratch":
        _load_file(body, variant, Path(weights).expanduser())
    _normalise_as_imagenet(body)
    for layer in _batchnorms(body):
        layer.momentum = batchnorm_momentum
    body.trainable = not frozen
    if frozen:
        for layer in body.layers:
            if isinstance(layer, layers.Dropout):
                layer.rate = 0.0  # a network around the body passes its own `training` on, and would drop blocks of it
    return body


def _check(variant: str, side: int, pooling: str) -> None:
    if variant not in VARIANTS:
        raise ValueError(f"no EfficientNet is called {variant!r}: there are {', '.join(VARIANTS)}")
    if side < 32:
        raise ValueError(f"EfficientNet needs images of at least 32 pixels a side, not {side}")
    if pooling not in ("avg", "max"):
        raise ValueError(f"pooling is avg or max, not {pooling!r}")


def _keras_builder(variant: str):
    return getattr(keras.applications, f"EfficientNet{variant}")


def _imagenet_body(variant: str, side: int) -> keras.Model:
    try:
        return _keras_builder(variant)(include_top=False, weights="imagenet", input_shape=(side, side, 3))
    except Exception as error:  # Keras raises a bare Exception for any failed download
        name = f"efficientnet{variant.lower()}_notop.h5"
        place = Path(os.environ.get("KERAS_HOME", "~/.keras")) / "models" / name
        raise FileNotFoundError(
            f"the ImageNet weights of {variant} could not be fetched ({error}). Get https://storage.googleapis.com/keras-applications/{name} "
            f"on another machine and put it at {place}, or train from random weights with weights=scratch"
        ) from error


def _load_file(body: keras.Model, variant: str, path: Path) -> None:
    if not path.is_file():
        raise FileNotFoundError(f"no weights file {path}: name imagenet, scratch, or an existing .weights.h5 file")
    try:
        body.load_weights(path)
    except (ValueError, OSError) as error:
        raise ValueError(
            f"{path} does not hold the weights of an EfficientNet-{variant} without its top: {str(error).partition(chr(10))[0]}"
        ) from error


def _normalise_as_imagenet(body: keras.Model) -> None:
    """Make the body's own normalisation layer compute (x - mean) / std.

    Keras's ImageNet files hold std where the layer expects its square, and Keras repairs it with one more layer
    (tensorflow issue 49930); with the square in the layer no repair is needed.
    """
    layer = next(layer for layer in body.layers if isinstance(layer, layers.Normalization))
    layer.set_weights([IMAGENET_MEAN, IMAGENET_STD**2, np.zeros((), "int32")])
    layer.finalize_state()


def _batchnorms(body: keras.Model) -> list[layers.BatchNormalization]:
    return [layer for layer in body.layers if isinstance(layer, layers.BatchNormalization)]


def regularised_head(
    classes: int, l1: float, l2: float, hidden: int = 256, dropout: float = 0.45, dropout_seed: int = 123
) -> keras.Sequential:
    """Dense 256 with L2 on its weights and L1 on its weights and biases, Dropout, softmax (huang_2024, sec. 2.2.2).

    Args:
        classes: number of expressions.
        l1, l2: strengths, which the paper does not print.
        hidden, dropout, dropout_seed: as the paper prints them.
    """
    dense = layers.Dense(
        hidden, activation="relu", kernel_regularizer=regularizers.L1L2(l1, l2), bias_regularizer=regularizers.L1(l1)
    )
    return keras.Sequential(
        [dense, layers.Dropout(dropout, seed=dropout_seed), _softmax(classes)], name="regularised_head"
    )


def two_layer_head(classes: int, hidden: int) -> keras.Sequential:
    """A two-layer network on the features (singh_2022, sec. 5.1); the paper prints neither its width nor its activation."""
    return keras.Sequential([layers.Dense(hidden, activation="relu"), _softmax(classes)], name="two_layer_head")


def softmax_head(classes: int) -> keras.Sequential:
    """One fully connected layer and softmax on the features (jiang_2025, sec. 2.2.3; alam_2022, sec. 4.4)."""
    return keras.Sequential([_softmax(classes)], name="softmax_head")


def standard_cnn(side: int, classes: int, filters: tuple[int, int]) -> keras.Sequential:
    """Two convolutions with 5x5 kernels, each with 2x2 max pooling, then softmax (alam_2022, table 1).

    Args:
        side: height and width of the images in pixels.
        classes: number of expressions.
        filters: of the two convolutions; the paper does not print them.
    """
    convolutions = [
        layer
        for number in filters
        for layer in (layers.Conv2D(number, 5, padding="same", activation="relu"), layers.MaxPooling2D(2))
    ]
    scaled = layers.Rescaling(1 / 255)
    return keras.Sequential(
        [keras.Input((side, side, 3)), scaled, *convolutions, layers.Flatten(), _softmax(classes)], name="standard_cnn"
    )


def _softmax(classes: int) -> layers.Dense:
    # float32 also under mixed precision: a softmax in 16 bits loses probabilities near 0 and 1.
    return layers.Dense(classes, activation="softmax", dtype="float32", name="probabilities")


def classifier(body: keras.Model, head: keras.Model) -> keras.Model:
    """Body and head as one network: images (n, side, side, 3) from 0 to 255 -> probabilities (n, classes).

    A frozen body runs in inference mode, so that its BatchNorm layers use their stored statistics.
    """
    images = keras.Input(body.input_shape[1:], name="images")
    return keras.Model(images, head(body(images)), name=f"{body.name}_{head.name}")


def load_hdf5(path: Path) -> keras.Model:
    """A whole network that was saved as HDF5, as `load_model` is meant to give it back (alam_2022, sec. 4.3).

    Keras 3.15 reads the weights of a normalisation layer from HDF5, but not the mean and standard deviation that the layer computes from
    them: left to itself the network is fed images that are not normalised, and answers otherwise. The `.keras` format has no such gap.

    Raises:
        ValueError: Keras can't read the file.
    """
    network = keras.saving.load_model(path)
    for layer in network._flatten_layers():
        if isinstance(layer, layers.Normalization):
            layer.finalize_state()
    return network


def set_trainable(body: keras.Model, trainable: bool) -> None:
    """Let all layers of a body learn, or none; the model around it has to be compiled again.

    Setting the flag of a Keras model leaves those of its layers as they are once they were set one by one.
    """
    body.trainable = trainable
    for layer in body.layers:
        layer.trainable = trainable


def unfreeze_last(body: keras.Model, count: int, train_batchnorm: bool) -> list[str]:
    """Train the last layers of a frozen body, pooling not counted; the model around it has to be compiled again.

    Args:
        body: as `efficientnet` builds it.
        count: how many layers from the end; layers without weights count too, as they do in Keras's `layers[-count:]`.
        train_batchnorm: let BatchNorm layers among them learn and use the statistics of the batch; else they keep what they have stored.

    Returns:
        Names of the layers that learn now.

    Raises:
        ValueError: the body has fewer layers.
    """
    without_pooling = [
        layer
        for layer in body.layers
        if not isinstance(layer, layers.GlobalAveragePooling2D | layers.GlobalMaxPooling2D)
    ]
    if not 0 < count <= len(without_pooling):
        raise ValueError(
            f"{body.name} has {len(without_pooling)} layers before its pooling: {count} of them can't be unfrozen"
        )
    body.trainable = True
    last = without_pooling[-count:]
    for layer in body.layers:
        layer.trainable = layer in last and (train_batchnorm or not isinstance(layer, layers.BatchNormalization))
    return [layer.name for layer in last if layer.trainable_weights]
