"""Stopping a run politely: the first Ctrl-C asks, the second insists."""

from __future__ import annotations

import os
import signal
from types import FrameType, TracebackType


class Interrupt:
    """While entered, SIGINT and SIGTERM only set `signal`; a second one ends the process at once.

    Attributes:
        signal: number of the signal that came, None if none did.
    """

    SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self) -> None:
        self.signal: int | None = None

    @property
    def status(self) -> int:
        """The exit status that tells a shell which signal ended the program: 130 for Ctrl-C."""
        return 128 + self.signal if self.signal else 0

    def __enter__(self) -> Interrupt:
        """Take over the signals."""
        self._previous = {number: signal.signal(number, self._note) for number in self.SIGNALS}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Give the signals back."""
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.signal is not None:
            os._exit(128 + number)
        self.signal = number
