"""Watch: a run that is training in another process on this machine."""

from __future__ import annotations

from qmap.page.results import Results
from qmap.page.tab import Tab


def make(results: Results) -> Tab:
    """Make the tab."""
    return Tab([])
