"""Pictures of whole levels, put together from the screens that are seen while playing."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from qmap.utils.errors import UserError
from qmap.utils.image_file import read_image, write_image

SAMPLES = 5
SPACING = 50
# Views of a tile from places at most this far apart, in pixels, count as the same view.
SAME_VIEW = 4
# Rows that two views are compared in, at most: large screens would take too long.
COMPARED_ROWS = 128
# What is kept at most: a reading gone wrong, or a room an episode, must not fill memory or disk.
MAX_ROOMS = 256
MAX_BYTES = 2**28
MAX_ROWS, MAX_COLS = 4096, 2**15
MAX_PIXELS = 2**25  # of one picture
FAR = 16  # screens that may lie unseen between two parts of a room


class RoomPicture(NamedTuple):
    """What is known about the looks of a room.

    Attributes:
        pixels: (H, W, 4) uint8 RGBA, transparent where nothing was seen.
        first: column of the room, in pixels, that the picture starts with: mostly 0; below it
            where that was seen, above it where all that was seen is far from it.
        cell: (height, width) of a goal cell in pixels, None if it is not known.
    """

    pixels: np.ndarray
    first: int = 0
    cell: tuple[float, float] | None = None


class LevelPictures:
    """The picture of every room, put together from tiles and cleared of what moves.

    A room is one screen or a level that scrolls sideways. It is cut into tiles half as wide as
    the screen. Each shows the first view in which it was wholly on the screen, so that layers that
    scroll at their own speed, and what is written on the screen, stay whole within it. Up to 5
    screens of that view are kept, taken at least 50 steps apart: the tile is their median, in
    which characters leave no trace. Rooms, memory and the size of a picture are bounded.

    Args:
        cell: (height, width) of a goal cell in pixels of the screen.
    """

    def __init__(self, cell: tuple[float, float] = (1.0, 1.0)) -> None:
        self._cell = cell
        self._rooms: dict[int, _Room] = {}
        self._clock = 0
        self._bytes = 0
        self._omitted = ""

    def wants(self, room: int, window: int) -> bool:
        """Whether `add` would make use of a screen that starts at goal column `window`."""
        known = self._rooms.get(room)
        if known is not None and self._bytes < MAX_BYTES:
            return known.wants(self._starts(window)[0], self._clock + 1)
        return known is None and not self._is_full()

    def add(self, room: int, window: int, screen: np.ndarray) -> None:
        """Look at a screen; call this once per step, most calls return at once.

        Args:
            room: number of the room.
            window: goal column at which the screen starts, rounded down and maybe negative. At
                which of its columns of pixels is found by comparing with what is known.
            screen: (H, W, 3) uint8 RGB.
        """
        self._clock += 1
        known = self._rooms.get(room)
        if known is None and not self._is_full():
            known = self._rooms[room] = _Room(screen.shape[0], screen.shape[1])
        if known is None or self._bytes >= MAX_BYTES:
            self._omitted = f"room {room} is one too many"
        elif known.shape == screen.shape[:2]:
            starts = self._starts(window)
            if not -MAX_COLS < starts[0] < MAX_COLS:
                self._omitted = f"room {room} was also seen at column {starts[0]:,}"
            elif known.wants(starts[0], self._clock):
                self._bytes += known.add(known.start(starts, screen), screen, self._clock)

    def check_complete(self) -> None:
        """Raise an error where a picture does not show all that was seen.

        Raises:
            UserError: there are too many rooms, or something was too far from the rest of its room.
        """
        if self._omitted:
            raise UserError(
                f"{self._omitted}; expected at most {MAX_ROOMS} rooms, {MAX_BYTES >> 20} MB of "
                f"screens and {FAR} screens between two parts of a room, the rest is left out"
            )

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write `folder`/room_R.png for every room, transparent where nothing was seen.

        Raises:
            UserError: a file cannot be written.
        """
        for room, known in sorted(self._rooms.items()):
            first, pixels, far = known.picture()
            if far is not None:
                self._omitted = f"room {room} was also seen at column {far:,}, far from the rest"
            notes = {
                "first": str(first),
                "cell": " ".join(f"{float(size)!r}" for size in self._cell),
            }
            write_image(Path(folder) / f"room_{room}.png", pixels, notes)

    def restore(self, folder: str | os.PathLike[str], screen_width: int) -> None:
        """Go on from what `save` wrote, so that a resumed run does not forget the rooms it left.

        Raises:
            UserError: a picture is there but damaged.
        """
        for room, picture in list(load_pictures(folder).items())[:MAX_ROOMS]:
            known = self._rooms[room] = _Room(picture.pixels.shape[0], screen_width)
            self._bytes += known.restore(picture.pixels, picture.first)

    def _is_full(self) -> bool:
        return len(self._rooms) >= MAX_ROOMS or self._bytes >= MAX_BYTES

    def _starts(self, window: int) -> range:
        """Return the columns of pixels at which the screen may start."""
        width = self._cell[1]
        first = math.ceil(window * width)
        return range(first, max(math.ceil((window + 1) * width), first + 1))


@dataclass
class _Tile:
    """A tile: the columns first to last of the room, seen from `start`, None for a loaded one."""

    first: int
    last: int
    start: int | None
    samples: list[np.ndarray]
    due: int

    @property
    def nbytes(self) -> int:
        return sum(sample.nbytes for sample in self.samples)


