"""Two layers of Keras whose training takes faster kernels of TensorFlow: the same sums in another order.

How much faster networks of 48 to 96 pixels train with them is measured in `06_speed`. Set otherwise than EfficientNet
sets them, they do as Keras's. They are called alike: names of classes are names of groups in files of weights.
"""

from functools import cache

import keras
import numpy as np
from keras import layers, ops

SMALL, TINY = 9, 2  # pixels a side of maps, padding included: from here down filters of 5 x 5, or of any size, gain


def quick(layer: keras.Layer) -> keras.Layer:
    """A layer of Keras anew, without its weights, as the faster one of its kind if there is one."""
    kind = {layers.BatchNormalization: BatchNormalization, layers.DepthwiseConv2D: DepthwiseConv2D}
    return kind.get(type(layer), type(layer)).from_config(layer.get_config())


def _is_quick(training: bool | None, maps) -> bool:
    """For square maps (n, height, width, channels) of float32, while a network learns by TensorFlow."""
    is_square = len(maps.shape) == 4 and maps.shape[1] == maps.shape[2] and maps.dtype == "float32"
    return bool(training) and is_square and keras.backend.backend() == "tensorflow"


@keras.saving.register_keras_serializable("fer_helpers")
class BatchNormalization(layers.BatchNormalization):
    """Mean, variance and scaling of a batch by one kernel, where Keras takes several."""

    def call(self, inputs, training=None, mask=None):
        """What Keras's layer returns, and into the running statistics what it puts there."""
        is_usual = self.scale and self.center and self.axis in (-1, 3) and self.trainable
        if not (is_usual and mask is None and _is_quick(training, inputs)):
            return super().call(inputs, training=training, mask=mask)
        from tensorflow.compat.v1.nn import fused_batch_norm

        outputs, mean, variance = fused_batch_norm(inputs, self.gamma, self.beta, epsilon=self.epsilon)
        count = ops.cast(ops.size(inputs) // inputs.shape[-1], "float32")
        biased = variance * (count - 1) / count  # the kernel divides by one less than Keras
        for moving, now in ((self.moving_mean, mean), (self.moving_variance, biased)):
            moving.assign(moving * self.momentum + now * (1 - self.momentum))
        return outputs


@keras.saving.register_keras_serializable("fer_helpers")
class DepthwiseConv2D(layers.DepthwiseConv2D):
    """The filters' gradient by one product of matrices a channel: TensorFlow's is slow for maps as small as they."""

    def call(self, inputs, training=None):
        """What Keras's layer returns; only the gradient takes another way to the same values."""
        linear, side = self.activation is keras.activations.linear, inputs.shape[1]
        is_usual = linear and not self.use_bias and (*self.dilation_rate, self.depth_multiplier) == (1, 1, 1)
        gains = self.data_format == "channels_last" and (side <= TINY or (side <= SMALL and self.kernel_size == (5, 5)))
        if not (is_usual and gains and _is_quick(training, inputs)):
            return super().call(inputs)
        import tensorflow as tf

        strides, padding = (1, *self.strides, 1), self.padding.upper()

        @tf.custom_gradient
        def convolve(maps, filters):
            def gradients(upstream):
                of_maps = tf.nn.depthwise_conv2d_backprop_input(tf.shape(maps), filters, upstream, strides, padding)
                channels, outputs, size = maps.shape[-1], upstream.shape[1], filters.shape[0]
                left = tf.transpose(tf.reshape(maps, (-1, side**2, channels)))
                right = tf.transpose(tf.reshape(upstream, (-1, outputs**2, channels)), (2, 0, 1))
                pairs = tf.reshape(tf.matmul(left, right), (channels, -1))  # of each pixel with each of the outputs
                taps = pairs @ tf.cast(_taps(side, outputs, size, strides[1]), pairs.dtype)
                return of_maps, tf.reshape(tf.transpose(taps), filters.shape)

            return tf.nn.depthwise_conv2d(maps, filters, strides, padding), gradients

        return convolve(inputs, tf.identity(self.kernel))


@cache
def _taps(side: int, outputs: int, size: int, stride: int) -> np.ndarray:
    """1 where a filter's tap joins a pixel with an output, else 0: (side**2 * outputs**2, size**2)."""
    before = max((outputs - 1) * stride + size - side, 0) // 2  # padding
    tap = np.arange(side)[:, None] - np.arange(outputs) * stride + before
    joined = (tap[..., None] == np.arange(size)).astype("float32")  # along one axis
    return np.einsum("yqi,xpj->yxqpij", joined, joined).reshape(-1, size**2)
