"""Trained networks as single files that run without Keras: ONNX and LiteRT, which was called TensorFlow Lite.

A face at a time, Keras spends most of its time between the layers of a network; in a runtime made for it the same network answers about
ten times as fast (`reports/cpu/06_speed`). The extra `export` brings converters and runtimes.
"""

import logging
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from fer_helpers import paths
from fer_helpers.images import CORES

if TYPE_CHECKING:  # a process that runs an exported network loads neither Keras nor its backend
    import keras

Network = Callable[[np.ndarray], np.ndarray]  # images (n, side, side, 3) from 0 to 255 -> probabilities (n, classes)


def save(model: "keras.Model", path: Path) -> None:
    """Write a network with its weights as one file, in the format that the file's name ends in.

    The number of images at a time is left open. An older file of that name is replaced only by a whole one.

    Args:
        model: takes images (n, side, side, 3); of float32 throughout.
        path: ends in `.onnx` or `.tflite`.

    Raises:
        ValueError: another ending, a network of 16-bit numbers, or a backend other than TensorFlow, through whose graph both formats are made.
        ImportError: the extra `export` is not installed.
        RuntimeError: the converter failed; the message ends with its last line.
    """
    import keras

    savers = {".onnx": _save_onnx, ".tflite": _save_litert}
    if path.suffix not in savers:
        raise ValueError(
            f"{path.name} ends in neither {' nor '.join(savers)}: name the file after the format that you want"
        )
    if keras.backend.backend() != "tensorflow":
        raise ValueError(
            "a network is exported through TensorFlow: load its weights in a process with KERAS_BACKEND=tensorflow, and export it there"
        )
    if model.compute_dtype != "float32":
        raise ValueError(
            f"a network that computes in {model.compute_dtype} can't be exported: build it in float32 and load its weights"
        )
    with tempfile.TemporaryDirectory() as folder:
        exported = Path(folder) / path.name
        with _fewer_words():
            savers[path.suffix](model, exported)
        with paths.written_whole(path) as partial:
            shutil.copyfile(exported, partial)


@contextmanager
def _fewer_words() -> Iterator[None]:
    """Without TensorFlow's notes on where it puts its temporary files."""
    logger = logging.getLogger("tensorflow")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)


def _save_onnx(model: "keras.Model", path: Path) -> None:
    """By way of a SavedModel: Keras's own way to ONNX leaves the constants of the normalisation out (Keras 3.15, tf2onnx 1.17)."""
    _needed("tf2onnx")
    saved_model = path.parent / "saved_model"
    model.export(saved_model, format="tf_saved_model", verbose=False)
    converted = subprocess.run(
        [sys.executable, "-m", "tf2onnx.convert", "--saved-model", str(saved_model), "--output", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    if converted.returncode or not path.exists():
        raise RuntimeError(
            f"tf2onnx could not convert {model.name}: {(converted.stderr.strip().splitlines() or ['it said nothing'])[-1]}"
        )


def _save_litert(model: "keras.Model", path: Path) -> None:
    model.export(path, format="litert", verbose=False)


def load(path: Path, threads: int = CORES) -> Network:
    """A network that was written by `save`, to be called with images; nothing of Keras takes part.

    Args:
        path: ends in `.onnx` or `.tflite`.
        threads: processor threads that one call may use.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: another ending.
        ImportError: the extra `export` is not installed.
    """
    loaders = {".onnx": _load_onnx, ".tflite": _load_litert}
    if path.suffix not in loaders:
        raise ValueError(f"{path.name} ends in neither {' nor '.join(loaders)}: it is no exported network")
    if not path.is_file():
        raise FileNotFoundError(f"there is no {path}: write it with export.save")
    return loaders[path.suffix](path, threads)


def _load_onnx(path: Path, threads: int) -> Network:
    runtime = _needed("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    session = runtime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda images: session.run(None, {name: np.asarray(images, "float32")})[0]


def _load_litert(path: Path, threads: int) -> Network:
    interpreter = _needed("ai_edge_litert.interpreter").Interpreter(str(path), num_threads=threads)
    place = interpreter.get_input_details()[0]["index"]
    answer = interpreter.get_output_details()[0]["index"]

    def network(images: np.ndarray) -> np.ndarray:
        if tuple(interpreter.get_input_details()[0]["shape"]) != images.shape:
            interpreter.resize_tensor_input(place, images.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(place, np.asarray(images, "float32"))
        interpreter.invoke()
        return interpreter.get_tensor(answer)

    return network


def _needed(module: str) -> ModuleType:
    """A module of the extra `export`.

    Raises:
        ImportError: it is not installed; the message says how to.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise ImportError(
            f"exported networks need {module.partition('.')[0]}, which is not installed: pip install -e .[export]"
        ) from error
