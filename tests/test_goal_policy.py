"""The goal policy on hand-made Q-frames."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qmap.agents.exploration_balance import ExplorationBalance
from qmap.agents.goal_counts import GoalCounts
from qmap.agents.goal_policy import GoalPolicy, begins
from qmap.agents.means import Means
from qmap.agents.policy import Goal, Kind, Needs

ROWS, COLS, N_ACTIONS = 4, 6, 3
GAMMA = 0.9


def policy_with(seed: int = 0, **changes: Any) -> GoalPolicy:
    """A policy whose goals are 3 to 5 steps away."""
    arguments = {
        "gamma": GAMMA,
        "min_steps": 3,
        "max_steps": 5,
        "greedy_bias": 0.0,
        "timer_bonus": 0.5,
    }
    luck = {"generator": np.random.default_rng(seed), "means": Means()}
    return GoalPolicy((ROWS, COLS), N_ACTIONS, **{**arguments, **changes}, **luck)


def frames(steps: dict[tuple[int, int, int], int]) -> np.ndarray:
    """Q-frames in which (row, col, action) is so many steps away, everything else very far."""
    q_frames = np.full((ROWS, COLS, N_ACTIONS), 1e-3, np.float32)
    for place, distance in steps.items():
        q_frames[place] = GAMMA ** (distance - 1)
    return q_frames


def plan(
    policy: GoalPolicy, *, coords: tuple[int, int, int] = (0, 0, 0), **changes: float
) -> Needs:
    """Plan a step that is for a goal unless told otherwise."""
    arguments = {"random_proba": 0.0, "goal_proba": 1.0, "use_q_map": True, "use_dqn": False}
    return policy.plan(np.array(coords), **{**arguments, **changes})


def step(
    policy: GoalPolicy,
    q_frames: np.ndarray,
    *,
    coords: tuple[int, int, int] = (0, 0, 0),
    greedy: int | None = None,
    random_proba: float = 0.0,
    goal_proba: float = 1.0,
    use_q_map: bool = True,
    room: int = 0,
) -> int:
    """Plan and act, giving the policy what it asks for and nothing else."""
    needs = plan(
        policy,
        coords=coords,
        random_proba=random_proba,
        goal_proba=goal_proba,
        use_q_map=use_q_map,
        use_dqn=greedy is not None,
        room=room,
    )
    return policy.act(q_frames if needs.q_frames else None, greedy if needs.greedy_action else None)


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


def test_a_goal_passed_in_a_random_step_is_reached_unless_as_published() -> None:
    for changes, reached in (({}, 0.0), ({"margin": 1}, 1.0), ({"counts": GoalCounts(1.0)}, 1.0)):
        policy = policy_with(**changes)
        step(policy, frames({(1, 2, 0): 4}), coords=(3, 5, 0))
        step(policy, frames({}), coords=(1, 2, 0), random_proba=1.0)
        while policy.timer:
            step(policy, frames({}), coords=(3, 5, 0), goal_proba=0.0)
        step(policy, frames({}), coords=(3, 5, 0), goal_proba=0.0)
        assert policy.means.take("goals reached") == reached


def test_a_goal_on_whose_way_one_dies_has_had_all_of_its_steps() -> None:
    for end, terminal, spent in (
        ((0, 0, 0), False, [1]),
        ((0, 0, 0), True, [7]),  # half as many again as 4 and a rounding error
        ((1, 2, 0), False, []),
        ((1, 2, 0), True, [7]),
    ):
        counts = GoalCounts(1.0)
        policy = policy_with(counts=counts)
        step(policy, frames({(1, 2, 0): 4}))
        policy.end_episode(np.array(end), terminal)
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


def test_without_candidates_the_action_is_random() -> None:
    policy = policy_with()
    actions = [step(policy, frames({}), greedy=1) for _ in range(300)]
    assert policy.goal is None
    assert policy.kind is Kind.RANDOM
    assert np.bincount(actions).min() > 60


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


@given(st.floats(0, 1))
def test_what_is_kept_for_one_step_begins_as_often_as_published(share: float) -> None:
    assert begins(share, (1, 1)) == share


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
