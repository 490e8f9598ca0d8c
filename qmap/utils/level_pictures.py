"""Pictures of whole levels, put together from the screens that are seen while playing."""

from __future__ import annotations

import os
import re
import struct
from pathlib import Path

import cv2
import numpy as np

from qmap.utils.errors import UserError
from qmap.utils.files import atomic_file, cannot

SAMPLES = 5
SPACING = 15
MAX_ROWS, MAX_COLS = 4096, 2**17


class LevelPictures:
    """The picture of every room, pasted together and cleared of what moves in front of it.

    A room is one screen or a level that scrolls sideways. Up to 5 screens are kept of each column,
    taken at least 15 steps apart; the picture shows their median, in which characters leave no
    trace. Memory is bounded by 5 times the size of what is drawn.
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
            known.add(window, screen, precision, self._clock)

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
            columns = np.flatnonzero(picture[..., 3].any(axis=0))
            known.grow(picture.shape[1])
            known.samples[0, :, columns] = picture[:, columns, :3].swapaxes(0, 1)
            known.counts[columns] = 1


class _Room:
    """Samples of the columns of one room."""

    def __init__(self, height: int, width: int) -> None:
        self.shape = (height, width)
        self.samples = np.zeros((SAMPLES, height, width, 3), np.uint8)
        self.counts = np.zeros(width, np.int64)
        self.due = np.zeros(width, np.int64)

    def grow(self, cols: int) -> None:
        if (more := cols - len(self.counts)) > 0:
            self.samples = np.pad(self.samples, ((0, 0), (0, 0), (0, more), (0, 0)))
            self.counts = np.pad(self.counts, (0, more))
            self.due = np.pad(self.due, (0, more))

    def _columns(self, window: int) -> tuple[int, int]:
        """Return the first column of the room on the screen and the one after the last."""
        start = max(window, 0)
        return start, max(min(window + self.shape[1], MAX_COLS), start)

    def wants(self, window: int, now: int) -> bool:
        start, stop = self._columns(window)
        counts, due = self.counts[start:stop], self.due[start:stop]
        return len(counts) < stop - start or bool(((counts < SAMPLES) & (due <= now)).any())

    def add(self, window: int, screen: np.ndarray, precision: int, now: int) -> None:
        window += self._shift(window, screen, precision)
        start, stop = self._columns(window)
        self.grow(stop)
        columns = np.arange(start, stop)
        fresh = (self.counts[columns] < SAMPLES) & (self.due[columns] <= now)
        columns = columns[fresh]
        pixels = screen[:, columns - window].swapaxes(0, 1)
        self.samples[self.counts[columns], :, columns] = pixels
        self.counts[columns] += 1
        self.due[columns] = now + SPACING

    def _shift(self, window: int, screen: np.ndarray, precision: int) -> int:
        """Return how many columns right of `window` most of the screen agrees with its picture."""
        best, best_shift = -1.0, 0
        for shift in range(precision):
            start = max(window + shift, 0)
            stop = min(window + shift + self.shape[1], len(self.counts))
            known = self.counts[start:stop] > 0
            if not known.any():
                continue
            left = start - window - shift
            seen = screen[::2, left : left + len(known)][:, known]
            same = float((seen == self.samples[0, ::2, start:stop][:, known]).mean())
            if same > best:
                best, best_shift = same, shift
        return best_shift

    def picture(self) -> np.ndarray:
        """Return the (H, W, 4) uint8 RGBA picture of what was seen."""
        seen = int(np.flatnonzero(self.counts)[-1]) + 1 if self.counts.any() else 1
        picture = np.zeros((self.shape[0], seen, 4), np.uint8)
        for count in range(1, SAMPLES + 1):
            columns = np.flatnonzero(self.counts[:seen] == count)
            # The lower median is a color that was really there.
            ordered = np.sort(self.samples[:count, :, columns], axis=0)
            picture[:, columns, :3] = ordered[(count - 1) // 2]
            picture[:, columns, 3] = 255
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
