"""Training with plain Keras that shows its epochs, can be killed at any moment, and goes on from the last finished one.

    train = training.Batches(images, targets, batch_size, seed, training.Augmentation())
    backup = training.EpochBackup(folder, train)
    model.fit(train, validation_data=val, epochs=epochs, initial_epoch=backup.resume(model), callbacks=[backup], verbose=0)

A step of a small head on features takes less time than asking for it: `model.compile(..., steps_per_execution=32)` gives
the same weights in half the time.
"""

import random
import shutil
import time
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
MOST_A_STEP = 1_024  # images: more bring no more speed, and fewer steps an epoch
SUMS = "sha256.txt"  # of an epoch's files, in the format of sha256sum


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
        warped, side = np.empty_like(images), images.shape[1]
        for image, target in zip(images, warped, strict=True):
            angle = random.uniform(-self.rotation, self.rotation)
            scale = random.uniform(1 - self.zoom, 1 + self.zoom)
            matrix = cv2.getRotationMatrix2D(((side - 1) / 2, (side - 1) / 2), angle, scale)
            matrix[:, 2] += random.uniform(-self.shift, self.shift, 2) * side
            if self.flip and random.random() < 0.5:
                image = cv2.flip(image, 1)
            cv2.warpAffine(image, matrix, (side, side), dst=target, borderMode=cv2.BORDER_REFLECT_101)
        return warped


