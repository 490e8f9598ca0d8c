"""Values of the actions on each screen, which is known by a hash of its pixels."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from typing import NamedTuple

import numpy as np

ABSENT = -1  # the row of a screen for which there is no more room
# What a dictionary's entry takes beside the arrays, at most: while the dictionary grows there are
# two of it. On average it is 120 (`benchmarks.tabular`).
ENTRY_BYTES = 170


class Entries(NamedTuple):
    """What is known, a screen a row.

    Attributes:
        keys: uint64 (n,), hashes of the screens, no two of them equal.
        values: float64 (n, tables, actions).
        visits: uint32 (n, actions), how often each action was tried on each screen.
    """

    keys: np.ndarray
    values: np.ndarray
    visits: np.ndarray


# From values and visits of the same screens here and there, four arrays, to bool (n, actions):
# where what is known there is worth more.
Better = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def screen_hash(frame: np.ndarray) -> int:
    """Return 64 bits of the pixels, the same on every machine; of a million screens, two have the
    same ones with a probability of 3e-8.
    """
    return int.from_bytes(blake2b(frame.tobytes(), digest_size=8).digest(), "little")


class Table:
    """A row for each screen, up to a number of screens.

    The memory for all of them is set aside at once, and taken by the system as rows are filled.

    Args:
        limit: the most screens.
        n_tables: values that each action has on a screen: 2 in double Q-learning.
        n_actions: number of actions.

    Attributes:
        values: float64 (limit, n_tables, n_actions), 0 where nothing was learned yet.
        visits: uint32 (limit, n_actions), how often each action was tried.
    """

    def __init__(self, limit: int, n_tables: int, n_actions: int) -> None:
        self.limit = limit
        self.values = np.zeros((limit, n_tables, n_actions))
        self.visits = np.zeros((limit, n_actions), np.uint32)
        self._keys = np.zeros(limit, np.uint64)
        self._rows: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def stored_bytes(self) -> int:
        """Bytes that a screen takes in a file; in memory it is `ENTRY_BYTES` more."""
        arrays = (self._keys, self.values, self.visits)
        return sum(array[:1].nbytes for array in arrays)

    def row(self, key: int) -> int:
        """Return the row of a screen, a new one if it has none; `ABSENT` if the table is full."""
        row = self._rows.get(key)
        if row is None:
            row = len(self._rows)
            if row == self.limit:
                return ABSENT
            self._rows[key] = row
            self._keys[row] = key
        return row

    def entries(self) -> Entries:
        """Return what is known, not copied."""
        known = len(self)
        return Entries(self._keys[:known], self.values[:known], self.visits[:known])

    def fill(self, entries: Entries) -> None:
        """Hold these entries in place of what is there.

        Raises:
            ValueError: they are more than the table takes, or of another shape.
        """
        known = len(entries.keys)
        if known > self.limit:
            raise ValueError(f"{known:,} screens are more than the {self.limit:,} of the table")
        shapes = ((known, *self.values.shape[1:]), (known, *self.visits.shape[1:]))
        if (entries.values.shape, entries.visits.shape) != shapes:
            raise ValueError(f"expected values of {shapes[0][1:]}, not {entries.values.shape[1:]}")
        values, visits = entries.values.copy(), entries.visits.copy()
        self.values[: len(self)] = 0.0
        self.visits[: len(self)] = 0
        self._keys[:known], self.values[:known], self.visits[:known] = entries.keys, values, visits
        self._rows = {key: row for row, key in enumerate(entries.keys.tolist())}


def merged(mine: Entries, theirs: Entries, better: Better) -> Entries:
    """Return the screens of both; of one that is in both, each action's better entry.

    Args:
        mine: stays as it is where the two are equally good; its screens come first.
        theirs: what is merged into it.
        better: tells which of two entries for the same action on the same screen is better.
    """
    _, here, there = np.intersect1d(mine.keys, theirs.keys, assume_unique=True, return_indices=True)
    new = np.isin(theirs.keys, mine.keys, assume_unique=True, invert=True)
    values, visits = mine.values.copy(), mine.visits.copy()
    taken = better(values[here], visits[here], theirs.values[there], theirs.visits[there])
    values[here] = np.where(taken[:, None], theirs.values[there], values[here])
    visits[here] = np.maximum(visits[here], theirs.visits[there])
    return Entries(
        np.concatenate([mine.keys, theirs.keys[new]]),
        np.concatenate([values, theirs.values[new]]),
        np.concatenate([visits, theirs.visits[new]]),
    )
