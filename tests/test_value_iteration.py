"""The Q-map that unrolls value iteration."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import tensorflow as tf

from qmap.agents.value_iteration import ValueIterationQFrames, neighbours, spread


def slow_spread(values: np.ndarray, gates: np.ndarray) -> np.ndarray:
    """The definition, a cell at a time; values and gates are (rows, cols)."""
    rows, cols = values.shape
    spread_values = values.copy()
    for row, col in np.ndindex(rows, cols):
        around = [
            values[r, c] if 0 <= r < rows and 0 <= c < cols else 0.0
            for r, c in ((row - 1, col), (row + 1, col), (row, col - 1), (row, col + 1))
        ]
        spread_values[row, col] = max(values[row, col], gates[row, col] * max(around))
    return spread_values


def random_frames() -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    values = generator.normal(size=(2, 5, 6, 3)).astype(np.float32)
    return values, generator.uniform(size=values.shape).astype(np.float32)


def test_a_round_takes_the_best_of_a_cell_and_what_its_neighbours_let_through() -> None:
    values, gates = random_frames()
    found = spread(tf.constant(values), tf.constant(gates)).numpy()
    for frame in np.ndindex(2, 3):
        where = (frame[0], slice(None), slice(None), frame[1])
        np.testing.assert_allclose(found[where], slow_spread(values[where], gates[where]))


def empty_room() -> tuple[np.ndarray, np.ndarray]:
    """A start in the middle of nothing else: most cells have two neighbours that are as near."""
    values = np.zeros((1, 9, 9, 1), np.float32)
    values[0, 4, 4] = 1
    return values, np.full_like(values, 0.9)


@pytest.mark.parametrize("frames", [random_frames, empty_room])
def test_the_gradient_of_rounds_is_that_of_their_definition(
    frames: Callable[[], tuple[np.ndarray, np.ndarray]],
) -> None:
    values, gates = (tf.constant(each) for each in frames())
    weights = tf.random.stateless_normal(values.shape, (1, 2))

    def definition(values: tf.Tensor, gates: tf.Tensor) -> tf.Tensor:
        return tf.maximum(values, gates * tf.reduce_max(tf.stack(neighbours(values)), axis=0))

    gradients = []
    for way in (spread, definition):
        with tf.GradientTape() as tape:
            tape.watch([values, gates])
            arrived = values
            for _ in range(8):
                arrived = way(arrived, gates)
            total = tf.reduce_sum(weights * arrived)
        gradients.append(tape.gradient(total, [values, gates]))
    for ours, expected in zip(*gradients, strict=True):
        assert np.abs(expected).max() > 0.1
        np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-5)


def test_gradients_do_not_grow_with_the_number_of_shortest_ways() -> None:
    start = tf.one_hot([0], 144)
    gates = tf.fill((1, 12, 12, 1), 0.9)
    with tf.GradientTape() as tape:
        tape.watch(start)
        arrived = tf.reshape(start, gates.shape)
        for _ in range(22):
            arrived = spread(arrived, gates)
        farthest = arrived[0, -1, -1, 0]
    # 705,432 shortest ways lead from one corner to the other.
    assert tape.gradient(farthest, start)[0, 0].numpy() == pytest.approx(0.9**22, rel=1e-4)


def test_rounds_bring_distances_around_walls() -> None:
    values = np.zeros((1, 3, 5, 1), np.float32)
    values[0, 0, 0] = 1
    free = np.array([[1, 0, 1, 1, 1], [1, 0, 1, 0, 1], [1, 1, 1, 0, 1]], np.float32)
    gates = tf.constant(0.5 * free[None, :, :, None])
    spreading = tf.constant(values)
    for _ in range(10):
        spreading = spread(spreading, gates)
    steps = np.array([[0, 0, 6, 7, 8], [1, 0, 5, 0, 9], [2, 3, 4, 0, 10]])
    np.testing.assert_allclose(spreading.numpy()[0, :, :, 0], free * 0.5**steps)


@pytest.mark.parametrize(("distance", "seen"), [(30, True), (40, False)])
def test_what_is_seen_gets_as_far_as_there_are_rounds(distance: int, seen: bool) -> None:
    network = ValueIterationQFrames((2, 64, 3), 4)
    # Everything passes everywhere, and starts only where there is something to see.
    network.gate.kernel.assign(0 * network.gate.kernel)
    network.gate.bias.assign(0 * network.gate.bias + 10)
    observations = np.zeros((2, 2, 64, 3), np.uint8)
    observations[1, 0, 0] = 255
    change = np.abs(np.diff(network(observations).numpy(), axis=0)[0]).max(axis=(0, -1))
    assert (change[distance] > 0) == seen
