"""The learners of the comparison: what they choose, what they learn, how that is judged."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from qmap.agents.published import ANY_SIZE, GRID_WORLD, q_frames_maker
from qmap.all_goals import hindsight, mixed, own_goals, random_goals
from qmap.all_goals.all_goals import AllGoals, transitions
from qmap.all_goals.evaluation import area_under_curve, evaluate, follow, table, true_q_frames
from qmap.all_goals.goal_learner import shown, with_goals
from qmap.all_goals.learners import LEARNERS, make_learner
from qmap.all_goals.one_goal import OneGoal
from qmap.all_goals.relabelling import Relabelling
from qmap.all_goals.worlds import (
    TestSet,
    board_test_set,
    draw_boards,
    draw_mazes,
    given_test_set,
    maze_test_set,
    sample,
)
from qmap.envs.sokoban_boards import random_boards
from qmap.envs.sokoban_text import read_boards
from qmap.envs.walks import Walks
from qmap.utils.errors import UserError

GAMMA = 0.9
OPTIONS = {"learning_rate": 1e-3, "gamma": GAMMA, "clip_norm": 1000.0, "double_order": "usual"}


class TinyQFrames(keras.Model):
    """Q-frames from a single dense layer, so that a test sees through it."""

    def __init__(self, side: int, seed: int = 0) -> None:
        super().__init__()
        self.flatten = keras.layers.Flatten()
        self.dense = keras.layers.Dense(
            side * side * 4,
            kernel_initializer=keras.initializers.RandomNormal(stddev=0.01, seed=seed),
        )
        self.frames = keras.layers.Reshape((side, side, 4))
        self(tf.zeros((1, side, side, 3)))

    def call(self, observations: tf.Tensor) -> tf.Tensor:
        x = self.flatten(tf.cast(observations, tf.float32) / 255)
        return self.frames(self.dense(x))


class TinyGoalQ(keras.Model):
    """The Q-values that `TinyQFrames` with the same weights has for the goal of the input."""

    def __init__(self, side: int, seed: int = 0) -> None:
        super().__init__()
        self.q_frames = TinyQFrames(side, seed)

    def call(self, observations: tf.Tensor) -> tf.Tensor:
        goal = tf.cast(observations[..., 3:], tf.float32) / 255
        return tf.reduce_sum(self.q_frames(observations[..., :3]) * goal, axis=(1, 2))


class Truth:
    """A predictor that knows what is true of one test set, plus what is added to it."""

    def __init__(self, test_set: TestSet, error: float = 0.0, sign: float = 1.0) -> None:
        seen = test_set.worlds.observations()
        frames = sign * true_q_frames(test_set, GAMMA) + error
        self.frames = {each.tobytes(): frame for each, frame in zip(seen, frames, strict=True)}

    def q_frames(self, observations: np.ndarray) -> np.ndarray:
        return np.stack([self.frames[each.tobytes()] for each in observations])

    def q_values(self, observations: np.ndarray, goals: np.ndarray) -> np.ndarray:
        frames = self.q_frames(observations)
        return frames[np.arange(len(goals)), goals[:, 0], goals[:, 1]]


def everywhere(test_set: TestSet) -> TestSet:
    """The test set with the character in every free cell of every maze."""
    from qmap.envs.maze_paths import distances_after

    worlds = test_set.worlds.everywhere()
    counted = np.repeat(test_set.counted[:1], len(worlds), axis=0)
    return TestSet(test_set.name, worlds, counted, distances_after(worlds))


@pytest.fixture(scope="module")
def walks() -> Walks:
    return sample(draw_mazes(9, 0.1), np.random.default_rng(0), 64)


@pytest.fixture(scope="module")
def pushes() -> Walks:
    return sample(draw_boards(7, 2, "box"), np.random.default_rng(0), 64)


def test_relabelling_every_goal_makes_the_same_update_as_all_goals_at_once(walks: Walks) -> None:
    # More steps than fit in one pass, so that the sum over passes is tested too.
    generator = np.random.default_rng(0)
    at_once = AllGoals(lambda: TinyQFrames(12), **OPTIONS)
    one_by_one = Relabelling(lambda: TinyGoalQ(12), **OPTIONS)
    for _ in range(3):
        first, second = at_once.learn(walks, generator), one_by_one.learn(walks, generator)
        assert first.loss == pytest.approx(second.loss, rel=1e-4)
        assert first.best_q == pytest.approx(second.best_q, rel=1e-3)
        np.testing.assert_allclose(first.errors, second.errors, rtol=1e-3)
        at_once.update_target(0.5)
        one_by_one.update_target(0.5)
    for one, other in zip(at_once.online.weights, one_by_one.online.weights, strict=True):
        # Adam divides the smallest gradients by themselves: what rounding makes of them shows.
        difference = np.abs(one.numpy() - other.numpy())
        assert np.quantile(difference, 0.99) < 1e-5


def test_one_goal_learns_the_error_that_it_has_at_that_goal(walks: Walks) -> None:
    walks = Walks(*(each[:5] for each in walks))
    goals = hindsight.choose(walks, np.random.default_rng(1))
    learner = OneGoal(lambda: TinyGoalQ(12), lambda *_: goals, **OPTIONS)
    every = {}
    for row, col in {tuple(goal) for goal in goals}:
        fixed = np.full_like(goals, (row, col))
        same = OneGoal(lambda: TinyGoalQ(12), lambda *_, goal=fixed: goal, **OPTIONS)
        every[row, col] = same.learn(walks, np.random.default_rng(0)).errors
    expected = [every[tuple(goal)][index] for index, goal in enumerate(goals)]
    update = learner.learn(walks, np.random.default_rng(0))
    np.testing.assert_allclose(update.errors, expected, atol=1e-6)
    assert update.loss == pytest.approx(np.square(expected).mean(), rel=1e-4)


@pytest.mark.parametrize(("order", "by_hand"), [("usual", 1), ("reference", 0)])
def test_targets_are_one_at_the_goal_and_else_the_discounted_next_value(
    walks: Walks, order: str, by_hand: int
) -> None:
    seeds = iter((1, 2))
    options = {**OPTIONS, "double_order": order}
    learner = OneGoal(lambda: TinyGoalQ(12, next(seeds)), own_goals.choose, **options)
    # Different networks, so that who picks and who gives the value makes a difference.
    learner.target.set_weights([5 * weight for weight in TinyGoalQ(12, 3).get_weights()])
    goals = np.stack((walks.rows[:, 0], walks.cols[:, 0]), axis=-1)
    goals[1::2] = own_goals.choose(walks, np.random.default_rng(0))[1::2]
    batch = with_goals(walks, goals)
    targets = learner.targets(batch).numpy()
    networks = (learner.online, learner.target)
    seen = shown(walks.next_observations, goals)
    picking, giving = (networks[i](seen).numpy() for i in (1 - by_hand, by_hand))
    for index in range(len(goals)):
        reached = (walks.rows[index, 0], walks.cols[index, 0]) == tuple(goals[index])
        value = giving[index, picking[index].argmax()].clip(0, 1)
        assert targets[index] == pytest.approx(1.0 if reached else GAMMA * value, abs=1e-6)
    assert batch.reached[::2].all()
    assert not batch.reached[1::2].all()


def test_the_goal_is_one_more_channel() -> None:
    observations = np.full((2, 3, 5, 3), 7, np.uint8)
    seen = shown(observations, np.array([(1, 4), (2, 0)])).numpy()
    assert seen.shape == (2, 3, 5, 4)
    assert seen.dtype == np.uint8
    np.testing.assert_array_equal(seen[..., :3], observations)
    np.testing.assert_array_equal(np.argwhere(seen[..., 3] == 255), [(0, 1, 4), (1, 2, 0)])
    assert seen[..., 3].sum() == 2 * 255


def test_own_goals_are_cells_without_a_wall(walks: Walks) -> None:
    goals = own_goals.choose(walks, np.random.default_rng(0))
    for seen, (row, col) in zip(walks.observations, goals, strict=True):
        assert seen[row, col, 2] < 255
    assert len({tuple(goal) for goal in goals}) > 20


def test_random_goals_are_all_cells_of_the_screen() -> None:
    walks = sample(draw_mazes(5, 0.0), np.random.default_rng(0), 4000)
    goals = random_goals.choose(walks, np.random.default_rng(0))
    counts = np.zeros((8, 8), int)
    np.add.at(counts, tuple(goals.T), 1)
    assert counts.min() > 30
    assert counts.max() < 100


def test_hindsight_chooses_among_what_the_walk_reached(walks: Walks) -> None:
    places = set()
    for seed in range(200):
        goals = hindsight.choose(walks, np.random.default_rng(seed))
        for rows, cols, goal in zip(walks.rows, walks.cols, goals, strict=True):
            assert tuple(goal) in set(zip(rows, cols, strict=True))
        places.add(tuple(goals[5]))
    assert places == set(zip(walks.rows[5], walks.cols[5], strict=True))


def test_hindsight_of_a_walk_that_reached_nothing_is_its_own_goal(pushes: Walks) -> None:
    goals = hindsight.choose(pushes, np.random.default_rng(0))
    reached = pushes.rows >= 0
    assert 0 < reached.any(axis=1).sum() < len(reached)
    assert (goals >= 0).all()
    for index, (row, col) in enumerate(goals):
        if reached[index].any():
            assert (row, col) in zip(pushes.rows[index], pushes.cols[index], strict=True)
        else:
            assert pushes.observations[index, row, col, 2] < 255


def test_mixed_goals_are_half_of_either_kind() -> None:
    walks = sample(draw_mazes(9, 0.0), np.random.default_rng(0), 3000)
    goals = mixed.choose(walks, np.random.default_rng(0))
    on_walk = (walks.rows == goals[:, :1]) & (walks.cols == goals[:, 1:])
    # A random one of 144 cells is on the way of a few cells now and then.
    assert on_walk.any(axis=1).mean() == pytest.approx(0.52, abs=0.04)


@pytest.mark.parametrize("learner", LEARNERS)
def test_every_learner_learns_the_way_in_one_small_maze(learner: str) -> None:
    keras.utils.set_random_seed(0)
    walks = sample(draw_mazes(5, 0.0), np.random.default_rng(0), 4)
    made = make_learner(learner, "convdeconv3", (8, 8, 3), 4, small_start=True, **OPTIONS)
    # The same goals every time.
    losses = [made.learn(walks, np.random.default_rng(0)).loss for _ in range(12)]
    assert np.mean(losses[-3:]) < 0.7 * np.mean(losses[:3])
    frames = made.q_frames(walks.observations)
    assert frames.shape == (4, 8, 8, 4)
    goals = np.array([(1, 1), (3, 2), (0, 0), (7, 7)])
    np.testing.assert_allclose(
        made.q_values(walks.observations, goals),
        frames[np.arange(4), goals[:, 0], goals[:, 1]],
        atol=1e-5,
    )


def test_steps_that_reach_nothing_mark_nothing(pushes: Walks) -> None:
    learner = AllGoals(lambda: TinyQFrames(8), **OPTIONS)
    batch = transitions(pushes)
    assert (batch.rows == -1).any()
    learner.target.set_weights([0 * weight for weight in learner.target.get_weights()])
    # Where the next values are 0, targets are the goals that were reached.
    update = learner.learn(pushes, np.random.default_rng(0))
    fresh = TinyQFrames(8)(pushes.observations).numpy()
    for index, error in enumerate(update.errors):
        target = np.zeros((8, 8))
        if batch.rows[index, 0] >= 0:
            target[batch.rows[index, 0], batch.cols[index, 0]] = 1
        expected = np.abs(fresh[index, ..., batch.actions[index]] - target).mean()
        assert error == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("model", GRID_WORLD)
@pytest.mark.parametrize("small_start", [False, True])
def test_every_network_has_a_cell_for_each_pixel(model: str, small_start: bool) -> None:
    keras.utils.set_random_seed(0)
    network = q_frames_maker(model, (8, 12, 3), 4, small_start=small_start)()
    observations = np.random.default_rng(0).integers(0, 256, (2, 8, 12, 3), np.uint8)
    frames = network(observations).numpy()
    assert frames.shape == (2, 8, 12, 4)
    assert 0 < frames.std() < (0.2 if small_start else 10)
    advantages = network.advantages(observations).numpy()
    np.testing.assert_array_equal(advantages.argmax(axis=-1), frames.argmax(axis=-1))


@pytest.mark.parametrize("model", ANY_SIZE)
def test_a_network_of_any_size_takes_another_size_and_sees_the_same_there(model: str) -> None:
    network = q_frames_maker(model, (16, 16, 3), 4, small_start=False)()
    observation = np.random.default_rng(0).integers(0, 256, (1, 96, 96, 3), np.uint8)
    large = network(observation).numpy()
    assert large.shape == (1, 96, 96, 4)
    moved = network(np.roll(observation, (4, 2), axis=(1, 2))).numpy()
    # Away from the border, what is seen two cells farther is valued two cells farther.
    inside = np.roll(large, (4, 2), axis=(1, 2))[:, 44:52, 44:52]
    np.testing.assert_allclose(moved[:, 44:52, 44:52], inside, atol=1e-4)


def test_shortcuts_bring_a_pixel_to_its_own_place() -> None:
    keras.utils.set_random_seed(0)
    network = q_frames_maker("skip1", (32, 32, 3), 4, small_start=False)()
    network.hidden[-1].norm.gamma.assign(0 * network.hidden[-1].norm.gamma)
    network.hidden[-1].norm.beta.assign(0 * network.hidden[-1].norm.beta)
    observations = np.zeros((2, 32, 32, 3), np.uint8)
    observations[1, 3, 12] = 255
    change = np.abs(np.diff(network(observations).numpy(), axis=0)[0]).max(axis=-1)
    # Nothing comes through the dense layers, and yet the surroundings of the pixel change.
    assert change[3, 12] > 0
    assert change[30, 1] == 0


def test_a_model_that_takes_no_goal_is_refused_in_one_line() -> None:
    with pytest.raises(UserError, match="^--learner hindsight has no model skip1; expected one of"):
        make_learner("hindsight", "skip1", (16, 16, 3), 4, small_start=True, **OPTIONS)


def test_test_sets_are_the_same_every_time_and_differ_in_size_and_kind() -> None:
    first, again = maze_test_set(9, 0.1, 6), maze_test_set(9, 0.1, 6)
    np.testing.assert_array_equal(first.worlds.walls, again.worlds.walls)
    np.testing.assert_array_equal(first.worlds.characters, again.worlds.characters)
    np.testing.assert_array_equal(first.distances, again.distances)
    other = maze_test_set(11, 0.1, 6)
    assert (first.worlds.walls != other.worlds.walls).any()
    assert first.counted[0].sum() == 81
    boards, same = board_test_set(7, 2, "box", 5), board_test_set(7, 2, "box", 5)
    np.testing.assert_array_equal(boards.worlds.boxes, same.worlds.boxes)
    np.testing.assert_array_equal(boards.distances, same.distances)
    assert len(boards.worlds) == 5


def test_given_boards_with_different_numbers_of_boxes_are_searched_each_with_its_kind() -> None:
    from qmap.envs.sokoban_boards import joined
    from qmap.envs.sokoban_search import distances_after

    generator = np.random.default_rng(0)
    parts = [random_boards(generator, 2, 7, boxes, "box") for boxes in (1, 3, 1)]
    test_set, left_out = given_test_set("given", joined(parts))
    assert left_out == 0
    expected = np.concatenate([distances_after(part)[0] for part in parts])
    np.testing.assert_array_equal(test_set.distances, expected)


def test_boards_that_take_too_long_to_search_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    from qmap.envs import sokoban_search

    search = sokoban_search.distances_after
    monkeypatch.setattr(sokoban_search, "distances_after", lambda boards: search(boards, 3000))
    test_set = board_test_set(8, 2, "box", 12)
    assert len(test_set.worlds) == 12
    whole, exact = search(test_set.worlds)
    assert exact.all()
    np.testing.assert_array_equal(test_set.distances, whole)
    monkeypatch.setattr(sokoban_search, "distances_after", lambda boards: search(boards, 5))
    with pytest.raises(UserError, match="^no board of 8 x 8 with 2 boxes was searched to its end"):
        board_test_set(8, 2, "box", 4)
    with pytest.raises(UserError, match="^none of the given boards was searched to its end"):
        given_test_set("given", test_set.worlds)


def test_boards_on_which_nothing_can_be_pushed_have_no_error_in_steps(tmp_path: Path) -> None:
    (tmp_path / "set.txt").write_text("####\n#@ #\n#$.#\n####\n")
    test_set, _ = given_test_set("given", read_boards(tmp_path / "set.txt", "box"))
    result = evaluate(Truth(test_set), test_set, GAMMA)
    assert result.mean_absolute_error_steps is None
    assert result.area_under_curve is None
    assert [band.pairs for band in result.bands] == [0, 0, 0]
    assert table({"given": result}).splitlines()[1].split()[2:] == ["-"] * 5


def test_the_truth_is_without_error_and_always_arrives() -> None:
    test_set = everywhere(maze_test_set(9, 0.1, 2))
    result = evaluate(Truth(test_set), test_set, GAMMA)
    assert result.worlds == len(test_set.worlds)
    assert result.mean_squared_error == 0.0
    assert result.mean_absolute_error_steps == pytest.approx(0.0, abs=1e-4)
    assert result.area_under_curve == 1.0
    near, farther, _ = result.bands
    assert near.arrived == 1.0
    assert near.pairs > 0
    assert farther.arrived in (1.0, None)
    # Every pair of different free cells is followed once.
    sizes = np.unique(test_set.worlds.walls, axis=0, return_counts=True)[1]
    assert sum(band.pairs for band in result.bands) == (sizes * (sizes - 1)).sum()


def test_errors_are_measured_in_squares_and_in_steps() -> None:
    test_set = everywhere(maze_test_set(7, 0.0, 1))
    result = evaluate(Truth(test_set, error=0.1), test_set, GAMMA)
    assert result.mean_squared_error == pytest.approx(0.01, rel=1e-4)
    assert result.area_under_curve == 1.0
    distances = test_set.distances[test_set.reachable]
    believed = np.log(np.clip(GAMMA ** distances.astype(float) + 0.1, None, 1)) / np.log(GAMMA)
    expected = np.abs(believed - distances).mean()
    assert result.mean_absolute_error_steps == pytest.approx(expected, rel=1e-3)


def test_who_goes_the_worst_way_arrives_nowhere_and_is_told_apart_the_wrong_way() -> None:
    test_set = everywhere(maze_test_set(9, 0.0, 1))
    worst = Truth(test_set, error=1.0, sign=-1.0)
    away, arrived = follow(worst, test_set)
    # One step away from a goal, the worst of four actions leads there only if all do.
    assert arrived.mean() < 0.02
    assert away.min() == 1
    assert evaluate(worst, test_set, GAMMA).area_under_curve < 0.2


def test_goals_farther_than_one_and_a_half_times_the_way_do_not_count() -> None:
    test_set = everywhere(maze_test_set(9, 0.3, 1))
    truth = Truth(test_set)

    class Dawdler(Truth):
        """Goes back and forth first: in cells of the even columns it takes the second best."""

        def q_values(self, observations: np.ndarray, goals: np.ndarray) -> np.ndarray:
            values = truth.q_values(observations, goals)
            even = observations[..., 0].any(axis=1).argmax(axis=-1) % 2 == 0
            best = values.argmax(axis=-1)
            values[even, best[even]] = -1
            return values

    assert follow(truth, test_set)[1].all()
    assert 0.0 < follow(Dawdler(test_set), test_set)[1].mean() < 1.0


def test_area_under_curve_equals_a_count_of_pairs() -> None:
    generator = np.random.default_rng(0)
    scores, positive = generator.integers(0, 6, 40).astype(float), generator.random(40) < 0.4
    pairs = [
        1.0 if ours > theirs else 0.5 if ours == theirs else 0.0
        for ours in scores[positive]
        for theirs in scores[~positive]
    ]
    assert area_under_curve(scores, positive) == pytest.approx(np.mean(pairs))
    assert area_under_curve(scores, np.ones(40, bool)) is None


def test_the_table_has_a_line_for_each_test_set() -> None:
    test_set = everywhere(maze_test_set(5, 0.0, 1))
    text = table({"maze-5": evaluate(Truth(test_set), test_set, GAMMA)}).splitlines()
    assert len(text) == 2
    assert text[1].split()[:3] == ["maze-5", "0.00000", "0.00"]
    assert "100.0%" in text[1]
    assert text[1].rstrip().endswith("-")
