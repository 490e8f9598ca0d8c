"""A page's socket: words both ways, and of pictures only the newest, when the page can take it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from qmap.page.messages import BadMessage, parse

PATIENCE = 20  # malformed messages until the socket is closed
WAITING = 256  # words that a page may leave unread until its socket is closed
SEEN = "seen"


class Channel:
    """The socket of one page.

    Words (JSON objects) are sent in order. A picture is sent when the page has said that it has
    shown the one before (`{"do": "seen"}`); one that is offered meanwhile takes the place of the
    one that waits. So a slow line makes fewer pictures, not late ones.

    `send` and `show` may be called from the event loop's thread only, and never wait.

    Args:
        socket: it has not been accepted yet.
    """

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket
        self._words: list[str] = []
        self._picture: bytes | None = None
        self._ready = True
        self._bad = 0
        self._news = asyncio.Event()
        self._overrun = asyncio.Event()

    def send(self, message: dict[str, Any]) -> None:
        """Send words; a page that does not read them loses its socket."""
        if len(self._words) >= WAITING:
            self._overrun.set()
            return
        self._words.append(json.dumps(message))
        self._news.set()

    def show(self, picture: bytes) -> None:
        """Send a picture, or whatever else a page only wants the newest of."""
        self._picture = picture
        self._news.set()

    def complain(self, problem: str) -> None:
        """Tell the page in one line what is wrong."""
        self.send({"problem": " ".join(problem.split())[:500]})

    async def messages(self) -> AsyncIterator[dict[str, Any]]:
        """Accept the socket and yield what comes in, until it is closed.

        What is malformed is answered with a complaint; after 20 of these the socket is closed. A
        consumer that finds a part of a message malformed calls `refuse`.
        """
        await self._socket.accept()
        ends = {asyncio.create_task(self._send_all()), asyncio.create_task(self._overrun.wait())}
        try:
            while self._bad < PATIENCE:
                receiving = asyncio.create_task(self._socket.receive())
                await asyncio.wait({receiving, *ends}, return_when=asyncio.FIRST_COMPLETED)
                if not receiving.done():
                    receiving.cancel()
                    return
                received = receiving.result()
                if received["type"] != "websocket.receive":
                    return
                try:
                    message = parse(received.get("text") or "")
                except BadMessage as error:
                    self.refuse(error)
                    continue
                if message["do"] == SEEN:
                    self._ready = True
                    self._news.set()
                else:
                    yield message
        finally:
            for task in ends:
                task.cancel()
            await asyncio.gather(*ends, return_exceptions=True)
            with suppress(RuntimeError, WebSocketDisconnect):
                await self._socket.close(1008)

    def refuse(self, error: BadMessage) -> None:
        """Count a malformed message and say what is wrong with it."""
        self._bad += 1
        self.complain(f"not understood: {error}")

    async def _send_all(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            words, self._words = self._words, []
            for each in words:
                await self._socket.send_text(each)
            if self._ready and self._picture is not None:
                picture, self._picture = self._picture, None
                self._ready = False
                await self._socket.send_bytes(picture)
