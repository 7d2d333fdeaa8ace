"""The study computes the same on TensorFlow and JAX, and on one device and four, and does without TensorFlow.

A process has one backend, so that each of these computations is a process of its own.
"""

import importlib.util
import json
import os
import re
import shutil
import textwrap

import numpy as np
import pandas as pd
import pytest
import yaml

from fer_helpers import paths

pytestmark = pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="needs JAX: install the extra jax")

FOUR_DEVICES = {"XLA_FLAGS": "--xla_force_host_platform_device_count=4"}  # JAX makes four of the processor


@pytest.fixture
def printed_on_jax(run_python):
    """Runs code in a new process, by default on JAX, and returns what it printed."""

    def printed(code: str, *arguments: object, **environment: str) -> str:
        return run_python("-c", textwrap.dedent(code), *arguments, **{"KERAS_BACKEND": "jax"} | environment).stdout

    return printed


# Dropout and the blocks that EfficientNet drops are switched off: the backends draw other random numbers from one seed.
# The weights are those of one short training, so that the answers are neither the same for all images nor certain.
COMPUTED = """
    import sys
    from pathlib import Path
    import keras
    import numpy as np
    from fer_helpers import models, training

    folder, name = Path(sys.argv[1]), sys.argv[2]
    if name == "jax":
        training.use_all_devices()
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (16, 4, 4, 3), dtype="uint8").repeat(8, axis=1).repeat(8, axis=2)
    labels = np.arange(16) % 7

    training.seed_everything(0)
    body = models.efficientnet("Mini", 32, batchnorm_momentum=0.5)
    for layer in body.layers:
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0
    model = keras.Sequential([body, keras.layers.Dense(7, "softmax")])
    model.compile(keras.optimizers.SGD(0.05), "sparse_categorical_crossentropy")
    if name == "tensorflow":
        for _ in range(3):
            model.train_on_batch(images, labels)
        model.save_weights(folder / "trained.weights.h5")
    model.load_weights(folder / "trained.weights.h5")
    model.optimizer.learning_rate = 0.01  # larger steps make much of the last digit in which processors differ
    probabilities = training.predict(model, images)
    losses = [float(model.train_on_batch(images, labels)) for _ in range(3)]
    np.savez(folder / name, devices=training.sharing_devices(), probabilities=probabilities, losses=losses)
"""


@pytest.mark.slow
def test_a_network_says_and_loses_the_same_on_tensorflow_and_on_four_devices_of_jax(tmp_path, printed_on_jax):
    answers = {}
    for backend, environment in {"tensorflow": {}, "jax": FOUR_DEVICES}.items():
        printed_on_jax(COMPUTED, tmp_path, backend, KERAS_BACKEND=backend, **environment)
        answers[backend] = np.load(tmp_path / f"{backend}.npz")
    expected, ours = answers["tensorflow"], answers["jax"]
    assert (expected["devices"], ours["devices"]) == (1, 4)
    assert np.ptp(expected["probabilities"], axis=0).min() > 0.05  # the images are told apart
    np.testing.assert_allclose(ours["probabilities"], expected["probabilities"], atol=1e-4)
    losses = expected["losses"]
    assert losses[0] > losses[1] + 0.01 > losses[2] + 0.02  # each step shows what the one before it has changed
    np.testing.assert_allclose(ours["losses"], losses, rtol=1e-4)


SMALL_NETWORK = """
    import json
    import sys
    from pathlib import Path
    import keras
    from fer_helpers import training

    folder, several = Path(sys.argv[1]), sys.argv[2] == "several"
    count = training.use_all_devices() if several else 1
    from tests import test_training

    def train(folder, image_count, epochs):
        model = test_training.small_network(lambda: keras.optimizers.SGD(0.05, momentum=0.9), momentum=0.8)
        model, backup = test_training.train(folder, epochs, model=model, count=image_count)
        return model, backup, backup.history.drop(columns="seconds").to_dict("list")

    model, backup, history = train(folder / "all", 40, 3)
    answers = {"devices": count, "history": history}
    if several:
        images, labels = test_training.faces()
        again = training.predict(model, images)
        backup.load(model, 3)
        _, unbroken, whole = train(folder / "whole", 22, 2)
        train(folder / "killed", 22, 1)
        killed = train(folder / "killed", 22, 2)[-1]
        batches = unbroken.train
        batches.begin_epoch(0)
        answers |= {
            "same_after_loading": bool((training.predict(model, images) == again).all()),
            "fits": training.batch_that_fits(model, 16),
            "whole": whole,
            "killed": killed,
            "sizes": [len(batches[step][1]) for step in range(len(batches))],
            "order": batches.order.tolist(),
        }
        try:
            training.Batches(images, labels, batch_size=6, seed=0)
        except ValueError as error:
            answers["refused"] = str(error)
    print(json.dumps(answers))
"""


