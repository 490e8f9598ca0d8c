"""The entries of a table, as tests compare them."""

from __future__ import annotations

from typing import Any

from qmap.tabular.table import Entries


def by_screen(table: Entries) -> dict[int, list[tuple[Any, int]]]:
    """What is known of each screen: for each action its values and its visits."""
    return {
        int(key): [(tuple(value), int(n)) for value, n in zip(values.T, visits, strict=True)]
        for key, values, visits in zip(*table, strict=True)
    }
