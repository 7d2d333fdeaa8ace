"""Precision, several devices and the largest batch: what each setting changes, and that it changes nothing else."""

import keras
import numpy as np
import pytest

from fer_helpers import devices, models, training
from fer_helpers.devices import batch_that_fits, use_all_devices, use_precision
from fer_helpers.study import runs as results

SIDE = 32
NEVER_FITS = 2**50  # numbers, four petabytes


@pytest.fixture(autouse=True)
def precision_as_before():
    yield
    keras.config.set_dtype_policy("float32")


def faces(count: int = 16, side: int = SIDE) -> tuple[np.ndarray, np.ndarray]:
    """Images of coloured squares (count, side, side, 3), and labels from 0 to 6."""
    random = np.random.default_rng(0)
    squares = random.integers(0, 256, (count, 4, 4, 3), dtype="uint8")
    return squares.repeat(side // 4, axis=1).repeat(side // 4, axis=2), random.integers(0, 7, count)


def network(classes: int = 7) -> keras.Model:
    """A network with BatchNorm and Dropout, compiled, the same random weights each time."""
    keras.utils.set_random_seed(1)
    head = models.regularised_head(classes, l1=1e-5, l2=1e-4)
    layers = keras.layers
    body = keras.Sequential(
        [
            keras.Input((SIDE, SIDE, 3)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(4, 3),
            layers.BatchNormalization(),
            layers.GlobalAveragePooling2D(),
        ]
    )
    model = models.classifier(body, head)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def state_of(model: keras.Model) -> list[np.ndarray]:
    """Weights, BatchNorm statistics, states of the random generators and the optimiser's variables."""
    return [keras.ops.convert_to_numpy(variable) for variable in (*model.variables, *model.optimizer.variables)]


# ----------------------------------------------------------------------------------------------------------- precision


@pytest.mark.parametrize(("name", "between_layers"), [("float32", "float32"), ("mixed_bfloat16", "bfloat16")])
def test_only_what_flows_between_the_layers_changes_its_precision(name, between_layers):
    use_precision(name)
    model = network()
    images, _ = faces()
    assert model.layers[1].output.dtype == between_layers
    assert {variable.dtype for variable in model.weights} == {"float32"}
    assert training.predict(model, images).dtype == training.predict(model.layers[1], images).dtype == np.float32


def test_unknown_precision_is_an_error_that_lists_the_known():
    with pytest.raises(ValueError, match="precision is one of float32, mixed_bfloat16, not 'mixed_float16'"):
        use_precision("mixed_float16")


@pytest.fixture(scope="module")
def both_precisions(tmp_path_factory) -> dict[str, np.ndarray]:
    """Probabilities that a B0 gives to the same images: in float32, in bfloat16, and in bfloat16 once saved to HDF5 and loaded."""
    images, _ = faces(side=64)
    keras.utils.set_random_seed(0)
    model = models.classifier(models.efficientnet("B0", 64, batchnorm_momentum=0.0), models.softmax_head(7))
    model(images, training=True)  # statistics under which no layer loses what tells the images apart
    use_precision("mixed_bfloat16")
    again = models.classifier(models.efficientnet("B0", 64), models.softmax_head(7))
    again.set_weights(model.get_weights())
    again.compile("adam", "sparse_categorical_crossentropy")
    file = tmp_path_factory.mktemp("saved") / "model.h5"
    again.save(file)
    use_precision("float32")
    networks = {"float32": model, "bfloat16": again, "reloaded": models.load_hdf5(file)}
    return {name: training.predict(one, images) for name, one in networks.items()}


@pytest.mark.slow
def test_b0_gives_nearly_the_same_probabilities_in_16_bits(both_precisions):
    exact, rounded = both_precisions["float32"], both_precisions["bfloat16"]
    assert np.ptp(exact, axis=0).max() > 0.2  # the images are told apart
    assert 0 < np.abs(exact - rounded).max() < 0.1
    assert np.corrcoef(exact.ravel(), rounded.ravel())[0, 1] > 0.95


@pytest.mark.slow
def test_b0_in_16_bits_is_the_same_once_saved_as_hdf5_and_loaded(both_precisions):
    np.testing.assert_array_equal(both_precisions["reloaded"], both_precisions["bfloat16"])


def test_training_in_16_bits_that_was_killed_ends_where_an_uninterrupted_one_ends(tmp_path):
    use_precision("mixed_bfloat16")
    images, labels = faces(24)
    histories = []
    for folder, stages in (("whole", [3]), ("killed", [1, 3])):
        for epochs in stages:
            model, batches = network(), training.Batches(images, labels, batch_size=8, seed=0)
            history = training.fit(model, batches, {"val": (images, labels)}, epochs, tmp_path / folder)
        histories.append(history.drop(columns="seconds"))
    assert histories[0].equals(histories[1])
    assert histories[0]["loss"].iloc[-1] < histories[0]["loss"].iloc[0]


# --------------------------------------------------------------------------------------------------------- all devices


@pytest.mark.skipif(keras.backend.backend() == "jax", reason="JAX can: see test_backends")
def test_one_network_on_several_devices_needs_jax_and_the_error_says_how_to_get_it():
    with pytest.raises(
        RuntimeError,
        match="only with JAX, and this is tensorflow: .*set KERAS_BACKEND=jax before Python starts, or .*all_devices=False",
    ):
        use_all_devices()
    assert keras.distribution.distribution() is None
    assert training.sharing_devices() == 1


@pytest.mark.parametrize(
    ("listed", "all_devices", "expected"),
    [(["gpu:0", "gpu:1"], False, "1 x GPU"), (["gpu:0", "gpu:1"], True, "2 x GPU")],
)
def test_results_name_as_many_gpus_as_are_used(monkeypatch, listed, all_devices, expected):
    monkeypatch.setattr(keras.distribution, "list_devices", lambda *kind: listed)
    monkeypatch.setattr(results.shutil, "which", lambda name: None)  # no nvidia-smi, which knows the name
    assert results.device_name(all_devices) == expected


def test_results_name_the_processor_where_there_is_no_gpu():
    if not keras.distribution.list_devices()[0].startswith("cpu"):
        pytest.skip("this machine has a GPU")
    assert results.device_name().endswith(" cores")


# ----------------------------------------------------------------------------------------------------- a batch that fits


@pytest.fixture(scope="module")
def exhausted() -> Exception:
    """What the backend itself raises for more memory than there is; TensorFlow waits ten seconds before, for others to let go of some."""
    with pytest.raises(Exception, match=r"OOM when allocating|Out of memory allocating") as caught:
        keras.ops.zeros(NEVER_FITS)
    return caught.value


@pytest.fixture
def memory_for(monkeypatch, exhausted):
    """Steps of more than so many images exhaust the memory, after they have changed the model; returns the sizes that were tried."""
    one_step, tried = devices._one_step, []

    def limit(most: int) -> list[int]:
        def step(model: keras.Model, size: int, learning: bool) -> None:
            tried.append(size)
            one_step(model, size, learning)
            if size > most:
                raise exhausted

        monkeypatch.setattr(devices, "_one_step", step)
        return tried

    return limit


@pytest.mark.parametrize(("most", "expected"), [(6, 5), (20, 20), (1, 1)])
@pytest.mark.parametrize("learning", [True, False])
def test_batch_is_halved_until_it_fits_and_the_model_is_left_as_it_was(memory_for, most, expected, learning):
    model, (images, labels) = network(), faces()
    model.train_on_batch(images, labels)  # an optimiser with a past
    tried, before = memory_for(most), state_of(model)
    assert batch_that_fits(model, 20, learning) == expected
    assert tried == [size for size in (20, 10, 5, 2, 1) if size >= expected]
    for now, then in zip(state_of(model), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_a_step_that_is_tried_is_a_real_one():
    """It would otherwise find room for what training has no room for."""
    model = network()
    images, labels = np.zeros((4, SIDE, SIDE, 3), "uint8"), np.zeros(4, int)
    expected = network()
    expected.train_on_batch(images, labels)
    devices._one_step(model, 4, learning=True)
    for ours, theirs in zip(state_of(model), state_of(expected), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_head_on_features_is_tried_too():
    head = models.two_layer_head(7, hidden=16)
    head.build((None, 1_280))
    head.compile("adam", "sparse_categorical_crossentropy")
    assert batch_that_fits(head, 64) == 64


def test_memory_that_is_too_small_for_one_image_is_an_error_that_says_what_to_do(memory_for):
    tried = memory_for(0)
    with pytest.raises(
        MemoryError,
        match=r"does not fit the memory of cpu:0 with a batch of 1: take a smaller variant or image_size, or precision=",
    ):
        batch_that_fits(network(), 4)
    assert tried == [4, 2, 1]


def test_any_other_error_is_raised_and_the_model_is_left_as_it_was(monkeypatch):
    def wrong_shapes(model: keras.Model, size: int, learning: bool) -> None:
        one_step(model, size, learning)
        keras.ops.matmul(np.ones((2, 3)), np.ones((2, 3)))

    model, one_step = network(), devices._one_step
    model.optimizer.build(model.trainable_variables)
    before = state_of(model)
    monkeypatch.setattr(devices, "_one_step", wrong_shapes)
    with pytest.raises(Exception, match=r"(?i)shape|dimension|size|incompatible") as caught:
        batch_that_fits(model, 8)
    assert not isinstance(caught.value, MemoryError)
    for now, then in zip(state_of(model), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_network_that_is_not_compiled_is_tried_with_adam():
    network = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="softmax")])
    weights = [weight.copy() for weight in network.get_weights()]
    assert devices.batch_that_fits(network, 8) == 8
    assert isinstance(network.optimizer, keras.optimizers.Adam)
    assert all(np.array_equal(before, after) for before, after in zip(weights, network.get_weights(), strict=True))
