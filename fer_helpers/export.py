"""Trained networks as single files that run without Keras: ONNX, and LiteRT, which was called TensorFlow Lite.

A face at a time, Keras spends most of its time between the layers of a network; a runtime made for it answers several
times as fast (`reports/cpu/06_speed`). The extra `export` brings converters and runtimes.
"""

import logging
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
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


def save(model: "keras.Model", path: Path, eight_bits: bool = False) -> None:
    """Write a network of float32 with its weights as one file `.onnx` or `.tflite`, for any number of images at a time.

    With `eight_bits` a `.tflite` has weights of 8 bits, in a quarter of the size. ValueError for another ending, a
    network of 16-bit numbers or another backend than TensorFlow; ImportError without the extra `export`; RuntimeError
    where the converter failed, with its last line.
    """
    import keras

    _check_ending(path)
    if keras.backend.backend() != "tensorflow":  # through whose graph both formats are made
        raise ValueError("export needs TensorFlow: load the weights in a process with KERAS_BACKEND=tensorflow")
    if model.compute_dtype != "float32":
        raise ValueError(f"a network of {model.compute_dtype} can't be exported: build it in float32, load its weights")
    logging.getLogger("tensorflow").setLevel(logging.WARNING)  # without notes on where it puts temporary files
    with tempfile.TemporaryDirectory() as folder:
        exported = Path(folder) / path.name
        if path.suffix == ".onnx":
            _save_onnx(model, exported)
        else:
            import tensorflow

            quantised = {"optimizations": [tensorflow.lite.Optimize.DEFAULT]} if eight_bits else {}
            model.export(exported, format="litert", verbose=False, **quantised)
        with paths.written_whole(path) as partial:
            shutil.copyfile(exported, partial)


def _save_onnx(model: "keras.Model", path: Path) -> None:
    """By way of a SavedModel: Keras's own way loses the constants of the normalisation (Keras 3.15, tf2onnx 1.17)."""
    _needed("tf2onnx")
    saved_model = path.parent / "saved_model"
    model.export(saved_model, format="tf_saved_model", verbose=False)
    command = [sys.executable, "-m", "tf2onnx.convert", "--saved-model", str(saved_model), "--output", str(path)]
    converted = subprocess.run(command, capture_output=True, text=True, check=False)
    if converted.returncode or not path.exists():
        last_line = (converted.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise RuntimeError(f"tf2onnx could not convert {model.name}: {last_line}")


def load(path: Path) -> Network:
    """A network that `save` wrote, to be called with images, on all processor cores and without Keras.

    FileNotFoundError without the file, ValueError for another ending, ImportError without the extra `export`.
    """
    _check_ending(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no {path}: write it with export.save")
    if path.suffix == ".onnx":
        runtime = _needed("onnxruntime")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = CORES
        session = runtime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        return lambda images: session.run(None, {session.get_inputs()[0].name: np.asarray(images, "float32")})[0]
    interpreter = _needed("ai_edge_litert.interpreter").Interpreter(str(path), num_threads=CORES)
    place, answer = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]

    def network(images: np.ndarray) -> np.ndarray:
        if tuple(interpreter.get_input_details()[0]["shape"]) != images.shape:
            interpreter.resize_tensor_input(place, images.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(place, np.asarray(images, "float32"))
        interpreter.invoke()
        return interpreter.get_tensor(answer)

    return network


def _check_ending(path: Path) -> None:
    if path.suffix not in (".onnx", ".tflite"):
        raise ValueError(f"{path.name} ends in neither .onnx nor .tflite")


def _needed(module: str) -> ModuleType:
    try:
        return import_module(module)
    except ImportError as error:
        name = module.partition(".")[0]
        raise ImportError(f"exports need {name}, which is not installed: pip install -e .[export]") from error
