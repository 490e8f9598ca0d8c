from __future__ import annotations

from collections.abc import Callable

import golden_networks
import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from qmap.agents.dqn import DQNLearner, huber, n_step_targets
from qmap.agents.replay import Transitions

Golden = Callable[[str], dict[str, np.ndarray]]

N_STATES, N_ACTIONS = 6, 3
LEARNING = {"learning_rate": 0.01, "gamma": 0.9, "clip_norm": 1000.0}


class Table(keras.Model):
    """A Q-value for each value of the first pixel and each action."""

    def __init__(self) -> None:
        super().__init__()
        self.table = self.add_weight(shape=(N_STATES, N_ACTIONS), initializer="glorot_uniform")

    def call(self, observations: tf.Tensor) -> tf.Tensor:
        return tf.one_hot(observations[:, 0, 0, 0], N_STATES) @ self.table


def table_learner(**settings_: object) -> DQNLearner:
    """A learner whose networks are tables with known random entries."""
    learner = DQNLearner(Table, **LEARNING | settings_)
    generator = np.random.default_rng(5)
    for network in (learner.online, learner.target):
        network.set_weights([generator.normal(0, 2, (N_STATES, N_ACTIONS))])
    return learner


def random_batch(seed: int, n_steps: int = 1, size: int = 8) -> Transitions:
    """Transitions between random states."""
    generator = np.random.default_rng(seed)
    observations = np.zeros((2, size, 1, 1, 1), np.uint8)
    observations[:, :, 0, 0, 0] = generator.integers(0, N_STATES, (2, size))
    return Transitions(
        observations=observations[0],
        actions=generator.integers(0, N_ACTIONS, size).astype(np.int32),
        rewards=generator.normal(0, 1, (size, n_steps)).astype(np.float32),
        next_observations=observations[1],
        rows=np.zeros((size, n_steps), np.int32),
        cols=np.zeros((size, n_steps), np.int32),
        window_shifts=np.zeros((size, n_steps), np.int32),
        terminals=generator.random((size, n_steps)) < 0.2,
        lengths=generator.integers(1, n_steps + 1, size).astype(np.int32),
    )


def slow_target(
    next_q: float, rewards: np.ndarray, terminals: np.ndarray, length: int, gamma: float
) -> float:
    """The definition: rewards until the episode ends, else what the last state is worth."""
    total = 0.0
    for step in range(length):
        total += gamma**step * rewards[step]
        if terminals[step]:
            return total
    return total + gamma**length * next_q


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.sampled_from((0.0, 0.9, 1.0)))
def test_targets_are_those_of_the_definition(seed: int, n_steps: int, gamma: float) -> None:
    batch = random_batch(seed, n_steps)
    next_q = np.random.default_rng(seed).normal(size=8).astype(np.float32)
    targets = n_step_targets(
        tf.constant(next_q), batch.rewards, batch.terminals, batch.lengths, gamma
    )
    expected = [
        slow_target(next_q[i], batch.rewards[i], batch.terminals[i], batch.lengths[i], gamma)
        for i in range(8)
    ]
    np.testing.assert_allclose(targets, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("loss", ["huber", "mse"])
@pytest.mark.parametrize(
    ("networks", "picks", "gives"),
    [
        ({"double_q": True}, "online", "target"),
        ({"double_q": False}, "target", "target"),
        ({"double_q": False, "target_network": False}, "online", "online"),
    ],
)
@pytest.mark.parametrize("n_steps", [1, 3])
def test_errors_and_loss_are_those_of_the_definition(
    networks: dict[str, bool], picks: str, gives: str, loss: str, n_steps: int
) -> None:
    learner, batch = table_learner(loss=loss, **networks), random_batch(1, n_steps, size=32)
    tables = {name: getattr(learner, name).get_weights()[0] for name in ("online", "target")}
    weights = np.random.default_rng(2).random(32)
    expected = []
    for i in range(32):
        state, next_state = (o[i, 0, 0, 0] for o in (batch.observations, batch.next_observations))
        next_q = tables[gives][next_state, tables[picks][next_state].argmax()]
        value = slow_target(next_q, batch.rewards[i], batch.terminals[i], batch.lengths[i], 0.9)
        expected.append(tables["online"][state, batch.actions[i]] - value)
    sizes = np.abs(expected)
    assert batch.terminals.any(), "the end of an episode is meant to occur"
    assert sizes.min() < 1.0 < sizes.max(), "both branches of the Huber loss are meant to occur"
    update = learner.train(batch, weights)
    np.testing.assert_allclose(update.errors, expected, rtol=1e-5, atol=1e-6)
    losses = np.where(sizes < 1.0, sizes**2 / 2, sizes - 0.5) if loss == "huber" else sizes**2
    assert update.loss == pytest.approx((weights * losses).mean(), rel=1e-5)


def test_without_a_target_network_there_is_one_network_that_learns() -> None:
    learner = table_learner(target_network=False, double_q=False)
    assert learner.target is learner.online
    before = learner.online.get_weights()[0]
    learner.train(random_batch(1), np.ones(8))
    learner.update_target()
    assert np.any(learner.online.get_weights()[0] != before)
    saved = learner.weights()
    assert "target" not in saved
    other, alone = table_learner(), table_learner(target_network=False, double_q=False)
    for each in (other, alone):
        each.restore_weights(saved)
        for network in (each.online, each.target):
            np.testing.assert_array_equal(network.get_weights(), learner.online.get_weights())


def test_the_reward_is_not_clipped() -> None:
    learner, batch = table_learner(), random_batch(1)
    batch = batch._replace(
        rewards=np.full((8, 1), 1000.0, np.float32), terminals=np.ones((8, 1), bool)
    )
    assert np.all(learner.train(batch, np.ones(8)).errors < -900.0)


def test_huber_is_squared_inside_one_and_linear_outside() -> None:
    np.testing.assert_allclose(
        huber(tf.constant([-3.0, -1.0, -0.5, 0.0, 0.5, 1.0, 3.0])),
        [2.5, 0.5, 0.125, 0.0, 0.125, 0.5, 2.5],
    )


@pytest.fixture(scope="module")
def figures(golden: Golden) -> golden_networks.Figures:
    return golden_networks.of_case(golden("networks.npz"), golden_networks.DQN_CASE)


@pytest.fixture(scope="module")
def published(figures: golden_networks.Figures) -> DQNLearner:
    """The learner of the figures; it forgets what it learned when they are loaded again."""
    return golden_networks.learner_of(figures)


def test_three_steps_give_the_published_errors_and_weights(
    figures: golden_networks.Figures, published: DQNLearner
) -> None:
    measured = golden_networks.three_steps(published, figures)
    golden_networks.assert_as_published(measured, figures)


@golden_networks.about_the_tests
def test_figures_off_by_one_percent_are_noticed(
    figures: golden_networks.Figures, published: DQNLearner
) -> None:
    for key in sorted(figures):
        if figures[key].dtype.kind == "f" and key != "done":
            wrong = {**figures, key: figures[key] * 1.01}
            measured = golden_networks.three_steps(published, wrong)
            with pytest.raises(AssertionError):
                golden_networks.assert_as_published(measured, wrong)
