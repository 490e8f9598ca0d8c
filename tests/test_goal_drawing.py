"""Which cells become goals, on hand-made Q-frames."""

from __future__ import annotations

import numpy as np
import pytest
from goal_policies import COLS, GAMMA, N_ACTIONS, ROWS, frames, policy_with, step
from hypothesis import given, settings
from hypothesis import strategies as st

from qmap.agents.goal_counts import GoalCounts
from qmap.agents.policy import Goal, Kind


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 10), st.integers(0, 10), st.integers(0, 9))
def test_a_goal_is_as_far_away_as_asked_for(
    seed: int, min_steps: int, more: int, window: int
) -> None:
    policy = policy_with(seed, min_steps=min_steps, max_steps=min_steps + more)
    distances = np.random.default_rng(seed).uniform(0.5, 22.0, (ROWS, COLS, N_ACTIONS))
    q_frames = (GAMMA ** (distances - 1)).astype(np.float32)
    action = step(policy, q_frames, coords=(0, window, window))
    nearest = distances.min(axis=-1)
    allowed = (nearest > min_steps + 1e-4) & (nearest < min_steps + more - 1e-4)
    unclear = np.abs(nearest[..., None] - [min_steps, min_steps + more]).min(axis=-1) <= 1e-4
    if policy.goal is None:
        assert not allowed.any()
        assert policy.kind is Kind.RANDOM
        return
    row, col = policy.goal.row, policy.goal.col - window
    assert (allowed | unclear)[row, col]
    assert np.array_equal(policy.candidates[~unclear], allowed[~unclear])
    assert policy.candidates_window == window
    assert action == q_frames[row, col].argmax()
    assert policy.kind is Kind.GOAL


def test_the_limits_of_the_distance_are_included() -> None:
    for distance, chosen in ((2, False), (3, True), (5, True), (6, False)):
        policy = policy_with()
        step(policy, frames({(1, 2, 0): distance}))
        assert policy.goal == (Goal(1, 2) if chosen else None)


def test_the_best_action_tells_how_far_a_cell_is() -> None:
    policy = policy_with()
    step(policy, frames({(1, 2, 0): 4, (1, 2, 1): 1, (3, 3, 2): 4}))
    assert policy.goal == (3, 3)


def test_candidates_are_equally_likely() -> None:
    policy = policy_with(3)
    q_frames = frames({(0, 1, 0): 3, (2, 2, 1): 4, (3, 5, 2): 5})
    counts: dict[Goal, int] = {}
    for _ in range(3000):
        policy.drop_goal()
        step(policy, q_frames)
        counts[policy.goal] = counts.get(policy.goal, 0) + 1
    assert set(counts) == {(0, 1), (2, 2), (3, 5)}
    assert min(counts.values()) > 900


def test_candidates_are_drawn_by_their_counts_in_the_room_and_window() -> None:
    counts = GoalCounts(2.0)
    # With a window from column 9 on, the first two are (0, 1) and (2, 2) on the screen.
    for room, row, col, times in ((7, 0, 10, 1), (7, 2, 11, 3), (0, 3, 14, 50), (7, 1, 9, 50)):
        counts.visits.add(room, row, col, times)
    policy, goals = policy_with(3, counts=counts), []
    q_frames = frames({(0, 1, 0): 3, (2, 2, 1): 4, (3, 5, 2): 5})
    for _ in range(3500):
        policy.drop_goal()
        step(policy, q_frames, coords=(1, 9, 9), room=7)
        goals.append(policy.goal)
    shares = [goals.count(Goal(*cell)) / 3500 for cell in ((0, 10), (2, 11), (3, 14))]
    expected = np.array([1 / 4, 1 / 16, 1.0])
    assert shares == pytest.approx(expected / expected.sum(), abs=0.02)


@given(st.lists(st.integers(0, 2**40), min_size=1, max_size=24), st.sampled_from([0.1, 1, 100]))
def test_probabilities_are_numbers_at_any_power_and_count(times: list[int], power: float) -> None:
    counts = GoalCounts(power)
    for cell, each in enumerate(times):
        counts.visits.add(0, *divmod(cell, COLS), each)
    shares = counts.probabilities(0, 0, (ROWS, COLS), np.arange(len(times)))
    assert shares.sum() == pytest.approx(1.0)
    slow = [((1 + each) / (1 + min(times))) ** -power for each in times]
    np.testing.assert_allclose(shares, np.array(slow) / sum(slow), atol=1e-6)


class TestGreedyBias:
    q_frames = frames({(0, 1, 0): 3, (2, 2, 1): 4})

    def chosen(self, bias: float, greedy: int | None) -> set[Goal]:
        policy = policy_with(1, greedy_bias=bias)
        goals = set()
        for _ in range(60):
            policy.drop_goal()
            step(policy, self.q_frames, greedy=greedy)
            goals.add(policy.goal)
        return goals

    def test_always_prefers_goals_in_the_greedy_direction(self) -> None:
        assert self.chosen(1.0, greedy=1) == {(2, 2)}

    def test_never_does(self) -> None:
        assert self.chosen(0.0, greedy=1) == {(0, 1), (2, 2)}

    def test_takes_any_candidate_if_none_lies_in_that_direction(self) -> None:
        assert self.chosen(1.0, greedy=2) == {(0, 1), (2, 2)}

    def test_means_nothing_without_a_task(self) -> None:
        assert self.chosen(1.0, greedy=None) == {(0, 1), (2, 2)}

    def test_is_a_probability(self) -> None:
        policy, near = policy_with(1, greedy_bias=0.5), 0
        for _ in range(2000):
            policy.drop_goal()
            step(policy, self.q_frames, greedy=1)
            near += policy.goal == (2, 2)
        assert near / 2000 == pytest.approx(0.75, abs=0.04)


def test_without_candidates_the_action_is_random() -> None:
    policy = policy_with()
    actions = [step(policy, frames({}), greedy=1) for _ in range(300)]
    assert policy.goal is None
    assert policy.kind is Kind.RANDOM
    assert np.bincount(actions).min() > 60
