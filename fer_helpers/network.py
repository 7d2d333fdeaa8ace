"""A trained network in a folder, as 01_huang_2024 writes it: `network.tflite`, and `card.json` with all about it."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fer_helpers import export, images, paths

FOLDER = paths.PROJECT / "data" / "network"  # of the one that comes with the project
STEP = 64  # faces that go through a network together


@dataclass(frozen=True)
class Network:
    """An exported network with what its card says of it."""

    card: dict  # classes (expressions in the order of its answers), side of its crops in pixels, temperature, ...
    answer: export.Network

    def probabilities(self, crops: np.ndarray) -> np.ndarray:
        """Calibrated probabilities (n, classes) of faces, uint8 (n, height, width, 1 or 3); colours count as grey."""
        answers = [np.empty((0, len(self.card["classes"])))]
        for start in range(0, len(crops), STEP):
            large = [images.resize(crop, self.card["side"], "bicubic") for crop in crops[start : start + STEP]]
            answers.append(self.answer(np.repeat(np.mean(large, axis=3, keepdims=True), 3, axis=3)))
        return tempered(np.concatenate(answers), self.card["temperature"])


def load(folder: Path = FOLDER) -> Network:
    """The network of a folder; FileNotFoundError for a missing file, ValueError for a damaged one or one of another."""
    try:
        card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
        whole = card["sha256"] == paths.file_sha256(folder / "network.tflite") and len(card["classes"]) > 0
        whole &= card["side"] > 0 and card["temperature"] > 0
    except FileNotFoundError as error:
        raise FileNotFoundError(f"there is no {error.filename}: restore it from git, or name another folder") from None
    except (ValueError, KeyError, TypeError, IsADirectoryError):
        whole = False
    if not whole:
        raise ValueError(f"the network in {folder} or its card is damaged: restore both from git")
    return Network(card, export.load(folder / "network.tflite"))


def tempered(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Probabilities (n, classes) whose logarithms are divided by a temperature (Guo et al. 2017, ICML, sec. 4.2)."""
    powers = np.clip(probabilities.astype("float64"), 1e-12, 1) ** (1 / temperature)
    return powers / powers.sum(axis=1, keepdims=True)


def fit_temperature(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """The temperature with the least log loss on images that validate: labels (n,), probabilities (n, classes)."""
    from scipy.optimize import minimize_scalar  # which a prediction does not need

    right = np.arange(len(labels)), labels
    loss = minimize_scalar(lambda value: -np.log(tempered(probabilities, value)[right]).mean(), bounds=(0.2, 5))
    return round(float(loss.x), 4)
