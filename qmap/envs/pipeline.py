"""What an agent sees of a screen, if not the world's own frames: crop, gray, resize, edges."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import gymnasium
import numpy as np

from qmap.envs import LARGEST_FRAME
from qmap.envs.contract import check_screen, checked_screen, name_of
from qmap.envs.screen import PIXELS_PER_CELL
from qmap.utils.errors import UserError


@dataclass(frozen=True)
class Pipeline:
    """From a screen to a frame, in the order of the fields.

    Without crop, factors and size the frame lies over the world's goal grid, as its own frames do.

    Args:
        color: Keep the 3 color channels; else gray, luma.
        crop: Pixels taken off (top, bottom, left, right).
        resize: Factors of the height and of the width, of what the crop leaves.
        frame_size: (height, width) of the frame, in place of the factors.
        edges: (low, high): thresholds of a Canny edge detector, whose edges are 255, all else 0.
    """

    color: bool = False
    crop: tuple[int, int, int, int] | None = None
    resize: tuple[float, float] | None = None
    frame_size: tuple[int, int] | None = None
    edges: tuple[float, float] | None = None

    @property
    def keeps_grid(self) -> bool:
        """Whether the goal grid of the world lies over the frames as it does over the screen."""
        return self.crop is self.resize is self.frame_size is None

    def __call__(self, screen: np.ndarray, grid_size: tuple[int, int]) -> np.ndarray:
        """Return the frame of a screen, in an array of its own.

        Args:
            screen: uint8 (h, w, 3) in RGB.
            grid_size: (height, width) of a frame that lies over the goal grid.

        Returns:
            uint8 (height, width, 1), or 3 channels with `color`.

        Raises:
            UserError: the screen is too small for the crop, or too large for the factors.
        """
        image = screen if self.color else cv2.cvtColor(screen, cv2.COLOR_RGB2GRAY)
        if self.crop is not None:
            image = self._cropped(image)
        size = height, width = image.shape[:2]
        if self.keeps_grid:
            size = grid_size
        elif self.frame_size is not None:
            size = self.frame_size
        elif self.resize is not None:
            size = self._resized(height, width)
        if size != (height, width):
            shrinks = size[0] <= height and size[1] <= width
            interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
            image = cv2.resize(image, size[::-1], interpolation=interpolation)
        if self.edges is not None:
            image = cv2.Canny(np.ascontiguousarray(image), *self.edges)
        return np.array(image).reshape(*size, -1)

    def _resized(self, height: int, width: int) -> tuple[int, int]:
        """Return the size of a frame by the factors, rounded to whole pixels as OpenCV does."""
        size = height * self.resize[0], width * self.resize[1]
        # Before rounding, which infinity would not survive.
        if max(size) > LARGEST_FRAME + 0.5:
            raise UserError(
                f"--resize {self.resize[0]:g} {self.resize[1]:g} makes frames of {size[0]:g} x "
                f"{size[1]:g} pixels from {height} x {width}; expected at most {LARGEST_FRAME} x "
                f"{LARGEST_FRAME}: give smaller factors"
            )
        return max(round(size[0]), 1), max(round(size[1]), 1)

    def _cropped(self, image: np.ndarray) -> np.ndarray:
        height, width = image.shape[:2]
        top, bottom, left, right = self.crop
        if top + bottom >= height or left + right >= width:
            raise UserError(
                f"--crop {' '.join(map(str, self.crop))} leaves nothing of a screen of {height} x "
                f"{width} pixels; expected less from the top and bottom, left and right together"
            )
        return image[top : height - bottom, left : width - right]


class PipelineFrames(gymnasium.ObservationWrapper):
    """Makes the observations of any world from its rendered screen.

    The world is reset once to learn how large its screen is.

    Args:
        env: a world that keeps the contract, with `render_mode="rgb_array"`.
        pipeline: what becomes of a screen.

    Raises:
        UserError: now or later: the pipeline does not fit the screen.
    """

    def __init__(self, env: gymnasium.Env, pipeline: Pipeline) -> None:
        super().__init__(env)
        self.pipeline = pipeline
        env.reset()
        coords_shape = np.array(env.get_wrapper_attr("coords_shape"))
        self._grid_size = tuple((PIXELS_PER_CELL * coords_shape).tolist())
        # Of the screen's pixels: a grid that is filled up, or padded, is larger than the screen.
        self._covered = tuple(np.rint(check_screen(env) * coords_shape).astype(int).tolist())
        shape = self.observation(None).shape
        self.observation_space = gymnasium.spaces.Box(0, 255, shape, np.uint8)

    def observation(self, observation: np.ndarray | None) -> np.ndarray:
        """Return the frame of what the world renders now, whatever it has observed."""
        screen = checked_screen(name_of(self.env), self.env.render())
        if self.pipeline.keeps_grid and screen.shape[:2] != self._covered:
            covered = np.zeros((*self._covered, 3), np.uint8)
            height, width = np.minimum(screen.shape[:2], self._covered)
            covered[:height, :width] = screen[:height, :width]
            screen = covered
        return self.pipeline(screen, self._grid_size)
