"""The newest picture of a training, for whoever watches it from another process.

Who watches calls `ask_for_pictures` once a second; only then does the training draw, and leaves
what it drew in the run's folder.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np

ASKED = ".watched"  # is touched as long as somebody watches
PICTURE = "newest.npy"  # as it was drawn: encoding it is left to who watches
EVERY = 0.3  # seconds between two pictures, at least
LASTS = 5.0  # seconds that the training draws after it was last asked
SHARE = 0.005  # of the processor time that goes into pictures, unless they are seldom
SELDOM = 2.0  # seconds
LARGEST = 4096  # rows and columns that `read_picture` takes


class NewestPicture:
    """Draws beside the training, which never waits, and only while somebody watches.

    A picture that fails costs nothing but the picture.

    Args:
        folder: of the run.
        clock: tells the time in seconds.
        processor: tells the processor time of the training in seconds.
    """

    def __init__(
        self,
        folder: Path,
        clock: Callable[[], float] = time.monotonic,
        processor: Callable[[], float] = time.process_time,
    ) -> None:
        self._folder = folder
        self._clock = clock
        self._asked = self._last_asked()
        self._processor = processor
        self._until = self._next = self._seldom = clock()
        self._earned = 0.0  # the processor time at which the last picture was cheap enough
        self._thread = ThreadPoolExecutor(1, "newest picture")
        self._drawing: Future[None] | None = None

    def due(self) -> bool:
        """Whether a picture is wanted now; it costs a microsecond a call, and less as a rule."""
        now = self._clock()
        if now < self._next or (self._drawing is not None and not self._drawing.done()):
            return False
        # A machine, or a picture, that takes longer than thought gets fewer of them.
        if now < self._seldom and self._processor() < self._earned:
            return False
        # The clock of the file's time may be another machine's: only its changes count.
        if (asked := self._last_asked()) != self._asked:
            self._asked, self._until = asked, now + LASTS
        if now < self._until:
            return True
        self._next = now + EVERY
        return False

    def show(self, draw: Callable[[], np.ndarray]) -> None:
        """Leave a picture for who watches.

        Args:
            draw: returns it, (H, W, 3) uint8 RGB; it is called in a thread of its own, and what it
                draws from must not change.
        """
        now = self._clock()
        self._next, self._seldom = now + EVERY, now + SELDOM
        self._drawing = self._thread.submit(self._write, draw)

    def close(self) -> None:
        """Finish the picture under way."""
        self._thread.shutdown()

    def _last_asked(self) -> int | None:
        try:
            return os.stat(self._folder / ASKED).st_mtime_ns
        except OSError:
            return None

    def _write(self, draw: Callable[[], np.ndarray]) -> None:
        started = time.thread_time()
        part = self._folder / f".{PICTURE}.{os.getpid()}.part"
        try:
            with open(part, "wb") as file:
                np.save(file, draw(), allow_pickle=False)
            os.replace(part, self._folder / PICTURE)
        except OSError:
            with suppress(OSError):
                part.unlink()
        self._earned = self._processor() + (time.thread_time() - started) / SHARE


def ask_for_pictures(folder: Path) -> None:
    """Tell the run in `folder` that somebody watches.

    Raises:
        OSError: the folder cannot be written.
    """
    # A link would be followed out of the folder.
    flags = os.O_WRONLY | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    descriptor = os.open(folder / ASKED, flags, 0o666)
    try:
        os.utime(descriptor if os.utime in os.supports_fd else folder / ASKED)
    finally:
        os.close(descriptor)


def read_picture(path: Path) -> np.ndarray:
    """Return what a training left in `path`, (H, W, 3) uint8 RGB.

    Raises:
        OSError: there is none.
        ValueError: it is something else.
    """
    try:
        # Mapped, so that a damaged header cannot ask for more memory than the file has bytes.
        picture = np.load(path, mmap_mode="r", allow_pickle=False)
    except OSError:
        raise
    except Exception as error:  # a damaged header can make NumPy raise nearly anything
        raise ValueError(f"{path} is not a picture") from error
    shape = getattr(picture, "shape", ())
    if (
        len(shape) != 3
        or shape[2] != 3
        or not 0 < min(shape) <= max(shape) <= LARGEST
        or picture.dtype != np.uint8
    ):
        raise ValueError(f"{path} is not a picture")
    return np.array(picture)
