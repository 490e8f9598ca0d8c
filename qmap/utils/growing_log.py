"""A log that is read while it grows: each byte once."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd

from qmap.utils.run_logs import parsed

LARGEST = 1 << 28  # bytes


class GrowingLog:
    """What `run_logs.read_log` returns, from the new bytes alone.

    A file that took the place of the other, as when a run is resumed, is read from its start.

    Attributes:
        table: the whole rows so far, sorted by steps.
        version: changes whenever the table does.
    """

    def __init__(self) -> None:
        self.version = 0
        self._refused: tuple[object, ValueError] | None = None
        self._forget(None)

    def read(self, path: Path) -> pd.DataFrame:
        """Read what is new in the file and return the table.

        Raises:
            ValueError: it is not a table of numbers whose first column is steps.
            OSError: it cannot be read.
        """
        with open(path, "rb") as file:
            status = os.fstat(file.fileno())
            this, size = (status.st_dev, status.st_ino), status.st_size
            if self._refused is not None and self._refused[0] == (this, size):
                raise self._refused[1]
            if this != self._file or size < self._end:
                self._forget(this)
            try:
                if size > LARGEST:
                    raise ValueError(f"more than {LARGEST >> 20} MB")
                file.seek(self._end)
                new = file.read(size - self._end)
                # What follows the last end of a line is not whole yet.
                if new := new[: new.rfind(b"\n") + 1]:
                    self._add(new)
            except ValueError as error:
                self._forget(None)
                self._refused = (this, size), error
                raise
        return self.table

    def _add(self, lines: bytes) -> None:
        if self._header:
            rows = parsed(self._header + b"\n" + lines)
            table = pd.concat([self.table, rows], ignore_index=True)
            if not table["steps"].is_monotonic_increasing:
                table = table.sort_values("steps", kind="stable", ignore_index=True)
        else:
            table = parsed(lines)
            self._header = lines.lstrip().partition(b"\n")[0]
        self.table = table
        self._end += len(lines)
        self.version += 1

    def _forget(self, file: tuple[int, int] | None) -> None:
        self._file = file
        self._end = 0
        self._header = b""
        self.table = pd.DataFrame({"steps": []})
        self.version += 1
