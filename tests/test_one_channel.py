from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from qmap.agents.one_channel import OneChannelConv2DTranspose


@pytest.mark.parametrize("kernel", [1, 2, 3, 4, (4, 3)])
def test_values_and_gradients_are_those_of_the_layer_it_replaces(
    kernel: int | tuple[int, int],
) -> None:
    generator = np.random.default_rng(0)
    x = tf.constant(generator.normal(size=(2, 5, 7, 6)), tf.float32)
    upstream = tf.constant(generator.normal(size=(2, 5, 7, 1)), tf.float32)
    fast = OneChannelConv2DTranspose(1, kernel, 1, padding="same")
    plain = keras.layers.Conv2DTranspose(1, kernel, 1, padding="same")
    results = []
    for layer in (fast, plain):
        layer.build(x.shape)
        layer.set_weights([fast.kernel.numpy(), np.array([0.7], np.float32)])
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x)
        gradients = tape.gradient(y, [x, layer.kernel.value, layer.bias.value], upstream)
        results.append([y, *gradients])
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)
