"""What a network is computed on and in which numbers: precision, several GPUs for one network, and how many images fit.

Thin, over Keras's own settings. They are global, and a network takes them as they are when it is built: set them before.
"""

import keras
import numpy as np

from fer_helpers import training

PRECISIONS = ("float32", "mixed_bfloat16")
MOST_A_STEP = 1_024  # images: more bring no more speed, and fewer steps an epoch


def use_precision(name: str) -> None:
    """Let the networks that are built from now on compute in these numbers; weights and probabilities are float32 either way.

    Args:
        name: `float32`, or `mixed_bfloat16` for GPUs that compute faster in 16 bits: between the layers numbers then have 8 significant
            bits instead of 24, and take half the memory. float16 is not offered: it needs its loss scaled, and bfloat16 does not.

    Raises:
        ValueError: no precision has that name.
    """
    if name not in PRECISIONS:
        raise ValueError(f"precision is one of {', '.join(PRECISIONS)}, not {name!r}")
    keras.config.set_dtype_policy(name)


def use_all_devices() -> int:
    """Let all devices of the machine train one network together: each takes an equal part of every batch.

    A step is that of one device with the same batch, BatchNorm included, whose statistics are those of the whole batch, up to the order of
    sums. `training.Batches` fills up the last batch of an epoch where it does not divide. `training.predict` is not shared: each device
    computes all of it.

    A run that was given one GPU of its own, as the study gives it with `GPUS=`, sees no other.

    Returns:
        How many devices there are: GPUs, or else those that JAX makes of the processor, which is one unless `XLA_FLAGS` says otherwise.

    Raises:
        RuntimeError: the backend is not JAX. On TensorFlow Keras 3 takes the same setting without a word and trains on one device.
    """
    if keras.backend.backend() != "jax":
        raise RuntimeError(
            f"Keras shares one network among several devices only with JAX, and this is {keras.backend.backend()}: "
            "install the extra jax and set KERAS_BACKEND=jax before Python starts, or train on one device with all_devices=False"
        )
    keras.distribution.set_distribution(keras.distribution.DataParallel())
    return training.sharing_devices()


def batch_that_fits(model: keras.Model, batch_size: int = MOST_A_STEP, learning: bool = True) -> int:
    """The largest batch, halving from `batch_size`, that the device has memory for; the model is left as it was, its optimiser included.

    Args:
        model: takes images, or features for a head; if it is not compiled, it is for this, with Adam, whose state is as large as any here.
        batch_size: images a step, to begin with; where devices share a batch the result divides by their number.
        learning: try a training step; otherwise an inference step, which needs less.

    Raises:
        MemoryError: not even the smallest batch fits.
    """
    if not model.compiled:
        model.compile("adam", "sparse_categorical_crossentropy")
    put_back = training.beginning_of(model)
    smallest = training.sharing_devices()
    size = batch_size // smallest * smallest
    while size >= smallest:
        try:
            _one_step(model, size, learning)
            return size
        except (
            Exception
        ) as error:  # the classes of such errors belong to the backend, and its modules are not there without it
            if not _is_out_of_memory(error):
                raise
        finally:
            put_back()
        size = size // 2 // smallest * smallest
    raise MemoryError(
        f"{model.name} does not fit the memory of {keras.distribution.list_devices()[0]} with a batch of {smallest}: "
        "take a smaller variant or image_size, or precision=mixed_bfloat16"
    )


def _one_step(model: keras.Model, size: int, learning: bool) -> None:
    shape = model.input_shape[1:]
    inputs = np.zeros(
        (size, *shape), "uint8" if len(shape) == 3 else "float32"
    )  # images as bytes, as `training.Batches` gives them
    if learning:
        model.train_on_batch(inputs, np.zeros(size, "int64"))
    else:
        model.predict_on_batch(inputs)


def _is_out_of_memory(error: Exception) -> bool:
    """Whether a device's memory was exhausted, as TensorFlow and JAX tell it."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow

        return isinstance(error, tensorflow.errors.ResourceExhaustedError)
    import jax

    return isinstance(error, jax.errors.JaxRuntimeError) and "RESOURCE_EXHAUSTED" in str(error)
