"""PPO of a recurrent policy, against slow and obvious models."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import recall
from hypothesis import given, settings
from hypothesis import strategies as st

from qmap.demonstration.network import RecurrentPolicy
from qmap.demonstration.ppo import PPO, Losses, Sequences, advantages

SHAPE, ACTIONS, UNITS = (8, 8, 2), 3, 6
STEPS, COPIES = 7, 2


def slow_advantages(
    rewards: Any, values: Any, ends: Any, last_values: Any, gamma: float, trace: float
) -> np.ndarray:
    """The sum over the rest of the episode, term by term."""
    steps, copies = rewards.shape
    estimates = np.zeros((steps, copies))
    following = [*values, last_values]
    for copy in range(copies):
        for step in range(steps):
            for later in range(step, steps):
                end = ends[later, copy]
                bootstrap = 0.0 if end else gamma * following[later + 1][copy]
                error = rewards[later, copy] + bootstrap - values[later, copy]
                estimates[step, copy] += (gamma * trace) ** (later - step) * error
                if end:
                    break
    return estimates


@settings(deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.floats(0, 1),
    st.floats(0, 1),
    st.integers(1, 12),
    st.floats(0, 1),
)
def test_advantages_are_the_discounted_sums_of_the_errors(
    seed: int, gamma: float, trace: float, steps: int, often: float
) -> None:
    rng = np.random.default_rng(seed)
    rewards, values = rng.normal(size=(2, steps, 3))
    ends, last = rng.random((steps, 3)) < often, rng.normal(size=3)
    found = advantages(rewards, values, ends, last, gamma, trace)
    expected = slow_advantages(rewards, values, ends, last, gamma, trace)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def make_ppo(
    shape: tuple[int, int, int] = SHAPE,
    actions: int = ACTIONS,
    units: int = UNITS,
    seed: int = 3,
    clip: float = 0.1,
    learning_rate: float = 1e-3,
    entropy: float = 0.01,
) -> PPO:
    return PPO(
        RecurrentPolicy(shape, actions, units, seed),
        learning_rate=learning_rate,
        clip=clip,
        entropy_weight=entropy,
        value_weight=0.5,
        clip_norm=0.5,
    )


@pytest.fixture(scope="module")
def ppo() -> PPO:
    return make_ppo()


def some_sequences(seed: int = 0) -> Sequences:
    """What was done in episodes of which two begin on the way."""
    rng = np.random.default_rng(seed)
    begins = np.zeros((STEPS, COPIES), bool)
    begins[0, 0] = begins[4, 0] = begins[3, 1] = True
    memory = rng.normal(size=(STEPS, COPIES, UNITS)).astype(np.float32)
    return Sequences(
        rng.integers(0, 256, (STEPS, COPIES, *SHAPE)).astype(np.uint8),
        begins,
        memory,
        rng.integers(0, ACTIONS, (STEPS, COPIES)).astype(np.int32),
        np.log(rng.uniform(0.2, 0.5, (STEPS, COPIES))).astype(np.float32),
        rng.normal(size=(STEPS, COPIES)).astype(np.float32),
        rng.normal(size=(STEPS, COPIES)).astype(np.float32),
    )


def outputs(ppo: PPO, batch: Sequences) -> tuple[np.ndarray, np.ndarray]:
    """Log-probabilities and values, one step and one copy after the other."""
    logs = np.zeros((STEPS, COPIES, ACTIONS))
    values = np.zeros((STEPS, COPIES))
    for copy in range(COPIES):
        for step in range(STEPS):
            if step == 0 or batch.begins[step, copy]:
                remembered = batch.memory[step, copy]
            one = batch.observations[step, copy][None]
            log, value, now = ppo.act(one, remembered[None])
            logs[step, copy], values[step, copy], remembered = log[0], value[0], now[0]
    return logs, values


def slow_losses(ppo: PPO, batch: Sequences) -> tuple[float, Losses]:
    logs, values = outputs(ppo, batch)
    policy = value = entropy = clipped = 0.0
    for step in range(STEPS):
        for copy in range(COPIES):
            log = logs[step, copy][batch.actions[step, copy]]
            ratio = np.exp(log - batch.log_probabilities[step, copy])
            advantage = batch.advantages[step, copy]
            near = min(max(ratio, 1 - ppo.clip), 1 + ppo.clip)
            policy -= min(ratio * advantage, near * advantage)
            value += (values[step, copy] - batch.returns[step, copy]) ** 2
            entropy -= sum(np.exp(each) * each for each in logs[step, copy])
            clipped += near != ratio
    count = STEPS * COPIES
    losses = Losses(policy / count, value / count, entropy / count, clipped / count)
    loss = losses.policy + ppo.value_weight * losses.value - ppo.entropy_weight * losses.entropy
    return loss, losses


def test_losses_are_those_of_the_slow_model(ppo: PPO) -> None:
    batch = some_sequences()
    loss, losses = ppo.losses(batch)
    expected, parts = slow_losses(ppo, batch)
    assert float(loss) == pytest.approx(expected, rel=1e-4)
    assert 0 < parts.clipped < 1
    assert [float(each) for each in losses] == pytest.approx(list(parts), rel=1e-4)


def test_what_was_before_an_episode_does_not_matter_in_it(ppo: PPO) -> None:
    batch = some_sequences()
    seen, memory = batch.observations.copy(), batch.memory.copy()
    seen[:4, 0] = 255 - seen[:4, 0]
    memory[:4, 0] += 1.0
    changed = batch._replace(observations=seen, memory=memory)
    network = ppo.network
    values, others = (
        network.heads(*network.along(each.observations, each.begins, each.memory))[1].numpy()[:, 0]
        for each in (batch, changed)
    )
    # An episode begins with the fifth step.
    np.testing.assert_array_equal(values[4:], others[4:])
    assert (values[:4] != others[:4]).all()


def test_what_is_learned_from_is_what_was_done(ppo: PPO) -> None:
    batch = some_sequences()
    logs, _ = outputs(ppo, batch)
    taken = np.take_along_axis(logs, batch.actions[..., None], axis=-1)[..., 0]
    _, losses = ppo.losses(batch._replace(log_probabilities=taken.astype(np.float32)))
    # Before any update no probability has changed.
    assert float(losses.policy) == pytest.approx(-batch.advantages.mean(), rel=1e-4)
    assert float(losses.clipped) == 0.0


def test_sequences_are_cut_into_pieces_that_go_on_from_what_was_remembered(ppo: PPO) -> None:
    rng = np.random.default_rng(0)
    steps, units = 6, UNITS
    observations = rng.integers(0, 256, (steps, COPIES, *SHAPE)).astype(np.uint8)
    memory = np.zeros((steps, COPIES, units), np.float32)
    for step in range(1, steps):
        *_, memory[step] = ppo.act(observations[step - 1], memory[step - 1])
    none, actions = np.zeros((steps, COPIES), bool), np.zeros((steps, COPIES), np.int32)
    numbers = np.arange(steps * COPIES, dtype=np.float32).reshape(steps, COPIES)
    whole = Sequences(observations, none, memory, actions, numbers, numbers, numbers)
    pieces = whole.cut(3)
    assert pieces.returns.T.tolist() == [[0, 2, 4], [1, 3, 5], [6, 8, 10], [7, 9, 11]]
    loss, parts = (float(ppo.losses(each)[1].value) for each in (whole, pieces))
    assert parts == pytest.approx(loss, rel=1e-5)
    assert all(np.array_equal(*each) for each in zip(whole, whole.cut(steps), strict=True))


def test_memory_is_computed_from_the_steps_before(ppo: PPO) -> None:
    batch = some_sequences()
    observations = batch.observations[:, 0]
    for count in (1, 3, STEPS):
        memory = np.zeros((1, UNITS), np.float32)
        for observation in observations[STEPS - count :]:
            *_, memory = ppo.act(observation[None], memory)
        np.testing.assert_allclose(ppo.remember(observations, count), memory[0], atol=1e-6)


def test_an_update_descends_the_loss() -> None:
    ppo = make_ppo()
    batch = some_sequences()
    before = float(ppo.losses(batch)[0])
    found = ppo.train(batch)
    assert found.value == pytest.approx(slow_losses(make_ppo(), batch)[1].value, rel=1e-4)
    for _ in range(5):
        ppo.train(batch)
    assert float(ppo.losses(batch)[0]) < before


def test_gradients_reach_back_to_where_an_episode_or_a_sequence_begins() -> None:
    import tensorflow as tf

    ppo = make_ppo()
    batch = some_sequences()
    memory = tf.Variable(batch.memory)
    with tf.GradientTape() as tape:
        loss, _ = ppo.losses(batch._replace(memory=memory))
    reached = tape.gradient(loss, memory).numpy().any(axis=-1)
    first = np.arange(STEPS)[:, None] == 0
    np.testing.assert_array_equal(reached, batch.begins | first)


def test_the_policy_sees_what_differs_from_the_mean_of_what_it_was_shown() -> None:
    one, other = make_ppo(), make_ppo()
    seen = np.random.default_rng(0).integers(100, 150, (5, *SHAPE)).astype(np.uint8)
    memory = np.zeros((5, UNITS), np.float32)
    one.network.center.observe(seen)
    other.network.center.observe(seen + 100)
    for ours, others in zip(one.act(seen, memory), other.act(seen + 100, memory), strict=True):
        np.testing.assert_allclose(ours, others, atol=1e-5)
    restored = make_ppo()
    restored.restore_weights(one.weights())
    np.testing.assert_array_equal(restored.act(seen, memory)[0], one.act(seen, memory)[0])


def test_weights_are_restored_and_others_refused(ppo: PPO) -> None:
    other = make_ppo(seed=4)
    batch = some_sequences()
    assert float(other.losses(batch)[1].value) != float(ppo.losses(batch)[1].value)
    other.restore_weights(ppo.weights())
    assert float(other.losses(batch)[1].value) == float(ppo.losses(batch)[1].value)
    with pytest.raises(ValueError, match="other layers"):
        make_ppo(units=UNITS - 1).restore_weights(ppo.weights())


def test_equal_seeds_make_equal_policies() -> None:
    one, other = (make_ppo().weights()["online"] for _ in range(2))
    assert all(np.array_equal(one[name], other[name]) for name in one)


def recalled(updates: int) -> float:
    """Train on the task, and return the share of cues that are recalled in the last updates."""
    copies, steps, units = recall.COPIES, recall.STEPS, recall.UNITS
    ppo = make_ppo(
        (8, 8, 1),
        2,
        units,
        0,
        clip=recall.CLIP,
        learning_rate=recall.LEARNING_RATE,
        entropy=recall.ENTROPY,
    )
    task, rng = recall.Recall(copies, 0), np.random.default_rng(1)
    memory, shares = np.zeros((copies, units), np.float32), []
    for _ in range(updates):
        seen, before, actions, logs, values, rewards, ends, begins = ([] for _ in range(8))
        for _ in range(steps):
            begins.append(np.full(copies, task.step == 0))
            if task.step == 0:
                memory = np.zeros_like(memory)
            seen.append(task.observe())
            before.append(memory)
            log, value, memory = ppo.act(seen[-1], memory)
            actions.append((log + rng.gumbel(size=log.shape)).argmax(axis=-1).astype(np.int32))
            logs.append(log[np.arange(copies), actions[-1]])
            values.append(value)
            reward, over = task.act(actions[-1])
            rewards.append(reward)
            ends.append(np.full(copies, over))
        shares.append(np.sum(rewards) / np.sum(ends))
        arrays = (np.array(each) for each in (rewards, values, ends))
        estimates = advantages(*arrays, np.zeros(copies), recall.GAMMA, recall.TRACE)
        normal = (estimates - estimates.mean()) / (estimates.std() + 1e-8)
        batch = Sequences(
            np.array(seen),
            np.array(begins),
            np.array(before),
            np.array(actions),
            np.array(logs),
            normal,
            estimates + np.array(values),
        )
        for _ in range(recall.EPOCHS):
            for part in np.split(rng.permutation(copies), recall.MINIBATCHES):
                ppo.train(batch.of(part))
    return float(np.mean(shares[-10:]))


@pytest.mark.slow
def test_what_was_seen_is_recalled() -> None:
    assert recalled(updates=100) > 0.95


@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("sb3_contrib") is None,
    reason="compares with sb3-contrib: pip install -e '.[test,ppo]'",
)
def test_it_recalls_as_well_as_the_recurrent_ppo_of_sb3_contrib() -> None:
    updates = 100
    command = [sys.executable, recall.__file__, str(updates)]
    theirs = subprocess.run(command, check=True, capture_output=True, text=True)
    assert recalled(updates) >= float(theirs.stdout) - 0.05
