"""From a full-size screen to what an agent sees: a small frame over a grid of goals."""

from __future__ import annotations

import math

import cv2
import gymnasium
import numpy as np

# The convolutional Q-frame network halves its input once more than it doubles it back, so that
# its Q-frames (one value for each goal cell) are half as high and as wide as its frames.
PIXELS_PER_CELL = 2


class ScreenProcessor:
    """Downscales screens and locates the character on the goal grid laid over them.

    The screen, with `padding` black rows above and below it, is divided into `coords_shape` cells,
    and shrunk with an antialiasing (area) filter to 2 x 2 pixels for each of them: a 210 x 160
    screen with padding 7 and 28 x 20 cells of 8 x 8 pixels gives frames of 56 x 40.

    Every pixel of the screen belongs to exactly one cell, that of its top left corner, and is seen
    in that cell's 2 x 2 pixels alone: cells need not be square, nor all of the same size, so that
    the screen need not be a multiple of the grid.

    Args:
        screen_shape: (height, width) of the full-size screens, in pixels.
        coords_shape: (rows, cols) of the on-screen goal grid.
        padding: Black rows added above and below each screen.
        color: Keep the 3 color channels instead of one of luma (0.299 R + 0.587 G + 0.114 B).
        position_channel: Add a last channel, 0 but for 255 in the pixels of the character's cell.
        multiple: Frames get black pixels at the bottom and at the right, as if the grid had a
            multiple of so many rows and columns.

    Raises:
        ValueError: the screen has fewer pixels than the grid has cells, in a row or in a column.
    """

    def __init__(
        self,
        screen_shape: tuple[int, int],
        coords_shape: tuple[int, int],
        padding: int = 0,
        color: bool = False,
        position_channel: bool = False,
        multiple: int = 1,
    ) -> None:
        self.screen_shape = (int(screen_shape[0]), int(screen_shape[1]))
        self.coords_shape = (int(coords_shape[0]), int(coords_shape[1]))
        self.color = color
        self.position_channel = position_channel
        height, width = self.screen_shape
        channels = (3 if color else 1) + int(position_channel)
        rows, cols = (-(-size // multiple) * multiple for size in self.coords_shape)
        self.frame_shape = (PIXELS_PER_CELL * rows, PIXELS_PER_CELL * cols, channels)
        self._padded_shape = (height + 2 * padding, width)
        self._tops, self._bottoms = _bounds(self._padded_shape[0], self.coords_shape[0])
        self._lefts, self._rights = _bounds(width, self.coords_shape[1])
        areas = np.outer(self._bottoms - self._tops, self._rights - self._lefts)
        self._areas = areas[..., None] if color else areas
        # Screens are written between the black rows of this one array, which is never handed out.
        self._padded = np.zeros((*self._padded_shape, 3) if color else self._padded_shape, np.uint8)
        self._inside = self._padded[padding : padding + height]

    @property
    def observation_space(self) -> gymnasium.spaces.Box:
        """The space of the frames: uint8 of `frame_shape`, 0 to 255."""
        return gymnasium.spaces.Box(0, 255, self.frame_shape, np.uint8)

    def coords(self, row: float, col: float, window: float = 0) -> np.ndarray:
        """Return the goal-grid coordinates of a full-resolution position, clipped to the screen.

        The padding does not move the grid's first row: full-resolution row 0 is in row 0. Cells
        and window are rounded down, each on its own, and clipped so that the column seen on the
        screen (column - window) is always on the grid.

        Args:
            row: Pixels below the top of the screen.
            col: Pixels to the right of the start of the level (of the screen, if it never scrolls).
            window: Pixels between the start of the level and the left edge of the screen.

        Returns:
            int64 (3,): row, column and window on the goal grid of the whole level.
        """
        rows, cols = self.coords_shape
        height, width = self._padded_shape
        first = math.floor(window * cols / width)
        grid_row = min(max(math.floor(row * rows / height), 0), rows - 1)
        grid_col = min(max(math.floor(col * cols / width), first), first + cols - 1)
        return np.array((grid_row, grid_col, first), np.int64)

    def __call__(self, screen: np.ndarray, coords: np.ndarray | None = None) -> np.ndarray:
        """Return the frame of a screen, in an array of its own.

        Args:
            screen: uint8 (height, width, 3) in RGB, or (height, width) if `color` is off.
            coords: What `coords` returned for the character; only needed for the position channel.

        Returns:
            uint8 of `frame_shape`.
        """
        if screen.ndim == 3 and not self.color:
            cv2.cvtColor(screen, cv2.COLOR_RGB2GRAY, dst=self._inside)
        else:
            self._inside[:] = screen
        frame = np.zeros(self.frame_shape, np.uint8)
        small = self._shrunk()
        height, width, channels = small.shape
        frame[:height, :width, :channels] = small
        if self.position_channel:
            row = PIXELS_PER_CELL * int(coords[0])
            col = PIXELS_PER_CELL * int(coords[1] - coords[2])
            frame[row : row + PIXELS_PER_CELL, col : col + PIXELS_PER_CELL, -1] = 255
        return frame

    def _shrunk(self) -> np.ndarray:
        """Return the means over the rectangles of pixels that the frame's pixels stand for.

        `cv2.resize` with its area filter gives the same where all are equally large; elsewhere it
        shares pixels between two cells.
        """
        # Entry (y, x) is the sum of all pixels above y and to the left of x.
        sums = cv2.integral(self._padded)
        rows = sums[self._bottoms] - sums[self._tops]
        means = np.rint((rows[:, self._rights] - rows[:, self._lefts]) / self._areas)
        return means.reshape(*means.shape[:2], -1)


def _bounds(pixels: int, cells: int) -> tuple[np.ndarray, np.ndarray]:
    """Divide a side of the screen among the frame's pixels.

    Returns:
        int64 (2 * cells,) each: the first of the screen's pixels that a pixel of the frame stands
        for, and the one after the last. The two of a cell share a pixel if it has no other.

    Raises:
        ValueError: there are fewer pixels than cells.
    """
    if pixels < cells:
        raise ValueError(f"{pixels} pixels for {cells} cells")
    edges = -(-np.arange(PIXELS_PER_CELL * cells + 1) * pixels // (PIXELS_PER_CELL * cells))
    firsts, ends = edges[:-1].copy(), edges[1:].copy()
    empty = np.flatnonzero(firsts == ends)
    firsts[empty], ends[empty] = firsts[empty ^ 1], ends[empty ^ 1]
    return firsts, ends
