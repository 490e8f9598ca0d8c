"""What the goal policy does with its goals, on hand-made Q-frames."""

from __future__ import annotations

import json

import numpy as np
import pytest
from goal_policies import COLS, N_ACTIONS, ROWS, frames, policy_with, step
from hypothesis import given
from hypothesis import strategies as st

from qmap.agents.exploration_balance import ExplorationBalance
from qmap.agents.goal_counts import GoalCounts
from qmap.agents.goal_policy import GoalPolicy
from qmap.agents.policy import Goal, Kind, Needs


def test_steps_on_the_way_to_a_goal_that_is_missed_count_there_and_of_one_reached_do_not() -> None:
    counts = GoalCounts(1.0)
    policy = policy_with(counts=counts)
    q_frames = frames({(1, 2, 0): 4})
    step(policy, q_frames, room=3)
    taken = 1
    while policy.timer:
        step(policy, q_frames, room=3)
        taken += 1
    assert counts.visits.rows().tolist() == []
    step(policy, frames({}), coords=(1, 1, 0), room=4)  # of the room in which it was drawn
    assert policy.goal is None
    assert counts.visits.rows().tolist() == [[3, 1, 2, taken]]
    step(policy, q_frames, room=3)
    step(policy, frames({}), coords=(1, 2, 0), room=3)  # reached
    step(policy, q_frames, room=3)
    policy.end_episode(np.array([3, 3, 0]))
    assert counts.visits.rows().tolist() == [[3, 1, 2, taken + 1]]


def test_a_goal_passed_in_a_random_step_is_reached_by_who_gives_goals_up() -> None:
    for gives_up, reached in ((False, 0.0), (True, 1.0)):
        policy = policy_with(gives_up=gives_up, margin=1, counts=GoalCounts(1.0))
        step(policy, frames({(1, 2, 0): 4}), coords=(3, 5, 0))
        step(policy, frames({}), coords=(1, 2, 0), random_proba=1.0)
        while policy.timer:
            step(policy, frames({}), coords=(3, 5, 0), goal_proba=0.0)
        step(policy, frames({}), coords=(3, 5, 0), goal_proba=0.0)
        assert policy.means.take("goals reached") == reached


def test_a_goal_on_whose_way_one_dies_has_had_all_of_its_steps_for_who_gives_goals_up() -> None:
    for end, died, gives_up, spent in (
        ((0, 0, 0), False, True, [1]),
        ((0, 0, 0), True, True, [7]),  # half as many again as 4 and a rounding error
        ((0, 0, 0), True, False, [1]),
        ((1, 2, 0), False, True, []),
        ((1, 2, 0), True, True, []),
    ):
        counts = GoalCounts(1.0)
        policy = policy_with(counts=counts, gives_up=gives_up)
        step(policy, frames({(1, 2, 0): 4}))
        policy.end_episode(np.array(end), died)
        assert counts.visits.rows()[:, 3].tolist() == spent


def test_a_goal_believed_farther_than_its_time_allows_is_given_up_for_another() -> None:
    for gives_up in (False, True):
        counts = GoalCounts(1.0)
        policy = policy_with(counts=counts, gives_up=gives_up)
        step(policy, frames({(1, 2, 0): 4}))
        assert policy.timer == 6
        # Six steps away in six steps, then six in five.
        assert step(policy, frames({(1, 2, 1): 6, (3, 3, 2): 3})) == 1
        assert policy.goal == Goal(1, 2)
        action = step(policy, frames({(1, 2, 1): 6, (3, 3, 2): 3}))
        assert (policy.goal, action) == ((Goal(3, 3), 2) if gives_up else (Goal(1, 2), 1))
        assert counts.visits.rows().tolist() == ([[0, 1, 2, 7]] if gives_up else [])
    # Where there is no other, it is a step without a goal, and what the network calls nothing at
    # all is infinitely far away.
    policy = policy_with(gives_up=True)
    step(policy, frames({(1, 2, 0): 4}))
    nothing = np.zeros((ROWS, COLS, N_ACTIONS), np.float32)
    step(policy, nothing)
    assert (policy.goal, policy.kind) == (None, Kind.RANDOM)


