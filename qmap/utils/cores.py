"""How many cores this process may compute on."""

from __future__ import annotations

import os

# The name that numerical libraries, Slurm's users and Ray agree on.
THREADS = "OMP_NUM_THREADS"


def cores() -> int:
    """Return `OMP_NUM_THREADS` if it is set to a number from 1, else the cores there are for us."""
    told = os.environ.get(THREADS, "")
    if told.isdecimal() and int(told) > 0:
        return int(told)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
