"""The grid world: the golden figures, levels, the vectorized paths against slow obvious ones."""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Callable
from pathlib import Path

import cv2
import gymnasium
import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from hypothesis import given, settings
from hypothesis import strategies as st

from qmap.envs import make_levels
from qmap.envs.contract import check_contract
from qmap.envs.gridworld import GridWorldEnv
from qmap.envs.gridworld_level import (
    COLS,
    COORDS_SHAPE,
    MOVES,
    SCREEN_COL,
    Level,
    load_level,
    shipped_levels,
)
from qmap.envs.gridworld_paths import UNREACHABLE, distances_after, true_q_frames
from qmap.gridworld.reached import ReachedCells
from qmap.utils.errors import UserError

Golden = Callable[[str], dict[str, np.ndarray]]


def slow_distances_after(walls: np.ndarray, row: int, col: int, action: int) -> np.ndarray:
    """Breadth-first search with a queue, inside the window around `col`."""
    left = col - 15

    def is_free(row: int, col: int) -> bool:
        inside = 0 <= row < 28 and 0 <= col < walls.shape[1] and left <= col < left + 32
        return inside and not walls[row, col]

    start = (row + MOVES[action][0], col + MOVES[action][1])
    start = start if is_free(*start) else (row, col)
    distances = np.full((28, 32), UNREACHABLE)
    distances[start[0], start[1] - left] = 0
    queue = deque([start])
    while queue:
        row, col = queue.popleft()
        for down, right in MOVES:
            cell = (row + down, col + right)
            if is_free(*cell) and distances[cell[0], cell[1] - left] == UNREACHABLE:
                distances[cell[0], cell[1] - left] = distances[row, col - left] + 1
                queue.append(cell)
    return distances


@st.composite
def levels(draw: st.DrawFn) -> Level:
    """Random levels, from empty rooms to sparse cells, of 33 to 60 columns."""
    width = draw(st.integers(33, 60))
    noise = draw(arrays.arrays(np.uint8, (28, width), elements=st.integers(0, 9)))
    walls = noise < draw(st.integers(0, 9))
    walls[[0, -1]] = walls[:, [0, -1]] = True
    row, col = draw(st.integers(1, 26)), draw(st.integers(1, width - 2))
    walls[row, col] = False
    return Level(walls)


@pytest.fixture(scope="module")
def golden_level(golden: Golden) -> tuple[Level, np.ndarray, dict[str, np.ndarray]]:
    figures = golden("gridworld.npz")
    level = Level(figures["walls"])
    return level, level.places[tuple(figures["positions"].T)], figures


def test_observations_are_the_golden_ones(golden_level: tuple) -> None:
    level, places, figures = golden_level
    np.testing.assert_array_equal(level.observations(places), figures["observations"])


def test_steps_lead_where_the_golden_ones_lead(golden_level: tuple) -> None:
    level, _, figures = golden_level
    env = GridWorldEnv(level)
    for position, results in zip(figures["positions"], figures["next_row_col_window"], strict=True):
        for action, expected in enumerate(results):
            env.reset(options={"position": position})
            np.testing.assert_array_equal(env.step(action)[4]["coords"], expected)


def test_true_q_frames_are_the_golden_ones(golden_level: tuple) -> None:
    level, places, figures = golden_level
    q_frames = true_q_frames(level, places, float(figures["gamma"]), np.float64)
    np.testing.assert_allclose(q_frames, figures["q_frames"], rtol=0, atol=1e-12)
    single = true_q_frames(level, places, float(figures["gamma"]))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, figures["q_frames"], rtol=0, atol=1e-7)


@settings(max_examples=60, deadline=None)
@given(level=levels(), data=st.data())
def test_distances_equal_those_of_a_search_with_a_queue(level: Level, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(level.positions) - 1))
    distances = distances_after(level, np.array([place]))[0]
    for action in range(4):
        expected = slow_distances_after(level.walls, *level.positions[place], action)
        np.testing.assert_array_equal(distances[..., action], expected)


def test_a_maze_longer_than_a_byte_counts_is_measured_to_its_end() -> None:
    walls = np.ones((28, 33), bool)
    walls[1:-1:2, 1:-1] = False
    for index, row in enumerate(range(2, 26, 2)):
        walls[row, 1 if index % 2 else 31] = False
    level = Level(walls)
    start = level.places[1, 15]
    distances = distances_after(level, np.array([start]))[0, ..., 0]
    assert distances[distances < UNREACHABLE].max() > 255
    np.testing.assert_array_equal(distances, slow_distances_after(walls, 1, 15, 0))


def test_many_places_in_any_order_give_what_each_gives_alone() -> None:
    level = load_level("level3")
    places = np.random.default_rng(0).integers(len(level.positions), size=300)
    together = distances_after(level, places)
    for index in (0, 127, 128, 255, 299):
        alone = distances_after(level, places[index : index + 1])
        np.testing.assert_array_equal(together[index], alone[0])


