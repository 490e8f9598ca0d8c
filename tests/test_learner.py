"""What holds for both learners, on networks that are tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from qmap.agents.dqn import DQNLearner
from qmap.agents.learner import FOLLOW_EVERY, Learner, followed
from qmap.agents.q_map import QMapLearner
from qmap.agents.replay import Transitions

N_STATES, N_ACTIONS = 5, 3
GRID = (3, 6)
MakeLearner = Callable[..., Learner]


class Table(keras.Model):
    """Entries of a shape of its own for each value of the first pixel."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.table = self.add_weight(shape=(N_STATES, *shape), initializer="glorot_uniform")

    def call(self, observations: tf.Tensor) -> tf.Tensor:
        states = tf.one_hot(observations[:, 0, 0, 0], N_STATES)
        return tf.tensordot(states, tf.convert_to_tensor(self.table), 1)


@pytest.fixture(params=["dqn", "q_map"])
def make_learner(request: pytest.FixtureRequest) -> MakeLearner:
    """A function that makes a learner whose networks have known random entries."""

    def make(**changes: Any) -> Learner:
        settings = {"learning_rate": 0.01, "gamma": 0.9, "clip_norm": 1000.0, **changes}
        if request.param == "dqn":
            learner = DQNLearner(lambda: Table((N_ACTIONS,)), **settings)
        else:
            learner = QMapLearner(lambda: Table((*GRID, N_ACTIONS)), **settings)
        generator = np.random.default_rng(5)
        for network in (learner.online, learner.target):
            shape = network.table.shape
            network.set_weights([generator.uniform(-0.2, 1.2, shape).astype(np.float32)])
        return learner

    return make


def random_batch(seed: int, n_steps: int = 2, size: int = 8) -> Transitions:
    """Transitions between random states."""
    generator = np.random.default_rng(seed)
    observations = np.zeros((2, size, 1, 1, 1), np.uint8)
    observations[:, :, 0, 0, 0] = generator.integers(0, N_STATES, (2, size))
    steps = (size, n_steps)
    return Transitions(
        observations=observations[0],
        actions=generator.integers(0, N_ACTIONS, size).astype(np.int32),
        rewards=generator.normal(0, 1, steps).astype(np.float32),
        next_observations=observations[1],
        rows=generator.integers(0, GRID[0], steps).astype(np.int32),
        cols=generator.integers(0, GRID[1], steps).astype(np.int32),
        window_shifts=generator.integers(-1, 2, steps).astype(np.int32),
        terminals=generator.random(steps) < 0.2,
        lengths=generator.integers(1, n_steps + 1, size).astype(np.int32),
    )


def test_training_on_one_batch_brings_the_loss_down(make_learner: MakeLearner) -> None:
    learner, batch = make_learner(learning_rate=0.05), random_batch(3)
    losses = [learner.train(batch, np.ones(8)).loss for _ in range(150)]
    assert losses[-1] < 0.2 * losses[0]


def test_batches_of_one_shape_are_traced_once(make_learner: MakeLearner) -> None:
    learner = make_learner()
    for seed in range(4):
        learner.train(random_batch(seed), np.ones(8))
    assert learner._train.experimental_get_tracing_count() == 1


def test_a_training_step_stays_in_tensorflow(make_learner: MakeLearner) -> None:
    batch = Transitions(*map(tf.constant, random_batch(0)))
    learner = make_learner()  # functions hold their object weakly
    function = learner._train.get_concrete_function(batch, tf.ones(8, tf.float64))
    graph = function.graph.as_graph_def()
    nodes = [*graph.node, *(node for f in graph.library.function for node in f.node_def)]
    kinds = {node.op for node in nodes}
    assert any("ApplyAdam" in kind for kind in kinds)
    assert not {kind for kind in kinds if "PyFunc" in kind or "While" in kind}


def test_the_target_network_only_changes_when_it_is_told_to(make_learner: MakeLearner) -> None:
    learner = make_learner()
    before = learner.target.get_weights()[0]
    learner.train(random_batch(0), np.ones(8))
    assert np.array_equal(learner.target.get_weights()[0], before)
    learner.update_target()
    assert np.array_equal(learner.target.get_weights()[0], learner.online.get_weights()[0])
    learner.train(random_batch(1), np.ones(8))
    assert not np.array_equal(learner.target.get_weights()[0], learner.online.get_weights()[0])


def test_a_soft_update_goes_a_share_of_the_way(make_learner: MakeLearner) -> None:
    learner = make_learner()
    online, before = (each.get_weights()[0] for each in (learner.online, learner.target))
    learner.update_target(0.25)
    expected = 0.25 * online + 0.75 * before
    np.testing.assert_allclose(learner.target.get_weights()[0], expected, rtol=1e-5, atol=1e-6)


def test_a_new_learner_has_equal_networks() -> None:
    learner = DQNLearner(lambda: Table((2,)), learning_rate=0.1, gamma=0.9, clip_norm=1.0)
    assert np.array_equal(learner.target.get_weights()[0], learner.online.get_weights()[0])


def test_a_transition_without_weight_changes_nothing(make_learner: MakeLearner) -> None:
    learner = make_learner()
    before = learner.online.get_weights()[0]
    update = learner.train(random_batch(0), np.zeros(8))
    assert update.loss == 0.0
    assert np.all(update.errors != 0.0)
    assert np.array_equal(learner.online.get_weights()[0], before)


def test_the_best_values_are_told_as_they_were_before_the_update(make_learner: MakeLearner) -> None:
    learner, batch = make_learner(), random_batch(0)
    seen = learner.online.get_weights()[0][batch.observations[:, 0, 0, 0]]
    best_q = learner.train(batch, np.ones(8)).best_q
    assert best_q == pytest.approx(seen.max(axis=-1).mean(), rel=1e-5)


def test_a_loss_that_is_no_number_is_an_error_that_names_the_learner(
    make_learner: MakeLearner,
) -> None:
    learner = make_learner()
    learner.online.set_weights([np.full(learner.online.table.shape, np.nan)])
    with pytest.raises(FloatingPointError, match=learner.name):
        learner.train(random_batch(0), np.ones(8))


def test_restored_weights_continue_alike(make_learner: MakeLearner) -> None:
    one, other = make_learner(), make_learner()
    for seed in range(3):
        one.train(random_batch(seed), np.ones(8))
    other.restore_weights(one.weights())
    for learner in (one, other):
        learner.train(random_batch(9), np.ones(8))
    for left, right in ((one.online, other.online), (one.target, other.target)):
        assert np.array_equal(left.get_weights()[0], right.get_weights()[0])


def test_a_soft_target_goes_as_far_in_one_move_as_in_several_small_ones(
    make_learner: MakeLearner,
) -> None:
    learner, other = make_learner(), make_learner()
    for _ in range(FOLLOW_EVERY):
        learner.update_target(0.01)
    other.update_target(followed(0.01))
    for one, two in zip(learner.target.get_weights(), other.target.get_weights(), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-7)
