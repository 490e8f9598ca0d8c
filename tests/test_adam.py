from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from qmap.agents.adam import ClippedAdam, clipped


def adam_by_the_book(
    weight: np.ndarray, gradients: list[np.ndarray], learning_rate: float, clip_norm: float
) -> np.ndarray:
    """Adam with TensorFlow 1's epsilon, in double precision."""
    m, v = np.zeros_like(weight), np.zeros_like(weight)
    for step, gradient in enumerate(gradients, start=1):
        norm = np.sqrt((gradient**2).sum())
        if norm > clip_norm:
            gradient = gradient * clip_norm / norm
        m = 0.9 * m + 0.1 * gradient
        v = 0.999 * v + 0.001 * gradient**2
        rate = learning_rate * np.sqrt(1 - 0.999**step) / (1 - 0.9**step)
        weight = weight - rate * m / (np.sqrt(v) + 1e-8)
    return weight


def random_arrays(seed: int, scale: float = 1.0) -> list[np.ndarray]:
    """A matrix and a vector."""
    generator = np.random.default_rng(seed)
    return [generator.normal(0, scale, (4, 3)), generator.normal(0, scale, 3)]


def tensors(arrays: list[np.ndarray]) -> list[tf.Tensor]:
    """The same in single precision."""
    return [tf.constant(array, tf.float32) for array in arrays]


@pytest.mark.parametrize("scale", [1e-7, 0.1, 100.0])
def test_steps_are_those_of_the_paper(scale: float) -> None:
    start = random_arrays(0)
    gradients = [random_arrays(seed, scale) for seed in range(1, 30)]
    variables = [tf.Variable(tensor) for tensor in tensors(start)]
    optimizer = ClippedAdam(variables, learning_rate=0.01, clip_norm=1.0)
    for gradient in gradients:
        optimizer.apply(tensors(gradient))
    for index, variable in enumerate(variables):
        expected = adam_by_the_book(start[index], [g[index] for g in gradients], 0.01, 1.0)
        np.testing.assert_allclose(variable.numpy(), expected, rtol=2e-5, atol=2e-5)


def test_each_gradient_is_clipped_on_its_own() -> None:
    long, short = clipped(tf.constant([3.0, 4.0]), 1.0), clipped(tf.constant([0.3, 0.4]), 1.0)
    np.testing.assert_allclose(long, [0.6, 0.8], rtol=1e-6)
    np.testing.assert_allclose(short, [0.3, 0.4], rtol=1e-6)
    variables = [tf.Variable([0.0, 0.0]), tf.Variable([0.0, 0.0])]
    optimizer = ClippedAdam(variables, learning_rate=0.1, clip_norm=1.0)
    optimizer.apply([tf.constant([3e5, 4e5]), tf.constant([0.3, 0.4])])
    np.testing.assert_allclose(optimizer.first_moments[0], [0.06, 0.08], rtol=1e-5)
    np.testing.assert_allclose(optimizer.first_moments[1], [0.03, 0.04], rtol=1e-5)


def test_a_zero_gradient_moves_nothing() -> None:
    variable = tf.Variable([1.0, -2.0])
    ClippedAdam([variable], 0.1, 1.0).apply([tf.zeros(2)])
    assert np.array_equal(variable.numpy(), [1.0, -2.0])


def test_state_and_restore_continue_alike() -> None:
    variables = [[tf.Variable(t) for t in tensors(random_arrays(0))] for _ in range(2)]
    one, other = (ClippedAdam(v, 0.01, 1.0) for v in variables)
    for seed in range(3):
        one.apply(tensors(random_arrays(seed)))
    for source, copy in zip(*variables, strict=True):
        copy.assign(source)
    other.restore(one.state())
    for optimizer in (one, other):
        optimizer.apply(tensors(random_arrays(9)))
    for left, right in zip(*variables, strict=True):
        assert np.array_equal(left.numpy(), right.numpy())


def test_state_does_not_change_with_later_steps() -> None:
    optimizer = ClippedAdam([tf.Variable([1.0])], 0.01, 1.0)
    state = optimizer.state()
    optimizer.apply([tf.constant([1.0])])
    assert state["first_moment_00"] == [0.0]
    assert optimizer.state()["first_moment_00"] != [0.0]
