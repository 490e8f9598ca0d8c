"""Training both learners side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

_threads = ThreadPoolExecutor(thread_name_prefix="together")


def together(calls: Mapping[str, Callable[[], Any]]) -> dict[str, Any]:
    """Make all calls at the same time, the last one in this thread; return their results.

    A training step is a graph with narrow places at which some cores have nothing to do; with two
    graphs at a time, one fills the gaps of the other. The calls must not depend on each other.
    """
    *others, last = calls or [None]
    futures = {name: _threads.submit(calls[name]) for name in others}
    results = {} if last is None else {last: calls[last]()}
    return {name: future.result() for name, future in futures.items()} | results
