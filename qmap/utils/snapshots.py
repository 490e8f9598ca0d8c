"""Snapshots of a whole run: the last complete one is always there, and the one before it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from qmap.utils import checkpoint
from qmap.utils.errors import UserError
from qmap.utils.terminal import warn

KIND = "snapshot"
DAMAGED = ".damaged"


def save(folder: Path, step: int, tree: dict[str, Any]) -> int:
    """Write the snapshot of `step`, then remove all others but the one before it.

    Returns:
        The size of the snapshot in bytes.

    Raises:
        UserError: it cannot be written; the snapshots that were there stay as they were.
    """
    size = checkpoint.save(_path(folder, step), KIND, tree)
    there = steps(folder)
    before = max((each for each in there if each < step), default=step)
    for each in there:
        if each not in (step, before):
            _path(folder, each).unlink(missing_ok=True)
    return size


def load_latest(folder: Path) -> dict[str, Any] | None:
    """Read the newest snapshot that is whole.

    A damaged one is named, skipped for the one before, and renamed to NAME.damaged, so that it does
    not count as the one before the next.

    Returns:
        What was saved, or None if there are no snapshots because none was written yet.

    Raises:
        UserError: there are snapshots, but none can be used.
    """
    there = steps(folder)
    damaged: list[Path] = []
    for step in sorted(there, reverse=True):
        try:
            tree = checkpoint.load(_path(folder, step), KIND)
        except UserError as error:
            warn(f"{error}; trying the one before")
            damaged.append(_path(folder, step))
            continue
        for path in damaged:
            with suppress(OSError):
                path.rename(path.with_name(path.name + DAMAGED))
        return tree
    if there:
        raise UserError(f"no snapshot in {folder} can be used; start a new run instead")
    return None


def _path(folder: Path, step: int) -> Path:
    return folder / f"step_{step}.{KIND}"


def steps(folder: Path) -> list[int]:
    """Return the steps of which there are snapshots."""
    return checkpoint.steps(folder, KIND)
