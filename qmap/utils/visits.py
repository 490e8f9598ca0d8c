"""Counts of where the agent has been, and `python -m qmap.utils.visits RUN` that draws them."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from qmap.utils.command_line import OneLineParser, run
from qmap.utils.errors import UserError
from qmap.utils.files import atomic_file
from qmap.utils.image_file import write_image
from qmap.utils.level_pictures import load_pictures
from qmap.utils.visit_map import draw_map

# Rooms are below it, rows and columns from -LIMIT to LIMIT - 1.
LIMIT = 2**20


class Visits:
    """How often each place was visited; a place is (room, row, column)."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[int, int, int]] = Counter()

    def add(
        self,
        rooms: np.ndarray | int,
        rows: np.ndarray | int,
        cols: np.ndarray | int,
        times: int = 1,
    ) -> None:
        """Count `times` visits each; arrays of the same length, or single numbers.

        Rows and columns beyond the limits, which no level has, count at the nearest that is not.
        """
        # Python's numbers: for the few environments of a run, NumPy's calls would take longer.
        parts = (np.ravel(part).tolist() for part in (rooms, rows, cols))
        for room, row, col in zip(*parts, strict=True):
            self._counts[room, _limited(row), _limited(col)] += times

    def on_screen(self, room: int, window: int, shape: tuple[int, int]) -> np.ndarray:
        """Return the counts, int64, of a room's rows and columns of `shape` from `window` on."""
        rows, cols = range(shape[0]), range(window, window + shape[1])
        counts = [self._counts[room, row, col] for row in rows for col in cols]
        return np.array(counts, np.int64).reshape(shape)

    def rows(self) -> np.ndarray:
        """Return int64 (k, 4): room, row, column, count of the distinct places, in this order."""
        places = np.array(list(self._counts), np.int64).reshape(-1, 3)
        counts = np.fromiter(self._counts.values(), np.int64, len(places))
        rows = np.column_stack([places, counts])
        return rows[np.lexsort(places.T[::-1])]

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
        places = map(tuple, rows[:, :3].tolist())
        self._counts = Counter(dict(zip(places, rows[:, 3].tolist(), strict=True)))


def _limited(number: int) -> int:
    return min(max(number, -LIMIT), LIMIT - 1)


def checked_rows(rows: np.ndarray) -> np.ndarray:
    """Return `rows` if they are what `Visits.rows` returns.

    Raises:
        ValueError: they are not; the message says what is expected.
    """
    if not isinstance(rows, np.ndarray) or rows.dtype.kind not in "iu" or rows.shape[1:] != (4,):
        raise ValueError("expected whole numbers (k, 4): room, row, column, count")
    lowest, highest = (0, -LIMIT, -LIMIT, 1), (LIMIT - 1, LIMIT - 1, LIMIT - 1, 2**53)
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
        path = snapshots[step].with_suffix(".png")
        write_image(path, draw_map(rows, pictures, f"{title}, {step:,} steps", most))
        print(path)


if __name__ == "__main__":
    run(main)
