"""Counts of where the agent has been, and `python -m qmap.utils.visits RUN` that draws them."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from qmap.utils.command_line import OneLineParser, run
from qmap.utils.errors import UserError
from qmap.utils.files import atomic_file
from qmap.utils.level_pictures import load_pictures
from qmap.utils.visit_map import draw_map

# A place is kept as one number: 21 bits each for room, row and column, the latter two signed.
_BITS = 21
_HALF = 1 << (_BITS - 1)


class Visits:
    """How often each place was visited; a place is (room, row, column)."""

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}

    def add(self, rooms: np.ndarray | int, rows: np.ndarray | int, cols: np.ndarray | int) -> None:
        """Count one visit each; arrays of the same length, or single numbers."""
        # Python's numbers: for the few environments of a run, NumPy's calls would take longer.
        for room, row, col in zip(
            *(np.ravel(part).tolist() for part in (rooms, rows, cols)), strict=True
        ):
            place = _encode(
                room, min(max(row, -_HALF), _HALF - 1), min(max(col, -_HALF), _HALF - 1)
            )
            self._counts[place] = self._counts.get(place, 0) + 1

    def rows(self) -> np.ndarray:
        """Return int64 (k, 4): room, row, column, count of the distinct places, in this order."""
        places = np.fromiter(self._counts.keys(), np.int64, len(self._counts))
        counts = np.fromiter(self._counts.values(), np.int64, len(self._counts))
        order = np.argsort(places)
        places, counts = places[order], counts[order]
        rooms = places >> 2 * _BITS
        rows, cols = ((places >> bits & 2 * _HALF - 1) - _HALF for bits in (_BITS, 0))
        return np.stack([rooms, rows, cols, counts], axis=1)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write `rows()` as a .npy file.

        Raises:
            UserError: the file cannot be written.
        """
        with atomic_file(path) as file:
            np.save(file, self.rows(), allow_pickle=False)

    def restore(self, rows: np.ndarray) -> None:
        """Go on from what `rows()` returned.

        Raises:
            ValueError: that is something else.
        """
        rows = checked_rows(rows)
        places = _encode(rows[:, 0], rows[:, 1], rows[:, 2])
        self._counts = dict(zip(places.tolist(), rows[:, 3].tolist(), strict=True))


def _encode(room: Any, row: Any, col: Any) -> Any:
    return (room << 2 * _BITS) | (row + _HALF << _BITS) | (col + _HALF)


def checked_rows(rows: np.ndarray) -> np.ndarray:
    """Return `rows` if they are what `Visits.rows` returns.

    Raises:
        ValueError: they are not; the message says what is expected.
    """
    if not isinstance(rows, np.ndarray) or rows.dtype.kind not in "iu" or rows.shape[1:] != (4,):
        raise ValueError("expected whole numbers (k, 4): room, row, column, count")
    lowest, highest = (0, -_HALF, -_HALF, 1), (_HALF - 1, _HALF - 1, _HALF - 1, 2**53)
    if ((rows < lowest) | (rows > highest)).any():
        raise ValueError("a room, row, column or count is out of range")
    return rows.astype(np.int64)


def load_rows(path: str | os.PathLike[str]) -> np.ndarray:
    """Return what `Visits.save` wrote.

    Raises:
        UserError: the file cannot be read or is something else.
    """
    try:
        # Mapped, so that a damaged header cannot ask for more memory than the file has bytes.
        return checked_rows(np.load(path, mmap_mode="r", allow_pickle=False))
    except Exception as error:  # a damaged header can make NumPy raise nearly anything
        reason = " ".join(str(error).split())[:150] or type(error).__name__
        raise UserError(f"{path} is not a file of visits ({reason})") from error


def main(arguments: Sequence[str] | None = None) -> None:
    """Draw visits/step_N.png from every visits/step_N.npy of a run."""
    parser = OneLineParser(
        prog="python -m qmap.utils.visits",
        description="Draw where the agent has been, one picture for each visits/step_N.npy.",
    )
    parser.add_argument("run", metavar="RUN", type=Path, help="folder of a run")
    folder: Path = parser.parse_args(arguments).run
    if not folder.is_dir():
        raise UserError(f"there is no folder {folder}, expected a run: qmap_results/ENV/AGENT/RUN")
    snapshots = {
        int(match[1]): path
        for path in (folder / "visits").glob("step_*.npy")
        if (match := re.fullmatch(r"step_(\d{1,15})\.npy", path.name))
    }
    if not snapshots:
        raise UserError(
            f"{folder} has no visits/step_N.npy; a run writes one with each of its checkpoints"
        )
    pictures = load_pictures(folder / "images")
    visits = {step: load_rows(path) for step, path in sorted(snapshots.items())}
    # One scale for all, so that the pictures of a run can be compared.
    most = max((int(rows[:, 3].max()) for rows in visits.values() if len(rows)), default=1)
    title = " / ".join(folder.resolve().parts[-3:])
    for step, rows in visits.items():
        try:
            drawn = draw_map(rows, pictures, f"{title}, {step:,} steps", most)
        except ValueError as error:
            raise UserError(f"{snapshots[step]} cannot be drawn: {error}") from error
        path = snapshots[step].with_suffix(".png")
        with atomic_file(path) as file:
            file.write(cv2.imencode(".png", drawn[..., ::-1])[1])
        print(path)


if __name__ == "__main__":
    run(main)
