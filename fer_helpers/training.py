"""Training in plain Keras that can be killed at any moment and goes on exactly from the last finished epoch."""

import json
import random as python_random
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
FEWEST_TO_FOLD = 2_000  # images: fewer have their features before a network is folded, which takes seconds
MOST_A_STEP = 1_024  # images: more bring no more speed, and fewer steps an epoch


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and the backend, and ask TensorFlow for kernels that give the same sums each time."""
    keras.utils.set_random_seed(seed)
    if keras.backend.backend() == "tensorflow":
        import tensorflow

        tensorflow.config.experimental.enable_op_determinism()
        tensorflow.get_logger().setLevel("ERROR")  # it warns that each new network is traced, which is no fault


@dataclass(frozen=True)
class Augmentation:
    """A random flip, rotation, shift and zoom of each image, done as one warp."""

    flip: bool = True  # mirror half of the images
    rotation: float = 10.0  # largest angle in degrees, either way
    shift: float = 0.1  # largest shift as a share of the side, either way, on each axis
    zoom: float = 0.1  # largest change of scale, as in 0.1 for 0.9 to 1.1

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
        batch_size: images a step, ValueError unless devices can share it equally; the last batch holds what is left.
        seed: of order and augmentation, drawn anew each epoch by `EpochBackup`; None: in order, as for validation.
        augment: called with the images of a batch and a random generator.
    """

    def __init__(
        self, inputs, targets: np.ndarray, batch_size: int, seed: int | None = None, augment: Augmentation | None = None
    ):
        workers = min(CORES, MOST_WORKERS)
        super().__init__(workers=workers, max_queue_size=2 * workers)
        self.inputs, self.targets, self.batch_size = inputs, np.asarray(targets), batch_size
        self.seed, self.augment, self.devices = seed, augment, sharing_devices()
        if batch_size % self.devices:
            shares = f"a batch of {batch_size} can't be shared equally by {self.devices} devices"
            raise ValueError(f"{shares}: take a multiple of {self.devices}")
        self.begin_epoch(0)

    def begin_epoch(self, epoch: int) -> None:
        """Draw the order of an epoch, from 0; its first images fill up the last batch until devices can share it."""
        self.epoch, order = epoch, np.arange(len(self.inputs))
        if self.seed is not None:
            order = np.random.default_rng([self.seed, epoch]).permutation(order)
            python_random.seed(f"{self.seed} {epoch}")  # by which `fit` shuffles the batches, unless told not to
        self.order = np.resize(order, ceil(len(order) / self.devices) * self.devices)

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
    """Keeps after each epoch all that is needed to go on: a training that was killed ends as if it had not been.

    Shows a bar within long epochs and a line after each, and stops at the first loss that is not a number. (Keras's
    BackupAndRestore keeps neither history nor Dropout's state, and writes weights and epoch one after the other.)

    Args:
        folder: of this training alone; its last epoch, and the best by each column of `keep`, stay there.
        train: what `fit` trains on.
        keep: columns of `history` whose best epoch is kept: that of the lowest loss, the highest of anything else.
        print_every: epochs from one printed line to the next; 0 for none.

    Its `history` has one row an epoch: `epoch`, from 1, `loss`, `accuracy`, other scores (also those that a callback
    before it adds), `learning_rate` at the first step, and `seconds`, validation included.
    """

    def __init__(self, folder: Path, train: Batches, keep: str | tuple = "val_accuracy", print_every: int = 1):
        super().__init__()
        self.folder, self.train, self.print_every = folder, train, print_every
        self.keep = (keep,) if isinstance(keep, str) else keep
        self.history = pd.DataFrame()

    def resume(self, model: keras.Model) -> int:
        """Load the last finished epoch into a compiled model; returns its number, `fit`'s `initial_epoch`, 0 for none.

        An epoch that is damaged is removed, and so is one whose best epoch before it is.
        """
        # Left to itself TensorFlow traces the first step twice, as it makes variables. On JAX `fit` takes a batch from
        # the threads to build by before the epoch's order is drawn, and feeds what else they prepared to it.
        model._symbolic_build(data_batch=self.train[0])
        if not model.optimizer.built:
            model.optimizer.build(model.trainable_variables)
        for file in sorted(self.folder.glob("epoch_????.npz"), reverse=True):
            if kept := _read(file):
                self.history = pd.DataFrame(kept["history"])
                if all(map(_read, self._needed())):
                    self.load(model, len(self.history))
                    print(f"resumed after epoch {len(self.history)}", flush=True)
                    return len(self.history)
            print(f"removed {file}: it, or the best epoch before it, is damaged")
            file.unlink()
        self.history = pd.DataFrame()
        return 0

    @property
    def best(self) -> int:
        """The best epoch by the first column of `keep`, or the last one."""
        return self.best_by(self.keep[0]) if self.keep else len(self.history)

    def best_by(self, column: str) -> int:
        """The first epoch, from 1, with the lowest loss, or the highest of any other column; ValueError without it."""
        if column not in self.history:
            raise ValueError(f"no {column} to tell the best epoch by: give `fit` validation_data, or keep another")
        values = self.history[column]
        return 1 + int(values.argmin() if column.endswith("loss") else values.argmax())

    def load(self, model: keras.Model, epoch: int) -> None:
        """Put a model into its state after an epoch; FileNotFoundError if that was not kept, or is damaged."""
        kept = _read(file := self._file(epoch))
        if not kept:
            raise FileNotFoundError(f"{file} was not kept, or is damaged: name its column in `keep`, and train again")
        for place, variable in enumerate(_state(model)):
            variable.assign(kept[f"arr_{place}"])

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Have this epoch's batches drawn."""
        self.train.begin_epoch(epoch)
        self._learning_rate, self._begun = float(self.model.optimizer.learning_rate), time.perf_counter()
        self._bar = tqdm(total=len(self.train), desc=f"epoch {epoch + 1}", leave=False, delay=5, mininterval=2)

    def on_train_batch_end(self, batch: int, logs: dict) -> None:
        """Move the bar, and stop at a loss that is not a number."""
        self._bar.update(batch + 1 - self._bar.n)
        self._stop_unless_finite(logs)

    def on_epoch_end(self, epoch: int, logs: dict) -> None:
        """Extend the history, write the epoch's file, remove those no longer needed."""
        self._stop_unless_finite(logs)
        self._bar.close()
        seconds = round(time.perf_counter() - self._begun, 1)
        order = sorted(logs, key=lambda name: ("_" in name, name.rpartition("_")[0], not name.endswith("loss")))
        row = {"epoch": epoch + 1} | {name: logs[name] for name in order}
        row |= {"learning_rate": self._learning_rate, "seconds": seconds}
        self.history = pd.concat([self.history, pd.DataFrame([row])], ignore_index=True)
        values = map(keras.ops.convert_to_numpy, _state(self.model))
        with paths.written_whole(self._file(epoch + 1)) as partial, open(partial, "wb") as file:
            np.savez(file, *values, history=json.dumps(self.history.to_dict("records")))
        for file in set(self.folder.glob("epoch_????.npz")) - self._needed():
            file.unlink()
        if self.print_every and (epoch + 1) % self.print_every == 0:
            scores = ", ".join(f"{name} {logs[name]:.4f}" for name in order)
            print(f"epoch {epoch + 1} of {self.params['epochs']}: {scores}, {seconds} s", flush=True)

    def _stop_unless_finite(self, logs: dict) -> None:
        if not np.isfinite([value for name, value in logs.items() if name.endswith("loss")]).all():
            self._bar.close()
            raise FloatingPointError(
                f"the loss is not a number in epoch {self.train.epoch + 1}, step {self._bar.n} of {len(self.train)}, "
                f"learning rate {float(self.model.optimizer.learning_rate):.3g}; try a tenth of that, or a warm-up"
            )

    def _file(self, epoch: int) -> Path:
        return self.folder / f"epoch_{epoch:04d}.npz"

    def _needed(self) -> set[Path]:
        return {self._file(epoch) for epoch in (len(self.history), *map(self.best_by, self.keep))}