@given(st.integers(0, 3), st.tuples(st.integers(0, 3), st.integers(0, 5)))
def test_a_goal_is_reached_within_the_margin_and_not_drawn_there(
    margin: int, place: tuple[int, int]
) -> None:
    window = 2
    goal = Goal(2, 3 + window)
    near = max(abs(place[0] - 2), abs(place[1] - 3)) <= margin
    q_frames = frames({(2, 3, 0): 4})
    here = (place[0], place[1] + window, window)
    policy = policy_with(margin=margin)
    step(policy, q_frames, coords=here)
    # As published a cell may be a goal for who is there already.
    assert policy.goal == (None if near and margin else goal)
    policy.goal, policy.timer = goal, 5
    step(policy, frames({}), coords=here)
    assert policy.goal == (None if near else goal)


def lasts(policy: GoalPolicy, q_frames: np.ndarray, random_proba: float = 0.0) -> int:
    """For how many steps a goal is followed that is not reached."""
    step(policy, q_frames)
    goal, n = policy.goal, 1
    assert goal is not None
    while True:
        step(policy, q_frames, goal_proba=0.0, greedy=0, random_proba=random_proba)
        if policy.goal is None:
            return n
        n += 1


@pytest.mark.parametrize(
    ("distance", "bonus", "expected"), [(3, 0.5, 5), (5, 0.5, 8), (4, 0.3, 6), (3, 0.0, 3)]
)
def test_a_goal_is_given_up_when_its_time_is_over(
    distance: float, bonus: float, expected: int
) -> None:
    # A little nearer than a whole number of steps, so that rounding does not decide.
    q_frames = frames({(1, 2, 0): distance - 0.01, (0, 0, 0): 0})
    policy = policy_with(min_steps=2, max_steps=6, timer_bonus=bonus)
    assert lasts(policy, q_frames) == expected == int(np.ceil((1 + bonus) * (distance - 0.01)))


def test_random_steps_on_the_way_use_up_the_time_of_the_goal() -> None:
    policy, q_frames = policy_with(), frames({(1, 2, 0): 2.99 + 1})
    step(policy, q_frames)
    timer = policy.timer
    step(policy, q_frames, random_proba=1.0)
    assert policy.goal == (1, 2)
    assert policy.timer == timer - 1
    assert policy.kind is Kind.RANDOM


def test_a_goal_is_dropped_when_it_is_reached() -> None:
    policy, q_frames = policy_with(), frames({(1, 2, 0): 3})
    step(policy, q_frames, coords=(1, 0, 0), greedy=2)
    step(policy, q_frames, coords=(1, 1, 0), greedy=2, goal_proba=0.0)
    assert policy.goal == (1, 2)
    assert step(policy, q_frames, coords=(1, 2, 0), greedy=2, goal_proba=0.0) == 2
    assert policy.goal is None
    assert policy.candidates is None
    assert policy.kind is Kind.GREEDY


def test_a_goal_keeps_its_place_in_the_world_while_the_window_scrolls() -> None:
    policy = policy_with(max_steps=10)
    step(policy, frames({(1, 4, 0): 10}), coords=(0, 7, 7))
    assert policy.goal == (1, 11)
    for window in (8, 9, 11, 6):
        q_frames = frames({(1, 11 - window, 1): 4})
        assert step(policy, q_frames, coords=(0, window, window), goal_proba=0.0) == 1
        assert policy.goal == (1, 11)


@pytest.mark.parametrize(("window", "kept"), [(5, False), (6, True), (11, True), (12, False)])
def test_a_goal_is_dropped_when_it_leaves_the_window(window: int, kept: bool) -> None:
    policy = policy_with()
    step(policy, frames({(1, 4, 0): 5}), coords=(0, 7, 7))
    assert policy.goal == (1, 11)
    step(policy, frames({}), coords=(0, window, window), goal_proba=0.0, greedy=0)
    assert (policy.goal is not None) == kept


