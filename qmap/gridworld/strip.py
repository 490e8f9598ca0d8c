"""Pictures of Q-frames in the grid world: what is seen, what is true, what is believed."""

from __future__ import annotations

import numpy as np

from qmap.envs.gridworld_level import SCREEN_COL
from qmap.utils.drawing import BACKGROUND, COLORS, DIM, TEXT, resize_into, write

CELL = 3  # pixels of the picture that a cell is wide and high
GAP, LABELS, TITLE = 6, 92, 26
FREE_COLOR, WALL_COLOR, CHARACTER_COLOR = (222, 220, 212), (60, 66, 80), (220, 30, 30)
LINES = ("observation", "true Q-map", "learned")


def draw_strip(
    title: str, observations: np.ndarray, true: np.ndarray, learned: np.ndarray
) -> np.ndarray:
    """Draw positions side by side, each with its observation, true and learned values.

    The values are maxima over actions of Q-frames; the brighter, the closer.

    Args:
        title: one line of text above.
        observations: (n, 28, 32, 3) uint8.
        true: (n, 28, 32, 4) in [0, 1].
        learned: the same shape, clipped to [0, 1].

    Returns:
        (H, W, 3) uint8 RGB.
    """
    count, rows, cols = observations.shape[:3]
    height, width = rows * CELL + GAP, cols * CELL + GAP
    strip = np.full((TITLE + 3 * height, LABELS + count * width, 3), BACKGROUND, np.uint8)
    write(strip, title, GAP, TITLE // 2, 15, TEXT)
    lines = (_seen(observations), _colored(true), _colored(learned))
    for line, (label, panels) in enumerate(zip(LINES, lines, strict=True)):
        top = TITLE + line * height
        write(strip, label, GAP, top + height // 2, 13, DIM)
        for index, panel in enumerate(panels):
            left = LABELS + index * width
            end = left + cols * CELL
            resize_into(panel, strip[top : top + rows * CELL, left:end])
    return strip


def _seen(observations: np.ndarray) -> np.ndarray:
    walls = observations[..., 2] > 0
    colors = np.where(walls[..., None], WALL_COLOR, FREE_COLOR).astype(np.uint8)
    colors[:, :, SCREEN_COL][observations[:, :, SCREEN_COL, 0] > 0] = CHARACTER_COLOR
    return colors


def _colored(q_frames: np.ndarray) -> np.ndarray:
    values = np.nan_to_num(q_frames.max(axis=-1)).clip(0, 1)
    return COLORS[np.rint(values * 255).astype(np.uint8)]