def _state(model: keras.Model) -> list:
    """All that a compiled model remembers: weights, BatchNorm's statistics, Dropout's generators, its optimiser's."""
    return [*model.variables, *model.optimizer.variables]


def _read(file: Path) -> dict[str, np.ndarray] | None:
    """The arrays of an epoch's file; None if it is not there or any of its checksums is wrong."""
    try:
        with np.load(file) as arrays:
            kept = dict(arrays)
        return kept | {"history": json.loads(str(kept["history"]))}
    except Exception:  # a damaged zip raises almost anything
        return None


def beginning_of(model: keras.Model) -> Callable[[], None]:
    """A function that puts a compiled model back to the state it is in now, its optimiser included.

    The first step of a network that was compiled anew takes up to a minute: folds can share one this way.
    """
    model.optimizer.build(model.trainable_variables)
    state = [(variable, keras.ops.convert_to_numpy(variable)) for variable in _state(model)]

    def begin_again() -> None:
        for variable, value in state:
            variable.assign(value)

    return begin_again


def predict(model: keras.Model, inputs: np.ndarray, batch_size: int = 256, progress: str = "") -> np.ndarray:
    """Probabilities (n, classes), or features (n, width) of a body, float32, of inputs as those of `Batches`.

    `progress` is the text of a progress bar; none if empty.
    """
    starts = tqdm(range(0, len(inputs), batch_size), desc=progress, disable=not progress, mininterval=5)
    batches = (as_rgb(inputs[start : start + batch_size]) for start in starts)
    is_worth_it = len(inputs) > FEWEST_TO_FOLD and not model.trainable_variables
    answer = folded(model) if is_worth_it else model.predict_on_batch
    # float32 also from a body that computes in 16 bits, whose NumPy type few libraries know
    return np.concatenate([answer(batch) for batch in batches], dtype="float32")


