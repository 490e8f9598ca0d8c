"""Pictures of mazes and of Sokoban's boards, in the colors of the grid world."""

from __future__ import annotations

import cv2
import numpy as np

from qmap.envs.gridworld import (
    CELL,
    CHARACTER_COLOR,
    EDGE_COLOR,
    FLOOR_COLORS,
    OUTLINE_COLOR,
    WALL_COLOR,
)

BOX_COLOR, BOX_EDGE_COLOR = (201, 152, 84), (122, 84, 36)
PLACED_BOX_COLOR = (132, 168, 92)  # a box on a target
TARGET_COLOR = (214, 72, 84)


def board_picture(
    walls: np.ndarray,
    character: tuple[int, int],
    boxes: np.ndarray | None = None,
    targets: np.ndarray | None = None,
) -> np.ndarray:
    """Draw walls with a lit upper edge, a checkered floor, targets, boxes and a disk.

    Args:
        walls: (rows, cols) bool.
        character: its (row, col).
        boxes: (rows, cols) bool, None for none.
        targets: (rows, cols) bool, None for none.

    Returns:
        (rows * 16, cols * 16, 3) uint8 RGB.
    """
    cells = np.array(FLOOR_COLORS, np.uint8)[np.indices(walls.shape).sum(axis=0) & 1]
    cells[walls] = WALL_COLOR
    picture = cells.repeat(CELL, axis=0).repeat(CELL, axis=1)
    for top, left in np.argwhere(walls[1:] & ~walls[:-1]) + (1, 0):
        picture[top * CELL : top * CELL + 2, left * CELL : (left + 1) * CELL] = EDGE_COLOR
    none = np.zeros_like(walls)
    boxes, targets = none if boxes is None else boxes, none if targets is None else targets
    for row, col in np.argwhere(targets):
        cv2.circle(picture, _center(row, col), CELL // 4, TARGET_COLOR, -1, cv2.LINE_AA)
    for row, col in np.argwhere(boxes):
        first = np.array((col, row)) * CELL + 1
        color = PLACED_BOX_COLOR if targets[row, col] else BOX_COLOR
        cv2.rectangle(picture, first, first + CELL - 3, color, -1)
        cv2.rectangle(picture, first, first + CELL - 3, BOX_EDGE_COLOR, 1)
    center = _center(*character)
    cv2.circle(picture, center, CELL // 2 - 1, OUTLINE_COLOR, -1, cv2.LINE_AA)
    cv2.circle(picture, center, CELL // 2 - 3, CHARACTER_COLOR, -1, cv2.LINE_AA)
    return picture


def _center(row: int, col: int) -> tuple[int, int]:
    return int(col) * CELL + CELL // 2, int(row) * CELL + CELL // 2
