"""Environments that are not of this project, good and bad, behind the wrappers."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from hypothesis import given
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
    env = GoalGrid(env, coords_shape=(4, 4), coords=tile, position_channel=True)
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
    assert env.action_names == ("0", "1", "2", "3")
    env.close()


def test_frames_show_the_screen_at_two_pixels_a_cell() -> None:
    env = blob()
    frame, _ = env.reset()
    assert frame in env.observation_space
    frame = env.step(2)[0]
    expected = np.zeros((12, 16), np.uint8)
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
    assert np.unique(frame).tolist() == [10]
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


@pytest.mark.parametrize("place", [None, 3, (1,), (1, 2, 3, 4), (1, float("nan")), ("a", 2)])
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
