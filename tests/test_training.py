"""Training that is killed and goes on ends where it would have ended, and every schedule and augmentation is what its name says."""

import math
import time
from pathlib import Path

import cv2
import keras
import numpy as np
import pandas as pd
import pytest

from fer_helpers import training
from fer_helpers.training import (
    Augmentation,
    Batches,
    as_rgb,
    best_epoch,
    fit,
    load_epoch,
    optimizer,
    predict,
    score,
    seed_everything,
)

STILL = Augmentation(flip=False, rotation=0, shift=0, zoom=0)


def faces(count: int = 40, side: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Random grey images (count, side, side, 1) and labels from 0 to 2."""
    random = np.random.default_rng(0)
    return random.integers(0, 256, (count, side, side, 1), dtype="uint8"), random.integers(0, 3, count)


def small_network(name: str = "adam", schedule: str = "cosine", dropout: float = 0.5) -> keras.Model:
    """A network with BatchNorm and Dropout, the same random weights each time."""
    seed_everything(1)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(4, 3),
            layers.BatchNormalization(),
            layers.Flatten(),
            layers.Dropout(dropout, seed=123),
            layers.Dense(3, activation="softmax", kernel_regularizer="l2"),
        ]
    )
    model.compile(
        optimizer(name, 0.01, steps_per_epoch=5, epochs=4, schedule=schedule),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model


def train(folder: Path, epochs: int, **network) -> tuple[keras.Model, pd.DataFrame]:
    """Train a new network for so many epochs in all, or go on with what is in the folder."""
    model = small_network(**network)
    images, labels = faces()
    batches = Batches(images, labels, batch_size=8, seed=3, augment=Augmentation())
    return model, fit(
        model, batches, {"val": (images[:20], labels[:20])}, epochs, folder, keep=("val_accuracy", "val_loss")
    )


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> tuple[Path, keras.Model, pd.DataFrame]:
    """Folder, network and history of a training of four epochs."""
    folder = tmp_path_factory.mktemp("training")
    return folder, *train(folder, 4)


@pytest.mark.parametrize(
    "network",
    [{"name": "adamw", "schedule": "cosine", "dropout": 0.0}, {"name": "sgd", "schedule": "staircase"}],
    ids=["adamw", "sgd and dropout"],
)
def test_training_that_was_killed_while_it_wrote_an_epoch_ends_exactly_where_an_uninterrupted_one_ends(
    tmp_path, network
):
    whole, history = train(tmp_path / "whole", 4, **network)
    train(tmp_path / "killed", 2, **network)
    half_written = tmp_path / "killed" / ".epoch_0003.12345.partial"
    half_written.mkdir()
    (half_written / "model.weights.h5").write_bytes(b"half")
    resumed, resumed_history = train(tmp_path / "killed", 4, **network)
    pd.testing.assert_frame_equal(
        resumed_history.drop(columns="seconds"), history.drop(columns="seconds"), check_exact=True
    )
    for ours, expected in zip(resumed.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, expected)
    for ours, expected in zip(resumed.optimizer.variables, whole.optimizer.variables, strict=True):
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(ours), keras.ops.convert_to_numpy(expected))


def test_training_that_is_complete_is_not_trained_again(finished):
    folder, network, history = finished
    again, same_history = train(folder, 4)
    pd.testing.assert_frame_equal(same_history, history, check_exact=True)
    np.testing.assert_array_equal(again.get_weights()[0], network.get_weights()[0])


def test_history_has_one_row_an_epoch_with_the_scores_of_every_set(finished):
    _, network, history = finished
    assert list(history) == ["epoch", "accuracy", "loss", "val_loss", "val_accuracy", "learning_rate", "seconds"]
    assert history["epoch"].tolist() == [1, 2, 3, 4]
    images, labels = faces()
    assert history["val_accuracy"].iloc[-1] == (predict(network, images[:20]).argmax(axis=1) == labels[:20]).mean()


def test_only_the_last_epoch_and_the_best_ones_are_kept(tmp_path, monkeypatch):
    scripted = iter([(1.0, 0.5), (0.8, 0.6), (0.9, 0.7), (1.1, 0.4)])  # loss and accuracy after each epoch
    monkeypatch.setattr(training, "score", lambda *arguments: next(scripted))
    train(tmp_path, 4)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["epoch_0002", "epoch_0003", "epoch_0004"]


def test_kept_epoch_gives_back_the_network_that_had_its_score(finished):
    folder, _, history = finished
    best = best_epoch(history, "val_loss")
    images, labels = faces()
    fresh = small_network()
    load_epoch(fresh, folder, best)
    assert score(fresh, images[:20], labels[:20]) == (history["val_loss"][best - 1], history["val_accuracy"][best - 1])


def test_epoch_that_was_not_kept_is_an_error_that_says_how_to_keep_it(tmp_path):
    with pytest.raises(
        FileNotFoundError,
        match=r"epoch_0007/model\.weights\.h5 was not kept: name the column it is best by in fit\(\.\.\., keep=\.\.\.\)",
    ):
        load_epoch(small_network(), tmp_path, 7)


@pytest.mark.parametrize(("column", "expected"), [("val_accuracy", 2), ("val_loss", 3), ("accuracy", 4)])
def test_best_epoch_is_the_first_with_the_highest_score_or_the_lowest_loss(column, expected):
    history = pd.DataFrame(
        {
            "epoch": [1, 2, 3, 4],
            "val_accuracy": [0.5, 0.7, 0.7, 0.6],
            "val_loss": [1.1, 0.9, 0.8, 0.8],
            "accuracy": [0.1, 0.2, 0.3, 0.4],
        }
    )
    assert best_epoch(history, column) == expected


def test_score_is_the_accuracy_that_keras_gives_and_cross_entropy_without_regularisation():
    model, (images, labels) = small_network(), faces()
    probabilities = model.predict(as_rgb(images), verbose=0)
    loss, accuracy = score(model, images, labels)
    evaluated = model.evaluate(as_rgb(images), labels, verbose=0, return_dict=True)
    assert accuracy == pytest.approx(evaluated["accuracy"])
    assert loss == pytest.approx(-np.log(probabilities[np.arange(40), labels]).mean(), rel=1e-5)
    assert evaluated["loss"] > loss + 0.001  # Keras adds the cost of the weights


def test_prediction_in_batches_is_that_of_all_images_at_once():
    model, (images, _) = small_network(), faces()
    np.testing.assert_allclose(
        predict(model, images, batch_size=7), model.predict(as_rgb(images), batch_size=40, verbose=0), atol=1e-6
    )


def test_grey_images_are_repeated_to_three_channels_and_others_left_as_they_are():
    images, _ = faces()
    np.testing.assert_array_equal(as_rgb(images), np.concatenate([images] * 3, axis=3))
    for untouched in (as_rgb(images), np.ones((4, 1280))):
        np.testing.assert_array_equal(as_rgb(untouched), untouched)


def whole_epoch(batches: Batches, epoch: int) -> tuple[np.ndarray, np.ndarray]:
    batches.begin_epoch(epoch)
    steps = [batches[step] for step in range(len(batches))]
    return np.concatenate([inputs for inputs, _ in steps]), np.concatenate([targets for _, targets in steps])


def test_every_image_comes_once_an_epoch_with_its_own_label():
    images = np.arange(50, dtype="uint8").reshape(50, 1, 1, 1) * np.ones(
        (1, 8, 8, 1), "uint8"
    )  # the grey value is the number of the image
    labels = np.random.default_rng(0).integers(0, 7, 50)
    inputs, targets = whole_epoch(Batches(images, labels, batch_size=8, seed=0, augment=Augmentation()), epoch=0)
    numbers = inputs[:, 4, 4, 0]
    assert sorted(numbers) == list(range(50))
    np.testing.assert_array_equal(targets, labels[numbers])
    assert numbers.tolist() != list(range(50))


def test_last_batch_holds_what_is_left():
    images, labels = faces(20)
    batches = Batches(images, labels, batch_size=8, seed=0)
    assert [len(batches[step][1]) for step in range(len(batches))] == [8, 8, 4]


def test_order_and_augmentation_depend_on_seed_and_epoch_alone():
    images, labels = faces()
    first, again, other_seed = (Batches(images, labels, 8, seed, Augmentation()) for seed in (1, 1, 2))
    for epoch in range(2):
        whole_epoch(again, epoch)  # another past, and another state of the process's own generators
        keras.utils.set_random_seed(epoch)
    np.testing.assert_array_equal(whole_epoch(first, 5)[0], whole_epoch(again, 5)[0])
    assert not np.array_equal(whole_epoch(first, 5)[0], whole_epoch(first, 6)[0])
    assert not np.array_equal(whole_epoch(first, 5)[0], whole_epoch(other_seed, 5)[0])


@pytest.mark.parametrize("workers", [2, 5])
def test_keras_gets_the_same_batches_in_the_same_order_from_any_number_of_threads(tmp_path, monkeypatch, workers):
    """Through `fit` itself, over epochs: nothing of one epoch may be prepared with the order of another."""
    images, labels = faces()
    fed = []

    class Watched(Batches):
        def __getitem__(self, step: int) -> tuple[np.ndarray, np.ndarray]:
            time.sleep(0.01 * (step % 3 == 0))  # so that threads overtake one another
            return super().__getitem__(step)

    model = small_network(dropout=0.0)
    model.run_eagerly = True
    learn = type(model).train_step
    # JAX passes the state of the model before the data
    monkeypatch.setattr(
        type(model),
        "train_step",
        lambda self, *given: (fed.append([np.array(part) for part in given[-1][:2]]), learn(self, *given))[1],
    )
    fit(model, Watched(images, labels, 8, seed=3, augment=Augmentation(), workers=workers), {}, 3, tmp_path, keep=())
    alone = Batches(images, labels, 8, seed=3, augment=Augmentation(), workers=1)
    expected = []
    for epoch in range(3):
        alone.begin_epoch(epoch)
        expected += [alone[step] for step in range(len(alone))]
    assert len(fed) == len(expected) == 15
    for (images_fed, labels_fed), (images_alone, labels_alone) in zip(fed, expected, strict=True):
        assert np.array_equal(images_fed, images_alone) and np.array_equal(labels_fed.ravel(), labels_alone)


def test_error_in_a_thread_that_prepares_batches_is_raised(tmp_path):
    class Damaged(Batches):
        def __getitem__(self, step: int) -> tuple[np.ndarray, np.ndarray]:
            if step == 2:
                raise ValueError("image 17 can't be read")
            return super().__getitem__(step)

    with pytest.raises(Exception, match="image 17 can't be read"):
        fit(small_network(), Damaged(*faces(), 8, seed=3, workers=2), {}, 1, tmp_path, keep=())


def test_augmentation_writes_what_a_flipped_copy_and_a_warp_of_its_own_would_be():
    """Each image anew with NumPy's flip and an array of OpenCV's own, from the same draws."""
    for channels in (1, 3):
        images = np.random.default_rng(0).integers(0, 256, (20, 12, 12, channels), dtype="uint8")
        random, expected = np.random.default_rng(5), []
        for image in images:
            angle, scale = random.uniform(-10, 10), random.uniform(0.9, 1.1)
            matrix = cv2.getRotationMatrix2D((5.5, 5.5), angle, scale)
            matrix[:, 2] += random.uniform(-0.1, 0.1, 2) * 12
            image = np.ascontiguousarray(image[:, ::-1]) if random.random() < 0.5 else image
            expected.append(
                cv2.warpAffine(image, matrix, (12, 12), borderMode=cv2.BORDER_REFLECT_101).reshape(image.shape)
            )
        assert np.array_equal(Augmentation()(images, np.random.default_rng(5)), expected)


def test_features_of_a_body_are_batched_without_augmentation_as_they_are():
    features, labels = np.random.default_rng(0).normal(size=(10, 6)), np.arange(10)
    inputs, targets = whole_epoch(Batches(features, labels, batch_size=4, seed=0), epoch=0)
    np.testing.assert_array_equal(inputs, features[targets])


@pytest.mark.parametrize("channels", [1, 3])
def test_augmentation_keeps_shape_and_type_and_leaves_the_originals_alone(channels):
    images = np.random.default_rng(0).integers(0, 256, (5, 48, 48, channels), dtype="uint8")
    before = images.copy()
    augmented = Augmentation()(images, np.random.default_rng(0))
    assert (augmented.shape, augmented.dtype) == (images.shape, images.dtype)
    assert not np.array_equal(augmented, images)
    np.testing.assert_array_equal(images, before)


def test_augmentation_of_nothing_changes_nothing():
    images, _ = faces()
    np.testing.assert_array_equal(STILL(images, np.random.default_rng(0)), images)


def test_flip_alone_mirrors_about_half_of_the_images_and_changes_nothing_else():
    images, _ = faces(400)
    augmented = Augmentation(rotation=0, shift=0, zoom=0)(images, np.random.default_rng(0))
    mirrored = np.array([np.array_equal(now, np.flip(was, axis=1)) for now, was in zip(augmented, images, strict=True)])
    unchanged = np.array([np.array_equal(now, was) for now, was in zip(augmented, images, strict=True)])
    assert (mirrored ^ unchanged).all()
    assert 160 < mirrored.sum() < 240  # four standard deviations around 200


class Fixed:
    """A random generator that draws the largest angle, the smallest scale of none, and the given shift."""

    def __init__(self, angle: float = 0.0, scale: float = 1.0, shift: tuple[float, float] = (0.0, 0.0)):
        self.draws = [angle, scale, np.array(shift)]

    def uniform(self, low, high, size=None):
        return self.draws.pop(0)


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_rotation_turns_about_the_centre(turns):
    images, _ = faces(1, side=9)
    turned = Augmentation(flip=False)(images, Fixed(angle=90 * turns))
    np.testing.assert_array_equal(turned[0], np.rot90(images[0], turns))


def test_shift_moves_right_and_down_and_fills_from_the_mirrored_border():
    images, _ = faces(1, side=8)
    shifted = Augmentation(flip=False)(images, Fixed(shift=(2 / 8, 1 / 8)))
    mirrored = np.pad(images[0, :, :, 0], ((1, 0), (2, 0)), mode="reflect")
    np.testing.assert_array_equal(shifted[0, :, :, 0], mirrored[:8, :8])


def test_zoom_by_two_shows_the_middle_twice_as_large():
    image = np.zeros((1, 9, 9, 1), "uint8")
    image[0, 3:6, 3:6] = 200
    zoomed = Augmentation(flip=False)(image, Fixed(scale=2.0))[0, :, :, 0]
    assert (zoomed[2:7, 2:7] == 200).all()
    assert zoomed[0].max() == zoomed[:, 0].max() == 0


def test_draws_stay_within_the_ranges_that_the_augmentation_names():
    class Recording:
        def __init__(self):
            self.random, self.ranges = np.random.default_rng(0), set()

        def uniform(self, low, high, size=None):
            self.ranges.add((low, high))
            return self.random.uniform(low, high, size)

    recording = Recording()
    Augmentation(flip=False, rotation=15, shift=0.2, zoom=0.25)(faces(3)[0], recording)
    assert recording.ranges == {(-15, 15), (0.75, 1.25), (-0.2, 0.2)}


def rates(name: str, epochs: int, steps_per_epoch: int = 10) -> np.ndarray:
    """The learning rate at each step."""
    schedule = optimizer("sgd", 0.1, steps_per_epoch, epochs, name)._learning_rate
    if not callable(schedule):
        return np.full(epochs * steps_per_epoch, float(keras.ops.convert_to_numpy(schedule)))
    return np.array([float(keras.ops.convert_to_numpy(schedule(step))) for step in range(epochs * steps_per_epoch)])


def test_constant_schedule_keeps_the_rate():
    np.testing.assert_allclose(rates("constant", epochs=3), 0.1, rtol=1e-6)


def test_staircase_takes_a_tenth_off_after_every_ten_epochs():
    by_epoch = rates("staircase", epochs=25).reshape(25, 10)
    expected = [0.1 * 0.9 ** (epoch // 10) for epoch in range(25)]
    np.testing.assert_allclose(by_epoch, np.repeat(expected, 10).reshape(25, 10), rtol=1e-5)


def test_cosine_warms_up_over_a_twentieth_and_falls_to_zero_over_the_rest():
    steps, warm = 200, 10
    warming = [0.1 * step / warm for step in range(warm)]
    falling = [0.05 * (1 + math.cos(math.pi * (step - warm) / (steps - warm))) for step in range(warm, steps)]
    np.testing.assert_allclose(rates("cosine", epochs=20), warming + falling, atol=1e-7)
    assert rates("cosine", epochs=20)[-1] < 1e-5


def test_shortest_training_has_a_cosine_too():
    assert rates("cosine", epochs=1, steps_per_epoch=1).tolist() == pytest.approx([0.1])


@pytest.mark.parametrize(
    ("name", "kind", "settings"),
    [
        ("adam", keras.optimizers.Adam, {}),
        ("adamax", keras.optimizers.Adamax, {}),
        ("adamw", keras.optimizers.AdamW, {"weight_decay": 1e-4}),
        ("sgd", keras.optimizers.SGD, {"momentum": 0.9}),
    ],
)
def test_optimizer_of_a_name_is_that_of_keras_with_the_documented_settings(name, kind, settings):
    made = optimizer(name, 0.1, 10, 10)
    assert type(made) is kind
    assert {setting: made.get_config()[setting] for setting in settings} == settings


@pytest.mark.parametrize(
    ("name", "schedule", "wrong"), [("rmsprop", "constant", "rmsprop"), ("adam", "linear", "linear")]
)
def test_unknown_optimizer_or_schedule_is_an_error_that_lists_the_known(name, schedule, wrong):
    with pytest.raises(ValueError, match=rf"'{wrong}' is none of \w+, \w+, \w+"):
        optimizer(name, 0.1, 10, 10, schedule)


def test_a_head_learns_features_that_tell_its_classes_apart_and_each_kept_epoch_can_be_loaded(tmp_path):
    labels = np.random.default_rng(0).integers(0, 3, 120)
    features = np.eye(3, dtype="float32")[labels]
    seed_everything(0)
    head = keras.Sequential([keras.layers.Dense(3, activation="softmax")])
    regime = {"name": "sgd", "learning_rate": 0.5, "schedule": "staircase", "batch_size": 20, "epochs": 12}
    history = training.fit_head(
        head, (features[:90], labels[:90]), (features[90:], labels[90:]), seed=0, backup_dir=tmp_path, **regime
    )
    assert history["val_accuracy"].iloc[-1] == 1.0
    assert history["learning_rate"].round(3).tolist() == [0.5] * 10 + [0.45] * 2
    load_epoch(head, tmp_path, best_epoch(history, "val_accuracy"))
    assert score(head, features[90:], labels[90:])[1] == 1.0


def test_a_head_learns_the_same_whether_it_takes_its_steps_one_by_one_or_many_at_a_call(tmp_path, monkeypatch):
    features = np.random.default_rng(0).normal(size=(70, 5)).astype("float32")
    targets = (features[:, 0] > 0).astype(int)
    learnt = []
    for steps in (1, 4, 32):
        monkeypatch.setattr(training, "HEAD_STEPS_A_CALL", steps)
        seed_everything(0)
        head = keras.Sequential([keras.layers.Dense(2, activation="softmax")])
        history = training.fit_head(
            head,
            (features, targets),
            None,
            name="sgd",
            learning_rate=0.1,
            schedule="staircase",
            batch_size=8,
            epochs=3,
            seed=1,
            backup_dir=tmp_path / f"{steps}",
        )
        learnt.append((head.get_weights(), history["loss"].tolist()))
    for weights, loss in learnt[1:]:
        assert all(np.array_equal(a, b) for a, b in zip(weights, learnt[0][0], strict=True)) and loss == pytest.approx(
            learnt[0][1], rel=1e-6
        )


def test_a_compiled_network_begins_again_as_it_was_with_its_optimiser():
    inputs, targets = np.random.default_rng(0).normal(size=(64, 4)).astype("float32"), np.arange(64) % 3
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="softmax")])
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    begin_again = training.beginning_of(model)
    before = model.get_weights()
    runs = []
    for _ in range(2):
        begin_again()
        np.testing.assert_array_equal(model.get_weights()[0], before[0])
        model.fit(training.Batches(inputs, targets, 16, seed=1, workers=1), epochs=2, verbose=0, shuffle=False)
        runs.append(model.get_weights())
    assert not np.array_equal(runs[0][0], before[0])
    for first, second in zip(*runs, strict=True):
        np.testing.assert_array_equal(first, second)
