"""Goals that lead to a column where few steps were spent first."""

from __future__ import annotations

import numpy as np
import pytest
from goal_policies import COLS, N_ACTIONS, ROWS, frames, policy_with, step

from qmap.agents.goal_counts import GoalCounts

ANYWHERE = frames(dict.fromkeys(np.ndindex(ROWS, COLS, N_ACTIONS), 4))


def rare_at(column: int) -> GoalCounts:
    """Counts of a room whose columns 0 to 40 had 1,000 steps each, but for this one's single."""
    counts = GoalCounts(2.0)
    for each in range(41):
        counts.visits.add(0, 2, each, 1 if each == column else 1000)
    return counts


@pytest.mark.parametrize(("rare", "nearest"), [(0, {10, 11}), (40, {14, 15})])
def test_the_goals_of_an_episode_lead_to_a_rare_column_first(rare: int, nearest: set[int]) -> None:
    policy = policy_with(counts=rare_at(rare), returns=True, margin=1)
    seen = set()
    for _ in range(200):
        step(policy, ANYWHERE, coords=(0, 12, 10))
        seen.add(policy.goal.col)
        assert set(np.nonzero(policy.candidates)[1] + 10) <= nearest
        policy.end_episode(np.array((0, 12, 10)))
    assert seen == nearest


def test_who_has_returned_explores_until_the_episode_ends() -> None:
    policy = policy_with(counts=rare_at(40), returns=True)
    step(policy, ANYWHERE, coords=(0, 20, 18))
    assert policy.candidates.sum() == 8  # two columns of four
    policy.drop_goal()
    step(policy, ANYWHERE, coords=(0, 38, 36))  # a quarter screen is 1.5 columns
    assert policy.candidates.sum() == 12  # column 40 and those beside it
    policy.drop_goal()
    for coords in ((0, 39, 37), (0, 20, 18)):
        step(policy, ANYWHERE, coords=coords)
        assert policy.candidates.sum() == ROWS * COLS
        policy.drop_goal()
    policy.end_episode(np.array((0, 20, 18)))
    step(policy, ANYWHERE, coords=(0, 20, 18))
    assert policy.candidates.sum() == 8


def test_who_comes_to_another_room_has_nowhere_to_return_to() -> None:
    policy = policy_with(counts=rare_at(40), returns=True)
    step(policy, ANYWHERE, coords=(0, 20, 18))
    policy.drop_goal()
    step(policy, ANYWHERE, coords=(0, 20, 18), room=1)
    assert policy.candidates.all()
    policy.end_episode(np.array((0, 20, 18)))
    step(policy, ANYWHERE, coords=(0, 20, 18), room=2)  # where no step was counted yet
    assert policy.candidates.all()


def test_without_counts_there_is_nowhere_to_return_to() -> None:
    policy = policy_with(returns=True)
    step(policy, ANYWHERE, coords=(0, 20, 18))
    assert policy.candidates.all()


def test_a_restored_policy_returns_to_the_same_column() -> None:
    for steps in (0, 1):
        one = policy_with(counts=rare_at(0), returns=True)
        for _ in range(steps):
            step(one, ANYWHERE, coords=(0, 20, 18))
        other = policy_with(counts=rare_at(40), returns=True)
        other.restore(one.state())
        other.drop_goal()
        step(other, ANYWHERE, coords=(0, 20, 18))
        columns = set(np.nonzero(other.candidates)[1] + 18)
        assert columns == ({18, 19} if steps else {22, 23})


def test_columns_are_drawn_by_the_steps_of_all_their_cells() -> None:
    counts, generator = GoalCounts(1.0), np.random.default_rng(0)
    assert counts.draw_column(0, generator) is None
    for room, row, col, times in ((0, 1, 5, 1), (0, 2, 5, 2), (0, 1, 9, 1), (1, 1, 7, 0)):
        counts.visits.add(room, row, col, times)
    drawn = [counts.draw_column(0, generator) for _ in range(3000)]
    assert set(drawn) == {5, 9}
    assert np.mean(np.array(drawn) == 9) == pytest.approx((1 / 2) / (1 / 2 + 1 / 4), abs=0.03)
