"""The pictures of a run as files that a browser shows: the newest one, and maps of visits."""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from pathlib import Path

import cv2
import numpy as np

from qmap.page.run_reader import RunReader
from qmap.utils.errors import UserError
from qmap.utils.image_file import read_image
from qmap.utils.level_pictures import RoomPicture, load_pictures
from qmap.utils.newest_picture import LARGEST, PICTURE, read_picture
from qmap.utils.visit_map import draw_map
from qmap.utils.visits import load_rows

QUALITY = 88  # of JPEG: text stays sharp
KEPT = 16  # maps

Version = tuple[tuple[str, int, int], ...]


class NewestPictures:
    """Encodes the newest picture of each run once, for all pages."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._encoded: dict[str, tuple[Version, bytes]] = {}

    def of(self, reader: RunReader) -> tuple[Version | None, bytes]:
        """Return the newest picture of a run as a JPEG, and what changes when it does.

        That is what the training leaves for who watches or, if it is older, the newest pictures
        of Q-frames. Without any, the version is None.

        Raises:
            UserError: the run is gone.
        """
        with self._lock:
            paths = max((list(reader.files(PICTURE)), reader.strips()), key=_newest)
            version = _version(paths)
            if not version:
                self._encoded.pop(reader.name, None)
                return None, b""
            known, picture = self._encoded.get(reader.name, (None, b""))
            if version != known:
                try:
                    picture = _encoded(paths)
                except (ValueError, OSError, UserError):
                    return None, b""  # it was replaced just now, or is damaged
                self._encoded[reader.name] = version, picture
            return version, picture


class Maps:
    """Draws maps of visits; those that were asked for last are kept."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, Version], bytes] = OrderedDict()

    def draw(self, reader: RunReader, step: str) -> bytes:
        """Return the map of a run at a step, as `qmap.utils.visits` draws it, as a PNG.

        Raises:
            UserError: the run is gone, has no such map, or the file is damaged.
        """
        paths = reader.visits()
        if not re.fullmatch(r"\d{1,15}", step) or int(step) not in paths:
            raise UserError("there is no map of visits at this step")
        path = paths[int(step)]
        rooms = [each for each in reader.files("images/room_*.png")]
        key = (reader.name, _version([path, *rooms]))
        with self._lock:
            if key not in self._kept:
                self._kept[key] = _png(_map(reader, path, int(step), rooms))
                while len(self._kept) > KEPT:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(key)
            return self._kept[key]


def _map(reader: RunReader, path: Path, step: int, rooms: list[Path]) -> np.ndarray:
    counts = load_rows(path)
    pictures: dict[int, RoomPicture] = {}
    folder = reader.folder
    there = sorted(folder.glob("images/room_*.png"))
    if rooms == there and rooms:  # none of them leads out of the results
        pictures = load_pictures(folder / "images")
    title = f"{' / '.join(folder.parts[-3:])}, {step:,} steps"
    most = int(counts[:, 3].max()) if len(counts) else 1
    return draw_map(counts, pictures, title, most)


def _encoded(paths: list[Path]) -> bytes:
    """Return one picture, or several below each other, as a JPEG."""
    if paths[0].name == PICTURE:
        pictures = [read_picture(paths[0])]
    else:
        pictures = [read_image(path, "RGB", (LARGEST, LARGEST)).pixels for path in paths]
    width = max(picture.shape[1] for picture in pictures)
    stacked = np.concatenate(
        [np.pad(each, ((0, 0), (0, width - each.shape[1]), (0, 0))) for each in pictures]
    )
    options = [cv2.IMWRITE_JPEG_QUALITY, QUALITY]
    return cv2.imencode(".jpg", stacked[..., ::-1], options)[1].tobytes()


def _png(pixels: np.ndarray) -> bytes:
    return cv2.imencode(".png", pixels[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes()


def _newest(paths: list[Path]) -> int:
    return max((changed for _, _, changed in _version(paths)), default=0)


def _version(paths: list[Path]) -> Version:
    """Return what tells files from those that take their places; nothing if one has vanished."""
    try:
        found = [(path.name, path.stat()) for path in paths]
    except OSError:
        return ()
    return tuple((name, status.st_ino, status.st_mtime_ns) for name, status in found)
