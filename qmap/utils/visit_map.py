"""A map of visits: how often each place of a level was visited, over the level's picture."""

from __future__ import annotations

import math

import cv2
import numpy as np

from qmap.utils.drawing import BACKGROUND, COLORS, DIM, EMPTY, TEXT, text_width, write
from qmap.utils.level_pictures import RoomPicture

SQUARE = 4  # pixels; what visits are added up over where a character moves pixel by pixel
WIDTH = 1024
MARGIN, GAP, HEADER, LABEL, SIDE = 18, 14, 62, 20, 74
# Of a room without a picture, of all rooms together, and their number.
MAX_ROWS, MAX_COLS, MAX_PIXELS, MAX_ROOMS = 4096, 2**15, 2**26, 256
FAR = 4096  # columns of a room without a picture that may lie unvisited between two of its parts
# The darkest colors of the scale would be lost on a dark picture.
HEAT = COLORS[70:]


def draw_map(
    rows: np.ndarray, pictures: dict[int, RoomPicture], title: str, most: int
) -> np.ndarray:
    """Return the (H, W, 3) uint8 RGB map of a snapshot of visits.

    Rooms stand side by side; a level that is longer than 1,024 pixels is cut into strips, one
    below the other. Visits are colored on a logarithmic scale, added up over squares of 4 x 4
    pixels. A character that is only ever in the middle of goal cells fills whole ones.

    Places that a room's picture does not show, those far from the rest where there is none, and
    the least visited of too many rooms are left out and counted in a line of the map.

    Args:
        rows: int64 (k, 4): room, row, column, count; columns may be negative.
        pictures: of rooms by number; visited rooms may be missing.
        title: a line of text.
        most: count at the upper end of the scale, for one place.
    """
    cell = _filled_cell(rows, pictures)
    if cell is None:
        cell, most = (SQUARE, SQUARE), most * SQUARE
    visits = {room: rows[rows[:, 0] == room] for room in _rooms(rows, pictures)}
    panels: list[tuple[str, np.ndarray]] = []
    drawn = pixels = 0
    for room, visited in visits.items():
        picture = pictures.get(room) or _empty_picture(visited, cell)
        height, width = picture.pixels.shape[:2]
        pixels += height * width
        if pixels > MAX_PIXELS and panels:
            continue
        row, col = visited[:, 1], visited[:, 2] - picture.first
        inside = visited[(row >= 0) & (row < height) & (col >= 0) & (col < width)]
        drawn += len(inside)
        panels += _strips(picture, inside, cell, most, f"room {room}" if len(visits) > 1 else "")
    places = f"{len(rows):,} places visited, {int(rows[:, 3].sum()):,} visits"
    if left_out := len(rows) - drawn:
        places += f", {left_out:,} places outside the picture"
    return _page(panels, title, places, most)


def _rooms(rows: np.ndarray, pictures: dict[int, RoomPicture]) -> list[int]:
    """Return the rooms to draw in order; of too many those that were visited most."""
    visited, index = np.unique(rows[:, 0], return_inverse=True)
    counts = np.bincount(index.ravel(), rows[:, 3], len(visited))
    ranked = [int(room) for room in visited[np.argsort(-counts, kind="stable")]]
    ranked += [room for room in pictures if room not in set(ranked)]
    return sorted(ranked[:MAX_ROOMS])


def _filled_cell(rows: np.ndarray, pictures: dict[int, RoomPicture]) -> tuple[float, float] | None:
    """Return (height, width) of a goal cell if all visits are to the middle of one, else None."""
    for picture in pictures.values():
        if (cell := picture.cell) is None or min(cell) < 2:
            continue
        places = rows[:, 1:3]
        middles = np.floor((np.floor(places / cell) + 0.5) * cell)
        return cell if (places == middles).all() else None
    return None


def _empty_picture(rows: np.ndarray, cell: tuple[float, float]) -> RoomPicture:
    """Return a picture of the part of a visited room that hangs together and was visited most."""
    cols, index = np.unique(rows[:, 2], return_inverse=True)
    counts = np.bincount(index.ravel(), rows[:, 3])
    groups = np.cumsum(np.diff(cols, prepend=cols[0]) > FAR)
    cols = cols[groups == np.bincount(groups, counts).argmax()]
    first = int(cols[0]) if cols[0] > FAR else min(int(cols[0]), 0)
    lowest = rows[rows[:, 1] < MAX_ROWS, 1].max(initial=0)
    height = math.ceil((lowest // cell[0] + 1) * cell[0])
    width = math.ceil((cols[-1] // cell[1] + 1) * cell[1]) - first
    width = min(width, MAX_COLS, MAX_PIXELS // height)
    return RoomPicture(np.zeros((height, width, 4), np.uint8), first)


def _strips(
    picture: RoomPicture, visits: np.ndarray, cell: tuple[float, float], most: int, name: str
) -> list[tuple[str, np.ndarray]]:
    """Draw a room's visits, all inside its picture; cut a long one, enlarge a small one.

    Returns:
        For each part, from the left, its name and its (H, W, 3) uint8 pixels.
    """
    height, width = picture.pixels.shape[:2]
    # The row and column of cells, from the first of the picture, that each pixel is in.
    rows = (np.arange(height) // cell[0]).astype(int)
    cols = (np.arange(picture.first, picture.first + width) // cell[1]).astype(int)
    cols -= cols[0]
    counts = np.zeros((rows[-1] + 1, cols[-1] + 1), np.float32)
    places = rows[visits[:, 1]], cols[visits[:, 2] - picture.first]
    np.add.at(counts, places, visits[:, 3])
    panels = []
    for start in range(0, width, WIDTH):
        part = slice(start, start + WIDTH)
        panel = _with_heat(picture.pixels[:, part], counts[rows[:, None], cols[part]], most)
        columns = (
            f"columns {picture.first + start:,} to {picture.first + start + panel.shape[1] - 1:,}"
        )
        panels.append((f"{name} {columns}".strip(), panel))
    if len(panels) > 1:
        return panels
    scale = max(min(2, WIDTH // (2 * width)), 1)
    return [(name, panels[0][1].repeat(scale, axis=0).repeat(scale, axis=1))]


def _with_heat(pixels: np.ndarray, counts: np.ndarray, most: int) -> np.ndarray:
    """Return (H, W, 3) uint8: RGBA pixels under the colors of counts (H, W)."""
    color = pixels[..., :3].astype(np.float32)
    gray = cv2.cvtColor(np.ascontiguousarray(pixels[..., :3]), cv2.COLOR_RGB2GRAY)
    # Mostly gray and half as bright: what is colored then are the visits.
    base = np.clip(0.34 * gray[..., None] + 0.14 * color, 0, 255) + 14
    base[pixels[..., 3] == 0] = EMPTY
    level = (np.log1p(counts) / np.log1p(most)).clip(0, 1)
    heat = HEAT[np.rint(level * (len(HEAT) - 1)).astype(int)]
    opacity = 0.85 * (counts > 0)[..., None]
    return np.rint(base * (1 - opacity) + heat * opacity).clip(0, 255).astype(np.uint8)


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
    for value in (10**exponent for exponent in range(len(str(most)))):
        y = top + round((1 - np.log1p(value) / np.log1p(most)) * (height - 1))
        if y >= top:
            label = f"{value:,}" if value < 10**6 else f"{value // 10**6:,}M"
            write(page, label, left + 20, min(max(y, top + 5), top + height - 6), 12, TEXT)
