"""A CSV file that grows by one whole line at a time, so that it can be plotted while it grows."""

from __future__ import annotations

import errno
import math
import numbers
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from qmap.utils.errors import UserError
from qmap.utils.files import atomic_file, cannot

# Name of the log, steps, and the row's other columns.
Mirror = Callable[[str, int, dict[str, float | None]], None]


class CSVLogger:
    """Rows of numbers under a header; the first column counts steps and never goes back.

    Args:
        path: the file. Its folder must exist.
        columns: names of the columns, the header's text.
        resume_at: None starts a new file and refuses one that is already there. A number of steps
            continues the file that a run left behind: rows of later steps, which the resumed run
            is going to write again, are cut off, and so is a last line without its end. A file
            that is missing or stops before its header ends is started anew. The names in its
            header may have underscores in place of spaces, as those of earlier runs; they stay.
        mirror: is called with each row that was written, under the name of the file.

    Raises:
        UserError: the file cannot be written, is there already, or is not what `columns` says.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        columns: Sequence[str],
        resume_at: int | None = None,
        mirror: Mirror | None = None,
    ) -> None:
        self.path = Path(path)
        self.columns = tuple(columns)
        self._mirror = mirror
        header = ",".join(self.columns).encode() + b"\n"
        if resume_at is not None:
            _cut(self.path, header, resume_at)
        mode = "xb" if resume_at is None else "ab"
        try:
            # Unbuffered: a line is in the file, whole, when `write` returns.
            self._file = open(self.path, mode, buffering=0)  # noqa: SIM115
            self._size = self._file.seek(0, os.SEEK_END)
        except FileExistsError as error:
            raise UserError(f"{self.path} exists already, remove it or use another path") from error
        except OSError as error:
            raise cannot("write", self.path, error) from error
        if self._size == 0:
            self._append(header)

    def write(self, *values: float | None) -> None:
        """Add a row, one number a column. Whole numbers stay whole, others get 8 digits.

        What was not measured, None or not a number, is an empty cell.

        Raises:
            ValueError: there is not a value for each column, or no number of steps.
            UserError: the disk is full or the file cannot be written for another reason; the file
                then ends with the previous row.
        """
        if len(values) != len(self.columns):
            raise ValueError(f"{len(values)} values for the columns {', '.join(self.columns)}")
        cells = [_text(value) for value in values]
        if not cells[0]:
            raise ValueError(f"no number of {self.columns[0]} for a row of {self.path}")
        self._append(",".join(cells).encode() + b"\n")
        if self._mirror is not None:
            self._mirror(
                self.path.stem, int(values[0]), dict(zip(self.columns[1:], values[1:], strict=True))
            )

    def sync(self) -> None:
        """Bring the rows to the disk, so that even a power failure leaves them.

        Raises:
            UserError: the disk does not take them.
        """
        try:
            os.fsync(self._file.fileno())
        except OSError as error:
            raise cannot("write", self.path, error) from error

    def close(self) -> None:
        """Close the file; further rows are errors."""
        self._file.close()

    def __enter__(self) -> CSVLogger:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _append(self, line: bytes) -> None:
        try:
            if os.fstat(self._file.fileno()).st_nlink == 0:
                raise FileNotFoundError(errno.ENOENT, "it was removed during the run")
            rest = memoryview(line)
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            with suppress(OSError):
                os.ftruncate(self._file.fileno(), self._size)
            raise cannot("write", self.path, error) from error
        self._size += len(line)


def _text(value: float | None) -> str:
    if value is None or math.isnan(value):
        return ""
    return str(int(value)) if isinstance(value, numbers.Integral) else f"{float(value):.8g}"


def _cut(path: Path, header: bytes, resume_at: int) -> None:
    """Leave in `path` the header and the whole rows of at most `resume_at` steps."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return
    except OSError as error:
        raise cannot("read", path, error) from error
    lines = content.splitlines(keepends=True)
    if lines and not lines[-1].endswith(b"\n"):
        torn = lines.pop()
        if not lines and not _as_today(header).startswith(_as_today(torn)):
            raise _not_ours(path, 1, header)
    if lines and _as_today(lines[0].rstrip(b"\r\n")) != _as_today(header.rstrip()):
        raise _not_ours(path, 1, header)
    kept = lines[:1]
    for number, line in enumerate(lines[1:], start=2):
        try:
            steps, *values = line.rstrip(b"\r\n").split(b",")
            is_row = math.isfinite(float(steps)) and len(values) == header.count(b",")
            for value in filter(None, values):
                float(value)
        except ValueError:
            is_row = False
        if not is_row:
            raise _not_ours(path, number, header)
        if float(steps) > resume_at:
            break
        kept.append(line)
    if (whole := b"".join(kept)) != content:
        with atomic_file(path) as file:
            file.write(whole)


def _as_today(header: bytes) -> bytes:
    return header.replace(b"_", b" ")


def _not_ours(path: Path, number: int, header: bytes) -> UserError:
    columns = header.decode().rstrip()
    return UserError(
        f"{path}, line {number}: expected numbers under the header {columns}; "
        "repair or remove the file to resume"
    )
