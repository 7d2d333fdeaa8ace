"""A training step by the faster kernels against one by Keras's own layers."""

from unittest import mock

import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from fer_helpers import fast_layers, models

MAPS = [(6, 5, 1, "same"), (3, 5, 2, "same"), (9, 5, 2, "valid"), (2, 3, 1, "same")]  # side, kernel, strides, padding
LAYERS = [("BatchNormalization", 5, other) for other in ({"momentum": 0.9}, {"scale": False}, {"axis": 1})]
for side, kernel_size, strides, padding in MAPS:
    options = {"kernel_size": kernel_size, "strides": strides, "padding": padding, "use_bias": False}
    LAYERS.append(("DepthwiseConv2D", side, options))
OTHERS = {"use_bias": True}, {"activation": "relu"}, {"dilation_rate": 2}, {"depth_multiplier": 2}
LAYERS += [("DepthwiseConv2D", 6, {"kernel_size": 5, "padding": "same", "use_bias": False} | other) for other in OTHERS]


@pytest.mark.parametrize(("kind", "side", "options"), LAYERS)
def test_outputs_gradients_and_statistics_of_a_training_step_are_those_of_keras(kind, side, options):
    maps, steps = tf.constant(np.random.default_rng(0).normal(2, 3, (8, side, side, 7)), "float32"), []
    for library in (layers, fast_layers):
        layer = getattr(library, kind)(**options)
        layer.build(maps.shape)
        layer.set_weights([np.linspace(0.5, 1.5, weight.size).reshape(weight.shape) for weight in layer.get_weights()])
        with tf.GradientTape() as tape:
            tape.watch(maps)
            outputs = layer(maps, training=True)
            loss = tf.reduce_sum(tf.sin(outputs))
        gradients = tape.gradient(loss, [maps, *(variable.value for variable in layer.trainable_variables)])
        steps.append([outputs, *gradients, *layer.get_weights()])
    for ours, of_keras in zip(*steps, strict=True):
        np.testing.assert_allclose(ours, of_keras, rtol=1e-4, atol=1e-4)


def test_a_training_step_takes_them_wherever_they_are_faster_and_an_answer_nowhere(monkeypatch):
    """By Tan and Le's table 1, from 48 pixels: 5 x 5 filters see 6 pixels and less from 3b on, 7a sees 2."""
    body, calls = models.efficientnet("B0", 48), {}
    for place, name in ((tf.compat.v1.nn, "fused_batch_norm"), (fast_layers, "_taps")):
        calls[name] = mock.Mock(wraps=getattr(place, name))
        monkeypatch.setattr(place, name, calls[name])
    body.compile("sgd", "mse")
    images, targets = np.zeros((2, 48, 48, 3), "uint8"), np.zeros((2, 1280))
    body.predict_on_batch(images)
    assert [spied.call_count for spied in calls.values()] == [0, 0]
    body.train_on_batch(images, targets)
    assert [spied.call_count for spied in calls.values()] == [49, 9]  # 3b, 5a to 5c, 6a to 6d, 7a