@pytest.mark.parametrize(
    ("settings_", "goal_before", "needs", "kind"),
    [
        ({"random_proba": 1.0}, False, Needs(False, False), Kind.RANDOM),
        ({"random_proba": 1.0}, True, Needs(False, False), Kind.RANDOM),
        ({"use_q_map": False}, False, Needs(False, True), Kind.GREEDY),
        ({"use_q_map": False, "use_dqn": False}, False, Needs(False, False), Kind.RANDOM),
        ({"goal_proba": 0.0}, False, Needs(False, True), Kind.GREEDY),
        ({"goal_proba": 0.0}, True, Needs(True, True), Kind.GOAL),
        ({"goal_proba": 1.0}, False, Needs(True, True), Kind.GOAL),
        ({"goal_proba": 1.0, "use_dqn": False}, False, Needs(True, False), Kind.GOAL),
        ({"goal_proba": 0.0, "use_dqn": False}, False, Needs(False, False), Kind.RANDOM),
    ],
)
def test_only_what_the_step_depends_on_is_asked_for(
    settings_: dict[str, float], goal_before: bool, needs: Needs, kind: Kind
) -> None:
    policy, q_frames = policy_with(), frames({(1, 2, 0): 4})
    if goal_before:
        step(policy, q_frames)
    arguments = {"random_proba": 0.0, "goal_proba": 1.0, "use_q_map": True, "use_dqn": True}
    assert policy.plan(np.array([0, 0, 0]), **{**arguments, **settings_}) == needs
    policy.act(q_frames if needs.q_frames else None, 2 if needs.greedy_action else None)
    assert policy.kind is kind


def test_a_step_that_both_want_is_a_greedy_goal() -> None:
    policy = policy_with()
    assert step(policy, frames({(1, 2, 2): 4}), greedy=2) == 2
    assert policy.kind is Kind.GREEDY_GOAL
    assert step(policy, frames({(1, 2, 2): 4}), greedy=1) == 2
    assert policy.kind is Kind.GOAL


@pytest.mark.parametrize(("random_proba", "goal_proba"), [(0.3, 1.0), (0.0, 0.3)])
def test_probabilities_of_random_steps_and_of_goals(random_proba: float, goal_proba: float) -> None:
    policy, kinds = policy_with(), []
    for _ in range(3000):
        policy.drop_goal()
        step(
            policy,
            frames({(1, 2, 2): 4}),
            greedy=1,
            random_proba=random_proba,
            goal_proba=goal_proba,
        )
        kinds.append(policy.kind)
    shares = {kind: kinds.count(kind) / 3000 for kind in Kind}
    assert shares[Kind.RANDOM] == pytest.approx(random_proba, abs=0.04)
    assert shares[Kind.GOAL] == pytest.approx((1 - random_proba) * goal_proba, abs=0.04)


def test_a_restored_policy_continues_alike() -> None:
    one, q_frames = policy_with(7), frames({(1, 2, 2): 4, (3, 4, 0): 5})
    for _ in range(3):
        step(one, q_frames, greedy=1)
    state = one.state()
    other = policy_with(0)
    other.restore({**state, **json.loads(json.dumps({**state, "candidates": None})),
                   "candidates": state["candidates"]})  # fmt: skip
    other.generator.bit_generator.state = one.generator.bit_generator.state
    for _ in range(50):
        actions = [step(p, q_frames, greedy=1, random_proba=0.2) for p in (one, other)]
        assert actions[0] == actions[1]
        assert (one.goal, one.timer, one.kind) == (other.goal, other.timer, other.kind)


def test_how_goals_end_is_counted() -> None:
    policy = policy_with()
    for end, reached in (((1, 2, 0), 1.0), ((0, 0, 0), 0.0)):
        policy.drop_goal()
        step(policy, frames({(1, 2, 0): 4}))
        for _ in range(2):
            step(policy, frames({(1, 2, 0): 4}))
        policy.end_goal(np.array(end))
        assert policy.goal is None
        assert policy.means.take("goals reached") == reached
        assert policy.means.take("believed steps") == (pytest.approx(4.0) if reached else None)
        assert policy.means.take("taken steps") == (3.0 if reached else None)


def test_a_goal_whose_time_is_over_was_not_reached() -> None:
    policy = policy_with(timer_bonus=0.0)
    step(policy, frames({(1, 2, 0): 4}))
    while policy.timer > 0:
        step(policy, frames({(1, 2, 0): 4}))
    assert policy.means.take("goals reached") is None
    step(policy, frames({}), coords=(0, 0, 0))
    assert policy.means.take("goals reached") == 0.0


def test_the_share_of_exploring_steps_comes_to_the_plan() -> None:
    balance, policy = ExplorationBalance(), policy_with(max_steps=6)
    q_frames, exploring = frames({(1, 2, 2): 6}), []
    for _ in range(30_000):
        step(policy, q_frames, greedy=1, random_proba=0.05, goal_proba=balance.goal_proba)
        balance.count(policy.kind)
        balance.adjust(planned=0.4)
        exploring.append(policy.kind in (Kind.RANDOM, Kind.GOAL))
    assert np.mean(exploring[5000:]) == pytest.approx(0.4, abs=0.03)
