"""Stopping a run politely: the first Ctrl-C asks, the second insists."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType

from qmap.utils.terminal import leave_terminal

SAME_SIGNAL = 0.1  # seconds


class Interrupt:
    """While entered, a SIGINT, SIGTERM or SIGHUP only sets `signal`; a second ends the process.

    The second one does so at once, even while the main thread trains or writes a large file. Python
    calls signal handlers in that thread and only when it is back from what it is doing; so a thread
    of its own counts them. Signals less than 0.1 s apart count as one: programs that pass a signal
    on to a group of processes often send it twice. A signal that the process ignores (as `nohup`
    makes it ignore SIGHUP) stays ignored.

    Attributes:
        signal: number of the signal that came, None if none did.
    """

    NAMES = ("SIGINT", "SIGTERM", "SIGHUP")

    def __init__(self) -> None:
        self.signal: int | None = None

    @property
    def status(self) -> int:
        """The exit status that tells a shell which signal ended the program: 130 for Ctrl-C."""
        return 128 + self.signal if self.signal else 0

    def __enter__(self) -> Interrupt:
        """Take over the signals."""
        self._reader, self._writer = socket.socketpair()
        self._writer.setblocking(False)
        numbers = [getattr(signal, name) for name in self.NAMES if hasattr(signal, name)]
        self._previous = {
            number: signal.signal(number, self._note)
            for number in numbers
            if signal.getsignal(number) != signal.SIG_IGN
        }
        self._previous_fd = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        self._listener = threading.Thread(target=self._listen, name="signals", daemon=True)
        self._listener.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Give the signals back."""
        signal.set_wakeup_fd(self._previous_fd)
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._writer.close()
        self._listener.join()
        self._reader.close()

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.signal is None:
            self.signal = number

    def _listen(self) -> None:
        first = None
        while received := self._reader.recv(1):
            number = received[0]
            if number not in self._previous:
                continue
            if first is None:
                first = time.monotonic()
            elif time.monotonic() - first > SAME_SIGNAL:
                os._exit(128 + number)
            if number == getattr(signal, "SIGHUP", None):
                leave_terminal()


@contextmanager
def nothing_to_lose() -> Iterator[None]:
    """While entered, Ctrl-C ends the process at once.

    For loading libraries: Python's KeyboardInterrupt would end in a traceback through their files,
    or in whatever error they make of it.
    """
    previous = signal.getsignal(signal.SIGINT)
    if previous != signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
