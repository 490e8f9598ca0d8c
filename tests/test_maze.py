"""Mazes: random walls, walks and distances against slow, obvious ones; the environment."""

from __future__ import annotations

from collections import deque

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from hypothesis import given, settings
from hypothesis import strategies as st

import qmap.envs  # noqa: F401
from qmap.envs.contract import check_contract
from qmap.envs.gridworld_paths import UNREACHABLE
from qmap.envs.maze import MazeEnv
from qmap.envs.maze_paths import distances_after
from qmap.envs.mazes import random_mazes, random_walls
from qmap.envs.walks import MOVES, random_cells, random_walks
from qmap.utils.errors import UserError

SIZES = st.integers(2, 10).map(lambda half: 2 * half + 1)
SEEDS = st.integers(0, 2**32 - 1)


def slow_step(walls: np.ndarray, row: int, col: int, action: int) -> tuple[int, int]:
    down, right = MOVES[action]
    return (row, col) if walls[row + down, col + right] else (row + down, col + right)


def slow_distances(walls: np.ndarray, start: tuple[int, int]) -> np.ndarray:
    """Breadth-first search with a queue."""
    distances = np.full(walls.shape, UNREACHABLE)
    distances[start] = 0
    queue = deque([start])
    while queue:
        cell = queue.popleft()
        for action in range(4):
            reached = slow_step(walls, *cell, action)
            if distances[reached] == UNREACHABLE:
                distances[reached] = distances[cell] + 1
                queue.append(reached)
    return distances


def regions(walls: np.ndarray) -> int:
    """Number of regions of free cells, counted by flooding one after another."""
    left, count = {tuple(cell) for cell in np.argwhere(~walls)}, 0
    while left:
        found = slow_distances(walls, min(left))
        left -= {tuple(cell) for cell in np.argwhere(found < UNREACHABLE)}
        count += 1
    return count