@pytest.mark.slow
def test_training_on_four_devices_is_that_of_one_with_batchnorm_and_dropout_also_once_killed(tmp_path, printed_on_jax):
    one = json.loads(printed_on_jax(SMALL_NETWORK, tmp_path / "one", "one").splitlines()[-1])
    four = json.loads(printed_on_jax(SMALL_NETWORK, tmp_path / "four", "several", **FOUR_DEVICES).splitlines()[-1])
    assert (one["devices"], four["devices"]) == (1, 4)
    assert len(set(one["history"]["loss"])) == 3
    for column, values in one["history"].items():
        np.testing.assert_allclose(four["history"][column], values, atol=1e-4, err_msg=column)
    assert four["same_after_loading"] and four["fits"] == 16
    assert four["killed"] == four["whole"]
    # of 22 images: the last batch, of 6, is filled up to 8
    assert four["sizes"] == [8, 8, 8]
    assert sorted(four["order"]) == sorted([*range(22), *four["order"][:2]])
    assert four["refused"] == "a batch of 6 can't be shared equally by 4 devices: take a multiple of 4"


@pytest.mark.slow
def test_training_passes_those_of_its_tests_that_a_backend_can_break_on_jax(tmp_path, run_python):
    """Among them: a training that was killed ends exactly where an unbroken one ends."""
    command = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "--basetemp", tmp_path, "tests/test_training.py"]
    command += ["-k", "killed_while or threads or begins or halved or at_once or last"]
    assert int(re.search(r"(\d+) passed", run_python(*command, KERAS_BACKEND="jax").stdout)[1]) >= 8


def test_no_module_of_the_package_needs_tensorflow(printed_on_jax):
    code = """
        import importlib, pkgutil, sys
        sys.modules["tensorflow"] = None  # importing it fails, as where it is not installed
        import fer_helpers
        modules = pkgutil.walk_packages(fer_helpers.__path__, "fer_helpers.")
        names = [module.name for module in modules if not module.name.endswith(("__main__", "study.peers"))]
        for name in names:
            importlib.import_module(name)
        from fer_helpers import training
        training.seed_everything(0)
        print(len(names))
    """
    python_files = (paths.PROJECT / "fer_helpers").rglob("*.py")  # without `peers`, which PyTorch's Python runs
    files = [file for file in python_files if not file.stem.startswith("__") and file.stem != "peers"]
    assert int(printed_on_jax(code).splitlines()[-1]) >= len(files)


@pytest.mark.slow
def test_a_notebook_runs_to_its_end_without_tensorflow(tmp_path, run_python):
    """Notebook 03, smaller than in the profile `smoke`, where importing TensorFlow fails as if it were not there."""
    (tmp_path / "tensorflow.py").write_text("raise ModuleNotFoundError('No module named tensorflow')")
    smoke = paths.PROJECT / "notebooks" / "profiles" / "smoke" / "03_singh_2022.yaml"
    values = yaml.safe_load(smoke.read_text()) | {"data_sets": ["ckplus"], "seeds": [0], "epochs": 3}
    values |= {"alternatives": {}, "trained_epochs": 0, "weights": "scratch"}
    (parameters := tmp_path / "03_singh_2022.yaml").write_text(yaml.safe_dump(values))
    path = os.pathsep.join([str(tmp_path), str(paths.PROJECT)])
    run = paths.PROJECT / "data" / "cache" / "without_tensorflow" / "03_singh_2022"  # a run's folder is in the project
    run_python("-m", "fer_helpers.study.runner", parameters, "--run-dir", run, PYTHONPATH=path, KERAS_BACKEND="jax")
    assert json.loads((run / "run.json").read_text())["status"] == "finished"
    numbers = pd.read_csv(run / "results.csv")
    assert set(numbers["backend"]) == {"jax"} and "accuracy" in set(numbers["metric"])
    shutil.rmtree(run.parent)
