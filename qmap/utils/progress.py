"""The bar that tells how far a run is."""

from __future__ import annotations

import sys

from tqdm import tqdm


def progress_bar(total: int, done: int, unit: str) -> tqdm:
    """Return a bar on standard error: live on a terminal, a line now and then in a log file."""
    every = 0.5 if sys.stderr.isatty() else 30.0
    return tqdm(total=total, initial=done, unit=unit, mininterval=every, dynamic_ncols=True)
