"""A map of visits: how often each place of a level was visited, over the level's picture."""

from __future__ import annotations

import cv2
import numpy as np

from qmap.utils.picture import BACKGROUND, COLORS, DIM, EMPTY, TEXT, text_width, write

CELL = 4
WIDTH = 1024
MARGIN, GAP, HEADER, LABEL, SIDE = 18, 14, 62, 20, 74
MAX_ROWS, MAX_COLS, MAX_ROOMS = 4096, 2**17, 256
# The darkest colors of the scale would be lost on a dark picture.
HEAT = COLORS[70:]


def draw_map(
    rows: np.ndarray, pictures: dict[int, np.ndarray], title: str, most: int
) -> np.ndarray:
    """Return the (H, W, 3) uint8 RGB map of a snapshot of visits.

    Rooms stand side by side; a level that is longer than 1,024 pixels is cut into strips, one
    below the other. Visits are added up over squares of 4 x 4 pixels and colored on a logarithmic
    scale. Places outside a room's picture are left out.

    Args:
        rows: int64 (k, 4): room, row, column, count.
        pictures: (H, W, 4) uint8 RGBA of rooms by number; visited rooms may be missing.
        title: a line of text.
        most: count at the upper end of the scale, for one place.

    Raises:
        ValueError: the places are too far apart for a picture.
    """
    rooms = sorted({*rows[:, 0].tolist(), *pictures})
    if len(rooms) > MAX_ROOMS:
        raise ValueError(f"{len(rooms)} rooms, expected at most {MAX_ROOMS}")
    panels: list[tuple[str, np.ndarray]] = []
    for room in rooms:
        base = _room_picture(rows[rows[:, 0] == room], pictures.get(room), most)
        panels += _strips(base, f"room {room}" if len(rooms) > 1 else "")
    places = f"{len(rows):,} places visited, {int(rows[:, 3].sum()):,} visits"
    return _page(panels, title, places, most)


def _room_picture(rows: np.ndarray, picture: np.ndarray | None, most: int) -> np.ndarray:
    """Return the (H, W, 3) picture of one room with its visits."""
    if picture is None:
        height = int(rows[:, 1].max(initial=CELL - 1)) + 1
        width = int(rows[:, 2].max(initial=CELL - 1)) + 1
        if height > MAX_ROWS or width > MAX_COLS:
            raise ValueError(f"a room of {height} x {width} pixels and no picture of it")
        picture = np.zeros((max(height, CELL), max(width, CELL), 4), np.uint8)
    height, width = picture.shape[:2]
    gray = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_RGBA2RGB), cv2.COLOR_RGB2GRAY)
    color = picture[..., :3]
    # Mostly gray and half as bright: what is colored then are the visits.
    base = np.clip(0.34 * gray[..., None] + 0.14 * color, 0, 255) + 14
    base[picture[..., 3] == 0] = EMPTY
    inside = (rows[:, 1] >= 0) & (rows[:, 1] < height) & (rows[:, 2] >= 0) & (rows[:, 2] < width)
    row, col, count = rows[inside, 1] // CELL, rows[inside, 2] // CELL, rows[inside, 3]
    cells = np.zeros((-(-height // CELL), -(-width // CELL)))
    np.add.at(cells, (row, col), count)
    level = np.log1p(cells) / np.log1p(most * CELL)
    heat = HEAT[np.rint(level.clip(0, 1) * (len(HEAT) - 1)).astype(int)].astype(float)
    size = (cells.shape[1] * CELL, cells.shape[0] * CELL)
    heat = cv2.resize(heat, size, interpolation=cv2.INTER_NEAREST)[:height, :width]
    seen = cv2.resize((cells > 0).astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    opacity = 0.85 * seen[:height, :width, None]
    return np.rint(base * (1 - opacity) + heat * opacity).clip(0, 255).astype(np.uint8)


def _strips(picture: np.ndarray, name: str) -> list[tuple[str, np.ndarray]]:
    """Cut a long picture, enlarge a small one; return labelled panels."""
    width = picture.shape[1]
    if width <= WIDTH:
        scale = max(min(2, WIDTH // (2 * width)), 1)
        size = (width * scale, picture.shape[0] * scale)
        return [(name, cv2.resize(picture, size, interpolation=cv2.INTER_NEAREST))]
    starts = range(0, width, WIDTH)
    return [
        (f"{name} columns {start:,} to {min(start + WIDTH, width) - 1:,}".strip(), strip)
        for start in starts
        for strip in [picture[:, start : start + WIDTH]]
    ]


def _page(panels: list[tuple[str, np.ndarray]], title: str, places: str, most: int) -> np.ndarray:
    """Lay the panels out from left to right and top to bottom, with a header and a color bar."""
    spots, x, y, tallest, right = [], 0, 0, 0, 0
    for _, panel in panels:
        if x and x + panel.shape[1] > WIDTH:
            x, y, tallest = 0, y + tallest + LABEL + GAP, 0
        spots.append((x, y))
        right = max(right, x + panel.shape[1])
        tallest = max(tallest, panel.shape[0])
        x += panel.shape[1] + GAP
    bottom = max(y + tallest + LABEL, 180)
    width = max(MARGIN + right + SIDE, text_width(title, 17) + 2 * MARGIN) + MARGIN
    shape = (HEADER + bottom + MARGIN, width, 3)
    page = np.full(shape, BACKGROUND, np.uint8)
    write(page, title, MARGIN, 22, 17, TEXT)
    write(page, places, MARGIN, 46, 14, DIM)
    for (name, panel), (x, y) in zip(panels, spots, strict=True):
        left, top = MARGIN + x, HEADER + y + LABEL
        write(page, name, left, top - LABEL // 2, 13, DIM)
        page[top : top + panel.shape[0], left : left + panel.shape[1]] = panel
    _color_bar(page, MARGIN + right + 18, HEADER + LABEL, min(bottom - LABEL, 400), most)
    return page


def _color_bar(page: np.ndarray, left: int, top: int, height: int, most: int) -> None:
    shades = HEAT[np.linspace(len(HEAT) - 1, 0, height).round().astype(int)]
    page[top : top + height, left : left + 14] = shades[:, None]
    write(page, "visits", left, top - LABEL // 2, 13, DIM)
    highest = most * CELL
    for value in (10**exponent for exponent in range(len(str(highest)))):
        y = top + round((1 - np.log1p(value) / np.log1p(highest)) * (height - 1))
        if y >= top:
            label = f"{value:,}" if value < 10**6 else f"{value // 10**6:,}M"
            write(page, label, left + 20, min(max(y, top + 5), top + height - 6), 12, TEXT)