@settings(max_examples=30, deadline=None)
@given(size=SIZES, seed=SEEDS)
def test_a_perfect_maze_joins_all_its_rooms_by_one_way_each(size: int, seed: int) -> None:
    for walls in random_walls(np.random.default_rng(seed), 3, size, 0.0):
        border = np.ones_like(walls)
        border[1:-1, 1:-1] = False
        assert walls[border].all()
        assert not walls[1::2, 1::2].any()
        assert walls[2:-1:2, 2:-1:2].all()
        rooms = (size // 2) ** 2
        # As many openings as a tree has edges, and still all in one piece: it is one.
        assert np.count_nonzero(~walls) == rooms + rooms - 1
        assert regions(walls) == 1


def test_the_given_share_of_inner_walls_is_taken_away() -> None:
    perfect = np.count_nonzero(~random_walls(np.random.default_rng(0), 1, 15, 0.0))
    inner = 2 * 7 * 6 - (7 * 7 - 1)
    for share in (0.1, 0.5, 1.0):
        mazes = random_walls(np.random.default_rng(1), 400, 15, share)
        taken = (np.count_nonzero(~mazes, axis=(1, 2)) - perfect) / inner
        assert taken.mean() == pytest.approx(share, abs=0.02)


def test_all_mazes_of_a_batch_differ_and_no_direction_is_preferred() -> None:
    mazes = random_walls(np.random.default_rng(2), 3000, 15, 0.0)
    assert len(np.unique(mazes[:500].reshape(500, -1), axis=0)) == 500
    share = mazes.mean(axis=0)
    for mirrored in (share[::-1], share[:, ::-1], share.T):
        np.testing.assert_allclose(share, mirrored, atol=0.05)


@settings(max_examples=25, deadline=None)
@given(size=SIZES, seed=SEEDS, length=st.integers(1, 6))
def test_walks_go_where_a_slow_step_goes(size: int, seed: int, length: int) -> None:
    generator = np.random.default_rng(seed)
    mazes = random_mazes(generator, 5, size, 0.2)
    walks = random_walks(mazes, generator, length)
    for index, walls in enumerate(mazes.walls.reshape(5, mazes.side, mazes.side)):
        seen, then = walks.observations[index], walks.next_observations[index]
        np.testing.assert_array_equal(seen[..., 2] == 255, walls)
        np.testing.assert_array_equal(then[..., 2] == 255, walls)
        np.testing.assert_array_equal(seen[..., 0], seen[..., 1])
        ((row, col),) = np.argwhere(seen[..., 0] == 255)
        assert not walls[row, col]
        reached = slow_step(walls, row, col, walks.actions[index])
        assert [reached] == [tuple(cell) for cell in np.argwhere(then[..., 0] == 255)]
        here = reached
        assert here == (walks.rows[index, 0], walks.cols[index, 0])
        for cell in zip(walks.rows[index, 1:], walks.cols[index, 1:], strict=True):
            assert cell in [slow_step(walls, *here, action) for action in range(4)]
            here = cell


def test_walks_start_in_every_free_cell_equally_often() -> None:
    generator = np.random.default_rng(3)
    allowed = np.tile(np.array([True, False, True, True, False]), (6000, 1))
    counts = np.bincount(random_cells(generator, allowed), minlength=5)
    assert counts[1] == counts[4] == 0
    np.testing.assert_allclose(counts[[0, 2, 3]], 2000, atol=200)


@settings(max_examples=25, deadline=None)
@given(size=SIZES, seed=SEEDS)
def test_distances_equal_those_of_a_search_with_a_queue(size: int, seed: int) -> None:
    mazes = random_mazes(np.random.default_rng(seed), 3, size, 0.15).everywhere()
    distances = distances_after(mazes)
    for index in range(0, len(mazes), 7):
        walls = mazes.walls[index].reshape(mazes.side, mazes.side)
        row, col = divmod(mazes.characters[index], mazes.side)
        for action in range(4):
            expected = slow_distances(walls, slow_step(walls, row, col, action))
            np.testing.assert_array_equal(distances[index, ..., action], expected)


def test_distances_in_the_largest_mazes_are_right_too() -> None:
    maze = random_mazes(np.random.default_rng(12), 1, 63, 0.0)
    walls, start = maze.walls.reshape(64, 64), divmod(maze.step(np.array([0]))[1][0], 64)
    distances = distances_after(maze)[0, ..., 0]
    assert distances[distances < UNREACHABLE].max() > 255
    np.testing.assert_array_equal(distances, slow_distances(walls, start))


def test_the_environment_keeps_the_contracts() -> None:
    env = gymnasium.make("qmap/Maze-v0", size=9)
    check_env(env.unwrapped, skip_render_check=True)
    check_contract(env)
    assert env.unwrapped.coords_shape == (12, 12)


def test_the_environment_shows_a_new_maze_in_every_episode() -> None:
    env = MazeEnv(size=9)
    first, _ = env.reset(seed=0)
    second, _ = env.reset()
    again, _ = MazeEnv(size=9).reset(seed=0)
    assert (first[..., 2] != second[..., 2]).any()
    np.testing.assert_array_equal(first, again)


def test_the_environment_says_where_the_character_is() -> None:
    env = MazeEnv(size=7, max_steps=40)
    observation, info = env.reset(seed=1)
    for step in range(40):
        before = info["position"]
        observation, reward, terminated, truncated, info = env.step(step * 7 % 4)
        row, col = info["position"]
        np.testing.assert_array_equal(info["coords"], (row, col, 0))
        assert tuple(observation[row, col]) == (255, 255, 0)
        assert (row, col) == slow_step(observation[..., 2] == 255, *before, step * 7 % 4)
        assert (reward, terminated, truncated) == (0.0, False, step == 39)


def test_the_environment_goes_on_from_a_saved_state() -> None:
    env, other = MazeEnv(size=9), MazeEnv(size=9)
    env.reset(seed=5)
    env.step(0)
    other.reset(seed=6)
    other.restore_state(env.save_state())
    for action in (0, 1, 2, 3, 2):
        np.testing.assert_array_equal(env.step(action)[0], other.step(action)[0])
    np.testing.assert_array_equal(env.reset()[0], other.reset()[0])


def test_the_picture_shows_the_walls_and_the_character() -> None:
    env = MazeEnv(size=9, render_mode="rgb_array")
    observation, info = env.reset(seed=0)
    picture = env.render()
    assert picture.shape == (12 * 16, 12 * 16, 3)
    # The lower edge of a cell shows a wall or the floor, its middle the character.
    dark = picture[14::16, 3::16].sum(axis=-1) < 300
    np.testing.assert_array_equal(dark, observation[..., 2] == 255)
    row, col = info["position"]
    assert tuple(picture[row * 16 + 8, col * 16 + 8]) == (236, 110, 44)
    assert MazeEnv(size=9).render() is None


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"size": 14}, "the size of a maze is 14, expected an odd number from 5 to 63"),
        ({"size": 3}, "the size of a maze is 3"),
        ({"size": 65}, "the size of a maze is 65"),
        ({"open_walls": 1.5}, "the share of open walls is 1.5, expected 0 to 1"),
        ({"render_mode": "human"}, "render_mode is 'human'"),
        ({"max_steps": 0}, "max_steps is 0"),
    ],
)
def test_what_is_no_maze_is_refused_in_one_line(options: dict, words: str) -> None:
    with pytest.raises(UserError, match=f"^{words}"):
        MazeEnv(**options)