def folded(model: keras.Model) -> Callable[[np.ndarray], np.ndarray]:
    """What answers a batch as a model does now, in less time: most BatchNorm is folded into the convolution before it.

    TensorFlow does so where weights are constants; on another backend it is the model itself.
    """
    if keras.backend.backend() != "tensorflow":
        return model.predict_on_batch
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    images = tf.TensorSpec((None, *model.input_shape[1:]), model.inputs[0].dtype)
    traced = tf.function(lambda images: model(images, training=False)).get_concrete_function(images)
    frozen = convert_variables_to_constants_v2(traced)
    return lambda batch: frozen(tf.constant(batch, images.dtype))[0].numpy()


def use_all_devices() -> int:
    """Let all devices train one network together, each on a part of every batch, and return how many there are.

    Call it before the network is built. A step is that of one device up to the order of sums, BatchNorm included.
    RuntimeError unless the backend is JAX: TensorFlow would train on one device without a word.
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
    """The largest batch, halving from `batch_size`, for whose training step there is memory; MemoryError if none is.

    The compiled model is left as it was. Where devices share a batch, the result divides by their number.
    """
    put_back, smallest, shape = beginning_of(model), sharing_devices(), model.input_shape[1:]
    size = batch_size // smallest * smallest
    while size >= smallest:
        try:  # images come as bytes, as from `Batches`
            inputs = np.zeros((size, *shape), "uint8" if len(shape) == 3 else "float32")
            model.train_on_batch(inputs, np.zeros(size, "int64"))
            return size
        except Exception as error:  # of a class of the backend's
            if "RESOURCE_EXHAUSTED" not in str(error) and type(error).__name__ != "ResourceExhaustedError":
                raise
        finally:
            put_back()
        size = size // 2 // smallest * smallest
    raise MemoryError(
        f"{model.name} does not fit the memory of {keras.distribution.list_devices()[0]} with a batch of {smallest}: "
        "take a smaller variant or image_size, or precision=mixed_bfloat16"
    )
