"""The picture of a step: everything it promises is where it promises, at any input."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qmap.utils.drawing import COLORS
from qmap.utils.picture import CANDIDATES, GOAL, LARGEST, POSITION, Picture, StepRecord

ROWS, COLS = 28, 20
SCREEN = (210, 160, 3)


def record(**changes: object) -> StepRecord:
    rng = np.random.default_rng(0)
    step = StepRecord(
        observation=rng.integers(0, 256, (56, 40, 3), dtype=np.uint8),
        screen=rng.integers(0, 256, SCREEN, dtype=np.uint8),
        q_max=rng.random((ROWS, COLS), dtype=np.float32),
        coords=(10, 5),
        goal=(20, 15),
        candidates=np.zeros((ROWS, COLS), bool),
        kind="goal",
        action="RIGHTFIRE",
        step=12,
        episode_return=100.0,
    )
    return dataclasses.replace(step, **changes)


def changed(picture: Picture, one: StepRecord, other: StepRecord) -> np.ndarray:
    """Return the columns of the panels in which two pictures differ."""
    difference = (picture.draw(one) != picture.draw(other)).any(axis=2)
    return np.flatnonzero(difference.any(axis=0))


def colored(pixels: np.ndarray, color: tuple[int, int, int]) -> bool:
    return bool((pixels == np.array(color, np.uint8)).all(axis=2).any())


@pytest.mark.parametrize("q_map", [True, False])
@pytest.mark.parametrize(
    ("coords_shape", "screen_shape"),
    [
        ((28, 20), (210, 160, 3)),
        ((28, 32), (224, 256, 3)),
        ((28, 32), (28, 32, 3)),
        ((3, 5), (61, 33, 3)),
        ((8, 8), (1080, 1920, 3)),
        ((700, 900), (2100, 2700, 3)),
        ((16, 2), (3000, 20, 3)),
    ],
)
def test_pictures_have_even_sizes_that_never_change(
    coords_shape: tuple[int, int], screen_shape: tuple[int, int, int], q_map: bool
) -> None:
    picture = Picture(coords_shape, screen_shape, q_map=q_map)
    drawn = picture.draw(
        record(screen=np.zeros(screen_shape, np.uint8), q_max=None, candidates=None, coords=(1, 1))
    )
    assert drawn.shape == picture.shape
    assert drawn.dtype == np.uint8
    assert drawn.shape[0] % 2 == drawn.shape[1] % 2 == 0
    assert drawn.shape[0] <= LARGEST[0] + 102
    assert drawn.shape[1] <= 3 * LARGEST[1] + 200


def test_without_a_q_map_its_panel_is_left_out() -> None:
    assert (
        Picture((ROWS, COLS), SCREEN, q_map=False).shape[1] < Picture((ROWS, COLS), SCREEN).shape[1]
    )


def test_position_and_goal_are_boxed_in_their_cells() -> None:
    picture = Picture((ROWS, COLS), SCREEN)
    drawn = picture.draw(record())
    for panel in (
        picture._panel_of(drawn, picture._view),
        picture._panel_of(drawn, picture._values),
    ):
        cell = int(picture._cell[0])
        for (row, col), color in (((10, 5), POSITION), ((20, 15), GOAL)):
            box = panel[row * cell : (row + 1) * cell, col * cell : (col + 1) * cell]
            assert colored(box, color)
            assert not colored(panel[: (row - 1) * cell], color)


@pytest.mark.parametrize(
    ("coords_shape", "screen_shape", "panel"),
    [
        ((28, 20), (210, 160), (336, 240)),  # of 210 rows with 7 black ones above and below
        ((28, 32), (224, 256), (224, 256)),
        ((8, 8), (64, 64), (288, 288)),
        ((8, 8), (1080, 1920), (360, 640)),
        ((8, 8), (400, 600), (400, 600)),
        ((160, 4), (160, 160), (320, 240)),
    ],
)
def test_panels_have_the_shape_of_the_screen_but_never_its_size_if_it_is_large(
    coords_shape: tuple[int, int], screen_shape: tuple[int, int], panel: tuple[int, int]
) -> None:
    assert Picture(coords_shape, (*screen_shape, 3))._panel == panel


def test_cells_that_are_not_square_are_boxed_where_they_are() -> None:
    picture = Picture((8, 8), (200, 400, 3))
    height, width = (int(size) for size in picture._cell)
    assert height == width // 2
    black = np.zeros((16, 16, 3), np.uint8)
    step = record(observation=black, coords=(5, 2), goal=None, candidates=None, q_max=None)
    panel = picture._panel_of(picture.draw(step), picture._view)
    rows, cols = np.nonzero((panel == np.array(POSITION, np.uint8)).all(axis=2))
    # Lines are two pixels wide, one to each side of the edge.
    assert abs(rows.min() - 5 * height) <= 1
    assert abs(rows.max() - (6 * height - 1)) <= 1
    assert abs(cols.min() - 2 * width) <= 1
    assert abs(cols.max() - (3 * width - 1)) <= 1


def test_the_heat_map_shows_each_value_in_its_cell() -> None:
    picture = Picture((ROWS, COLS), SCREEN)
    step = record(coords=(-1, -1), goal=None)
    panel = picture._panel_of(picture.draw(step), picture._values)
    cell = int(picture._cell[0])
    shown = panel[cell // 2 :: cell, cell // 2 :: cell]
    np.testing.assert_array_equal(shown, COLORS[np.rint(step.q_max * 255).astype(int)])


def test_higher_values_are_brighter() -> None:
    assert (np.diff(COLORS[::16].astype(int).sum(axis=1)) > 0).all()


def test_candidates_tint_their_cells_and_no_others() -> None:
    picture = Picture((ROWS, COLS), SCREEN)
    candidates = np.zeros((ROWS, COLS), bool)
    candidates[3, 7] = True
    black = np.zeros((56, 40, 3), np.uint8)
    step = record(observation=black, coords=(-1, -1), goal=None, candidates=candidates)
    panel = picture._panel_of(picture.draw(step), picture._view)
    rows, cols = np.nonzero(panel.any(axis=2))
    cell = int(picture._cell[0])
    assert (rows.min(), rows.max() + 1) == (3 * cell, 4 * cell)
    assert (cols.min(), cols.max() + 1) == (7 * cell, 8 * cell)
    tint = panel[rows[0], cols[0]].astype(float)
    np.testing.assert_allclose(tint / tint.max(), np.array(CANDIDATES) / 255, atol=0.02)


def test_the_newest_frames_are_shown() -> None:
    picture = Picture((ROWS, COLS), SCREEN)
    frames = np.zeros((56, 40, 5), np.uint8)
    frames[..., :2] = 255  # too old to be among the last three
    panel = picture._panel_of(
        picture.draw(record(observation=frames, coords=(-1, -1), goal=None)), picture._view
    )
    assert not panel.any()


def test_each_part_of_the_caption_shows() -> None:
    picture = Picture((ROWS, COLS), SCREEN)
    for change in (
        {"kind": "greedy goal"},
        {"action": "LEFT"},
        {"step": 13},
        {"episode_return": 200.0},
    ):
        difference = picture.draw(record()) != picture.draw(record(**change))
        assert difference.any()
        assert not difference[: picture._panel[0]].any()


def test_values_that_were_not_computed_leave_the_panel_empty() -> None:
    picture = Picture((ROWS, COLS), SCREEN)
    step = record(q_max=None, goal=None)
    panel = picture._panel_of(picture.draw(step), picture._values)
    assert np.unique(panel.reshape(-1, 3), axis=0).shape[0] > 1
    assert panel.std() < 20
    assert changed(picture, step, dataclasses.replace(step, q_max=np.ones((ROWS, COLS)))).size


@given(
    coords=st.tuples(st.integers(-50, 80), st.integers(-50, 80)),
    goal=st.none() | st.tuples(st.integers(-50, 80), st.integers(-50, 80)),
    channels=st.sampled_from([(1, 1), (1, 2), (1, 3), (1, 4), (2, 6), (3, 3), (3, 9), (4, 12)]),
    value=st.sampled_from([float("nan"), float("inf"), -1.0, 0.0, 0.5, 2.0]),
    kind=st.text(max_size=20),
    action=st.text(max_size=20),
    episode_return=st.floats(),
)
@settings(max_examples=80, deadline=None)
def test_anything_can_be_drawn(
    coords: tuple[int, int],
    goal: tuple[int, int] | None,
    channels: tuple[int, int],
    value: float,
    kind: str,
    action: str,
    episode_return: float,
) -> None:
    picture = Picture((ROWS, COLS), SCREEN, frame_channels=channels[0], gamma=0.9)
    step = record(
        observation=np.zeros((56, 40, channels[1]), np.uint8),
        q_max=np.full((ROWS, COLS), value, np.float32),
        coords=coords,
        goal=goal,
        kind=kind,
        action=action,
        episode_return=episode_return,
    )
    assert picture.draw(step).shape == picture.shape


def test_drawing_leaves_the_record_alone() -> None:
    step = record()
    before = [array.copy() for array in (step.observation, step.screen, step.q_max)]
    Picture((ROWS, COLS), SCREEN).draw(step)
    for array, copy in zip((step.observation, step.screen, step.q_max), before, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_no_position_is_drawn_on_frames_that_the_goal_grid_does_not_lie_over() -> None:
    frames = np.zeros((84, 60, 3), np.uint8)
    step = record(observation=frames, goal=None, candidates=None)
    drawn = []
    for on_grid in (True, False):
        picture = Picture((28, 20), (210, 160, 3), on_grid=on_grid)
        panel = picture._panel_of(picture.draw(step), picture._view)
        drawn.append(int((panel == POSITION).all(axis=2).sum()))
    assert drawn[0] > 0 == drawn[1]
