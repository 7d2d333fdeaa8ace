"""Bodies of EfficientNet-B0 to B7 (Tan and Le 2019, arXiv 1905.11946) and of EfficientNet-Lite, without their tops.

Each takes raw RGB from 0 to 255, (n, side, side, 3), and normalises it itself. Heads stand in the notebooks.
"""

import hashlib
import os
import sys
from collections import namedtuple
from math import ceil
from pathlib import Path

import keras
import numpy as np
from keras import layers

from fer_helpers import lite_weights, paths

IMAGENET_MEAN = np.array([0.485, 0.456, 0.406], "float32")  # of RGB from 0 to 1
IMAGENET_STD = np.array([0.229, 0.224, 0.225], "float32")
# Tan and Le 2019, table 1: expansion, kernel, stride, channels and layers of each stage
STAGES = [(1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3), (6, 5, 1, 112, 3), (6, 5, 2, 192, 4)]
STAGES += [(6, 3, 1, 320, 1)]
DROP_CONNECT = 0.2  # share of images that skip the last block while a network learns, as in Keras's B0 to B7

Variant = namedtuple("Variant", "width depth side")  # factors on B0's channels and layers; side of ImageNet's images
VARIANTS = {"B0": Variant(1.0, 1.0, 224), "B1": Variant(1.0, 1.1, 240), "B2": Variant(1.1, 1.2, 260)}
VARIANTS |= {"B3": Variant(1.2, 1.4, 300), "B4": Variant(1.4, 1.8, 380), "B5": Variant(1.6, 2.2, 456)}
VARIANTS |= {"B6": Variant(1.8, 2.6, 528), "B7": Variant(2.0, 3.1, 600)}
VARIANTS |= {"Lite0": Variant(1.0, 1.0, 224), "Lite1": Variant(1.0, 1.1, 240), "Lite2": Variant(1.1, 1.2, 260)}
VARIANTS["Mini"] = Variant(0.25, 0.25, 48)  # ours: a Lite so small that smoke runs compile it in seconds


def efficientnet(
    variant: str,
    side: int,
    weights: str = "scratch",
    pooling: str = "avg",
    frozen: bool = False,
    batchnorm_momentum: float = 0.99,
) -> keras.Model:
    """A body: images (n, side, side, 3) from 0 to 255 -> features (n, width).

    B0 to B7 see (pixel / 255 - mean) / std of ImageNet, whatever their weights come from; left to itself Keras feeds
    them so only for `weights="imagenet"`. Lite and Mini see (pixel - 127) / 128.

    Args:
        variant, side: a key of `VARIANTS`; height and width of the images in pixels, at least 32.
        weights: `imagenet` (B0 to B7: Keras's file, fetched once; Lite: a package), `scratch` (random), or the path of
            an HDF5 file of this body (`save_weights`, or Keras's `_notop.h5`).
        pooling: `avg` or `max` over the last feature map.
        frozen: train nothing; the body then runs in inference mode inside any network, and drops no block, ever.
        batchnorm_momentum: of the running statistics; Keras's 0.99 lags behind when an epoch has few steps.

    ValueError for what there is not, or a file damaged or of another network; FileNotFoundError for absent weights.
    """
    if variant not in VARIANTS:
        raise ValueError(f"no EfficientNet is called {variant!r}: there are {', '.join(VARIANTS)}")
    if side < 32:
        raise ValueError(f"EfficientNet needs images of at least 32 pixels a side, not {side}")
    if pooling not in ("avg", "max"):
        raise ValueError(f"pooling is avg or max, not {pooling!r}")
    if variant.startswith("B"):
        build = getattr(keras.applications, f"EfficientNet{variant}")
        body = build(include_top=False, weights=None, input_shape=(side, side, 3), pooling=pooling)
    else:
        body = _lite(variant, side, pooling)
    if weights == "imagenet" and variant.startswith("Lite"):
        lite_weights.load(body, lite_weights.find(variant))
    elif weights != "scratch":
        _load(body, variant, _imagenet_file(variant) if weights == "imagenet" else paths.resolve(weights))
    for layer in body.layers:
        if isinstance(layer, layers.Normalization):  # Keras's files hold std where the layer expects its square
            layer.set_weights([IMAGENET_MEAN, IMAGENET_STD**2, np.zeros((), "int32")])
            layer.finalize_state()
        elif isinstance(layer, layers.BatchNormalization):
            layer.momentum = batchnorm_momentum
        elif isinstance(layer, layers.Dropout) and frozen:
            layer.rate = 0.0  # a network around the body passes its own `training` on
    body.trainable = not frozen
    return body


