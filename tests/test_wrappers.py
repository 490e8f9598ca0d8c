"""Environments that are not of this project, good and bad, behind the wrappers."""

from __future__ import annotations

import math
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from hypothesis import given, settings
from hypothesis import strategies as st

from qmap.envs.contract import check_contract
from qmap.envs.wrappers import GoalGrid
from qmap.utils.errors import UserError


class Blob(gymnasium.Env):
    """A white square of 10 x 10 pixels, moved around on 60 x 80 pixels, off the screen too."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 10}
    action_space = spaces.Discrete(4)
    observation_space = spaces.Box(-1000, 1000, (2,), np.int64)

    def __init__(self, render_mode: str | None = None) -> None:
        self.render_mode = render_mode
        self.place = np.zeros(2, np.int64)
        self.renderings = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        self.place = np.zeros(2, np.int64)
        return self.place.copy(), {}

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self.place += [(-10, 0), (0, -10), (0, 10), (10, 0)][action]
        return self.place.copy(), 0.0, False, False, {}

    def render(self) -> np.ndarray:
        self.renderings += 1
        screen = np.zeros((60, 80, 3), np.uint8)
        row, col = self.place
        if row >= 0 and col >= 0:
            screen[row : row + 10, col : col + 10] = 255
        return screen


def cell(env: gymnasium.Env, observation: np.ndarray, info: dict[str, Any]) -> np.ndarray:
    return observation // 10


def blob(**options: Any) -> GoalGrid:
    return GoalGrid(Blob("rgb_array"), coords_shape=(6, 8), coords=cell, **options)


def tile(env: gymnasium.Env, observation: int, info: dict[str, Any]) -> tuple[int, int]:
    return divmod(observation, 4)


def test_frozen_lake_becomes_an_environment_for_q_map() -> None:
    pytest.importorskip("pygame")
    env = gymnasium.make("FrozenLake-v1", render_mode="rgb_array", is_slippery=False)
    names = ("LEFT", "DOWN", "RIGHT", "UP")
    env = GoalGrid(env, (4, 4), coords=tile, position_channel=True, action_names=names)
    check_contract(env)
    frame, info = env.reset(seed=0)
    assert frame.shape == (8, 8, 2)
    assert info["coords"].tolist() == [0, 0, 0]
    right, down = 2, 1
    for action in (right, right, down):
        previous = frame
        frame, _, terminated, _, info = env.step(action)
    assert not terminated
    assert info["coords"].tolist() == [1, 2, 0]
    assert info["position"].tolist() == [64 + 32, 128 + 32]
    assert frame[2:4, 4:6, 1].tolist() == [[255, 255], [255, 255]]
    # The character left the tile above and is seen on the one it went to.
    moved = np.argwhere(previous[..., 0] != frame[..., 0]).tolist()
    assert {tuple(pixel) for pixel in moved} == {(r, c) for r in range(4) for c in (4, 5)}
    assert env.render().shape == (256, 256, 3)
    assert env.action_names == names
    env.close()


def test_frames_show_the_screen_at_two_pixels_a_cell() -> None:
    env = blob()
    frame, _ = env.reset()
    assert frame in env.observation_space
    frame = env.step(2)[0]
    expected = np.zeros((16, 16), np.uint8)
    expected[:2, 2:4] = 255
    np.testing.assert_array_equal(frame[..., 0], expected)


@given(actions=st.lists(st.integers(0, 3), max_size=25))
def test_coordinates_off_the_grid_are_clipped(actions: list[int]) -> None:
    env = blob(position_channel=True)
    env.reset()
    for action in actions:
        frame, _, _, _, info = env.step(action)
        row, col = np.clip(env.unwrapped.place // 10, 0, [5, 7])
        assert info["coords"].tolist() == [row, col, 0]
        assert info["coords"].dtype == np.int64
        assert info["position"].tolist() == [10 * row + 5, 10 * col + 5]
        assert frame[2 * row, 2 * col, 1] == 255


@given(
    row=st.integers(-9, 9),
    col=st.integers(-99, 99),
    window=st.integers(0, 50),
    part=st.floats(0, 1),
)
def test_columns_are_clipped_to_a_scrolling_window(
    row: int, col: int, window: int, part: float
) -> None:
    env = GoalGrid(Blob("rgb_array"), (4, 8), coords=lambda *_: (row, col + part / 2, window))
    coords = env.reset()[1]["coords"]
    expected = [min(max(row, 0), 3), min(max(col, window), window + 7), window]
    assert coords.tolist() == expected


def test_the_screen_is_rendered_once_a_step_and_never_changed_later() -> None:
    env = blob()
    env.reset()
    env.step(2)
    screen = env.render()
    assert env.unwrapped.renderings == 2
    kept = screen.copy()
    screen[:] = 7
    np.testing.assert_array_equal(env.render(), kept)
    np.testing.assert_array_equal(kept, Blob.render(env.unwrapped))


def test_observations_that_are_frames_already_can_be_kept() -> None:
    frames = gymnasium.wrappers.TransformObservation(
        Blob(),
        lambda place: np.full((12, 16, 1), place[1] % 256, np.uint8),
        spaces.Box(0, 255, (12, 16, 1), np.uint8),
    )

    def place(env: gymnasium.Env, observation: Any, info: Any) -> tuple[int, int]:
        return tuple(env.unwrapped.place // 10)

    env = GoalGrid(frames, (6, 8), coords=place, use_screen=False)
    check_contract(env)
    env.reset()
    frame, _, _, _, info = env.step(2)
    assert frame.shape == env.observation_space.shape == (16, 16, 1)
    assert (frame[:12] == 10).all()
    assert not frame[12:].any()
    assert info["coords"].tolist() == info["position"].tolist() + [0] == [0, 1, 0]
    assert env.unwrapped.renderings == 0


def test_full_resolution_positions_can_be_given() -> None:
    env = blob(position=lambda env, observation, info: observation + 3)
    env.reset()
    assert env.step(2)[-1]["position"].tolist() == [3, 13]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"coords_shape": (0, 8)}, r"coords_shape is \(0, 8\), expected \(rows, cols\)"),
        ({"coords_shape": 8}, "coords_shape is 8, expected"),
        ({"env": Blob()}, "Blob has render_mode=None, expected 'rgb_array'"),
        (
            {"env": gymnasium.wrappers.TransformAction(Blob(), None, spaces.Box(-1, 1))},
            r"actions are Box\(.*, expected Discrete",
        ),
    ],
)
def test_what_cannot_be_wrapped_is_said_at_once(options: dict[str, Any], message: str) -> None:
    arguments = {"env": Blob("rgb_array"), "coords_shape": (6, 8), "coords": cell, **options}
    if options.get("env") is not None and "Box" in message:
        arguments["use_screen"] = False
    with pytest.raises(UserError, match=message) as error:
        GoalGrid(**arguments)
    assert "\n" not in str(error.value)


class Marked(gymnasium.Env):
    """A world of any number of cells on a screen of any size: one cell is white.

    The white pixels are those that `ScreenProcessor.coords` takes for that cell.
    """

    action_space = spaces.Discrete(1)
    render_mode = "rgb_array"

    def __init__(self, grid: tuple[int, int], screen: tuple[int, int]) -> None:
        self.grid, self.screen = grid, screen
        self.cell = (0, 0)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[int, dict[str, Any]]:
        return 0, {}

    def step(self, action: int) -> tuple[int, float, bool, bool, dict[str, Any]]:
        return 0, 0.0, False, False, {}

    def render(self) -> np.ndarray:
        inside = [
            [pixel * cells // pixels == index for pixel in range(pixels)]
            for pixels, cells, index in zip(self.screen, self.grid, self.cell, strict=True)
        ]
        white = np.array(inside[0])[:, None] & np.array(inside[1])
        return np.where(white[..., None], 255, 0).astype(np.uint8).repeat(3, axis=2)


@given(data=st.data(), rows=st.integers(1, 23), cols=st.integers(1, 23), color=st.booleans())
@settings(max_examples=150, deadline=None)
def test_a_marked_cell_of_any_screen_lights_up_its_own_four_pixels_alone(
    data: st.DataObject, rows: int, cols: int, color: bool
) -> None:
    screen = tuple(data.draw(st.integers(size, 9 * size)) for size in (rows, cols))
    world = Marked((rows, cols), screen)
    env = GoalGrid(world, (rows, cols), lambda *_: world.cell, color=color, position_channel=True)
    assert env.grid_shape == (rows, cols)
    assert env.coords_shape == (4 * math.ceil(rows / 4), 4 * math.ceil(cols / 4))
    env.reset()
    assert env.cell_shape == (screen[0] / rows, screen[1] / cols)
    row, col = world.cell = (
        data.draw(st.integers(0, rows - 1)),
        data.draw(st.integers(0, cols - 1)),
    )
    frame, _, _, _, info = env.step(0)
    assert frame in env.observation_space
    expected = np.zeros(frame.shape, np.uint8)
    expected[2 * row : 2 * row + 2, 2 * col : 2 * col + 2] = 255
    np.testing.assert_array_equal(frame, expected)
    assert info["coords"].tolist() == [row, col, 0]
    assert world.render()[tuple(info["position"])].tolist() == [255, 255, 255]


@pytest.mark.parametrize("grid", [(61, 8), (6, 81), (1000, 1000)])
def test_a_screen_with_fewer_pixels_than_cells_is_said(grid: tuple[int, int]) -> None:
    env = GoalGrid(Blob("rgb_array"), grid, coords=cell)
    with pytest.raises(UserError, match=r"screen of Blob has 60 x 80 pixels, too few for a grid"):
        env.reset()


def test_coordinates_that_had_to_be_clipped_are_told() -> None:
    env = blob()
    assert env.reset()[1]["qmap"] == {"clipped": False}
    up, _, right, _ = range(4)
    assert env.step(up)[-1]["qmap"] == {"clipped": True}
    env.reset()
    assert [env.step(right)[-1]["qmap"]["clipped"] for _ in range(9)] == [False] * 7 + [True] * 2


def test_own_keys_of_a_world_are_left_alone_and_ours_come_from_what_is_given() -> None:
    own = {"room": "kitchen", "distance": None, "completed": 3, "screen": "title"}
    inner = Blob("rgb_array")
    inner.step = lambda action: (np.zeros(2, np.int64), 0.0, False, False, dict(own))
    env = GoalGrid(inner, (6, 8), cell)
    env.reset()
    info = env.step(0)[-1]
    assert {key: info[key] for key in own} == own
    assert info["qmap"] == {"clipped": False}
    env = GoalGrid(
        inner,
        (6, 8),
        cell,
        room=lambda env, observation, info: np.int64(len(info)),
        distance=lambda env, observation, info: 7.9 if info else None,
        completed=lambda env, observation, info: np.bool_(info.get("completed") == 3),
    )
    assert env.reset()[1]["qmap"] == {"room": 0, "completed": False, "clipped": False}
    told = env.step(0)[-1]["qmap"]
    assert told == {"room": 4, "distance": 7, "completed": True, "clipped": False}
    assert [type(value) for value in told.values()] == [int, int, bool, bool]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("room", "kitchen", "room of Blob: got 'kitchen', expected a whole number from 0 to 1,048"),
        ("room", -1, "room of Blob: got -1, expected a whole number"),
        ("room", 2**20, "room of Blob: got 1048576, expected a whole number"),
        ("room", None, "room of Blob: got None, expected a whole number"),
        ("distance", float("nan"), "distance of Blob: got nan, expected a number of pixels"),
        ("distance", float("inf"), "distance of Blob: got inf, expected a number of pixels"),
        (
            "distance",
            (3.0, 4.0),
            r"distance of Blob: got \(3.0, 4.0\), expected a number of pixels",
        ),
        ("completed", 1, "completed of Blob: got 1, expected True or False"),
        ("completed", None, "completed of Blob: got None, expected True or False"),
    ],
)
def test_what_cannot_be_a_room_a_distance_or_a_completion_is_said(
    name: str, value: Any, message: str
) -> None:
    env = blob(**{name: lambda *_: value})
    with pytest.raises(UserError, match=message) as error:
        env.reset()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("info", "message"),
    [
        (None, "^Blob: info is None, expected a dictionary$"),
        ([], r"^Blob: info is \[\], expected a dictionary$"),
        ({"qmap": 3}, r"^Blob: info\['qmap'\] is 3, expected a dictionary$"),
    ],
)
def test_an_info_that_is_no_dictionary_is_said_before_anybody_reads_it(
    info: Any, message: str
) -> None:
    env = GoalGrid(Blob("rgb_array"), (6, 8), coords=lambda env, place, info: info["nothing"])
    env.env.reset = lambda **options: (np.zeros(2, np.int64), info)
    with pytest.raises(UserError, match=message):
        env.reset()


class Resumable(Blob):
    """Also saves its state, and shows nothing once its episode is over."""

    over = False

    def save_state(self) -> np.ndarray:
        return self.place.copy()

    def restore_state(self, state: np.ndarray) -> None:
        self.place = state.copy()

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        observation, reward, _, _, info = super().step(action)
        return observation, reward, self.over, False, info

    def render(self) -> np.ndarray | None:
        return None if self.over else super().render()


def test_after_a_state_is_restored_render_shows_what_is_there() -> None:
    env = GoalGrid(Resumable("rgb_array"), (6, 8), coords=cell)
    env.reset()
    env.step(2)
    state, own = env.unwrapped.save_state(), env.save_state()
    env.reset()
    assert env.render()[0, 10].tolist() == [0, 0, 0]
    env.unwrapped.restore_state(state)
    env.restore_state(own)
    assert env.render()[0, 10].tolist() == [255, 255, 255]
    assert env.render()[0, 0].tolist() == [0, 0, 0]


def test_an_episode_that_shows_nothing_at_its_end_keeps_its_last_screen() -> None:
    env = GoalGrid(Resumable("rgb_array"), (6, 8), coords=cell, position_channel=True)
    env.reset()
    last = env.step(2)[0]
    screen = env.render()
    env.unwrapped.over = True
    frame, _, terminated, _, info = env.step(2)
    assert terminated
    assert info["coords"].tolist() == [0, 2, 0]
    np.testing.assert_array_equal(frame[..., 0], last[..., 0])
    np.testing.assert_array_equal(env.render(), screen)


@pytest.mark.parametrize("begin", ["reset", "step"])
def test_a_screen_that_is_missing_while_the_episode_goes_on_is_said(begin: str) -> None:
    env = GoalGrid(Resumable("rgb_array"), (6, 8), coords=cell)
    env.reset()
    env.unwrapped.render = lambda: None
    with pytest.raises(UserError, match=r"render\(\) of Resumable returned None, expected an RGB"):
        env.reset() if begin == "reset" else env.step(2)


@pytest.mark.parametrize(
    "space",
    [
        spaces.Box(0, 255, (12, 17, 1), np.uint8),
        spaces.Box(0, 255, (12, 16), np.uint8),
        spaces.Box(0, 1, (12, 16, 1), np.float32),
        spaces.Discrete(3),
    ],
)
def test_own_frames_that_do_not_fit_the_grid_are_said(space: spaces.Space) -> None:
    inner = Blob()
    inner.observation_space = space
    with pytest.raises(UserError, match=r"expected a Box of uint8 \(12, 16, channels\), 2 x 2 pix"):
        GoalGrid(inner, (6, 8), coords=cell, use_screen=False)


def test_an_own_frame_that_is_not_of_its_space_is_said() -> None:
    inner = Blob()
    inner.observation_space = spaces.Box(0, 255, (12, 16, 1), np.uint8)
    env = GoalGrid(inner, (6, 8), coords=lambda *_: (0, 0), use_screen=False)
    with pytest.raises(UserError, match=r"Blob: observation is int64 \(2,\), expected uint8 \(12"):
        env.reset()


def test_action_names_must_be_as_many_as_actions() -> None:
    with pytest.raises(UserError, match="Blob: action_names has 1 names, expected 4"):
        blob(action_names=("UP",))


@pytest.mark.parametrize(
    "place", [None, 3, (1,), (1, 2, 3, 4), (1, float("nan")), ("a", 2), (1, 1e99)]
)
def test_bad_coordinates_are_said(place: Any) -> None:
    env = GoalGrid(Blob("rgb_array"), (6, 8), coords=lambda *_: place)
    with pytest.raises(UserError, match=r"coords of Blob: got .*, expected \(row, col\) or"):
        env.reset()


def test_a_bad_position_is_said() -> None:
    env = blob(position=lambda *_: (1, 2, 3))
    with pytest.raises(
        UserError, match=r"position of Blob: got \(1, 2, 3\), expected \(row, col\)"
    ):
        env.reset()


@pytest.mark.parametrize("screen", [np.zeros((60, 80, 3)), np.zeros((60, 80), np.uint8), None])
def test_a_screen_that_is_no_rgb_picture_is_said(screen: np.ndarray | None) -> None:
    env = blob()
    env.unwrapped.render = lambda: screen
    with pytest.raises(UserError, match=r"render\(\) of Blob returned .*, expected an RGB screen"):
        env.reset()
