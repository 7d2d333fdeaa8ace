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
import yaml

from fer_helpers import paths

pytestmark = pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="needs JAX: install the extra jax")

FOUR_DEVICES = {"XLA_FLAGS": "--xla_force_host_platform_device_count=4"}  # JAX makes four of the processor
NO_TENSORFLOW = "import sys; sys.modules['tensorflow'] = None\n"  # importing it fails, as where it is not installed


def run_python(code: str, *arguments: object, backend: str = "jax", **environment: str) -> str:
    """Run code in a new process with that backend, and return what it printed."""
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
    environment = os.environ | {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"} | environment
    done = subprocess.run(command, cwd=paths.PROJECT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3_000:]
    return done.stdout


# Dropout and the blocks that EfficientNet drops are switched off: the backends draw other random numbers from one seed.
# The weights are those of one short training, so that the answers are neither the same for all images nor certain.
COMPUTED = """
    import sys
    from pathlib import Path

    import keras
    import numpy as np

    from fer_helpers import lite_weights, models, training

    folder, name, several = Path(sys.argv[1]), sys.argv[2], sys.argv[3] == "several"
    if several:
        training.use_all_devices()
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (16, 6, 6, 3), dtype="uint8").repeat(8, axis=1).repeat(8, axis=2)
    labels = np.arange(16) % 7

    training.seed_everything(0)
    body = models.efficientnet("Mini", 48, batchnorm_momentum=0.5)
    for layer in body.layers:
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0
    model = keras.Sequential([body, keras.layers.Dense(7, "softmax")])
    model.compile(keras.optimizers.SGD(0.05), "sparse_categorical_crossentropy")
    if not (folder / "trained.weights.h5").exists():
        for _ in range(7):
            model.train_on_batch(images, labels)
        model.save_weights(folder / "trained.weights.h5")
    model.load_weights(folder / "trained.weights.h5")
    arrays = {"probabilities": training.predict(model, images)}
    arrays["losses"] = [float(model.train_on_batch(images, labels)) for _ in range(3)]
    if not several:
        top = keras.layers.Dense(1000, "softmax")
        lite = keras.Sequential([body := models.efficientnet("Lite0", 48), top])
        top.set_weights(lite_weights.load(body, lite_weights.find("Lite0")))
        arrays["lite"] = training.predict(lite, images)
    np.savez(folder / f"{name}.npz", devices=training.sharing_devices(), **arrays)
"""


@pytest.fixture(scope="module")
def computed(tmp_path_factory) -> Callable[[str], dict[str, np.ndarray]]:
    """Answers of networks with given weights, and losses over three steps: `tensorflow`, `jax` or `jax on four`."""
    folder = tmp_path_factory.mktemp("backends")

    def of(name: str) -> dict[str, np.ndarray]:
        file = folder / f"{name}.npz"
        if not file.exists():
            several = name == "jax on four"
            devices, environment = ("several", FOUR_DEVICES) if several else ("one", {})
            run_python(COMPUTED, folder, name, devices, backend=name.split()[0], **environment)
        with np.load(file) as arrays:
            return dict(arrays)

    of("tensorflow")
    return of


@pytest.mark.slow
def test_networks_say_the_same_and_lose_the_same_on_tensorflow_and_on_jax(computed):
    expected, ours = computed("tensorflow"), computed("jax")
    assert np.ptp(expected["probabilities"], axis=0).min() > 0.05  # the images are told apart
    assert np.ptp(expected["lite"], axis=0).max() > 0.05
    for answers in ("probabilities", "lite"):
        assert np.abs(ours[answers] - expected[answers]).max() < 1e-4 * np.abs(expected[answers]).max()
    losses = expected["losses"]
    assert losses[0] > losses[1] + 0.01 > losses[2] + 0.02  # each step shows what the one before it has changed
    np.testing.assert_allclose(ours["losses"], losses, atol=5e-3)  # steps enlarge what rounding began
    assert ours["losses"][0] == pytest.approx(losses[0], abs=1e-5)


@pytest.mark.slow
def test_a_network_takes_the_same_steps_on_four_devices_as_on_one(computed):
    one, four = computed("jax"), computed("jax on four")
    assert (one["devices"], four["devices"]) == (1, 4)
    np.testing.assert_allclose(four["probabilities"], one["probabilities"], atol=1e-4)
    np.testing.assert_allclose(four["losses"], one["losses"], atol=1e-4)


# With Adam a bias before BatchNorm, whose gradient is zero but for rounding, would take whole steps at random.
SMALL_NETWORK = """
    import json
    import sys
    from pathlib import Path

    import keras
    import numpy as np

    from fer_helpers import training

    folder, several, image_count, stages = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), json.loads(sys.argv[4])
    count = training.use_all_devices() if several == "several" else 1
    layers = keras.layers
    random = np.random.default_rng(0)
    images, labels = random.integers(0, 256, (image_count, 8, 8, 1), dtype="uint8"), random.integers(0, 3, image_count)
    for epochs in stages:
        training.seed_everything(1)
        scaled, convolution = layers.Rescaling(1 / 255), layers.Conv2D(4, 3, use_bias=False)
        body = [keras.Input((8, 8, 3)), scaled, convolution, layers.BatchNormalization(momentum=0.8), layers.Flatten()]
        model = keras.Sequential([*body, layers.Dropout(0.5), layers.Dense(3, "softmax")])
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        train = training.Batches(images, labels, 8, seed=3, augment=training.Augmentation())
        val = training.Batches(images[:20], labels[:20], 4)
        backup = training.EpochBackup(folder, train, print_every=0)
        begin = backup.resume(model)
        model.fit(train, validation_data=val, epochs=epochs, initial_epoch=begin, callbacks=[backup], verbose=0)
    again = training.predict(model, images)
    backup.load(model, epochs)
    train.begin_epoch(0)
    print(json.dumps({
        "devices": count,
        "history": backup.history.drop(columns="seconds").to_dict("list"),
        "sizes": [len(train[step][1]) for step in range(len(train))],
        "order": train.order.tolist(),
        "same_after_loading": bool((training.predict(model, images) == again).all()),
        "fits": training.batch_that_fits(model, 16),
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
def test_last_batch_on_four_devices_is_filled_up_and_a_killed_training_ends_where_an_unbroken_one_ends(tmp_path):
    whole = trained(tmp_path / "whole", "several", images=22, stages=(2,))
    assert whole["sizes"] == [8, 8, 8]
    assert sorted(whole["order"]) == sorted([*range(22), *whole["order"][:2]])
    killed = trained(tmp_path / "killed", "several", images=22, stages=(1, 2))
    assert killed["history"] == whole["history"]


def test_batch_that_four_devices_cannot_share_is_an_error_that_says_which_they_can():
    code = """
        import numpy as np
        from fer_helpers import training
        training.use_all_devices()
        try:
            training.Batches(np.zeros((40, 8)), np.zeros(40), batch_size=6, seed=0)
        except ValueError as error:
            print(error)
    """
    message = "a batch of 6 can't be shared equally by 4 devices: take a multiple of 4"
    assert run_python(code, **FOUR_DEVICES).splitlines() == [message]


@pytest.mark.slow
def test_training_passes_those_of_its_tests_that_a_backend_can_break_on_jax(tmp_path):
    """Among them: a training that was killed ends exactly where an unbroken one ends."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--basetemp", str(tmp_path / "tests")]
    command += ["tests/test_training.py", "-k", "killed or threads or begins or halved or at_once or gone"]
    environment = os.environ | {"KERAS_BACKEND": "jax"}
    done = subprocess.run(command, cwd=paths.PROJECT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3_000:]
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) >= 15


