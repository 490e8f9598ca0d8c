"""Frames and goal-grid coordinates against slow and obvious models."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qmap.envs.screen import ScreenProcessor


def random_screen(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def slow_frame(screen: np.ndarray, padding: int, rows: int, cols: int) -> np.ndarray:
    """Return the mean of each 4 x 4 block of the padded screen, float (rows, cols, channels)."""
    padded = np.pad(screen.astype(float), ((padding, padding), (0, 0), (0, 0)))
    frame = np.empty((rows, cols, screen.shape[2]))
    for row in range(rows):
        for col in range(cols):
            block = padded[4 * row : 4 * row + 4, 4 * col : 4 * col + 4]
            frame[row, col] = block.mean((0, 1))
    return frame


GAMES = [((210, 160), (28, 20), 7), ((224, 256), (28, 32), 0)]


@pytest.mark.parametrize(("screen_shape", "coords_shape", "padding"), GAMES)
@pytest.mark.parametrize("color", [False, True])
@pytest.mark.parametrize("position_channel", [False, True])
def test_frames_are_block_means_of_the_padded_screen(
    screen_shape: tuple[int, int],
    coords_shape: tuple[int, int],
    padding: int,
    color: bool,
    position_channel: bool,
) -> None:
    processor = ScreenProcessor(screen_shape, coords_shape, padding, color, position_channel)
    rows, cols = 2 * coords_shape[0], 2 * coords_shape[1]
    for seed in range(3):
        screen = random_screen((*screen_shape, 3), seed)
        frame = processor(screen, processor.coords(100, 50))
        expected = screen if color else screen @ np.array([[0.299], [0.587], [0.114]])
        assert frame.shape == processor.frame_shape
        assert frame.shape == (rows, cols, (3 if color else 1) + position_channel)
        assert frame in processor.observation_space
        picture = frame[..., :-1] if position_channel else frame
        # Luma and mean are each rounded to a whole number.
        tolerance = 0.51 if color else 1.01
        assert np.abs(picture - slow_frame(expected, padding, rows, cols)).max() <= tolerance


def test_gray_screens_are_taken_as_they_are() -> None:
    processor = ScreenProcessor((210, 160), (28, 20), padding=7)
    screen = random_screen((210, 160))
    assert np.abs(processor(screen) - slow_frame(screen[..., None], 7, 56, 40)).max() <= 0.51


def test_contrast_is_not_stretched() -> None:
    processor = ScreenProcessor((224, 256), (28, 32))
    assert np.unique(processor(np.full((224, 256, 3), 77, np.uint8))).tolist() == [77]


def test_frames_do_not_share_memory() -> None:
    processor = ScreenProcessor((210, 160), (28, 20), padding=7)
    first = processor(random_screen((210, 160, 3), 0))
    kept = first.copy()
    processor(random_screen((210, 160, 3), 1))
    np.testing.assert_array_equal(first, kept)


@given(row=st.integers(-500, 500), col=st.integers(-500, 4000), window=st.integers(0, 3500))
def test_the_position_channel_marks_the_cell_seen_on_the_screen(
    row: int, col: int, window: int
) -> None:
    processor = ScreenProcessor((224, 256), (28, 32), position_channel=True)
    coords = processor.coords(row, col, window)
    frame = processor(np.zeros((224, 256), np.uint8), coords)
    marked = np.argwhere(frame[..., 1])
    corner = np.array((2 * coords[0], 2 * (coords[1] - coords[2])))
    assert marked.tolist() == [(corner + [i, j]).tolist() for i in range(2) for j in range(2)]
    assert np.unique(frame[..., 1]).tolist() == [0, 255]
    assert not frame[..., 0].any()


@given(row=st.floats(-1e6, 1e6), col=st.floats(-1e6, 1e6), window=st.integers(0, 3500))
def test_coordinates_are_always_on_the_screen(row: float, col: float, window: int) -> None:
    coords = ScreenProcessor((210, 160), (28, 20), padding=7).coords(row, col, window)
    assert coords.dtype == np.int64
    assert 0 <= coords[0] < 28
    assert 0 <= coords[1] - coords[2] < 20
    assert coords[2] == window // 8


@given(row=st.integers(0, 223), col=st.integers(0, 255), window=st.integers(0, 400))
def test_positions_on_the_screen_are_in_cells_of_8_pixels(row: int, col: int, window: int) -> None:
    window *= 8
    coords = ScreenProcessor((224, 256), (28, 32)).coords(row, window + col, window)
    assert coords.tolist() == [row // 8, (window + col) // 8, window // 8]


@given(rows=st.integers(1, 40), cols=st.integers(1, 40), data=st.data())
@settings(max_examples=50)
def test_every_cell_of_any_grid_is_reached_by_its_middle(
    rows: int, cols: int, data: st.DataObject
) -> None:
    height = data.draw(st.integers(2 * rows, 300))
    width = data.draw(st.integers(2 * cols, 300))
    processor = ScreenProcessor((height, width), (rows, cols))
    for row in range(rows):
        middle = (row + 0.5) * height / rows, (cols - 0.5) * width / cols
        assert processor.coords(*middle).tolist() == [row, cols - 1, 0]


@given(height=st.integers(1, 90), width=st.integers(1, 90), data=st.data())
@settings(max_examples=100, deadline=None)
def test_frames_are_means_over_the_pixels_that_belong_to_them(
    height: int, width: int, data: st.DataObject
) -> None:
    rows, cols = data.draw(st.integers(1, height)), data.draw(st.integers(1, width))
    screen = random_screen((height, width), height)
    frame = ScreenProcessor((height, width), (rows, cols), multiple=4)(screen)
    assert frame.shape == (8 * -(-rows // 4), 8 * -(-cols // 4), 1)
    owners = [
        [[pixel for pixel in range(size) if pixel * 2 * count // size == part] for part in parts]
        for size, count, parts in ((height, rows, range(2 * rows)), (width, cols, range(2 * cols)))
    ]
    for row in range(2 * rows):
        for col in range(2 * cols):
            # The halves of a cell of a single pixel share it.
            block = screen[owners[0][row] or owners[0][row ^ 1]]
            block = block[:, owners[1][col] or owners[1][col ^ 1]]
            assert abs(frame[row, col, 0] - block.mean()) <= 0.5
    assert not frame[2 * rows :].any()
    assert not frame[:, 2 * cols :].any()


@pytest.mark.parametrize("color", [False, True])
@pytest.mark.parametrize(("screen_shape", "coords_shape", "padding"), GAMES)
def test_frames_of_the_games_are_those_of_the_usual_area_filter(
    screen_shape: tuple[int, int], coords_shape: tuple[int, int], padding: int, color: bool
) -> None:
    processor = ScreenProcessor(screen_shape, coords_shape, padding, color)
    screen = random_screen((*screen_shape, 3) if color else screen_shape)
    padded = np.pad(screen, ((padding, padding), (0, 0), (0, 0))[: screen.ndim])
    size = (2 * coords_shape[1], 2 * coords_shape[0])
    expected = cv2.resize(padded, size, interpolation=cv2.INTER_AREA)
    np.testing.assert_array_equal(processor(screen), expected.reshape(processor.frame_shape))


def test_a_screen_with_fewer_pixels_than_cells_is_refused() -> None:
    with pytest.raises(ValueError, match="9 pixels for 10 cells"):
        ScreenProcessor((9, 30), (10, 10))
