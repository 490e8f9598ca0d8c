"""Snapshots of a whole run: the last complete one is always there, and the one before it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from qmap.utils import checkpoint
from qmap.utils.errors import UserError

KIND = "snapshot"
KEPT = 2


def save(folder: Path, step: int, tree: dict[str, Any]) -> int:
    """Write the snapshot of `step`, then remove all but the newest two.

    Returns:
        The size of the snapshot in bytes.

    Raises:
        UserError: it cannot be written; the snapshots that were there stay as they were.
    """
    size = checkpoint.save(folder / f"step_{step}.{KIND}", KIND, tree)
    for path in _newest_first(folder)[KEPT:]:
        path.unlink(missing_ok=True)
    return size


def load_latest(folder: Path) -> dict[str, Any]:
    """Read the newest snapshot that is whole; a damaged one is named and skipped.

    Raises:
        UserError: there is none.
    """
    for path in _newest_first(folder):
        try:
            return checkpoint.load(path, KIND)
        except UserError as error:
            print(f"warning: {error}; trying the one before", file=sys.stderr)
    raise UserError(
        f"there is no usable snapshot in {folder}; expected step_N.{KIND}, start a new run instead"
    )


def _newest_first(folder: Path) -> list[Path]:
    paths = [path for path in folder.glob(f"step_*.{KIND}") if _step(path).isdecimal()]
    return sorted(paths, key=lambda path: int(_step(path)), reverse=True)


def _step(path: Path) -> str:
    return path.stem.removeprefix("step_")
