"""The behaviors that learn nothing, against obvious models of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qmap.baselines import jerk
from qmap.baselines.jerk import Jerk, Moves, find_moves
from qmap.baselines.kept_actions import KeptActions, load_kept_actions
from qmap.baselines.make_baselines import make_baselines
from qmap.baselines.repeated_actions import RepeatedActions
from qmap.config import TrainingConfig
from qmap.utils.errors import UserError

HERE = np.zeros(3, np.int64)
NAMES = ("JUMP+LEFT", "JUMP", "JUMP+RIGHT", "LEFT", "NOOP", "RIGHT")
MOVES = find_moves(NAMES)


def repeated(lengths: list[int], n_actions: int = 6, **options: object) -> RepeatedActions:
    shares = np.ones(len(lengths)) / len(lengths)
    generator = np.random.default_rng(3)
    return RepeatedActions(n_actions, np.array(lengths), shares, generator=generator, **options)


def taken(policy: RepeatedActions | Jerk, steps: int) -> np.ndarray:
    actions = []
    for _ in range(steps):
        policy.plan(HERE)
        actions.append(policy.act())
    return np.array(actions)


def runs(actions: np.ndarray) -> list[int]:
    """For how many steps each action was kept, but the last, by the slowest way."""
    lengths = [1]
    for before, action in zip(actions[:-1], actions[1:], strict=True):
        if action == before:
            lengths[-1] += 1
        else:
            lengths.append(1)
    return lengths[:-1]


# Random actions that are kept.


def test_an_action_is_kept_for_as_many_steps_as_were_asked_for() -> None:
    actions = taken(repeated([4]), 400).reshape(-1, 4)
    assert (actions == actions[:, :1]).all()
    assert set(actions[:, 0]) == set(range(6))


def test_the_lengths_are_drawn_evenly_from_the_fewest_to_the_most() -> None:
    lengths = runs(taken(repeated([2, 3, 4, 5, 6, 7, 8], n_actions=10**9), 50_000))
    counts = np.bincount(lengths, minlength=9)
    assert set(lengths) == set(range(2, 9))
    np.testing.assert_allclose(counts[2:] / sum(counts), 1 / 7, atol=0.015)


def test_a_share_of_the_steps_is_single_and_the_kept_action_goes_on_after_it() -> None:
    policy = repeated([10], n_actions=10**9, single=0.1)
    actions = taken(policy, 20_000)
    values, counts = np.unique(actions, return_counts=True)
    assert np.mean(counts[:-1] == 1) > 0
    assert (counts == 1).sum() / len(actions) == pytest.approx(0.1, abs=0.01)
    kept = values[counts > 1]
    assert np.sort(counts[counts > 1])[1:].tolist() == [10] * (len(kept) - 1)


def test_nothing_is_kept_beyond_the_end_of_an_episode() -> None:
    policy = repeated([1000], n_actions=10**9)
    before = taken(policy, 3)[-1]
    policy.end_episode(HERE)
    assert taken(policy, 1)[0] != before


def test_actions_are_kept_as_long_as_another_run_kept_its_own(tmp_path: Path) -> None:
    (tmp_path / "kept_actions.csv").write_text("steps,actions\n1,60\n5,30\n20,10\n")
    config = TrainingConfig(dqn=False, qmap=False, repeat_like=str(tmp_path))
    (policy,) = make_baselines(config, NAMES)
    lengths = runs(taken(policy, 40_000))
    counts = np.bincount(lengths)
    assert set(np.flatnonzero(counts)) == {1, 5, 20}
    np.testing.assert_allclose(counts[[1, 5, 20]] / len(lengths), [0.6, 0.3, 0.1], atol=0.02)


def test_a_world_with_one_action_always_keeps_it() -> None:
    assert taken(repeated([1, 3], n_actions=1, change=True), 20).tolist() == [0] * 20


# How long a run keeps its actions.


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2), st.booleans()), max_size=60))
def test_kept_actions_are_counted_as_by_hand(steps: list[tuple[int, int, bool]]) -> None:
    kept = KeptActions(2)
    episodes: list[list[list[int]]] = [[[]], [[]]]
    for step, (first, second, ends) in enumerate(steps):
        kept.add(np.array([first, second]))
        for env, action in enumerate((first, second)):
            episodes[env][-1].append(action)
        kept.end(np.array([ends, False]))
        if ends:
            episodes[0].append([])
        if step == 30:
            again = KeptActions(2)
            again.restore(kept.state())
            kept = again
    kept.end(np.array([True, True]))
    lengths = [
        length
        for env in episodes
        for actions in env
        for length in (runs(np.array([*actions, -1])) if actions else [])
    ]
    expected = [[length, lengths.count(length)] for length in sorted(set(lengths))]
    assert kept.table().tolist() == expected


def test_what_was_kept_is_read_as_it_was_written(tmp_path: Path) -> None:
    kept = KeptActions(1)
    for action in (1, 1, 0, 2, 2, 2):
        kept.add(np.array([action]))
    kept.end(np.array([True]))
    kept.save(tmp_path)
    assert load_kept_actions(tmp_path).tolist() == [[1, 1], [2, 1], [3, 1]]


@pytest.mark.parametrize(
    "content", ["steps,actions\n", "steps,actions\n0,3\n", "a,b\nx,1\n", "1\n2"]
)
def test_a_run_that_does_not_tell_how_long_it_kept_its_actions_is_refused(
    tmp_path: Path, content: str
) -> None:
    (tmp_path / "kept_actions.csv").write_text(content)
    with pytest.raises(UserError, match="kept_actions.csv"):
        load_kept_actions(tmp_path)
    (tmp_path / "kept_actions.csv").unlink()
    with pytest.raises(UserError, match="cannot read"):
        load_kept_actions(tmp_path)


# JERK.


class Corridor:
    """A deterministic level: right is a column on, up to a wall that only a jump gets over.

    It ends at column `pit`, and after `clock` steps.
    """

    def __init__(self, wall: int = 10**6, pit: int = 10**6, clock: int = 10**6) -> None:
        self.wall, self.pit, self.clock = wall, pit, clock
        self.begin()

    def begin(self) -> None:
        self.column = self.steps = 0

    def step(self, action: int) -> bool:
        """Take an action; tell whether the episode is over."""
        ahead = 1 if action in (MOVES.right, MOVES.jump_right) else -1
        jumps = action in (MOVES.jump_right, MOVES.jump_left)
        if jumps or self.column + ahead != self.wall:
            self.column = max(self.column + ahead, 0)
        self.steps += 1
        return self.column >= self.pit or self.steps >= self.clock


def play(policy: Jerk | RepeatedActions, level: Corridor) -> list[int]:
    """Let a policy play an episode, as the agent does; return its actions."""
    level.begin()
    actions, over = [], False
    while not over:
        policy.plan(np.array([0, level.column, 0]))
        actions.append(policy.act())
        over = level.step(actions[-1])
    policy.end_episode(np.array([0, level.column, 0]))
    return actions


def jerk_of(steps: int = 10**9, seed: int = 0) -> Jerk:
    return Jerk(MOVES, steps, np.random.default_rng(seed))


def test_the_moves_are_found_by_their_names_in_every_game() -> None:
    assert Moves(5, 2, 3, 0) == MOVES
    montezuma = ("LEFTFIRE", "UP", "RIGHTFIRE", "LEFT", "NOOP", "RIGHT", "DOWN")
    assert find_moves(montezuma) == Moves(5, 2, 3, 0)
    with pytest.raises(UserError, match="--jerk needs actions of the names RIGHT, .* has 0, 1"):
        find_moves(("0", "1"))


def test_it_runs_right_with_jumps_of_four_steps_one_in_ten() -> None:
    actions = play(jerk_of(), Corridor(clock=40_000))
    assert set(actions) == {MOVES.right, MOVES.jump_right}
    jumps = np.array(actions) == MOVES.jump_right
    # A jump begins at a tenth of the steps without one: 4 of 4 + 9 steps, less what a run cuts off.
    assert jumps.mean() == pytest.approx(4 / 13, abs=0.015)
    for run in jumps.reshape(-1, 100):  # a jump does not outlast a run
        ends = np.flatnonzero(~run)
        assert (np.diff([-1, *ends]) % 4 == 1).all()


def test_it_backs_off_for_70_steps_after_a_run_of_100_that_led_nowhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(jerk, "JUMP_PROBA", 0.0)
    actions = play(jerk_of(), Corridor(wall=150, clock=640))
    expected = [MOVES.right] * 300 + [MOVES.left] * 70  # the third run finds the wall
    expected += ([MOVES.right] * 100 + [MOVES.left] * 70) * 2
    assert actions == expected[:640]


def test_what_is_kept_of_an_episode_ends_where_it_was_farthest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(jerk, "JUMP_PROBA", 0.0)
    policy = jerk_of()
    play(policy, Corridor(wall=20, clock=150))
    (solution,) = policy.solutions
    assert solution.actions == [MOVES.right] * 19
    assert solution.columns == [19]


def test_a_replay_that_leads_on_is_a_solution_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jerk, "EXPLOIT_BIAS", 0.0)
    policy = jerk_of()
    play(policy, Corridor(clock=10))
    monkeypatch.setattr(jerk, "EXPLOIT_BIAS", 1.0)
    actions = play(policy, Corridor(clock=25))
    first, second = policy.solutions
    assert (first.columns, second.columns) == ([10, 10], [25])
    assert second.actions == actions
    assert actions[:10] == first.actions


def test_a_replay_repeats_the_best_prefix_and_goes_on_from_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    policy, level = jerk_of(), Corridor(wall=20, clock=300)
    for _ in range(8):
        play(policy, level)
    best = max(policy.solutions, key=lambda solution: solution.mean)
    monkeypatch.setattr(jerk, "EXPLOIT_BIAS", 1.0)
    known = len(best.actions)
    before = list(best.columns)
    actions = play(policy, level)
    assert actions[:known] == best.actions
    assert len(actions) == 300
    assert best.columns == [*before, before[0]]


def test_a_replay_that_dies_on_the_way_lowers_what_its_solution_is_worth(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(jerk, "EXPLOIT_BIAS", 0.0)
    policy = jerk_of()
    play(policy, Corridor(pit=50))
    monkeypatch.setattr(jerk, "EXPLOIT_BIAS", 1.0)
    play(policy, Corridor(pit=10))
    assert [solution.columns for solution in policy.solutions] == [[50, 10]]
    assert policy.solutions[0].mean == 30


def test_the_newest_of_equally_good_solutions_is_replayed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(jerk, "EXPLOIT_BIAS", 0.0)
    policy, level = jerk_of(), Corridor(pit=30)
    play(policy, level), play(policy, level)
    monkeypatch.setattr(jerk, "EXPLOIT_BIAS", 1.0)
    play(policy, level)
    assert [len(solution.columns) for solution in policy.solutions] == [1, 2]


def test_only_the_best_solutions_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jerk, "EXPLOIT_BIAS", 0.0)
    monkeypatch.setattr(jerk, "MOST_SOLUTIONS", 3)
    policy = jerk_of()
    for pit in (40, 20, 50, 20, 10, 30):
        play(policy, Corridor(pit=pit))
    assert [solution.columns for solution in policy.solutions] == [[40], [50], [30]]


@pytest.mark.parametrize(("done", "share"), [(0.0, 0.25), (0.5, 0.75), (0.75, 1.0)])
def test_it_replays_a_quarter_of_the_episodes_at_first_and_all_in_the_end(
    done: float, share: float
) -> None:
    replays = []
    for seed in range(1000):
        policy = jerk_of(steps=10**6, seed=seed)
        policy.solutions.append(jerk.Solution([MOVES.left], [5]))
        policy._step = int(done * 10**6)
        replays.append(taken(policy, 1)[0] == MOVES.left)
    assert np.mean(replays) == pytest.approx(share, abs=0.05)


@pytest.mark.parametrize("options", [{"jerk": True}, {"repeat": [2, 8], "single": 0.1}])
def test_it_goes_on_where_it_stopped(options: dict[str, object]) -> None:
    config = TrainingConfig(dqn=False, qmap=False, envs=2, steps=2000, **options)
    policies, again = (make_baselines(config, NAMES) for _ in range(2))
    assert not np.array_equal(taken(policies[0], 300), taken(policies[1], 300))
    levels = [Corridor(clock=clock) for clock in (25, 35, 30, 20, 40)] * 4
    for policy, twin in zip(policies, again, strict=True):
        for level in levels:
            play(policy, level)
        taken(policy, 7)
        twin.restore(policy.state())
        assert taken(policy, 3).tolist() == taken(twin, 3).tolist()
        for level in levels:
            assert play(policy, level) == play(twin, level)


def test_the_published_policy_acts_where_no_baseline_is_asked_for() -> None:
    assert make_baselines(TrainingConfig(dqn=False, qmap=False), NAMES) == []
    assert make_baselines(TrainingConfig(jerk=True, repeat=[1]), NAMES) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"repeat": [8, 2]}, "--repeat 8 2: expected"),
        ({"repeat": [1, 2, 3]}, "--repeat 1 2 3: expected"),
        ({"repeat": [4], "jerk": True}, "exclude each other"),
        ({"repeat_like": "nowhere"}, "cannot read nowhere/kept_actions.csv"),
    ],
)
def test_baselines_that_make_no_sense_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        TrainingConfig(dqn=False, qmap=False, **options).check()