class Batches(keras.utils.PyDataset):
    """Batches for `fit`, whose order and augmentation depend on seed and epoch alone, whatever came before.

    Args:
        inputs: array (n, ...), or what is indexed like one; grey images (n, side, side, 1) are repeated to RGB.
        targets: int array (n,), places in the list of classes.
        batch_size: images a step; the last batch holds what is left.
        seed: of order and augmentation, drawn anew each epoch by `EpochBackup`; None: in order, as for validation.
        augment: called with the images of a batch and a random generator.
        workers: threads that prepare batches, by default one a core and at most `MOST_WORKERS`; the batches are the
            same, in the same order, whatever their number.

    Raises:
        ValueError: the devices that share a batch can't share it equally.
    """

    def __init__(
        self,
        inputs: np.ndarray,
        targets: np.ndarray,
        batch_size: int,
        seed: int | None = None,
        augment: Augmentation | None = None,
        workers: int | None = None,
    ):
        workers = workers or min(CORES, MOST_WORKERS)
        super().__init__(workers=workers, max_queue_size=2 * workers)
        self.inputs, self.targets, self.batch_size = inputs, np.asarray(targets), batch_size
        self.seed, self.augment = seed, augment
        if batch_size % (devices := sharing_devices()):
            raise ValueError(
                f"{devices} devices can't share a batch of {batch_size} equally: take a multiple of {devices}"
            )
        self.begin_epoch(0)

    def begin_epoch(self, epoch: int) -> None:
        """Draw the order of an epoch, from 0; its first images fill up the last batch until all devices can share it."""
        self.epoch, order = epoch, np.arange(len(self.inputs))
        if self.seed is not None:
            order = np.random.default_rng([self.seed, epoch]).permutation(order)
            random.seed(f"{self.seed} {epoch}")  # by which `fit` itself shuffles the batches, unless told not to
        self.order = np.resize(order, ceil(len(order) / sharing_devices()) * sharing_devices())

    def __len__(self) -> int:
        return ceil(len(self.inputs) / self.batch_size)

    def __getitem__(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        chosen = self.order[step * self.batch_size : (step + 1) * self.batch_size]
        inputs = self.inputs[chosen]
        if self.augment is not None:
            inputs = self.augment(inputs, np.random.default_rng([self.seed or 0, self.epoch, step]))
        return as_rgb(inputs), self.targets[chosen]


def as_rgb(inputs: np.ndarray) -> np.ndarray:
    """Grey images (n, side, side, 1) repeated to three channels; anything else as it is."""
    return np.repeat(inputs, 3, axis=-1) if inputs.ndim == 4 and inputs.shape[-1] == 1 else inputs


class EpochBackup(keras.callbacks.Callback):
    """Keeps everything needed to go on after each epoch: a training that was killed ends exactly as one that was not.

    Shows a bar while an epoch takes long and a line when it ends, and stops at the first loss that is not a number.
    Keras's BackupAndRestore writes weights and epoch number one after the other, keeps no history and no state of
    Dropout, and removes its folder at the end.

    Args:
        folder: of this training alone; the last epoch, and the best by each column of `keep`, stay in it.
        train: what `fit` trains on.
        keep: column of the history, or several, whose best epoch is kept: lowest for a loss, else highest; none if empty.
        also: further sets to score after each epoch, as in `{"test": batches}`, which gives `test_loss`, `test_accuracy`.
        print_every: epochs between two printed lines; 0 for none.

    Attributes:
        history: one row an epoch, from 1: `epoch`, `loss`, `accuracy`, the other scores, `learning_rate` (at its first
            step), `seconds` (with validation).
    """

    def __init__(
        self,
        folder: Path,
        train: Batches,
        keep: str | tuple[str, ...] = "val_accuracy",
        also: dict[str, Batches] | None = None,
        print_every: int = 1,
    ):
        super().__init__()
        self.folder, self.train, self.also, self.print_every = Path(folder), train, also or {}, print_every
        self.keep = tuple(filter(None, [keep] if isinstance(keep, str) else keep))
        self.history = pd.DataFrame()

    def resume(self, model: keras.Model) -> int:
        """Load the last finished epoch into a compiled model, and return its number for `initial_epoch`; 0 if there is none.

        Epochs that are incomplete or changed are removed, and so are those that have lost their best epoch.
        """
        if keras.backend.backend() == "jax":
            # Left to itself `fit` asks the threads for a batch to build loss and metrics by, before the epoch's order
            # is drawn, and feeds what else they have prepared by then to the first epoch.
            model._symbolic_build(data_batch=self.train[0])
        if not model.optimizer.built:
            model.optimizer.build(model.trainable_variables)
        for partial in self.folder.glob(".epoch_*.partial"):
            shutil.rmtree(partial)
        self.history = pd.DataFrame()
        for folder in sorted(self.folder.glob("epoch_????"), reverse=True):
            if _is_whole(folder):
                self.history = pd.read_csv(folder / "history.csv", float_precision="round_trip")
                if all(_is_whole(self._folder(epoch)) for epoch in self._needed()):
                    break
            print(f"{folder} is incomplete or damaged: removed")
            shutil.rmtree(folder)
            self.history = pd.DataFrame()
        if len(self.history):
            self.load(model, len(self.history))
            print(f"resumed after epoch {len(self.history)}", flush=True)
        return len(self.history)

    @property
    def best(self) -> int:
        """The best epoch, from 1, by the first column of `keep`, or else the last one."""
        return self.best_by(self.keep[0]) if self.keep else len(self.history)

    def best_by(self, column: str) -> int:
        """The first epoch, from 1, with the lowest loss, or the highest value of any other column."""
        values = self.history[column]
        return 1 + int(values.argmin() if column.endswith("loss") else values.argmax())

    def load(self, model: keras.Model, epoch: int) -> None:
        """Give a model the state after an epoch: weights, optimiser and the states of Dropout's random generators.

        Raises:
            FileNotFoundError: that epoch was not kept, or has been removed or changed since.
        """
        folder = self._folder(epoch)
        if not _is_whole(folder):
            raise FileNotFoundError(
                f"{folder} was not kept, or is damaged: name the column it is best by in `keep`, or train again, "
                "which goes on from the last good epoch"
            )
        model.load_weights(folder / "model.weights.h5")
        for variable, state in zip(_random_states(model), np.load(folder / "random_states.npy"), strict=True):
            variable.assign(state)

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Have this epoch's batches drawn, and begin its bar."""
        self.train.begin_epoch(epoch)
        self._epoch, self._begin = epoch + 1, time.perf_counter()
        self._learning_rate = float(self.model.optimizer.learning_rate)
        self._bar = tqdm(total=len(self.train), desc=f"epoch {epoch + 1}", leave=False, delay=3, mininterval=2)

    def on_train_batch_end(self, batch: int, logs: dict) -> None:
        """Move the bar, and stop at a loss that is not a number."""
        self._bar.update(batch + 1 - self._bar.n)
        self._check(logs, f"step {batch + 1} of {len(self.train)}")

    def on_epoch_end(self, epoch: int, logs: dict) -> None:
        """Score the other sets, extend the history, write the epoch's folder, remove those no longer needed."""
        self._bar.close()
        for name, batches in self.also.items():
            scores = self.model.evaluate(batches, verbose=0, return_dict=True)
            logs |= {f"{name}_{metric}": value for metric, value in scores.items()}
        self._check(logs, "its end")
        names = sorted(logs, key=lambda name: ("_" in name, name.rpartition("_")[0], not name.endswith("loss")))
        row = {"epoch": epoch + 1} | {name: logs[name] for name in names}
        row |= {"learning_rate": self._learning_rate, "seconds": round(time.perf_counter() - self._begin, 1)}
        self.history = pd.concat([self.history, pd.DataFrame([row])], ignore_index=True)
        with paths.written_whole(self._folder(epoch + 1)) as partial:
            partial.mkdir()
            self.model.save_weights(partial / "model.weights.h5")
            np.save(partial / "random_states.npy", [keras.ops.convert_to_numpy(s) for s in _random_states(self.model)])
            self.history.to_csv(partial / "history.csv", index=False)
            sums = [f"{paths.file_sha256(file)}  {file.name}\n" for file in sorted(partial.iterdir())]
            (partial / SUMS).write_text("".join(sums))
        for folder in self.folder.glob("epoch_????"):
            if folder not in map(self._folder, self._needed()):
                shutil.rmtree(folder)
        if self.print_every and (epoch + 1) % self.print_every == 0:
            values = ", ".join(f"{name} {logs[name]:.4f}" for name in names)
            print(f"epoch {epoch + 1} of {self.params['epochs']}: {values}, {row['seconds']} s", flush=True)

    def _check(self, logs: dict, where: str) -> None:
        if not np.isfinite([value for name, value in logs.items() if name.endswith("loss")]).all():
            self._bar.close()
            raise FloatingPointError(
                f"the loss is no longer a number in epoch {self._epoch} by {where}, at the learning rate "
                f"{float(self.model.optimizer.learning_rate):.3g}: try a tenth of that rate, or a warm-up"
            )

    def _needed(self) -> set[int]:
        return {len(self.history), *(self.best_by(column) for column in self.keep)}

    def _folder(self, epoch: int) -> Path:
        return self.folder / f"epoch_{epoch:04d}"


def _is_whole(folder: Path) -> bool:
    """Whether the files of an epoch are those that were written."""
    try:
        sums = dict(reversed(line.split("  ")) for line in (folder / SUMS).read_text().splitlines())
        return len(sums) == 3 and all(paths.file_sha256(folder / name) == sum for name, sum in sums.items())
    except (OSError, ValueError):
        return False


def _random_states(model: keras.Model) -> list:
    """States of the random generators of all Dropout layers, which Keras leaves out of a weights file."""
    return [variable for variable in model.non_trainable_variables if variable.name == "seed_generator_state"]


def beginning_of(model: keras.Model) -> Callable[[], None]:
    """A function that puts a compiled model back to the state it is in now, its optimiser included.

    The first step of a network that was compiled anew takes up to a minute: folds can share one this way.
    """
    model.optimizer.build(model.trainable_variables)
    variables = (*model.variables, *model.optimizer.variables)
    state = [(variable, keras.ops.convert_to_numpy(variable)) for variable in variables]

    def begin_again() -> None:
        for variable, value in state:
            variable.assign(value)

    return begin_again


def predict(model: keras.Model, inputs: np.ndarray, batch_size: int = 256, progress: str = "") -> np.ndarray:
    """Probabilities (n, classes), or features (n, width) of a body, float32, for images uint8 (n, side, side, 1 or 3).

    Args:
        model: takes images, or features for a head.
        inputs: array (n, ...), or what is indexed like one; grey images are repeated to RGB.
        batch_size: inputs a step.
        progress: text of a progress bar; none if empty.
    """
    starts = tqdm(range(0, len(inputs), batch_size), desc=progress, disable=not progress, mininterval=5)
    batches = (as_rgb(inputs[start : start + batch_size]) for start in starts)
    # float32 also from a body that computes in 16 bits, whose NumPy type few libraries know
    return np.concatenate([model.predict_on_batch(batch) for batch in batches], dtype="float32")


def use_all_devices() -> int:
    """Let all devices train one network together, each on an equal part of every batch; returns their number.

    A step is that of one device with the same batch, BatchNorm included, up to the order of sums. Call it before the
    network is built. `predict` is not shared.

    Raises:
        RuntimeError: the backend is not JAX; TensorFlow takes the setting without a word and trains on one device.
    """
    if keras.backend.backend() != "jax":
        raise RuntimeError(
            f"Keras shares one network among devices only with JAX, and this is {keras.backend.backend()}: install the "
            "extra jax and set KERAS_BACKEND=jax before Python starts, or train on one device with all_devices=False"
        )
    keras.distribution.set_distribution(keras.distribution.DataParallel())
    return sharing_devices()


def sharing_devices() -> int:
    """How many devices take a part of every batch: one, unless `use_all_devices` was called."""
    distribution = keras.distribution.distribution()
    return 1 if distribution is None else distribution.device_mesh.devices.size


def batch_that_fits(model: keras.Model, batch_size: int = MOST_A_STEP) -> int:
    """The largest batch, halving from `batch_size`, that a training step has memory for; the model is left as it was.

    Args:
        model: compiled; where devices share a batch the result divides by their number.
        batch_size: images a step, to begin with.

    Raises:
        MemoryError: not even the smallest batch fits.
    """
    put_back, smallest = beginning_of(model), sharing_devices()
    size = batch_size // smallest * smallest
    while size >= smallest:
        try:
            _one_step(model, size)
            return size
        except Exception as error:  # classes of the backend, whose modules may not be installed
            if not ("RESOURCE_EXHAUSTED" in str(error) or type(error).__name__ == "ResourceExhaustedError"):
                raise
        finally:
            put_back()
        size = size // 2 // smallest * smallest
    raise MemoryError(
        f"{model.name} does not fit the memory of {keras.distribution.list_devices()[0]} with a batch of {smallest}: "
        "take a smaller variant or image_size, or precision=mixed_bfloat16"
    )


def _one_step(model: keras.Model, size: int) -> None:
    shape = model.input_shape[1:]  # images come as bytes, as from `Batches`
    inputs = np.zeros((size, *shape), "uint8" if len(shape) == 3 else "float32")
    model.train_on_batch(inputs, np.zeros(size, "int64"))
