"""Training that shows its epochs, can be killed at any moment, and goes on from the last finished one."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from pathlib import Path

import cv2
import keras
import numpy as np
import pandas as pd
from tqdm import tqdm

from fer_helpers import paths
from fer_helpers.images import CORES

MOST_WORKERS = 16  # threads for batches; each holds two of them in memory
HEAD_STEPS_A_CALL = 32

Augment = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and the backend, and ask TensorFlow for kernels that give the same sums each time."""
    keras.utils.set_random_seed(seed)
    if keras.backend.backend() == "tensorflow":
        import tensorflow

        tensorflow.config.experimental.enable_op_determinism()


@dataclass(frozen=True)
class Augmentation:
    """A random flip, rotation, shift and zoom of each image, done as one warp.

    Attributes:
        flip: mirror half of the images.
        rotation: largest angle in degrees, either way.
        shift: largest shift as a share of the side, either way, on each axis.
        zoom: largest change of scale, as in 0.1 for 0.9 to 1.1.
    """

    flip: bool = True
    rotation: float = 10.0
    shift: float = 0.1
    zoom: float = 0.1

    def __call__(self, images: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """Augment uint8 images (n, side, side, channels); what a warp uncovers is filled from the mirrored border."""
        warped = np.empty_like(images)
        for image, target in zip(images, warped, strict=True):
            self._warp(image, random, target)
        return warped

    def _warp(self, image: np.ndarray, random: np.random.Generator, target: np.ndarray) -> None:
        """Draw one warp and write what it makes of an image into `target`."""
        side = image.shape[0]
        angle = random.uniform(-self.rotation, self.rotation)
        scale = random.uniform(1 - self.zoom, 1 + self.zoom)
        matrix = cv2.getRotationMatrix2D(((side - 1) / 2, (side - 1) / 2), angle, scale)
        matrix[:, 2] += random.uniform(-self.shift, self.shift, 2) * side
        if self.flip and random.random() < 0.5:
            image = cv2.flip(image, 1)
        cv2.warpAffine(image, matrix, (side, side), dst=target, borderMode=cv2.BORDER_REFLECT_101)


class Batches(keras.utils.PyDataset):
    """Shuffled, augmented batches whose content depends on seed and epoch alone, so that a resumed run sees what it would have seen.

    Args:
        inputs: array (n, ...); grey images (n, side, side, 1) are repeated to three channels.
        targets: int array (n,), places in the list of classes.
        batch_size: images a step.
        seed: of order and augmentation.
        augment: called with the images of a batch and a random generator, or None.
        workers: threads that prepare batches while the model learns, by default one a core and at most `MOST_WORKERS`; whatever their
            number, the batches are the same and come in the same order.
    """

    def __init__(
        self,
        inputs: np.ndarray,
        targets: np.ndarray,
        batch_size: int,
        seed: int,
        augment: Augment | None = None,
        workers: int | None = None,
    ):
        workers = workers or min(CORES, MOST_WORKERS)
        super().__init__(workers=workers, max_queue_size=2 * workers)
        self.inputs, self.targets, self.batch_size, self.seed, self.augment = (
            inputs,
            np.asarray(targets),
            batch_size,
            seed,
            augment,
        )
        self.devices = sharing_devices()
        if batch_size % self.devices:
            raise ValueError(
                f"a batch of {batch_size} can't be shared equally by {self.devices} devices: take a multiple of {self.devices}"
            )
        self.begin_epoch(0)

    def begin_epoch(self, epoch: int) -> None:
        """Draw the order of an epoch, from 0; it is filled up with its own first images until the devices that share a batch divide it."""
        self.epoch = epoch
        order = np.random.default_rng([self.seed, epoch]).permutation(len(self.inputs))
        self.order = np.resize(order, ceil(len(order) / self.devices) * self.devices)

    def __len__(self) -> int:
        return ceil(len(self.inputs) / self.batch_size)

    def __getitem__(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        chosen = self.order[step * self.batch_size : (step + 1) * self.batch_size]
        inputs = self.inputs[chosen]
        if self.augment is not None:
            inputs = self.augment(inputs, np.random.default_rng([self.seed, self.epoch, step]))
        return as_rgb(inputs), self.targets[chosen]


def sharing_devices() -> int:
    """How many devices take a part of every batch: one, unless `devices.use_all_devices` was called."""
    distribution = keras.distribution.distribution()
    return 1 if distribution is None else distribution.device_mesh.devices.size


def as_rgb(inputs: np.ndarray) -> np.ndarray:
    """Grey images (n, side, side, 1) repeated to three channels; anything else as it is."""
    return np.repeat(inputs, 3, axis=-1) if inputs.ndim == 4 and inputs.shape[-1] == 1 else inputs


def optimizer(
    name: str, learning_rate: float, steps_per_epoch: int, epochs: int, schedule: str = "constant"
) -> keras.optimizers.Optimizer:
    """An optimiser with its schedule, both by name.

    Args:
        name: `adam`, `adamax`, `adamw` (weight decay 1e-4) or `sgd` (momentum 0.9).
        learning_rate: at the start.
        steps_per_epoch, epochs: length of the training.
        schedule: `constant`; `cosine` to zero over all epochs, after a warm-up over the first twentieth; or `staircase`, one tenth
            less after every ten epochs (singh_2022, sec. 5.1).

    Raises:
        ValueError: no optimiser or schedule has that name.
    """
    steps = steps_per_epoch * epochs
    schedules = {
        "constant": lambda: learning_rate,
        "cosine": lambda: keras.optimizers.schedules.CosineDecay(
            0.0, steps - steps // 20, warmup_target=learning_rate, warmup_steps=steps // 20
        ),
        "staircase": lambda: keras.optimizers.schedules.ExponentialDecay(
            learning_rate, 10 * steps_per_epoch, 0.9, staircase=True
        ),
    }
    optimizers = {
        "adam": lambda rate: keras.optimizers.Adam(rate),
        "adamax": lambda rate: keras.optimizers.Adamax(rate),
        "adamw": lambda rate: keras.optimizers.AdamW(rate, weight_decay=1e-4),
        "sgd": lambda rate: keras.optimizers.SGD(rate, momentum=0.9),
    }
    for known, given in ((schedules, schedule), (optimizers, name)):
        if given not in known:
            raise ValueError(f"{given!r} is none of {', '.join(known)}")
    return optimizers[name](schedules[schedule]())


def fit(
    model: keras.Model,
    train: Batches,
    scored: dict[str, tuple[np.ndarray, np.ndarray]],
    epochs: int,
    backup_dir: Path,
    keep: tuple[str, ...] = ("val_accuracy",),
) -> pd.DataFrame:
    """Train a compiled model, or go on with a training that was cut off.

    Args:
        model: compiled with the metric `accuracy`.
        train: what to train on.
        scored: sets to score after each epoch, as in `{"val": (images, targets)}`, which gives columns `val_loss` and `val_accuracy`.
        epochs: how many in all, those of an earlier, killed run included.
        backup_dir: folder of this training alone; its last epoch, and the best by each column of `keep`, stay in it.
        keep: columns whose best epoch can be loaded with `load_epoch`.

    Returns:
        One row an epoch, from 1: `epoch`, `accuracy`, `loss`, the columns of the scored sets, `learning_rate`, `seconds`.
    """
    backup = EpochBackup(Path(backup_dir), train, scored, keep)
    done = backup.restore(model)
    if done < epochs:
        if keras.backend.backend() == "jax":
            # Left to itself Keras asks the threads for a batch to build loss and metrics by, before the epoch's order is drawn, and feeds
            # what else they have prepared by then to the first epoch.
            model._symbolic_build(data_batch=train[0])
        model.fit(
            train, epochs=epochs, initial_epoch=done, callbacks=[backup], shuffle=False, verbose=2
        )  # Batches shuffles
    return backup.history


def beginning_of(model: keras.Model) -> Callable[[], None]:
    """A function that puts a compiled model back to the state it is in now, its optimiser included.

    The first step of a network that was compiled anew takes up to a minute: folds can share one this way.
    """
    model.optimizer.build(model.trainable_variables)
    state = [
        (variable, keras.ops.convert_to_numpy(variable)) for variable in (*model.variables, *model.optimizer.variables)
    ]

    def begin_again() -> None:
        for variable, value in state:
            variable.assign(value)

    return begin_again


class EpochBackup(keras.callbacks.Callback):
    """Scores the model after each epoch and writes everything needed to go on into one folder an epoch, written whole.

    Keras's BackupAndRestore writes weights and epoch number one after the other, keeps no history, and removes its folder at the end;
    a kill between the two writes makes it train an epoch twice.
    """

    def __init__(
        self, folder: Path, train: Batches, scored: dict[str, tuple[np.ndarray, np.ndarray]], keep: tuple[str, ...]
    ):
        super().__init__()
        self.folder, self.train, self.scored, self.keep = folder, train, scored, keep
        self.history = pd.DataFrame()

    def restore(self, model: keras.Model) -> int:
        """Load the last finished epoch, if there is one, and return its number (0 if there is none)."""
        finished = sorted(self.folder.glob("epoch_????"))
        if not finished:
            return 0
        if not model.optimizer.built:
            model.optimizer.build(model.trainable_variables)
        model.load_weights(finished[-1] / "model.weights.h5")
        _set_random_states(model, np.load(finished[-1] / "random_states.npy"))
        self.history = pd.read_csv(finished[-1] / "history.csv")
        print(f"resumed after epoch {len(self.history)}", flush=True)
        return len(self.history)

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Let the batches of this epoch be drawn."""
        self.train.begin_epoch(epoch)
        self._learning_rate = float(self.model.optimizer.learning_rate)  # at the epoch's first step
        self._timer = cv2.getTickCount()

    def on_epoch_end(self, epoch: int, logs: dict) -> None:
        """Score, extend the history, write the epoch's folder, remove those no longer needed."""
        seconds = (cv2.getTickCount() - self._timer) / cv2.getTickFrequency()
        for name, (inputs, targets) in self.scored.items():
            loss, accuracy = score(self.model, inputs, targets)
            logs |= {f"{name}_loss": loss, f"{name}_accuracy": accuracy}
        row = {"epoch": epoch + 1} | logs | {"learning_rate": self._learning_rate, "seconds": round(seconds, 1)}
        self.history = pd.concat([self.history, pd.DataFrame([row])], ignore_index=True)
        with paths.written_whole(self._epoch_folder(epoch + 1)) as partial:
            partial.mkdir()
            self.model.save_weights(partial / "model.weights.h5")
            np.save(partial / "random_states.npy", _random_states(self.model))
            self.history.to_csv(partial / "history.csv", index=False)
        self._remove_others()

    def _epoch_folder(self, epoch: int) -> Path:
        return self.folder / f"epoch_{epoch:04d}"

    def _remove_others(self) -> None:
        needed = {len(self.history), *(best_epoch(self.history, column) for column in self.keep)}
        for folder in self.folder.glob("epoch_????"):
            if folder not in {self._epoch_folder(epoch) for epoch in needed}:
                shutil.rmtree(folder)


def _random_states(model: keras.Model) -> np.ndarray:
    """States of the random generators of all Dropout layers, (layers, 2), which Keras leaves out of a weights file."""
    states = [
        keras.ops.convert_to_numpy(variable)
        for variable in model.non_trainable_variables
        if variable.name == "seed_generator_state"
    ]
    return np.array(states)


def _set_random_states(model: keras.Model, states: np.ndarray) -> None:
    variables = [variable for variable in model.non_trainable_variables if variable.name == "seed_generator_state"]
    for variable, state in zip(variables, states, strict=True):
        variable.assign(state)


def score(model: keras.Model, inputs: np.ndarray, targets: np.ndarray) -> tuple[float, float]:
    """Mean cross-entropy, in nats and without regularisation terms, and accuracy of a model on a set."""
    probabilities = predict(model, inputs)
    of_target = probabilities[np.arange(len(targets)), targets]
    return float(-np.log(np.clip(of_target, 1e-7, None)).mean()), float(
        (probabilities.argmax(axis=1) == targets).mean()
    )


def predict(model: keras.Model, inputs: np.ndarray, batch_size: int = 256, progress: str = "") -> np.ndarray:
    """Probabilities (n, classes), or features (n, width) of a body, float32, for images uint8 (n, side, side, 1 or 3).

    Args:
        model: takes images, or features for a head.
        inputs: array (n, ...).
        batch_size: inputs a step.
        progress: text of a progress bar; none if empty.
    """
    starts = tqdm(range(0, len(inputs), batch_size), desc=progress, disable=not progress, mininterval=5)
    # float32 also from a body that computes in 16 bits, whose NumPy type few libraries know
    return np.concatenate(
        [model.predict_on_batch(as_rgb(inputs[start : start + batch_size])) for start in starts], dtype="float32"
    )


def best_epoch(history: pd.DataFrame, column: str) -> int:
    """The first epoch, from 1, with the best value of a column: the lowest of a loss, the highest of anything else."""
    values = history[column]
    return int(history["epoch"].iloc[values.argmin() if column.endswith("loss") else values.argmax()])


def load_epoch(model: keras.Model, backup_dir: Path, epoch: int) -> None:
    """Load the weights that a model had after an epoch which `fit` was asked to keep.

    Raises:
        FileNotFoundError: that epoch was not kept.
    """
    weights = Path(backup_dir) / f"epoch_{epoch:04d}" / "model.weights.h5"
    if not weights.is_file():
        raise FileNotFoundError(f"{weights} was not kept: name the column it is best by in fit(..., keep=...)")
    model.load_weights(weights)


def fit_head(
    head: keras.Model,
    train: tuple[np.ndarray, np.ndarray],
    val: tuple[np.ndarray, np.ndarray] | None,
    *,
    name: str,
    learning_rate: float,
    schedule: str,
    batch_size: int,
    epochs: int,
    seed: int,
    backup_dir: Path,
) -> pd.DataFrame:
    """Train a head on the features that a frozen body gave to each image once, or go on with a training that was cut off.

    Args:
        head: not compiled; takes features (n, width).
        train, val: features (n, width) and targets (n,), places in the list of classes; `val` is scored after each epoch, unless missing.
        name, learning_rate, schedule: as for `optimizer`.
        batch_size, epochs: of the training.
        seed: of the order.
        backup_dir: folder of this training alone.

    Returns:
        The history, as `fit` returns it; the last epoch and the best by `val_accuracy` can be loaded.
    """
    if not head.built:
        head.build((None, train[0].shape[1]))
    batches = Batches(*train, batch_size, seed)
    rate = optimizer(name, learning_rate, len(batches), epochs, schedule)
    # A step of a head takes less time than asking for it: several at a call give the same weights in half the time.
    head.compile(
        optimizer=rate,
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
        steps_per_execution=min(HEAD_STEPS_A_CALL, len(batches)),
    )
    return fit(head, batches, {"val": val} if val else {}, epochs, backup_dir, keep=("val_accuracy",) if val else ())
