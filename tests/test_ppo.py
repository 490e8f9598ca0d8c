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


def some_sequences(seed: int = 0) -> tuple[Sequences, np.ndarray]:
    """What was done in episodes of which two begin on the way, and what was remembered before."""
    rng = np.random.default_rng(seed)
    begins = np.zeros((STEPS, COPIES), bool)
    begins[0, 0] = begins[4, 0] = begins[3, 1] = True
    first = rng.normal(size=(STEPS, COPIES, UNITS)).astype(np.float32)
    return Sequences(
        rng.integers(0, 256, (STEPS, COPIES, *SHAPE)).astype(np.uint8),
        begins,
        first,
        rng.integers(0, ACTIONS, (STEPS, COPIES)).astype(np.int32),
        np.log(rng.uniform(0.2, 0.5, (STEPS, COPIES))).astype(np.float32),
        rng.normal(size=(STEPS, COPIES)).astype(np.float32),
        rng.normal(size=(STEPS, COPIES)).astype(np.float32),
    ), rng.normal(size=(COPIES, UNITS)).astype(np.float32)


def outputs(ppo: PPO, batch: Sequences, memory: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Log-probabilities and values, one step and one copy after the other."""
    logs = np.zeros((STEPS, COPIES, ACTIONS))
    values = np.zeros((STEPS, COPIES))
    for copy in range(COPIES):
        remembered = memory[copy]
        for step in range(STEPS):
            if batch.begins[step, copy]:
                remembered = batch.first[step, copy]
            one = batch.observations[step, copy][None]
            log, value, now = ppo.act(one, remembered[None])
            logs[step, copy], values[step, copy], remembered = log[0], value[0], now[0]
    return logs, values


def slow_losses(ppo: PPO, batch: Sequences, memory: np.ndarray) -> tuple[float, Losses]:
    logs, values = outputs(ppo, batch, memory)
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
    batch, memory = some_sequences()
    loss, losses = ppo.losses(batch, memory)
    expected, parts = slow_losses(ppo, batch, memory)
    assert float(loss) == pytest.approx(expected, rel=1e-4)
    assert 0 < parts.clipped < 1
    assert [float(each) for each in losses] == pytest.approx(list(parts), rel=1e-4)


def test_what_was_before_an_episode_does_not_matter_in_it(ppo: PPO) -> None:
    batch, memory = some_sequences()
    _, before = ppo.losses(batch, memory)
    changed = batch.observations.copy()
    changed[:4, 0] = 255 - changed[:4, 0]
    late = Sequences(*(array[4:, :1] for array in batch))
    other = Sequences(*(array[4:, :1] for array in batch._replace(observations=changed)))
    ones = np.ones((1, UNITS), np.float32)
    assert [float(a) for a in ppo.losses(late, memory[:1])[1]] == pytest.approx(
        [float(a) for a in ppo.losses(other, ones)[1]]
    )
    _, after = ppo.losses(batch._replace(observations=changed), memory)
    assert float(after.value) != pytest.approx(float(before.value))


def test_memory_is_computed_from_the_steps_before(ppo: PPO) -> None:
    batch, _ = some_sequences()
    observations = batch.observations[:, 0]
    for count in (1, 3, STEPS):
        memory = np.zeros((1, UNITS), np.float32)
        for observation in observations[STEPS - count :]:
            *_, memory = ppo.act(observation[None], memory)
        np.testing.assert_allclose(ppo.remember(observations, count), memory[0], atol=1e-6)


def test_an_update_descends_the_loss() -> None:
    ppo = make_ppo()
    batch, memory = some_sequences()
    before = float(ppo.losses(batch, memory)[0])
    found = ppo.train(batch, memory)
    assert found.value == pytest.approx(slow_losses(make_ppo(), batch, memory)[1].value, rel=1e-4)
    for _ in range(5):
        ppo.train(batch, memory)
    assert float(ppo.losses(batch, memory)[0]) < before


def test_gradients_reach_back_through_the_memory_but_not_into_the_episode_before() -> None:
    import tensorflow as tf

    ppo = make_ppo()
    batch, memory = some_sequences()
    given = tf.Variable(memory)
    with tf.GradientTape() as tape:
        loss, _ = ppo.losses(batch, given)
    gradient = tape.gradient(loss, given).numpy()
    # The first copy's episode begins with the first step, the second's is under way.
    assert not gradient[0].any()
    assert gradient[1].any()


def test_weights_are_restored_and_others_refused(ppo: PPO) -> None:
    other = make_ppo(seed=4)
    batch, memory = some_sequences()
    assert float(other.losses(batch, memory)[1].value) != float(ppo.losses(batch, memory)[1].value)
    other.restore_weights(ppo.weights())
    assert float(other.losses(batch, memory)[1].value) == float(ppo.losses(batch, memory)[1].value)
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
        before = memory
        seen, actions, logs, values, rewards, ends, begins = ([] for _ in range(7))
        for _ in range(steps):
            begins.append(np.full(copies, task.step == 0))
            if task.step == 0:
                memory = np.zeros_like(memory)
            seen.append(task.observe())
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
            np.zeros((steps, copies, units), np.float32),
            np.array(actions),
            np.array(logs),
            normal,
            estimates + np.array(values),
        )
        for _ in range(recall.EPOCHS):
            for part in np.split(rng.permutation(copies), recall.MINIBATCHES):
                ppo.train(batch.of(part), before[part])
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
