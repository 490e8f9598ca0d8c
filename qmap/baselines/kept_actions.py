"""For how many steps the actions of a run were kept."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from qmap.utils.errors import UserError
from qmap.utils.files import atomic_file, cannot

FILE = "kept_actions.csv"


class KeptActions:
    """Counts how many steps in a row took the same action, in any number of environments.

    Args:
        n_envs: number of environments.
    """

    def __init__(self, n_envs: int) -> None:
        self._counts: Counter[int] = Counter()
        self._actions = np.zeros(n_envs, np.int64)
        self._lengths = np.zeros(n_envs, np.int64)

    def add(self, actions: np.ndarray) -> None:
        """Count a step of every environment, int (n_envs,)."""
        self.end(actions != self._actions)
        self._actions[:] = actions
        self._lengths += 1

    def end(self, envs: np.ndarray) -> None:
        """Count what is kept no longer in a mask of environments, bool (n_envs,)."""
        self._counts.update(length for length in self._lengths[envs].tolist() if length)
        self._lengths[envs] = 0

    def table(self) -> np.ndarray:
        """Return int64 (k, 2): a number of steps, and how many actions were kept for as many."""
        return np.array(sorted(self._counts.items()), np.int64).reshape(-1, 2)

    def save(self, folder: Path) -> None:
        """Write the table to the folder of a run.

        Raises:
            UserError: it cannot be written.
        """
        with atomic_file(folder / FILE) as file:
            np.savetxt(file, self.table(), "%d", ",", header="steps kept,actions", comments="")

    def state(self) -> dict[str, np.ndarray]:
        """Return the counts, and what is being kept."""
        return {"counts": self.table(), "actions": self._actions, "lengths": self._lengths}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from what `state` returned."""
        self._counts = Counter(dict(state["counts"].tolist()))
        self._actions[:] = state["actions"]
        self._lengths[:] = state["lengths"]


def load_kept_actions(folder: Path) -> np.ndarray:
    """Return the table that a run's `KeptActions` wrote last.

    Raises:
        UserError: it cannot be read, or is something else.
    """
    path = folder / FILE
    try:
        lines = path.read_text().splitlines()[1:]
        table = np.array([[int(number) for number in line.split(",")] for line in lines], np.int64)
    except OSError as error:
        raise cannot("read", path, error) from error
    except (ValueError, OverflowError) as error:
        raise UserError(f"{path} is not a table of whole numbers: {error}") from error
    if table.shape[1:] != (2,) or table.min() < 1:
        raise UserError(f"{path}: expected rows of steps and actions, both at least 1")
    return table
