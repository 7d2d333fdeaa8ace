"""The study computes the same on TensorFlow and JAX, and on one device and four, and does without TensorFlow.

A process has one backend, so that each of these computations is a process of its own.
"""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fer_helpers import paths

pytestmark = pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="needs JAX: install the extra jax")

FOUR_DEVICES = {"XLA_FLAGS": "--xla_force_host_platform_device_count=4"}  # JAX makes four of the processor
NO_NETWORK = r"error sending request|network was disabled|Could not connect"  # as uv tells it


def run_python(code: str, *arguments: object, backend: str = "jax", **environment: str) -> str:
    """Run code in a new process with that backend, and return what it printed."""
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
    environment = os.environ | {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"} | environment
    done = subprocess.run(command, cwd=paths.PROJECT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3_000:]
    return done.stdout


# ---------------------------------------------------------------------------------------------- TensorFlow against JAX

# Dropout and the blocks that EfficientNet drops are switched off: the backends draw other random numbers from the same seed. The weights
# are those of one short training, so that the answers are neither the same for all images nor certain.
B0 = """
    import sys
    from pathlib import Path

    import keras
    import numpy as np

    from fer_helpers import devices, models, training

    folder, name, several = Path(sys.argv[1]), sys.argv[2], sys.argv[3] == "several"
    if several:
        devices.use_all_devices()
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (16, 6, 6, 3), dtype="uint8").repeat(8, axis=1).repeat(8, axis=2)
    labels = np.arange(16) % 7

    training.seed_everything(0)
    model = models.classifier(models.efficientnet("B0", 48, batchnorm_momentum=0.5), models.softmax_head(7))
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0
    model.compile(keras.optimizers.SGD(0.05), "sparse_categorical_crossentropy")
    if not (folder / "trained.weights.h5").exists():
        for _ in range(7):
            model.train_on_batch(images, labels)
        model.save_weights(folder / "trained.weights.h5")
    model.load_weights(folder / "trained.weights.h5")
    probabilities = training.predict(model, images)
    losses = [float(model.train_on_batch(images, labels)) for _ in range(3)]
    np.savez(folder / f"{name}.npz", probabilities=probabilities, losses=losses, devices=training.sharing_devices())
"""


@pytest.fixture(scope="module")
def b0(tmp_path_factory) -> Callable[[str], dict[str, np.ndarray]]:
    """Probabilities of a B0 with given weights, then its losses over three steps: on `tensorflow`, which made the weights, `jax`, or `jax on four`."""
    folder = tmp_path_factory.mktemp("b0")

    def computed(name: str) -> dict[str, np.ndarray]:
        file = folder / f"{name}.npz"
        if not file.exists():
            several = name == "jax on four"
            run_python(
                B0,
                folder,
                name,
                "several" if several else "one",
                backend=name.split()[0],
                **(FOUR_DEVICES if several else {}),
            )
        with np.load(file) as arrays:
            return dict(arrays)

    computed("tensorflow")
    return computed


@pytest.mark.slow
def test_b0_gives_the_same_probabilities_on_tensorflow_and_on_jax(b0):
    expected, ours = b0("tensorflow")["probabilities"], b0("jax")["probabilities"]
    assert np.ptp(expected, axis=0).min() > 0.1  # the images are told apart
    assert expected.max(axis=1).mean() < 0.95
    np.testing.assert_allclose(ours, expected, atol=1e-4)


@pytest.mark.slow
def test_b0_loses_the_same_in_its_first_steps_on_tensorflow_and_on_jax(b0):
    expected, ours = b0("tensorflow")["losses"], b0("jax")["losses"]
    assert expected[0] > expected[1] + 0.05 > expected[2] + 0.06  # each step shows what the one before it has changed
    np.testing.assert_allclose(ours, expected, atol=1e-3)


@pytest.mark.slow
def test_b0_takes_the_same_steps_on_four_devices_as_on_one(b0):
    one, four = b0("jax"), b0("jax on four")
    assert (one["devices"], four["devices"]) == (1, 4)
    np.testing.assert_allclose(four["probabilities"], one["probabilities"], atol=1e-4)
    np.testing.assert_allclose(four["losses"], one["losses"], atol=1e-4)


# ------------------------------------------------------------------------------------------------ one device and several

# With Adam a bias before BatchNorm, whose gradient is zero but for rounding, would take steps of full length in a random direction.
SMALL_NETWORK = """
    import json
    import sys
    from pathlib import Path

    import keras
    import numpy as np

    from fer_helpers import devices, training

    folder, several, image_count, stages = Path(sys.argv[1]), sys.argv[2] == "several", int(sys.argv[3]), json.loads(sys.argv[4])
    count = devices.use_all_devices() if several else 1
    layers = keras.layers
    random = np.random.default_rng(0)
    images, labels = random.integers(0, 256, (image_count, 8, 8, 1), dtype="uint8"), random.integers(0, 3, image_count)
    for epochs in stages:
        training.seed_everything(1)
        convolution = [layers.Conv2D(4, 3, use_bias=False), layers.BatchNormalization(momentum=0.8), layers.Flatten()]
        model = keras.Sequential([keras.Input((8, 8, 3)), layers.Rescaling(1 / 255), *convolution, layers.Dropout(0.5), layers.Dense(3, "softmax")])
        batches = training.Batches(images, labels, 8, seed=3, augment=training.Augmentation())
        model.compile(training.optimizer("adam", 0.01, len(batches), 4, "cosine"), "sparse_categorical_crossentropy", metrics=["accuracy"])
        history = training.fit(model, batches, {"val": (images[:21], labels[:21])}, epochs, folder)
    again = training.predict(model, images)
    training.load_epoch(model, folder, epochs)
    batches.begin_epoch(0)
    print(json.dumps({
        "devices": count,
        "history": history.drop(columns="seconds").to_dict("list"),
        "sizes": [len(batches[step][1]) for step in range(len(batches))],
        "order": batches.order.tolist(),
        "same_after_loading": bool((training.predict(model, images) == again).all()),
        "fits": devices.batch_that_fits(model, 16),
    }))
"""


def trained(folder: Path, devices: str, images: int = 40, stages: tuple[int, ...] = (4,)) -> dict:
    """Train the small network, in stages as if it had been killed between them; what came of it."""
    environment = FOUR_DEVICES if devices == "several" else {}
    printed = run_python(SMALL_NETWORK, folder, devices, images, json.dumps(stages), **environment)
    return json.loads(printed.splitlines()[-1])


@pytest.mark.slow
def test_training_on_four_devices_is_that_of_one_with_batchnorm_and_dropout(tmp_path):
    one, four = trained(tmp_path / "one", "one"), trained(tmp_path / "four", "several")
    assert (one["devices"], four["devices"]) == (1, 4)
    assert len(set(one["history"]["loss"])) == 4
    for column, values in one["history"].items():
        np.testing.assert_allclose(four["history"][column], values, atol=1e-4, err_msg=column)
    assert four["same_after_loading"]
    assert four["fits"] == 16


@pytest.mark.slow
def test_last_batch_on_four_devices_is_filled_up_and_a_killed_training_ends_where_an_uninterrupted_one_ends(tmp_path):
    whole = trained(tmp_path / "whole", "several", images=22, stages=(2,))
    assert whole["sizes"] == [8, 8, 8]
    assert sorted(whole["order"]) == sorted([*range(22), *whole["order"][:2]])
    killed = trained(tmp_path / "killed", "several", images=22, stages=(1, 2))
    assert killed["history"] == whole["history"]


def test_batch_that_four_devices_cannot_share_is_an_error_that_says_which_they_can():
    code = """
        import numpy as np
        from fer_helpers import devices, training
        devices.use_all_devices()
        try:
            training.Batches(np.zeros((40, 8)), np.zeros(40), batch_size=6, seed=0)
        except ValueError as error:
            print(error)
    """
    assert run_python(code, **FOUR_DEVICES).splitlines() == [
        "a batch of 6 can't be shared equally by 4 devices: take a multiple of 4"
    ]


@pytest.mark.slow
def test_training_and_devices_pass_their_own_tests_on_jax(tmp_path):
    """Among them: a training that was killed ends exactly where an uninterrupted one ends."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--basetemp", str(tmp_path / "tests")]
    command += ["-m", "not slow", "tests/test_training.py", "tests/test_devices.py"]
    done = subprocess.run(
        command,
        cwd=paths.PROJECT,
        env=os.environ | {"KERAS_BACKEND": "jax"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3_000:]
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) > 30


# --------------------------------------------------------------------------------------------------- without TensorFlow


def test_no_module_of_the_package_needs_tensorflow():
    code = """
        import importlib, pkgutil, sys
        sys.modules["tensorflow"] = None  # importing it fails, as it does where it is not installed
        import fer_helpers
        names = [module.name for module in pkgutil.walk_packages(fer_helpers.__path__, "fer_helpers.") if not module.name.endswith("__main__")]
        for name in names:
            importlib.import_module(name)
        from fer_helpers import training
        training.seed_everything(0)
        print(len(names))
    """
    modules = [
        file for file in (paths.PROJECT / "fer_helpers").rglob("*.py") if file.stem not in ("__init__", "__main__")
    ]
    assert int(run_python(code).splitlines()[-1]) >= len(modules)


@pytest.fixture(scope="module")
def without_tensorflow(tmp_path_factory) -> tuple[Path, Path]:
    """A copy of the project, and the Python of an environment that has the project, JAX and no TensorFlow."""
    project = tmp_path_factory.mktemp("without_tensorflow") / "project"
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=paths.PROJECT,
        capture_output=True,
        check=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if not name.startswith("reports/") and (paths.PROJECT / name).exists():
            (project / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(paths.PROJECT / name, project / name)
    python = project.parent / "venv" / "bin" / "python"
    uv = [sys.executable, "-m", "uv"]
    subprocess.run([*uv, "venv", "--quiet", "--python", sys.executable, python.parent.parent], check=True)
    install = [
        *uv,
        "pip",
        "install",
        "--quiet",
        "--python",
        python,
        "--constraint",
        project / "requirements.lock",
        "--editable",
        f"{project}[jax]",
    ]
    done = subprocess.run(install, cwd=project, capture_output=True, text=True, check=False)
    if re.search(NO_NETWORK, done.stderr):
        pytest.skip(f"needs the package index: {done.stderr.splitlines()[0]}")
    assert done.returncode == 0, done.stderr
    return project, python


@pytest.mark.slow
def test_a_notebook_runs_to_its_end_where_tensorflow_is_not_installed(without_tensorflow):
    """Notebook 03, smaller than in the profile `smoke`: XLA needs minutes on a processor to train one EfficientNet for one epoch."""
    project, python = without_tensorflow
    imported = subprocess.run([python, "-c", "import tensorflow"], capture_output=True, text=True, check=False)
    assert "No module named 'tensorflow'" in imported.stderr
    smaller = {
        "data_sets: [rafdb, fer2013, ckplus]": "data_sets: [ckplus]",
        "seeds: [0, 1]": "seeds: [0]",
        "[B0, B1]": "[B0]",
        "trained_epochs: 1": "trained_epochs: 0",
    }
    parameters = (project / "notebooks" / "profiles" / "smoke" / "03_singh_2022.yaml").read_text()
    for text, replacement in smaller.items():
        assert text in parameters
        parameters = parameters.replace(text, replacement)
    (project / "03_singh_2022.yaml").write_text(parameters)
    environment = os.environ | {"KERAS_BACKEND": "jax", "FER_CACHE_DIR": str(project / "cache")}
    environment.pop("PYTHONPATH", None)
    command = [
        python,
        "-m",
        "fer_helpers.study.runner",
        "03_singh_2022.yaml",
        "--run-dir",
        "reports/test/03_singh_2022",
    ]
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3_000:]
    run = project / "reports" / "test" / "03_singh_2022"
    about = json.loads((run / "run.json").read_text())
    assert about["status"] == "finished"
    assert "tensorflow" not in about["versions"]
    numbers = pd.read_csv(run / "results.csv")
    assert set(numbers["backend"]) == {"jax"}
    assert "accuracy" in set(numbers["metric"])