class _Room:
    """The tiles of one room, by their number from column 0; those left of it are negative."""

    def __init__(self, height: int, width: int) -> None:
        self.shape = (height, width)
        self.tile_width = max(width // 2, 1)
        self.tiles: dict[int, _Tile] = {}

    def _views(self, start: int, width: int) -> Iterator[tuple[int, int, int]]:
        """Yield number, first and last column for each tile in columns from `start` on."""
        begin, end = max(start, -MAX_COLS), min(start + width, MAX_COLS)
        if begin < end:
            for number in range(begin // self.tile_width, (end - 1) // self.tile_width + 1):
                left = number * self.tile_width
                yield number, max(left, begin), min(left + self.tile_width, end)

    def _use(self, number: int, first: int, last: int, start: int, now: int) -> str:
        """Return what a view is good for: "replace" the tile, "sample" it again, or "" nothing."""
        tile = self.tiles.get(number)
        if tile is None or last - first > tile.last - tile.first:
            return "replace"
        same = tile.start is not None and abs(tile.start - start) <= SAME_VIEW
        same = same and (tile.first, tile.last) == (first, last)
        return "sample" if same and len(tile.samples) < SAMPLES and tile.due <= now else ""

    def wants(self, start: int, now: int) -> bool:
        return any(self._use(*view, start, now) for view in self._views(start, self.shape[1]))

    def add(self, start: int, screen: np.ndarray, now: int) -> int:
        """Take from a screen what is of use; return by how many bytes the room grew."""
        grown = 0
        for number, first, last in self._views(start, self.shape[1]):
            use = self._use(number, first, last, start, now)
            pixels = screen[:, first - start : last - start].copy() if use else screen
            if use == "replace":
                grown += pixels.nbytes - (self.tiles[number].nbytes if number in self.tiles else 0)
                self.tiles[number] = _Tile(first, last, start, [pixels], now + SPACING)
            elif use == "sample":
                grown += pixels.nbytes
                self.tiles[number].samples.append(pixels)
                self.tiles[number].due = now + SPACING
        return grown

    def start(self, starts: range, screen: np.ndarray) -> int:
        """Return at which of `starts` most of the screen agrees with what is known."""
        stride = max(2, screen.shape[0] // COMPARED_ROWS)
        best, agreement = starts[0], 0.0
        for start in starts:
            same = total = 0
            for number, first, last in self._views(start, self.shape[1]):
                if (tile := self.tiles.get(number)) is None:
                    continue
                first, last = max(first, tile.first), min(last, tile.last)
                if first < last:
                    seen = screen[::stride, first - start : last - start]
                    known = tile.samples[0][::stride, first - tile.first : last - tile.first]
                    same += int(np.count_nonzero(seen == known))
                    total += seen.size
            if same > agreement * total:
                best, agreement = start, same / total
            if agreement == 1:
                break
        return best

    def picture(self) -> tuple[int, np.ndarray, int | None]:
        """Return first column, (H, W, 4) RGBA pixels, and a column that was seen but is left out.

        Shown is the part of the room that hangs together and was seen most.
        """
        limit = min(MAX_COLS, MAX_PIXELS // self.shape[0])
        reach = min(FAR * self.shape[1], limit // 2)

        def origin(group: list[_Tile]) -> int:
            """Return where a picture starts: at column 0 unless that is far away."""
            return group[0].first if group[0].first > reach else min(group[0].first, 0)

        groups: list[list[_Tile]] = []
        for _, tile in sorted(self.tiles.items()):
            near = groups and tile.first - groups[-1][-1].last <= reach
            if near and tile.last - origin(groups[-1]) <= limit:
                groups[-1].append(tile)
            else:
                groups.append([tile])
        shown = max(groups, key=lambda group: sum(len(tile.samples) for tile in group), default=[])
        far = next((group[0].first for group in groups if group is not shown), None)
        first = origin(shown) if shown else 0
        width = shown[-1].last - first if shown else 1
        pixels = np.zeros((self.shape[0], width, 4), np.uint8)
        for tile in shown:
            # The lower median is a color that was really there.
            ordered = np.sort(np.stack(tile.samples), axis=0)
            part = pixels[:, tile.first - first : tile.last - first]
            part[..., :3] = ordered[(len(tile.samples) - 1) // 2]
            part[..., 3] = 255
        return first, pixels, far

    def restore(self, pixels: np.ndarray, first: int) -> int:
        """Take the tiles from a picture that starts with column `first`; return their bytes."""
        for number, begin, end in self._views(first, pixels.shape[1]):
            part = pixels[:, begin - first : end - first]
            seen = np.flatnonzero(part[..., 3].any(axis=0))
            if len(seen):
                left, right = int(seen[0]), int(seen[-1]) + 1
                sample = part[:, left:right, :3].copy()
                self.tiles[number] = _Tile(begin + left, begin + right, None, [sample], 0)
        return sum(tile.nbytes for tile in self.tiles.values())


def load_pictures(folder: str | os.PathLike[str]) -> dict[int, RoomPicture]:
    """Return the pictures in `folder` by their room's number.

    Raises:
        UserError: a room_R.png is damaged or far too large.
    """
    paths = {}
    for path in Path(folder).glob("room_*.png"):
        if match := re.fullmatch(r"room_(\d{1,9})\.png", path.name):
            paths[int(match[1])] = path
    return {room: _load(path) for room, path in sorted(paths.items())}


def _load(path: Path) -> RoomPicture:
    pixels, notes, stored = read_image(path, "RGBA", (MAX_ROWS, 2 * MAX_COLS))
    try:
        first = int(notes.get("first", "0"))
        height, width = map(float, notes.get("cell", "nan nan").split())
    except ValueError:
        first, height, width = MAX_COLS + 1, math.nan, math.nan
    if abs(first) > MAX_COLS or stored not in ("RGB", "RGBA", "P"):
        raise UserError(f"{path} is not a picture of a room; remove it and run again")
    known = 0 < height <= pixels.shape[0] and 0 < width < math.inf
    return RoomPicture(pixels, first, (height, width) if known else None)
