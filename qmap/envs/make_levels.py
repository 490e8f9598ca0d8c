"""Draw the three levels of the grid world: `python -m qmap.envs.make_levels [--folder FOLDER]`.

Each level is divided into slots, two above each other, and a slot gets at most one or two shapes.
About 15 percent of the interior are walls, and so it is in the part that trainings are compared on,
because most of the error is in walls that are not recognized. The draws come from Python's own
generator, whose sequences do not change between versions, so that the images come out the same
everywhere.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from qmap.envs.gridworld_level import FOLDER, ROWS
from qmap.utils.command_line import option, parse, run
from qmap.utils.image_file import write_image

WIDTH = 400
Shape = np.ndarray  # bool (height, width), True is wall


@dataclass(frozen=True)
class Options:
    """Where to."""

    folder: str = option(str(FOLDER), "folder the images go to", metavar="FOLDER")


def main() -> None:
    """Write the images of all levels."""
    options = parse(Options, "Draw the levels of the grid world.")
    for name, draw in LEVELS.items():
        path = Path(options.folder) / f"{name}.png"
        write_image(path, np.where(draw(), 0, 255).astype(np.uint8))
        print(path)


def level1() -> np.ndarray:
    """Blocks of 9 x 9 cells, now and then two side by side, scattered like the published ones."""
    rng = random.Random(16)
    walls = _room()
    slots = list(_slots(slot_width=22))
    for upper, lower in zip(slots[::2], slots[1::2], strict=True):
        rows, cols = rng.choice([upper, lower])
        _scatter(walls, block(9, 18 if rng.random() < 0.15 else 9), rows, cols, rng)
    return walls


def level2() -> np.ndarray:
    """Rectangles whose sides are multiples of 3, among them long bars; narrow ways in between."""
    rng = random.Random(6)
    walls = _room()
    sizes = [(9, 9), (3, 15), (9, 6), (6, 12), (3, 9), (12, 3), (6, 6)]
    for rows, cols in _slots(slot_width=19):
        if rng.random() < 0.7:
            _scatter(walls, block(*rng.choice(sizes)), rows, cols, rng)
        if rng.random() < 0.3:
            _scatter(walls, block(3, 3), rows, cols, rng)
    return walls


def level3() -> np.ndarray:
    """Crosses, slopes, stairs and combs, none of which the other levels have."""
    rng = random.Random(32)
    walls = _room()
    order: list[str] = []
    for rows, cols in _slots(slot_width=20):
        order = order or rng.sample(["cross", "slope", "stairs", "comb"], 4)
        kind = order.pop()
        if kind == "cross":
            shape = cross(rng.randint(3, 5), rng.randint(1, 2))
        elif kind == "slope":
            shape = slope(rng.randint(7, 11))
        elif kind == "stairs":
            shape = stairs(rng.randint(3, 5), rng.randint(2, 3), 2)
        else:
            shape = comb(rng.randint(3, 4), rng.randint(4, 8), rng.randint(2, 3))
        if rng.random() < 0.5:
            shape = shape[:, ::-1]
        if rng.random() < 0.5:
            shape = shape[::-1]
        _scatter(walls, shape, rows, cols, rng)
    return walls


LEVELS: dict[str, Callable[[], np.ndarray]] = {
    "level1": level1,
    "level2": level2,
    "level3": level3,
}


def block(height: int, width: int) -> Shape:
    """Return a filled rectangle."""
    return np.ones((height, width), bool)


def cross(arm: int, half: int) -> Shape:
    """Return a plus sign with arms `arm` cells long and `2 * half` thick."""
    size = 2 * (arm + half)
    shape = np.zeros((size, size), bool)
    shape[arm:-arm] = True
    shape[:, arm:-arm] = True
    return shape


def slope(length: int) -> Shape:
    """Return a diagonal, two cells thick so that one cannot slip through."""
    return np.eye(length, length + 2, dtype=bool) | np.eye(length, length + 2, 1, dtype=bool)


def stairs(steps: int, run: int, rise: int) -> Shape:
    """Return filled stairs going up to the right."""
    heights = np.repeat(np.arange(1, steps + 1) * rise, run)
    return np.arange(steps * rise)[::-1, None] < heights


def comb(teeth: int, length: int, gap: int) -> Shape:
    """Return a horizontal back with teeth of `length` cells, `gap` free cells between them."""
    width = teeth + (teeth - 1) * gap
    shape = np.zeros((2 + length, width), bool)
    shape[:2] = True
    shape[:, :: gap + 1] = True
    return shape


def _room() -> np.ndarray:
    walls = np.ones((ROWS, WIDTH), bool)
    walls[1:-1, 1:-1] = False
    return walls


def _slots(slot_width: int) -> Iterator[tuple[range, range]]:
    """Yield the rows and columns of the slots, upper and lower in turn, from the left."""
    for col in range(1, WIDTH - slot_width, slot_width):
        for row in (1, ROWS // 2):
            yield range(row, row + ROWS // 2 - 1), range(col, col + slot_width)


def _scatter(walls: np.ndarray, shape: Shape, rows: range, cols: range, rng: random.Random) -> None:
    """Draw a shape at a random place of a slot, unless this would close off free cells."""
    height, width = shape.shape
    for _ in range(20):
        row = rng.randrange(rows.start, max(rows.stop - height, rows.start) + 1)
        col = rng.randrange(cols.start, max(cols.stop - width, cols.start) + 1)
        tried = walls.copy()
        tried[row : row + height, col : col + width] |= shape
        # The background is component 0, so that connected free cells make two.
        if cv2.connectedComponents((~tried).astype(np.uint8), connectivity=4)[0] == 2:
            walls[:] = tried
            return


if __name__ == "__main__":
    run(main)