def test_no_module_of_the_package_needs_tensorflow():
    code = """
        import importlib, pkgutil
        import fer_helpers
        modules = pkgutil.walk_packages(fer_helpers.__path__, "fer_helpers.")
        names = [module.name for module in modules if not module.name.endswith("__main__")]
        for name in names:
            importlib.import_module(name)
        from fer_helpers import training
        training.seed_everything(0)
        print(len(names))
    """
    files = [file for file in (paths.PROJECT / "fer_helpers").rglob("*.py") if not file.stem.startswith("__")]
    assert int(run_python(NO_TENSORFLOW + textwrap.dedent(code)).splitlines()[-1]) >= len(files)


@pytest.mark.slow
def test_a_notebook_runs_to_its_end_without_tensorflow(tmp_path):
    """Notebook 03, smaller than in the profile `smoke`, where importing TensorFlow fails as if it were not there."""
    (tmp_path / "tensorflow.py").write_text("raise ModuleNotFoundError('No module named tensorflow')")
    smoke = paths.PROJECT / "notebooks" / "profiles" / "smoke" / "03_singh_2022.yaml"
    smaller = {"data_sets": ["ckplus"], "seeds": [0], "epochs": 3, "alternatives": {}, "trained_epochs": 0}
    smaller["weights"] = "scratch"
    parameters = tmp_path / "03_singh_2022.yaml"
    parameters.write_text(yaml.safe_dump(yaml.safe_load(smoke.read_text()) | smaller))
    path = os.pathsep.join([str(tmp_path), str(paths.PROJECT)])
    environment = os.environ | {"KERAS_BACKEND": "jax", "PYTHONPATH": path}
    run = paths.PROJECT / "data" / "cache" / "without_tensorflow" / "03_singh_2022"  # a run's folder is in the project
    command = [sys.executable, "-m", "fer_helpers.study.runner", str(parameters), "--run-dir", str(run)]
    done = subprocess.run(command, cwd=paths.PROJECT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3_000:] + done.stderr[-3_000:]
    assert json.loads((run / "run.json").read_text())["status"] == "finished"
    numbers = pd.read_csv(run / "results.csv")
    assert set(numbers["backend"]) == {"jax"} and "accuracy" in set(numbers["metric"])
    shutil.rmtree(run.parent)
