"""What is nice to have may fail without stopping what matters."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tqdm import tqdm

from qmap.utils.errors import UserError


class Tolerance:
    """Turns failures to write pictures and the like into one warning of each kind.

    `with tolerance("maps"): ...` goes on after the block whatever file could not be written in it.
    """

    def __init__(self) -> None:
        self._warned: set[str] = set()

    @contextmanager
    def __call__(self, what: str) -> Iterator[None]:
        """Let a `UserError` in the block cost a warning, the first one of `what`."""
        try:
            yield
        except UserError as error:
            if what not in self._warned:
                tqdm.write(f"warning: no {what}, training goes on: {error}", file=sys.stderr)
            self._warned.add(what)
