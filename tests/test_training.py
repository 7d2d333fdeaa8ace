"""Training that is killed and goes on ends where it would have ended; batches and augmentation are what they say."""

import re
import shutil
import time
from pathlib import Path

import cv2
import keras
import numpy as np
import pandas as pd
import pytest
from keras import layers

from fer_helpers import training
from fer_helpers.training import Augmentation, Batches, EpochBackup, as_rgb, batch_that_fits, predict, seed_everything

BEST = [("val_accuracy", 2), ("val_loss", 3), (("accuracy", "val_loss"), 4), ((), 5)]  # epochs, by columns to keep


def faces(count: int = 40, side: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Random grey images (count, side, side, 1) and labels from 0 to 2."""
    random = np.random.default_rng(0)
    return random.integers(0, 256, (count, side, side, 1), dtype="uint8"), random.integers(0, 3, count)


def adamw() -> keras.optimizers.Optimizer:
    return keras.optimizers.AdamW(keras.optimizers.schedules.CosineDecay(0.01, 20))


def sgd() -> keras.optimizers.Optimizer:
    rate = keras.optimizers.schedules.ExponentialDecay(0.01, 10, 0.9, staircase=True)
    return keras.optimizers.SGD(rate, momentum=0.9)


def small_network(optimizer=adamw, momentum=0.99, **compiled) -> keras.Model:
    """A network with BatchNorm and Dropout, the same random weights each time."""
    seed_everything(1)
    batchnorm = layers.BatchNormalization(momentum=momentum)
    below = [layers.Rescaling(1 / 255), layers.Conv2D(4, 3), batchnorm, layers.Flatten()]
    head = [layers.Dropout(0.5), layers.Dense(3, activation="softmax", kernel_regularizer="l2")]
    model = keras.Sequential([keras.Input((8, 8, 3)), *below, *head])
    model.compile(optimizer(), "sparse_categorical_crossentropy", metrics=["accuracy"], **compiled)
    return model


def train(folder, epochs, keep=("val_accuracy", "val_loss", "first"), before=(), model=None, count=40, **network):
    """Train a new network for so many epochs in all, or go on with what is in the folder, as the notebooks do."""
    model, (images, labels) = model or small_network(**network), faces(count)
    batches = Batches(images, labels, batch_size=8, seed=3, augment=Augmentation())
    backup = EpochBackup(folder, batches, keep)
    first = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update(first=-epoch))  # best at once
    begin, val, callbacks = backup.resume(model), Batches(images[:20], labels[:20], 8), [first, *before, backup]
    model.fit(batches, validation_data=val, epochs=epochs, initial_epoch=begin, callbacks=callbacks, verbose=0)
    return model, backup


def state_of(model: keras.Model) -> list[np.ndarray]:
    """Weights, BatchNorm statistics, states of random generators and the optimiser's variables."""
    return [keras.ops.convert_to_numpy(variable) for variable in (*model.variables, *model.optimizer.variables)]


def equal(first: list[np.ndarray], second: list[np.ndarray]) -> bool:
    return all(np.array_equal(ours, theirs) for ours, theirs in zip(first, second, strict=True))


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> tuple[Path, keras.Model, EpochBackup]:
    """Folder, network and backup of a training of four epochs."""
    folder = tmp_path_factory.mktemp("training")
    return folder, *train(folder, 4)


def test_training_that_was_killed_while_it_wrote_an_epoch_ends_exactly_where_an_unbroken_one_ends(tmp_path):
    """By SGD and several steps a call; what was damaged below goes on by AdamW and single steps."""
    network = {"optimizer": sgd, "steps_per_execution": 3}
    whole, unbroken = train(tmp_path / "whole", 3, **network)
    killed = train(tmp_path / "killed", 2, **network)[1].history
    (tmp_path / "killed" / ".epoch_0003.npz.12345.partial").write_bytes(b"half")
    resumed, backup = train(tmp_path / "killed", 3, **network)
    pd.testing.assert_frame_equal(backup.history[:2], killed, check_exact=True)  # seconds, too, are of the first time
    assert backup.history.drop(columns="seconds").equals(unbroken.history.drop(columns="seconds"))
    assert equal(state_of(resumed), state_of(whole))


def test_training_in_16_bits_that_was_killed_ends_where_an_unbroken_one_ends(tmp_path):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        whole, _ = train(tmp_path / "whole", 2, optimizer=sgd)
        train(tmp_path / "killed", 1, optimizer=sgd)
        resumed, _ = train(tmp_path / "killed", 2, optimizer=sgd)
        assert predict(resumed, faces()[0]).dtype == np.float32
    finally:
        keras.config.set_dtype_policy("float32")
    assert equal(state_of(resumed), state_of(whole))


def test_a_step_is_traced_once(tmp_path, monkeypatch):
    traced, model = [], small_network()
    monkeypatch.setattr(model, "train_step", lambda data, step=model.train_step: traced.append(data) or step(data))
    train(tmp_path, 2, model=model)
    assert len(traced) == 1


@pytest.mark.parametrize("which", ["none", "last", "best", "history"])
def test_damaged_backup_is_removed_and_the_training_ends_where_an_unbroken_one_ends(finished, tmp_path, which):
    original, network, unbroken = finished
    folder = shutil.copytree(original, tmp_path / "training")
    best = min(unbroken.best_by(column) for column in unbroken.keep)
    assert best < 4  # so that there is another one to lose
    last = folder / "epoch_0004.npz"
    if which == "last":
        content = bytearray(last.read_bytes())
        content[len(content) // 2] ^= 1  # one bit
        last.write_bytes(content)
    elif which == "best":
        (folder / f"epoch_{best:04d}.npz").unlink()
    elif which == "history":
        np.savez(last, **training._read(last) | {"history": "{"})
    resumed, backup = train(folder, 4)
    assert backup.history.drop(columns="seconds").equals(unbroken.history.drop(columns="seconds"))
    assert (backup.history["seconds"].tolist() == unbroken.history["seconds"].tolist()) or which != "none"
    assert equal(state_of(resumed), state_of(network))
    assert sorted(path.name for path in folder.iterdir()) == sorted(path.name for path in original.iterdir())


def test_any_flipped_bit_of_a_backup_is_noticed_and_such_an_epoch_is_not_loaded(finished, tmp_path):
    folder = shutil.copytree(finished[0], tmp_path / "training")
    file, backup = folder / "epoch_0004.npz", EpochBackup(folder, Batches(*faces(), 8, seed=3))
    content, expected = file.read_bytes(), training._read(file)
    for place in np.random.default_rng(0).integers(0, len(content), 40).tolist():
        file.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        kept = training._read(file)  # but for dates and the like, which decide nothing
        assert kept is None or all(np.array_equal(kept[name], values) for name, values in expected.items())
    for kept in (0, len(content) // 2, len(content) - 1):
        file.write_bytes(content[:kept])
        assert training._read(file) is None
    for epoch in (4, 7):
        message = rf"epoch_000{epoch}\.npz was not kept, or is damaged: name its column"
        with pytest.raises(FileNotFoundError, match=message):
            backup.load(finished[1], epoch)


def test_history_has_one_row_an_epoch_and_the_best_epochs_are_kept_and_can_be_loaded(finished):
    folder, network, backup = finished
    history, (images, labels) = backup.history, faces()
    assert " ".join(history).replace(" first", "") == "epoch loss accuracy val_loss val_accuracy learning_rate seconds"
    assert history["epoch"].tolist() == [1, 2, 3, 4]
    cosine = [0.005 * (1 + np.cos(np.pi * step / 20)) for step in (0, 5, 10, 15)]
    assert history["learning_rate"].tolist() == pytest.approx(cosine, rel=1e-5)
    right = predict(network, images[:20]).argmax(axis=1) == labels[:20]
    assert history["val_accuracy"].iloc[-1] == pytest.approx(right.mean())
    best = {1, 1 + int(history["val_accuracy"].argmax()), 1 + int(history["val_loss"].argmin())}
    assert {path.name for path in folder.iterdir()} == {f"epoch_{epoch:04d}.npz" for epoch in best | {4}}
    fresh = small_network()
    fresh.optimizer.build(fresh.trainable_variables)
    backup.load(fresh, backup.best_by("val_loss"))
    scores = fresh.evaluate(Batches(images[:20], labels[:20], 8), verbose=0, return_dict=True)
    assert scores["loss"] == history["val_loss"].min()


def test_scores_of_a_callback_join_the_history_and_a_line_follows_each_bar(tmp_path, finished, capsys, monkeypatch):
    model, (images, labels) = small_network(), faces()

    def score_test(epoch: int, logs: dict) -> None:
        scores = model.evaluate(Batches(images[20:], labels[20:], 8), verbose=0, return_dict=True)
        logs |= {f"test_{metric}": score for metric, score in scores.items()}

    bar, at_once = training.tqdm, {"delay": 0, "mininterval": 0}  # an epoch takes no five seconds here
    monkeypatch.setattr(training, "tqdm", lambda *steps, **options: bar(*steps, **options | at_once))
    _, backup = train(tmp_path, 2, "test_accuracy", [keras.callbacks.LambdaCallback(on_epoch_end=score_test)], model)
    right = predict(model, images[20:]).argmax(axis=1) == labels[20:]
    assert backup.history["test_accuracy"].iloc[-1] == pytest.approx(right.mean())
    assert backup.best == backup.best_by("test_accuracy")
    unbroken = finished[2].history.iloc[:2]
    assert backup.history[["loss", "val_loss"]].equals(unbroken[["loss", "val_loss"]])  # which changes nothing
    out, bars = capsys.readouterr()
    assert all(f"epoch {epoch}: 100%" in bars and f"{epoch}:  60%" in bars for epoch in (1, 2))
    lines = [line for line in out.splitlines() if line.startswith("epoch")]
    pattern = r"epoch {} of 2: loss \d\.\d{{4}}, accuracy .*, test_loss .*, val_loss .*, val_accuracy .*, [\d.]+ s"
    assert len(lines) == 2
    assert all(re.fullmatch(pattern.format(number), line) for number, line in enumerate(lines, 1))


@pytest.mark.parametrize(("keep", "expected"), BEST)
def test_best_epoch_is_the_first_with_the_highest_score_or_the_lowest_loss_or_the_last(tmp_path, keep, expected):
    backup = EpochBackup(tmp_path, Batches(*faces(), 8), keep)
    scores = {"val_accuracy": [0.5, 0.7, 0.7, 0.6, 0.1], "val_loss": [1.1, 0.9, 0.8, 0.8, 0.8]}
    backup.history = pd.DataFrame({"epoch": range(1, 6), **scores, "accuracy": [0.1, 0.2, 0.3, 0.4, 0.4]})
    assert backup.best == expected
    with pytest.raises(ValueError, match="no test_loss to tell the best epoch by: give `fit` validation_data"):
        backup.best_by("test_loss")


@pytest.mark.parametrize("together", [1, 2])
def test_loss_that_is_not_a_number_stops_the_training_at_once(tmp_path, together):
    """The third step of the second epoch makes it infinite; the first epoch stays."""
    model, (images, labels) = small_network(sgd, steps_per_execution=together), faces()

    class Broken(Batches):
        def __getitem__(self, step: int) -> tuple[np.ndarray, np.ndarray]:
            inputs, targets = super().__getitem__(step)
            return np.full_like(inputs, np.inf) if (self.epoch, step) == (1, 2) else inputs, targets

    batches = Broken(as_rgb(images).astype("float32"), labels, 8, seed=3)
    batches.workers = 1
    backup = EpochBackup(tmp_path, batches, keep=())
    step = -(-3 // together) * together
    message = rf"the loss is not a number in epoch 2, step {step} of 5, learning rate 0\.01; try a tenth of that"
    with pytest.raises(FloatingPointError, match=message):
        model.fit(batches, epochs=4, initial_epoch=backup.resume(model), callbacks=[backup], verbose=0, shuffle=False)
    assert [path.name for path in tmp_path.iterdir()] == ["epoch_0001.npz"]
    assert backup.history["epoch"].tolist() == [1]


def whole_epoch(batches: Batches, epoch: int) -> tuple[np.ndarray, np.ndarray]:
    batches.begin_epoch(epoch)
    steps = [batches[step] for step in range(len(batches))]
    return np.concatenate([inputs for inputs, _ in steps]), np.concatenate([targets for _, targets in steps])


@pytest.mark.parametrize("seed", [0, None])
def test_every_image_comes_once_an_epoch_with_its_own_label_and_without_a_seed_in_order(seed):
    # the grey value is the number of the image
    images = np.arange(50, dtype="uint8").reshape(50, 1, 1, 1) * np.ones((1, 8, 8, 1), "uint8")
    labels = np.random.default_rng(0).integers(0, 7, 50)
    batches = Batches(images, labels, batch_size=8, seed=seed, augment=Augmentation() if seed is not None else None)
    assert [len(batches[step][1]) for step in range(len(batches))] == [8] * 6 + [2]
    inputs, targets = whole_epoch(batches, epoch=0)
    numbers = inputs[:, 4, 4, 0]
    assert sorted(numbers) == list(range(50))
    np.testing.assert_array_equal(targets, labels[numbers])
    assert (numbers.tolist() == list(range(50))) is (seed is None)


def test_order_and_augmentation_depend_on_seed_and_epoch_alone():
    images, labels = faces()
    first, again, other_seed = (Batches(images, labels, 8, seed, Augmentation()) for seed in (1, 1, 2))
    for epoch in range(2):
        whole_epoch(again, epoch)  # another past, and another state of the process's own generators
        keras.utils.set_random_seed(epoch)
    np.testing.assert_array_equal(whole_epoch(first, 5)[0], whole_epoch(again, 5)[0])
    assert not np.array_equal(whole_epoch(first, 5)[0], whole_epoch(first, 6)[0])
    assert not np.array_equal(whole_epoch(first, 5)[0], whole_epoch(other_seed, 5)[0])


@pytest.mark.parametrize("options", [{}, {"shuffle": False}])
def test_keras_gets_the_same_batches_in_the_same_order_from_any_number_of_threads(tmp_path, monkeypatch, options):
    """Through `fit` itself, over epochs: nothing of one epoch may be prepared with the order of another."""
    model, fed = small_network(sgd), []
    model.run_eagerly = True
    learn = type(model).train_step

    def watched(self, *given):  # JAX passes the state of the model before the data
        fed.extend(np.array(part).tobytes() for part in given[-1][:2])
        return learn(self, *given)

    def some_slowly(batches: Batches, step: int, read=Batches.__getitem__):
        time.sleep(0.01 * (step % 3 == 0))  # so that threads overtake one another
        return read(batches, step)

    monkeypatch.setattr(type(model), "train_step", watched)
    monkeypatch.setattr(Batches, "__getitem__", some_slowly)
    for workers in (1, 5):
        batches = Batches(*faces(), 8, seed=3, augment=Augmentation())
        batches.workers = workers
        backup = EpochBackup(tmp_path / f"{workers}", batches, keep=())
        model.fit(batches, epochs=3, initial_epoch=backup.resume(model), callbacks=[backup], verbose=0, **options)
    expected, alone = [], Batches(*faces(), 8, seed=3, augment=Augmentation())
    for epoch in range(3):
        alone.begin_epoch(epoch)
        expected += [np.array(part).tobytes() for step in range(len(alone)) for part in alone[step]]
    assert len(fed) == 60 and fed[:30] == fed[30:]
    if options:
        assert fed[:30] == expected
    for epoch in (slice(0, 10), slice(10, 20), slice(20, 30)):
        # whole batches, maybe in another order, which depends on seed and epoch alone
        assert sorted(fed[epoch]) == sorted(expected[epoch])


def test_features_are_batched_and_predicted_as_they_are_and_grey_images_repeated_to_three_channels(monkeypatch):
    features, labels = np.random.default_rng(0).normal(size=(10, 6)), np.arange(10)
    inputs, targets = whole_epoch(Batches(features, labels, batch_size=4, seed=0), epoch=0)
    np.testing.assert_array_equal(inputs, features[targets])
    model, (images, _) = small_network(), faces()
    np.testing.assert_array_equal(as_rgb(images), np.concatenate([images] * 3, axis=3))
    np.testing.assert_array_equal(as_rgb(as_rgb(images)), as_rgb(images))
    at_once = model.predict(as_rgb(images), batch_size=40, verbose=0)
    np.testing.assert_allclose(predict(model, images, batch_size=7), at_once, atol=1e-6)
    model.trainable = False  # answers with weights folded, those of now
    monkeypatch.setattr(training, "FEWEST_TO_FOLD", 10)
    for shift in (0, 1):
        model.set_weights([weight + shift for weight in model.get_weights()])
        np.testing.assert_allclose(predict(model, images, 7), model.predict(as_rgb(images), verbose=0), atol=1e-5)


@pytest.mark.parametrize("channels", [1, 3])
def test_augmentation_writes_what_a_flipped_copy_and_a_warp_of_its_own_would_be(channels):
    """Each image anew with NumPy's flip and an array of OpenCV's own, from the same draws."""
    images = np.random.default_rng(0).integers(0, 256, (20, 12, 12, channels), dtype="uint8")
    before, random, expected = images.copy(), np.random.default_rng(5), []
    for image in images:
        angle, scale = random.uniform(-10, 10), random.uniform(0.9, 1.1)
        matrix = cv2.getRotationMatrix2D((5.5, 5.5), angle, scale)
        matrix[:, 2] += random.uniform(-0.1, 0.1, 2) * 12
        image = np.ascontiguousarray(image[:, ::-1]) if random.random() < 0.5 else image
        expected.append(cv2.warpAffine(image, matrix, (12, 12), borderMode=cv2.BORDER_REFLECT_101).reshape(image.shape))
    augmented = Augmentation()(images, np.random.default_rng(5))
    assert np.array_equal(augmented, expected) and augmented.dtype == np.uint8
    np.testing.assert_array_equal(images, before)


def test_a_compiled_network_begins_again_as_it_was_with_its_optimiser(tmp_path):
    model = small_network(sgd)
    begin_again = training.beginning_of(model)
    train(tmp_path / "first", 2, model=model)
    learnt = state_of(model)
    begin_again()
    assert not np.array_equal(model.get_weights()[0], learnt[0])
    train(tmp_path / "second", 2, model=model)
    assert equal(state_of(model), learnt)


def test_batch_is_halved_until_it_fits_and_the_model_is_left_as_it_was_also_by_any_other_error():
    model, (images, labels), tried = small_network(sgd), faces(), []
    model.run_eagerly = True
    model.train_on_batch(as_rgb(images[:6]), labels[:6])  # an optimiser with a past
    step, before = model.train_on_batch, state_of(model)
    with pytest.raises(Exception, match=r"OOM when allocating|Out of memory allocating") as exhausted:
        keras.ops.zeros(2**50)  # numbers, four petabytes; TensorFlow waits ten seconds

    def limited(inputs, targets):
        """Steps of more images than there is memory for fail after they have changed the model."""
        tried.append(len(inputs))
        step(inputs, targets)
        if len(inputs) > most:
            raise error

    model.train_on_batch, error = limited, exhausted.value
    for most in (4, 6, 1):
        tried.clear()
        fits = batch_that_fits(model, 6)
        assert fits == {4: 3, 6: 6, 1: 1}[most]
        assert tried == [size for size in (6, 3, 1) if size >= fits]
        assert equal(state_of(model), before)
    most = 0
    message = r"does not fit the memory of .*:0 with a batch of 1: take a smaller variant or image_size, or precision="
    with pytest.raises(MemoryError, match=message):
        batch_that_fits(model, 3)
    error = ValueError("shapes")
    with pytest.raises(ValueError, match="shapes"):
        batch_that_fits(model, 6)
    assert equal(state_of(model), before)


@pytest.mark.skipif(keras.backend.backend() == "jax", reason="JAX can: see test_backends")
def test_one_network_on_several_devices_needs_jax_and_the_error_says_how_to_get_it():
    with pytest.raises(RuntimeError, match=r"only with JAX, and this is tensorflow: .*KERAS_BACKEND=jax before Python"):
        training.use_all_devices()
    assert training.sharing_devices() == 1