@settings(max_examples=25, deadline=None)
@given(level=levels(), seed=st.integers(0, 2**32 - 1))
def test_batches_of_moves_are_steps_of_the_environment(level: Level, seed: int) -> None:
    generator = np.random.default_rng(seed)
    places, actions = generator.integers((len(level.positions), 4), size=(20, 2)).T
    moves = level.moves(places, actions)
    np.testing.assert_array_equal(moves.actions, actions)
    env = GridWorldEnv(level)
    for index, (place, action) in enumerate(zip(places, actions, strict=True)):
        observation, info = env.reset(options={"position": level.positions[place]})
        window = info["coords"][2]
        np.testing.assert_array_equal(moves.observations[index], observation)
        observation, _, _, _, info = env.step(action)
        np.testing.assert_array_equal(moves.next_observations[index], observation)
        assert moves.rows[index] == info["coords"][0]
        assert moves.cols[index] == info["coords"][1] - info["coords"][2]
        assert moves.level_cols[index] == info["coords"][1]
        assert moves.window_shifts[index] == info["coords"][2] - window


@settings(max_examples=25, deadline=None)
@given(level=levels(), seed=st.integers(0, 2**32 - 1))
def test_reached_are_the_cells_that_steps_have_led_to(level: Level, seed: int) -> None:
    generator, reached, there = np.random.default_rng(seed), ReachedCells(level), set()
    for _ in range(3):
        moves = level.sample_moves(generator, 5)
        reached.add(moves)
        there |= set(zip(moves.rows.tolist(), moves.level_cols.tolist(), strict=True))
        again = ReachedCells(level)
        again.restore(reached.state())
        windows = again.windows(moves)
        assert windows.shape == (5, *COORDS_SHAPE)
        for window, col, shift in zip(windows, moves.level_cols, moves.window_shifts, strict=True):
            first = col - shift - SCREEN_COL
            seen = {(row, first + at) for row, at in np.argwhere(window).tolist()}
            in_sight = {place for place in there if 0 <= place[1] - first < COLS}
            assert seen == in_sight


def test_every_free_cell_and_action_is_drawn_about_equally_often() -> None:
    walls = np.ones((28, 33), bool)
    walls[5, 4:8] = False
    moves = Level(walls).sample_moves(np.random.default_rng(0), 40_000)
    # From a cell of a corridor the window shift says where the action led.
    counts = np.bincount(moves.actions, minlength=4)
    assert abs(counts - 10_000).max() < 400
    right = moves.window_shifts[moves.actions == 2]
    assert abs(right.mean() - 3 / 4) < 0.02


@settings(max_examples=50, deadline=None)
@given(level=levels(), data=st.data())
def test_the_window_keeps_the_character_at_column_15(level: Level, data: st.DataObject) -> None:
    env = GridWorldEnv(level)
    observation, info = env.reset(seed=data.draw(st.integers(0, 99)))
    for action in data.draw(st.lists(st.integers(0, 3), max_size=10)):
        observation, _, _, _, info = env.step(action)
    row, col, window = info["coords"]
    assert col - window == 15
    assert not level.walls[row, col]
    np.testing.assert_array_equal(info["position"], (row, col))
    np.testing.assert_array_equal(np.argwhere(observation[..., 0]), [(row, 15)])
    np.testing.assert_array_equal(observation[..., 0], observation[..., 1])
    for screen_row in range(28):
        for screen_col in range(32):
            world_col = window + screen_col
            inside = 0 <= world_col < level.walls.shape[1]
            wall = not inside or level.walls[screen_row, world_col]
            assert observation[screen_row, screen_col, 2] == 255 * wall


def test_gymnasium_and_the_contract_are_kept() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message=".*not set to the original.*")
        env = gymnasium.make("qmap/GridWorld-v0", render_mode="rgb_array", level="level2")
        check_env(env.unwrapped)
    check_contract(env)


def test_episodes_only_end_by_the_limit_of_steps() -> None:
    env = GridWorldEnv(max_steps=3)
    env.reset(seed=0)
    assert [env.step(0)[1:4] for _ in range(3)] == [
        (0.0, False, False),
        (0.0, False, False),
        (0.0, False, True),
    ]
    env.reset()
    assert env.step(0)[3] is False


def test_a_step_outside_of_an_episode_is_refused() -> None:
    env = GridWorldEnv(max_steps=1)
    with pytest.raises(UserError, match=r"call reset\(\) first"):
        env.step(0)
    env.reset(seed=0)
    assert env.step(0)[3]
    with pytest.raises(UserError, match=r"call reset\(\) first"):
        env.step(0)
    other = GridWorldEnv(max_steps=1)
    other.restore_state(env.save_state())
    with pytest.raises(UserError, match=r"call reset\(\) first"):
        other.step(0)


def test_equal_seeds_start_in_equal_cells() -> None:
    env, other = GridWorldEnv(), GridWorldEnv()
    starts = [env.reset(seed=5)[1]["position"], *(env.reset()[1]["position"] for _ in range(5))]
    same = [other.reset(seed=5)[1]["position"], *(other.reset()[1]["position"] for _ in range(5))]
    np.testing.assert_array_equal(starts, same)
    assert len({tuple(position) for position in starts}) > 1


