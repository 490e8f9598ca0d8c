"""A transposed convolution with one output channel, as a matrix product."""

from __future__ import annotations

import keras
import tensorflow as tf


class OneChannelConv2DTranspose(keras.layers.Conv2DTranspose):
    """A transposed convolution to one channel, of stride 1, 'same' padding and no activation.

    Convolution kernels compute many output channels at a time, and waste nearly all of their work
    on a single one. Here a matrix product gives what each pixel adds to each of its neighbours,
    and shifted copies of that are summed. The gradients, which have many channels, are those of
    the convolution. The sum is in float32 also where the product is not.
    """

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Map (batch, height, width, channels) to (batch, height, width, 1) float32."""
        kernel = tf.cast(tf.convert_to_tensor(self.kernel), inputs.dtype)
        return _spread(inputs, kernel) + tf.cast(self.bias, tf.float32)


@tf.custom_gradient
def _spread(x: tf.Tensor, kernel: tf.Tensor) -> tuple[tf.Tensor, object]:
    _, height, width, channels = x.shape
    rows, cols = kernel.shape[:2]
    taps = tf.reshape(x, (-1, channels)) @ tf.reshape(tf.transpose(kernel), (channels, cols * rows))
    taps = tf.cast(tf.reshape(taps, (-1, height, width, cols * rows)), tf.float32)
    above, left = rows // 2, cols // 2
    taps = tf.pad(taps, [[0, 0], [above, rows - 1 - above], [left, cols - 1 - left], [0, 0]])
    shifted = [
        taps[:, rows - 1 - row :, cols - 1 - col :, col * rows + row, None][:, :height, :width]
        for row in range(rows)
        for col in range(cols)
    ]

    def gradients(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        upstream = tf.cast(upstream, x.dtype)
        for_x = tf.nn.conv2d(upstream, kernel, 1, "SAME")
        for_kernel = tf.raw_ops.Conv2DBackpropFilter(
            input=upstream,
            filter_sizes=kernel.shape,
            out_backprop=x,
            strides=[1, 1, 1, 1],
            padding="SAME",
        )
        return for_x, for_kernel

    return tf.add_n(shifted), gradients
