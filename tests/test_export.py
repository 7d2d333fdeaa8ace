"""An exported network says what Keras says, at any number of images, and what can't be exported is told."""

import sys

import keras
import numpy as np
import pytest
from keras import layers

from fer_helpers import export, models

pytest.importorskip("onnxruntime", reason="the extra export is not installed")
pytest.importorskip("ai_edge_litert", reason="the extra export is not installed")
EFFICIENTNETS = [("B0", "block3b_add", 50, [".onnx", ".tflite"], 1e-4), ("Lite0", "avg_pool", 2, [".tflite"], 0.02)]


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (9, 32, 32, 3), dtype="uint8")


@pytest.fixture(scope="module")
def network() -> keras.Model:
    """A small CNN behind ImageNet's normalisation, whose constants a converter can lose."""
    keras.utils.set_random_seed(0)
    normalisation = layers.Normalization(mean=models.IMAGENET_MEAN * 255, variance=(models.IMAGENET_STD * 255) ** 2)
    convolutions = [layers.Conv2D(4, 5, activation="relu"), layers.MaxPooling2D(2), layers.Flatten()]
    head = layers.Dense(7, activation="softmax")
    return keras.Sequential([keras.Input((32, 32, 3)), normalisation, *convolutions, head], name="small")


@pytest.fixture(scope="module", params=[".onnx", ".tflite"])
def exported(request, network, tmp_path_factory):
    path = tmp_path_factory.mktemp("export") / f"network{request.param}"
    export.save(network, path)
    return path


def test_exported_network_says_what_keras_says_of_any_number_of_images_and_leaves_its_file(exported, network, images):
    expected = network.predict(images, verbose=0)
    assert np.ptp(expected, axis=0).max() > 0.01  # the images are told apart, so that agreement means something
    given = export.load(exported)
    assert given(images).shape == (9, 7) and given(images).dtype == np.float32
    one_by_one = np.concatenate([given(images[place : place + 1]) for place in range(len(images))])
    for answers in (given(images), one_by_one, np.concatenate([given(images[:4]), given(images[4:])])):
        assert np.abs(answers - expected).max() < 1e-5
    assert list(exported.parent.iterdir()) == [exported]


def test_exported_network_runs_without_keras_and_its_backend(exported, images, tmp_path, run_python):
    np.save(tmp_path / "images.npy", images)
    code = """
import sys, numpy as np
from pathlib import Path
from fer_helpers import export
answers = export.load(Path(sys.argv[1]))(np.load(sys.argv[2]))
print(answers.shape, {"keras", "tensorflow"} & set(sys.modules))
"""
    assert run_python("-c", code, exported, tmp_path / "images.npy").stdout.strip() == "(9, 7) set()"


@pytest.mark.slow
@pytest.mark.parametrize(("variant", "last", "scale", "endings", "apart"), EFFICIENTNETS)
def test_efficientnet_is_exported_and_in_8_bits_nearly_so(variant, last, scale, endings, apart, tmp_path):
    """Three stages of B0 hold every kind of layer that it has: normalisation, squeeze-and-excite, both kernels."""
    keras.utils.set_random_seed(0)
    body = models.efficientnet(variant, 32, "scratch" if variant == "B0" else "imagenet")
    features = layers.Rescaling(scale)(layers.Flatten()(body.get_layer(last).output))
    network = keras.Model(body.input, layers.Dense(7, activation="softmax")(features))
    images = np.random.default_rng(1).integers(0, 256, (3, 32, 32, 3), dtype="uint8")
    expected = network.predict(images, verbose=0)
    assert np.ptp(expected) > 0.05  # so that other weights would say something else
    for ending in endings:
        export.save(network, tmp_path / f"network{ending}", eight_bits=apart > 1e-3)
        assert np.abs(export.load(tmp_path / f"network{ending}")(images) - expected).max() < apart
        assert ((tmp_path / f"network{ending}").stat().st_size < 2 * network.count_params()) == (apart > 1e-3)


def test_what_cannot_be_exported_or_loaded_is_an_error_that_says_why(tmp_path):
    for act in (lambda path: export.save(None, path), export.load):
        with pytest.raises(ValueError, match=r"network\.pb ends in neither \.onnx nor \.tflite"):
            act(tmp_path / "network.pb")
    with pytest.raises(FileNotFoundError, match=r"there is no .*network\.onnx"):
        export.load(tmp_path / "network.onnx")
    network = keras.Sequential([keras.Input((4,)), layers.Dense(2)])
    network.dtype_policy = keras.DTypePolicy("mixed_bfloat16")
    with pytest.raises(ValueError, match="bfloat16 can't be exported"):
        export.save(network, tmp_path / "network.onnx")


def test_converter_that_fails_leaves_the_old_file_and_its_last_line(network, tmp_path, monkeypatch):
    (path := tmp_path / "network.onnx").write_bytes(b"old")
    failed = export.subprocess.CompletedProcess([], 1, stderr="Traceback\nKeyError: some operation\n")
    monkeypatch.setattr(export.subprocess, "run", lambda *command, **options: failed)
    with pytest.raises(RuntimeError, match="could not convert small: KeyError: some operation"):
        export.save(network, path)
    assert path.read_bytes() == b"old"


@pytest.mark.parametrize(("ending", "module"), [(".onnx", "onnxruntime"), (".tflite", "ai_edge_litert")])
def test_missing_runtime_is_an_error_that_says_what_to_install(ending, module, tmp_path, monkeypatch):
    (tmp_path / f"network{ending}").touch()
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setitem(sys.modules, f"{module}.interpreter", None)
    message = rf"exports need {module}, which is not installed: pip install -e \.\[export\]"
    with pytest.raises(ImportError, match=message):
        export.load(tmp_path / f"network{ending}")
