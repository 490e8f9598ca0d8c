"""Random actions that are kept, alone and among the steps of a goal policy."""

from __future__ import annotations

import json

import numpy as np
import pytest
from goal_policies import frames, policy_with, step
from hypothesis import given
from hypothesis import strategies as st

from qmap.agents.policy import Kind
from qmap.agents.random_actions import RandomActions


@given(st.floats(0, 1))
def test_what_is_kept_for_one_step_begins_as_often_as_published(share: float) -> None:
    actions = RandomActions(3, (1, 1), np.random.default_rng(0))
    assert actions.begin_probability(share) == share


@pytest.mark.parametrize("share", [0.05, 0.3, 0.9])
def test_random_actions_are_kept_and_as_many_steps_are_random(share: float) -> None:
    policy, n_steps = policy_with(repeat=(2, 8)), 20_000
    actions, kinds = [], []
    for _ in range(n_steps):
        # Greedy steps have an action of their own.
        actions.append(step(policy, np.empty(0), greedy=9, random_proba=share, use_q_map=False))
        kinds.append(policy.kind)
    is_random = np.array(actions) != 9
    assert np.array_equal(is_random, np.array(kinds) == Kind.RANDOM)
    assert is_random.mean() == pytest.approx(share, abs=0.03)
    changes = np.flatnonzero(np.diff([9, *actions, 9]))
    lengths = np.diff(changes)[is_random[changes[:-1]]][:-1]
    assert lengths.min() == 2, "two kept ones may be equal, and none is cut short"
    if share < 0.1:
        assert np.mean(lengths <= 8) > 0.9
        assert lengths.mean() == pytest.approx(5, abs=0.5)


def test_a_kept_action_goes_on_beside_a_goal_and_not_beyond_an_episode() -> None:
    policy, q_frames = policy_with(repeat=(6, 6)), frames({(1, 2, 0): 3, (1, 2, 1): 3})
    kept = step(policy, q_frames, random_proba=1.0)
    for _ in range(2):
        assert step(policy, q_frames, random_proba=0.0) == kept
        assert policy.kind is Kind.RANDOM
    other = policy_with(seed=9, repeat=(6, 6))
    other.restore(json.loads(json.dumps(policy.state())))
    for each in (policy, other):
        for _ in range(3):
            assert step(each, q_frames) == kept
            assert each.kind is Kind.RANDOM
        step(each, q_frames)
        assert each.kind is Kind.GOAL
    step(policy, q_frames, random_proba=1.0)
    policy.end_episode(np.zeros(3, int))
    step(policy, q_frames)
    assert policy.kind is Kind.GOAL
