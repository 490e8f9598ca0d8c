"""Work of the server that a training on the same machine goes before."""

from __future__ import annotations

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

NICENESS = 19  # the lowest priority
THREADS = 4


def patient_threads() -> ThreadPoolExecutor:
    """Return threads that run when nobody else wants the processor, at least on Linux.

    Only they have the lowest priority: other threads of this process answer as quickly as ever. On
    other systems priorities are of whole processes, and nothing changes.
    """
    return ThreadPoolExecutor(THREADS, "patient", _yield)


def _yield() -> None:
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