def test_a_restored_state_continues_exactly() -> None:
    env = GridWorldEnv(max_steps=8)
    env.reset(seed=3)
    env.step(2)
    env.np_random.integers(10, dtype=np.int32)  # leaves half a draw over
    state = env.save_state()
    assert all(isinstance(value, np.ndarray) for value in state.values())

    def go_on(env: GridWorldEnv) -> list[tuple]:
        moments = [env.step(action)[2:] for action in (1, 2, 3, 3, 2, 2, 2)]
        moments += [env.reset() for _ in range(3)]
        return [
            tuple(moment[-1]["position"]) + tuple(map(bool, moment[:-1][1:])) for moment in moments
        ]

    expected = go_on(env)
    other = GridWorldEnv(max_steps=8)
    other.restore_state(state)
    assert go_on(other) == expected


def test_the_picture_shows_the_walls_and_the_character() -> None:
    env = GridWorldEnv(render_mode="rgb_array")
    _, info = env.reset(seed=0)
    row, col, window = info["coords"]
    picture = env.render()
    assert picture.shape == (448, 512, 3)
    assert picture.dtype == np.uint8
    walls = env.level.windows[col]
    cells = picture.reshape(28, 16, 32, 16, 3)[:, 8, :, 8].astype(int)
    assert (cells[walls].sum(axis=-1) < 250).all()
    others = ~walls
    others[row, 15] = False
    assert (cells[others].sum(axis=-1) > 600).all()
    assert 250 < cells[row, 15].sum() < 600
    picture[:] = 0
    assert env.render().any()
    assert GridWorldEnv().render() is None


@pytest.mark.parametrize("position", [(0, 0), (5, -1), (5, 400), (28, 5), (-3, 5)])
def test_a_start_that_is_no_free_cell_is_refused(position: tuple[int, int]) -> None:
    with pytest.raises(UserError, match="no free cell at row"):
        GridWorldEnv().reset(options={"position": position})


@pytest.mark.parametrize(
    ("options", "words"),
    [({"render_mode": "human"}, "expected None or 'rgb_array'"), ({"max_steps": 0}, "at least 1")],
)
def test_bad_options_are_refused(options: dict, words: str) -> None:
    with pytest.raises(UserError, match=words):
        GridWorldEnv(**options)


def test_three_connected_levels_are_shipped() -> None:
    assert shipped_levels() == ["level1", "level2", "level3"]
    for name in shipped_levels():
        level = load_level(name)
        assert level.walls.shape == (28, 400)
        free = (~level.walls).astype(np.uint8)
        assert cv2.connectedComponents(free, connectivity=4)[0] == 2
        assert 0.1 < level.walls[1:-1, 1:-1].mean() < 0.3


@pytest.mark.parametrize("name", ["level1", "level2", "level3"])
def test_a_shipped_level_has_as_many_walls_where_it_is_compared_as_elsewhere(name: str) -> None:
    interior = load_level(name).walls[1:-1, 1:-1]
    assert interior.mean() == pytest.approx(0.15, abs=0.01)
    # The first 30 columns, and what can be seen from there.
    assert interior[:, :47].mean() == pytest.approx(0.15, abs=0.01)


def test_the_shipped_levels_are_what_the_program_draws() -> None:
    for name, draw in make_levels.LEVELS.items():
        np.testing.assert_array_equal(load_level(name).walls, draw())


def image(folder: Path, walls: np.ndarray, name: str = "maze.png") -> Path:
    path = folder / name
    cv2.imwrite(str(path), np.where(walls, 0, 255).astype(np.uint8))
    return path


def room(height: int = 28, width: int = 40) -> np.ndarray:
    walls = np.ones((height, width), bool)
    walls[1:-1, 1:-1] = False
    return walls


@pytest.mark.parametrize("name", ["my maze, 1.png", "maze.bmp", "maze.jpg"])
def test_a_level_is_loaded_from_an_image_file(tmp_path: Path, name: str) -> None:
    walls = room(width=33)
    walls[8:16, 8:16] = True
    level = load_level(image(tmp_path, walls, name))
    np.testing.assert_array_equal(level.walls, walls)
    assert level.name in ("my_maze_1", "maze")


def test_levels_that_cannot_be_used_are_refused_in_one_line(tmp_path: Path) -> None:
    open_border = room()
    open_border[5, -1] = False
    not_an_image = tmp_path / "notes.txt"
    not_an_image.write_text("a level?")
    empty = tmp_path / "empty.png"
    empty.touch()
    for level, words in (
        ("level9", "no level level9; expected an image file or one of level1, level2, level3"),
        (tmp_path, "no level"),
        (not_an_image, "not an image"),
        (empty, "not an image"),
        (image(tmp_path, room(height=29), "tall.png"), "has 29 rows"),
        (image(tmp_path, room(width=32), "narrow.png"), "32 columns"),
        (image(tmp_path, np.ones((28, 40), bool), "full.png"), "no free cell"),
        (image(tmp_path, open_border, "open.png"), "open at its border (row 5, column 39)"),
    ):
        with pytest.raises(UserError) as caught:
            GridWorldEnv(level)
        assert words in str(caught.value)
        assert "\n" not in str(caught.value)
