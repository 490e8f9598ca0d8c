"""What a tab of the page consists of."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from starlette.routing import BaseRoute


class Tab(NamedTuple):
    """A tab.

    Attributes:
        routes: of its sockets and answers, all below its own name.
        close: called when the server ends.
    """

    routes: list[BaseRoute]
    close: Callable[[], None] = lambda: None
