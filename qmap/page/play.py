"""Play: a trained agent in its world, which goes where one points.

All pages look at the same game, in a process of its own, which stands still when nobody looks. So
a page that is closed and opened again goes on, and many pages cost no more than one.
"""

from __future__ import annotations

import asyncio
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Any

from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from qmap.page import game_loop
from qmap.page.channel import Channel
from qmap.page.commands import checkpoint_of, command_of
from qmap.page.game_process import GameProcess
from qmap.page.messages import BadMessage
from qmap.page.results import Results
from qmap.page.tab import Tab
from qmap.utils.errors import UserError


def make(results: Results) -> Tab:
    """Make the tab."""
    play = Play(results)
    return Tab([WebSocketRoute("/play/socket", play.socket)], play.close)


class Play:
    """The game, and the pages that look at it.

    Everything but `_listen`, which the game's thread calls, happens in the event loop's thread.

    Args:
        results: where the checkpoints are.
    """

    def __init__(self, results: Results) -> None:
        self.results = results
        self._pages: set[Channel] = set()
        self._process: GameProcess | None = None
        self._checkpoint: str | None = None
        # The newest of each, for pages that come later.
        self._words: dict[str, Any] = {}
        self._picture: bytes | None = None

    async def socket(self, socket: WebSocket) -> None:
        """Serve one page."""
        channel = Channel(socket)
        self._pages.add(channel)
        try:
            await self._welcome(channel)
            async for message in channel.messages():
                try:
                    await self._obey(message)
                except BadMessage as error:
                    channel.refuse(error)
                except UserError as error:
                    channel.complain(str(error))
        finally:
            self._pages.discard(channel)
            self._tell_watched()

    def close(self) -> None:
        """End the game."""
        if self._process is not None:
            self._process.close()
            self._process = None

    async def _welcome(self, channel: Channel) -> None:
        """Show a page what there is; the first page begins the game."""
        channel.send({"checkpoints": await asyncio.to_thread(self._checkpoints)})
        if self._process is None and self._checkpoint is None:
            # With several runs the page asks for one.
            name = self.results.checkpoint
            runs = await asyncio.to_thread(self.results.runs)
            if name is None and len(runs) == 1:
                name = next(iter(await asyncio.to_thread(self.results.checkpoints, runs[0])), None)
            if name is not None and self._process is None:
                await self._open(name)
        channel.send({"opened": self._checkpoint})
        for kind, words in self._words.items():
            channel.send({kind: words})
        if self._picture is not None:
            channel.show(self._picture)
        self._tell_watched()

    async def _obey(self, message: dict[str, Any]) -> None:
        if message["do"] == "open":
            await self._open(checkpoint_of(message))
        elif message["do"] == "list":
            self._send({"checkpoints": await asyncio.to_thread(self._checkpoints)})
        elif (world := self._words.get(game_loop.WORLD)) is None:
            raise UserError("there is no game yet; open a checkpoint, or wait until it is there")
        elif self._process is not None:
            command = command_of(message, world)
            self._process.send(command.name, *command.arguments)

    async def _open(self, name: str) -> None:
        """Play another checkpoint.

        Raises:
            UserError: there is none of that name.
        """
        path = self.results.path(name)
        if path.suffix != ".ckpt" or not path.is_file():
            raise UserError("there is no such checkpoint")
        old, self._process = self._process, None
        self._words, self._picture, self._checkpoint = {}, None, name
        self._send({"opened": name})
        if old is not None:
            await asyncio.to_thread(old.close)
        if self._process is not None or self._checkpoint != name:
            return  # another page was faster
        loop, seed = asyncio.get_running_loop(), secrets.randbelow(2**31)

        def listen(kind: str, what: Any) -> None:
            with suppress(RuntimeError):  # the server has ended
                loop.call_soon_threadsafe(self._hear, process, kind, what)

        process = self._process = GameProcess(path, seed, listen)
        self._tell_watched()

    def _hear(self, process: GameProcess, kind: str, what: Any) -> None:
        """Pass on what the game sends, unless it has been closed meanwhile."""
        if process is not self._process:
            return
        if kind == game_loop.PICTURE:
            self._picture = what
            for page in self._pages:
                page.show(what)
        elif kind == game_loop.PROBLEM:
            for page in self._pages:
                page.complain(what)
        elif kind == game_loop.FAILED:
            self._process = self._checkpoint = self._picture = None
            self._words = {}
            self._send({"opened": None})
            for page in self._pages:
                page.complain(what)
        else:
            if kind == game_loop.STATE:
                what = {**what, "recorded": [self._named(each) for each in what["recorded"]]}
            self._words[kind] = what
            self._send({kind: what})

    def _named(self, recorded: dict[str, Any]) -> dict[str, Any]:
        """Return what was recorded with the names that its files have in the results."""
        names = {
            part: None if recorded[part] is None else self._name(Path(recorded[part]))
            for part in ("video", "actions")
        }
        return {**recorded, **names}

    def _name(self, path: Path) -> str:
        return self.results.name(path.resolve())

    def _send(self, words: dict[str, Any]) -> None:
        for page in self._pages:
            page.send(words)

    def _tell_watched(self) -> None:
        if self._process is not None:
            self._process.send("watch", bool(self._pages))

    def _checkpoints(self) -> list[str]:
        """Return the names of all checkpoints, those of the newest runs first."""
        found = []
        for run in self.results.runs():
            try:
                found += self.results.checkpoints(run)
            except UserError:
                continue  # it has just vanished
        return found
