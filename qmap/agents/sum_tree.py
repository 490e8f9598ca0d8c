"""A sum tree over an array: whole batches of prefix-sum searches and updates at once."""

from __future__ import annotations

import numpy as np

ARITY = 32
BYTES_PER_VALUE = 17  # both trees' leaves, and their part of the levels above


class SumTree:
    """Non-negative values in a fixed number of places, with their sums in a wide, flat tree.

    Each node has 32 children, so that half a million values need four levels, and each level is
    a handful of NumPy calls for a whole batch. A parent is always summed up from its children
    again, never corrected by a difference, so no rounding error builds up. The smallest positive
    value is kept in a second tree of the same shape.

    Args:
        capacity: number of places.
    """

    def __init__(self, capacity: int) -> None:
        sizes = [capacity]
        while sizes[-1] > 1:
            sizes.append(-(-sizes[-1] // ARITY))
        # Levels from the leaves to the root; each is padded to whole families of children.
        self._sums = [np.zeros((-(-size // ARITY), ARITY)) for size in sizes]
        self._minima = [np.full((-(-size // ARITY), ARITY), np.inf) for size in sizes]

    @property
    def total(self) -> float:
        """Sum of all values."""
        return float(self._sums[-1][0, 0])

    @property
    def minimum(self) -> float:
        """The smallest positive value, infinity if there is none."""
        return float(self._minima[-1][0, 0])

    @property
    def nbytes(self) -> int:
        """Bytes of both trees."""
        return sum(level.nbytes for level in (*self._sums, *self._minima))

    def __getitem__(self, indices: np.ndarray) -> np.ndarray:
        """Values at `indices`."""
        return self._sums[0].reshape(-1)[indices]

    def __setitem__(self, indices: np.ndarray, values: np.ndarray | float) -> None:
        """Set the values at `indices`; where an index comes twice, the later value stays."""
        self._sums[0].reshape(-1)[indices] = values
        leaves = self._sums[0].reshape(-1)[indices]
        self._minima[0].reshape(-1)[indices] = np.where(leaves > 0.0, leaves, np.inf)
        for level in range(1, len(self._sums)):
            indices = indices // ARITY
            self._sums[level].reshape(-1)[indices] = self._sums[level - 1][indices].sum(axis=1)
            self._minima[level].reshape(-1)[indices] = self._minima[level - 1][indices].min(axis=1)

    def find(self, masses: np.ndarray) -> np.ndarray:
        """Return for each mass the index i with `sum(values[:i]) <= mass < sum(values[:i + 1])`.

        Args:
            masses: (n,) in [0, total).

        Returns:
            (n,) indices of positive values.
        """
        indices = np.zeros(len(masses), np.int64)
        for sums in reversed(self._sums[:-1]):
            cumulative = np.cumsum(sums[indices], axis=1)
            # Rounding may have brought the mass to the node's very sum.
            masses = np.minimum(masses, np.nextafter(cumulative[:, -1], 0.0))
            child = np.sum(cumulative <= masses[:, None], axis=1)
            before = np.take_along_axis(cumulative, np.maximum(child - 1, 0)[:, None], 1)[:, 0]
            masses = masses - np.where(child > 0, before, 0.0)
            indices = indices * ARITY + child
        return indices
