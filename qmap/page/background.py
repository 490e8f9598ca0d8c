"""Work of the server that a training on the same machine goes before."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import ParamSpec, TypeVar

NICENESS = 19  # the lowest priority

P = ParamSpec("P")
T = TypeVar("T")

_thread = threading.local()


def yielding(function: Callable[P, T]) -> Callable[P, T]:
    """Return a function that first gives its thread, one of a pool, the lowest priority for good.

    Whoever waits for the function must be patient. The thread of the event loop keeps its
    priority, so that Play does not wait for a busy machine where Watch may. On other systems than
    Linux only processes have priorities, and nothing changes.
    """

    @wraps(function)
    def yields(*arguments: P.args, **options: P.kwargs) -> T:
        if sys.platform == "linux" and not getattr(_thread, "yields", False):
            _thread.yields = True
            with suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
        return function(*arguments, **options)

    return yields
