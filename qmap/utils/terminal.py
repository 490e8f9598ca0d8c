"""The one voice beside the progress bar; whoever stops listening does not stop the work."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO

from tqdm import tqdm

from qmap.utils.errors import UserError


def say(message: str) -> None:
    """Print a line on standard error, above the progress bar if there is one."""
    tqdm.write(message, file=sys.stderr)


def warn(message: str) -> None:
    """Say what went wrong without stopping the work."""
    say(f"warning: {message}")


def progress_bar(total: int, done: int, unit: str) -> tqdm:
    """Return a bar on standard error: live on a terminal, a line now and then in a log file."""
    every = 0.5 if sys.stderr.isatty() else 30.0
    return tqdm(
        total=total, initial=done, unit=unit, mininterval=every, dynamic_ncols=True, file=sys.stderr
    )


class Warnings:
    """Says each kind of warning once in a run."""

    def __init__(self) -> None:
        self._said: set[str] = set()

    def warn(self, kind: str, message: str) -> None:
        """Say `message`, unless there was one of this kind before."""
        if kind not in self._said:
            self._said.add(kind)
            warn(message)

    @contextmanager
    def tolerate(self, what: str) -> Iterator[None]:
        """Let a `UserError` in the block cost a warning: what is nice to have may fail."""
        try:
            yield
        except UserError as error:
            self.warn(what, f"no {what}, training goes on: {error}")


class LastingStream:
    """Standard output or error whose reader may go away: words are lost then, never the run.

    Args:
        stream: None if the process was started without one.
        descriptor: its file descriptor, 1 or 2.
    """

    def __init__(self, stream: TextIO | None, descriptor: int) -> None:
        if stream is None:
            # Else the next file that is opened would take its place, and get all notes.
            _to_nowhere(descriptor)
            stream = open(descriptor, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        with suppress(AttributeError, ValueError):  # a stand-in of a test or a notebook
            stream.reconfigure(errors="backslashreplace")
        self._stream = stream
        self._descriptor = descriptor

    def write(self, text: str) -> int:
        """Write, or lose, a text."""
        try:
            return self._stream.write(text)
        except (OSError, ValueError):
            _to_nowhere(self._descriptor)
            return len(text)

    def flush(self) -> None:
        """Hand over what was written, or lose it."""
        try:
            self._stream.flush()
        except (OSError, ValueError):
            _to_nowhere(self._descriptor)
            with suppress(OSError, ValueError):
                self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def outlive_the_audience() -> None:
    """Make standard output and standard error last, at the start of a program."""
    sys.stdout = LastingStream(sys.stdout, 1)
    sys.stderr = LastingStream(sys.stderr, 2)


def leave_terminal() -> None:
    """Let the last words go nowhere: writing to a terminal that is gone is an error."""
    for descriptor in (1, 2):
        if os.isatty(descriptor):
            _to_nowhere(descriptor)


def _to_nowhere(descriptor: int) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    if nowhere != descriptor:
        os.dup2(nowhere, descriptor)
        os.close(nowhere)
