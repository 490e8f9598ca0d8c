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

    Args:
        screen_shape: (height, width) of the full-size screens, in pixels.
        coords_shape: (rows, cols) of the on-screen goal grid.
        padding: Black rows added above and below each screen.
        color: Keep the 3 color channels instead of one of luma (0.299 R + 0.587 G + 0.114 B).
        position_channel: Add a last channel, 0 but for 255 in the pixels of the character's cell.
    """

    def __init__(
        self,
        screen_shape: tuple[int, int],
        coords_shape: tuple[int, int],
        padding: int = 0,
        color: bool = False,
        position_channel: bool = False,
    ) -> None:
        self.screen_shape = (int(screen_shape[0]), int(screen_shape[1]))
        self.coords_shape = (int(coords_shape[0]), int(coords_shape[1]))
        self.color = color
        self.position_channel = position_channel
        height, width = self.screen_shape
        channels = (3 if color else 1) + int(position_channel)
        self.frame_shape = (
            PIXELS_PER_CELL * self.coords_shape[0],
            PIXELS_PER_CELL * self.coords_shape[1],
            channels,
        )
        self._padded_shape = (height + 2 * padding, width)
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
        height, width, channels = self.frame_shape
        small = cv2.resize(self._padded, (width, height), interpolation=cv2.INTER_AREA)
        if not self.position_channel:
            return small.reshape(self.frame_shape)
        frame = np.zeros(self.frame_shape, np.uint8)
        frame[..., : channels - 1] = small.reshape(height, width, -1)
        row = PIXELS_PER_CELL * int(coords[0])
        col = PIXELS_PER_CELL * int(coords[1] - coords[2])
        frame[row : row + PIXELS_PER_CELL, col : col + PIXELS_PER_CELL, -1] = 255
        return frame
