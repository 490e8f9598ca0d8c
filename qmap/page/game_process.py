"""The server's end of a game that is played in a process of its own."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from qmap.page import game_loop
from qmap.page.commands import Command

PATIENCE = 5.0  # seconds, for the process to end by itself

OnNews = Callable[[str, Any], None]


class GameProcess:
    """A game in a process of its own: one that dies takes nothing with it.

    Args:
        checkpoint: what is played.
        seed: of everything random.
        on_news: takes what `qmap.page.game_loop` sends, in a thread of its own; a game that has
            ended, however it did, ends with "failed" and a line that says why.
    """

    def __init__(self, checkpoint: Path, seed: int, on_news: OnNews) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(
            target=game_loop.main, args=(theirs, str(checkpoint), seed), daemon=True
        )
        self._process.start()
        theirs.close()
        self._on_news = on_news
        self._closing = False
        self._sending = threading.Lock()
        threading.Thread(target=self._listen, name="game", daemon=True).start()

    def send(self, name: str, *arguments: Any) -> None:
        """Ask for something; a game that has ended does not hear it."""
        with self._sending, suppress(OSError):
            self._connection.send(Command(name, arguments))

    def close(self) -> None:
        """End the process; it may be called again."""
        self._closing = True
        self._connection.close()
        self._process.join(PATIENCE)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def _listen(self) -> None:
        failed = False
        # A connection that is closed here while it is read raises the one or the other.
        with suppress(EOFError, OSError, TypeError):
            while True:
                kind, what = self._connection.recv()
                failed = failed or kind == game_loop.FAILED
                self._on_news(kind, what)
        if not failed and not self._closing:
            self._process.join(PATIENCE)
            status = self._process.exitcode
            self._on_news(game_loop.FAILED, f"the game's process died (status {status})")