def _lite(variant: str, side: int, pooling: str) -> keras.Model:
    """No squeeze-and-excitation; stem and head keep their width, first and last stage their depth. Keras's names."""
    width, depth, _ = VARIANTS[variant]
    spread = keras.initializers.VarianceScaling(2.0, "fan_out")

    def convolve(x, name: str, kernel: int = 1, strides: int = 1, filters: int = 0):
        conv, initializer = (layers.Conv2D, "kernel") if filters else (layers.DepthwiseConv2D, "depthwise")
        options = {"padding": "same", "use_bias": False, f"{initializer}_initializer": spread}
        sizes = ([filters] if filters else []) + [kernel, strides]
        x = conv(*sizes, name=f"{name}conv" if filters else f"{name}dwconv", **options)(x)
        x = layers.BatchNormalization(epsilon=1e-3, name=f"{name}bn")(x)
        return x if name.endswith("project_") else layers.ReLU(6.0, name=f"{name}activation")(x)

    images = keras.Input((side, side, 3))
    x = convolve(layers.Rescaling(1 / 128, -127 / 128)(images), "stem_", 3, 2, 32)
    repeats = [1, *(ceil(depth * count) for *_, count in STAGES[1:-1]), 1]
    blocks = [(stage, number) for stage, count in enumerate(repeats) for number in range(count)]
    for done, (stage, number) in enumerate(blocks):
        (expansion, kernel, strides, channels, _), inputs = STAGES[stage], x
        name = f"block{stage + 1}{chr(97 + number)}_"
        if expansion > 1:
            x = convolve(x, f"{name}expand_", filters=expansion * x.shape[-1])
        x = convolve(x, name, kernel, 1 if number else strides)
        scaled = int(channels * width + 4) // 8 * 8  # to a multiple of eight, and not by more than a tenth downwards
        x = convolve(x, f"{name}project_", filters=max(8, scaled + 8 * (scaled < 0.9 * channels * width)))
        if number:
            rate = DROP_CONNECT * done / len(blocks)
            x = layers.Dropout(rate, noise_shape=(None, 1, 1, 1), name=f"{name}drop")(x)
            x = layers.Add(name=f"{name}add")([x, inputs])
    x = convolve(x, "top_", filters=1280)
    pool = layers.GlobalAveragePooling2D if pooling == "avg" else layers.GlobalMaxPooling2D
    return keras.Model(images, pool(name=f"{pooling}_pool")(x), name=f"efficientnet-{variant.lower()}")


def _imagenet_file(variant: str) -> Path:
    if variant == "Mini":
        raise ValueError("Mini, a network for smoke runs, has no ImageNet weights: take scratch, or Lite0")
    keras_code = sys.modules[keras.applications.EfficientNetB0.__module__]  # knows address and MD5 of its files
    name, digest = f"efficientnet{variant.lower()}_notop.h5", keras_code.WEIGHTS_HASHES[variant.lower()][1]
    url, home = keras_code.BASE_WEIGHTS_PATH + name, Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
    file = home / "models" / name
    if file.is_file() and hashlib.md5(file.read_bytes()).hexdigest() != digest:  # Keras would remove it
        raise ValueError(f"{file} is damaged: its MD5 is not {digest}; remove it, or get {url} again")
    try:
        return Path(keras.utils.get_file(name, url, cache_dir=home, cache_subdir="models", file_hash=digest))
    except Exception as error:  # Keras raises a bare Exception for any failed download
        raise FileNotFoundError(
            f"the ImageNet weights of {variant} could not be fetched ({error}). Get {url} on another machine and put "
            f"it at {file}; or take Lite0, whose weights are in a package, or weights=scratch"
        ) from error


def _load(body: keras.Model, variant: str, path: Path) -> None:
    if not path.is_file():
        raise FileNotFoundError(f"no weights file {path}: name imagenet, scratch, or an existing .weights.h5 file")
    try:
        body.load_weights(path)
    except (ValueError, OSError, KeyError, RuntimeError) as error:  # h5py's, of a damaged file
        reason = str(error).partition("\n")[0]
        raise ValueError(f"{path} does not hold the weights of an EfficientNet-{variant} body: {reason}") from error


def init_name(weights: str) -> str:
    """What a training began with, as `results.csv` has it: `imagenet`, `scratch`, or the name of a file."""
    return Path(weights).name


def weights_source(variant: str, weights: str) -> str:
    """What a network began with, for a sentence: "ImageNet, EfficientNet-Lite0; nearest relative of B0"."""
    source = {"imagenet": "ImageNet", "scratch": "random weights"}.get(weights, f"weights of {init_name(weights)}")
    if variant == "Mini":
        return f"{source}, Mini: a small relative of EfficientNet-Lite for smoke runs"
    return f"{source}, EfficientNet-{variant}" + f"; nearest relative of B{variant[-1]}" * variant.startswith("Lite")
