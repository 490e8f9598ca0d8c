"""A limit of time for what runs in this thread."""

from __future__ import annotations

import signal
import threading
from types import FrameType


class TimeIsUp(BaseException):
    """What ran under an `Alarm` took too long; no `except Exception` in it may keep this."""


class Alarm:
    """Raises `TimeIsUp` in a `with` block that takes longer than it may.

    It interrupts Python code and system calls, in the main thread of a POSIX system. Elsewhere, or
    where somebody else uses the alarm signal already, there is no limit.

    Args:
        seconds: how long a block may take.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.active = (
            hasattr(signal, "setitimer")
            and threading.current_thread() is threading.main_thread()
            and signal.getsignal(signal.SIGALRM) is signal.SIG_DFL
        )
        if self.active:
            signal.signal(signal.SIGALRM, self._ring)

    def __enter__(self) -> None:
        if self.active:
            signal.setitimer(signal.ITIMER_REAL, self.seconds)

    def __exit__(self, *error: object) -> None:
        if self.active:
            signal.setitimer(signal.ITIMER_REAL, 0)

    def close(self) -> None:
        """Give the signal back."""
        if self.active:
            self.active = False
            signal.signal(signal.SIGALRM, signal.SIG_DFL)

    def _ring(self, number: int, frame: FrameType | None) -> None:
        raise TimeIsUp
