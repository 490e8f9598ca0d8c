"""Compare: all runs of the results in a table, and the curves of those that are chosen."""

from __future__ import annotations

from qmap.page.results import Results
from qmap.page.tab import Tab


def make(results: Results) -> Tab:
    """Make the tab."""
    return Tab([])
