"""Pictures of whole levels, put together from the screens that are seen while playing."""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from qmap.utils.errors import UserError
from qmap.utils.files import atomic_file, cannot

SAMPLES = 5
SPACING = 50
# Views of a tile from places at most this far apart, in pixels, count as the same view.
SAME_VIEW = 4
MAX_ROWS, MAX_COLS = 4096, 2**17


class LevelPictures:
    """The picture of every room, put together from tiles and cleared of what moves.

    A room is one screen or a level that scrolls sideways. It is cut into tiles half as wide as
    the screen. Each shows the first view in which it was wholly on the screen, so that layers that
    scroll at their own speed, and what is written on the screen, stay whole within it. Up to 5
    screens of that view are kept, taken at least 50 steps apart: the tile is their median, in
    which characters leave no trace. Memory is bounded by 5 times the size of what is drawn.
    """

    def __init__(self) -> None:
        self._rooms: dict[int, _Room] = {}
        self._clock = 0

    def wants(self, room: int, window: int) -> bool:
        """Whether `add` would make use of a screen that starts at column `window` of the room."""
        known = self._rooms.get(room)
        return known is None or known.wants(window, self._clock + 1)

    def add(self, room: int, window: int, screen: np.ndarray, precision: int = 1) -> None:
        """Look at a screen; call this once per step, most calls return at once.

        Args:
            room: number of the room.
            window: column of the room, in pixels, at which the screen starts.
            screen: (H, W, 3) uint8 RGB.
            precision: the screen may start up to `precision - 1` columns further right, because
                `window` was rounded down; where exactly is found by comparing with what is known.
        """
        self._clock += 1
        known = self._rooms.get(room)
        if known is None:
            known = self._rooms[room] = _Room(screen.shape[0], screen.shape[1])
        if known.shape == screen.shape[:2] and known.wants(window, self._clock):
            known.add(window + known.shift(window, screen, precision), screen, self._clock)

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write `folder`/room_R.png for every room, transparent where nothing was seen.

        Raises:
            UserError: a file cannot be written.
        """
        for room, known in sorted(self._rooms.items()):
            picture = cv2.cvtColor(known.picture(), cv2.COLOR_RGBA2BGRA)
            with atomic_file(Path(folder) / f"room_{room}.png") as file:
                file.write(cv2.imencode(".png", picture)[1])

    def restore(self, folder: str | os.PathLike[str], screen_width: int) -> None:
        """Go on from what `save` wrote, so that a resumed run does not forget the rooms it left.

        Raises:
            UserError: a picture is there but damaged.
        """
        for room, picture in load_pictures(folder).items():
            known = self._rooms[room] = _Room(picture.shape[0], screen_width)
            for start in range(0, picture.shape[1], known.tile_width):
                part = picture[:, start : start + known.tile_width]
                seen = np.flatnonzero(part[..., 3].any(axis=0))
                if len(seen):
                    first, last = int(seen[0]), int(seen[-1]) + 1
                    pixels = part[:, first:last, :3].copy()
                    known.tiles[start] = _Tile(start + first, start + last, None, [pixels], 0)


@dataclass
class _Tile:
    """A tile: the columns first to last of the room, seen from `window`, None for a loaded one."""

    first: int
    last: int
    window: int | None
    samples: list[np.ndarray]
    due: int


class _Room:
    """The tiles of one room, by their first column."""

    def __init__(self, height: int, width: int) -> None:
        self.shape = (height, width)
        self.tile_width = max(width // 2, 1)
        self.tiles: dict[int, _Tile] = {}

    def _views(self, window: int) -> Iterator[tuple[int, int, int]]:
        """Yield start of the tile, first and last column seen, for each tile on the screen."""
        begin, end = max(window, 0), min(window + self.shape[1], MAX_COLS)
        for start in range(begin // self.tile_width * self.tile_width, end, self.tile_width):
            yield start, max(start, begin), min(start + self.tile_width, end)

    def _use(self, start: int, first: int, last: int, window: int, now: int) -> str:
        """Return what a view is good for: "replace" the tile, "sample" it again, or "" nothing."""
        tile = self.tiles.get(start)
        if tile is None or last - first > tile.last - tile.first:
            return "replace"
        same = tile.window is not None and abs(tile.window - window) <= SAME_VIEW
        same = same and (tile.first, tile.last) == (first, last)
        return "sample" if same and len(tile.samples) < SAMPLES and tile.due <= now else ""

    def wants(self, window: int, now: int) -> bool:
        return any(self._use(*view, window, now) for view in self._views(window))

    def add(self, window: int, screen: np.ndarray, now: int) -> None:
        for start, first, last in self._views(window):
            use = self._use(start, first, last, window, now)
            pixels = screen[:, first - window : last - window].copy() if use else screen
            if use == "replace":
                self.tiles[start] = _Tile(first, last, window, [pixels], now + SPACING)
            elif use == "sample":
                self.tiles[start].samples.append(pixels)
                self.tiles[start].due = now + SPACING

    def shift(self, window: int, screen: np.ndarray, precision: int) -> int:
        """Return how many columns right of `window` most of the screen agrees with its picture."""
        agreement = [0.0] * precision
        for shift in range(precision):
            same = total = 0
            for start, first, last in self._views(window + shift):
                if (tile := self.tiles.get(start)) is None:
                    continue
                first, last = max(first, tile.first), min(last, tile.last)
                if first < last:
                    left = first - window - shift
                    seen = screen[::2, left : left + last - first]
                    known = tile.samples[0][::2, first - tile.first : last - tile.first]
                    same += int((seen == known).sum())
                    total += seen.size
            agreement[shift] = same / max(total, 1)
        return int(np.argmax(agreement))

    def picture(self) -> np.ndarray:
        """Return the (H, W, 4) uint8 RGBA picture of what was seen."""
        width = max((tile.last for tile in self.tiles.values()), default=1)
        picture = np.zeros((self.shape[0], width, 4), np.uint8)
        for tile in self.tiles.values():
            # The lower median is a color that was really there.
            ordered = np.sort(np.stack(tile.samples), axis=0)
            picture[:, tile.first : tile.last, :3] = ordered[(len(tile.samples) - 1) // 2]
            picture[:, tile.first : tile.last, 3] = 255
        return picture


def load_pictures(folder: str | os.PathLike[str]) -> dict[int, np.ndarray]:
    """Return the (H, W, 4) uint8 RGBA pictures in `folder` by their room's number.

    Raises:
        UserError: a room_R.png is damaged or far too large.
    """
    paths = {}
    for path in Path(folder).glob("room_*.png"):
        if match := re.fullmatch(r"room_(\d{1,9})\.png", path.name):
            paths[int(match[1])] = path
    return {room: _load(path) for room, path in sorted(paths.items())}


def _load(path: Path) -> np.ndarray:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise cannot("read", path, error) from error
    # The size is checked before a decoder makes room for it.
    header = struct.unpack(">8s4x4sII", data[:24]) if len(data) >= 24 else (b"", b"", 0, 0)
    picture = None
    if header[1] == b"IHDR" and 0 < header[2] <= MAX_COLS and 0 < header[3] <= MAX_ROWS:
        try:
            picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        except cv2.error:
            picture = None
    if picture is None or picture.dtype != np.uint8 or picture.ndim != 3:
        raise UserError(f"{path} is not a picture of a room (PNG); remove it and run again")
    to_rgba = cv2.COLOR_BGRA2RGBA if picture.shape[2] == 4 else cv2.COLOR_BGR2RGBA
    return cv2.cvtColor(picture, to_rgba)
