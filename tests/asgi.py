"""Requests and sockets to an application in this process, without a network."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

HERE = "127.0.0.1:8080"


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes


def scope(kind: str, path: str, headers: Mapping[str, str], query: str = "") -> dict[str, Any]:
    """What a server says of a request; the host is this one's, if the headers name no other."""
    named = {"host": HERE, **headers}
    return {
        "type": kind,
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode("utf-8", "surrogatepass"),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in named.items()],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8080),
        "subprotocols": [],
    }


async def ask(app: Any, path: str, method: str = "GET", query: str = "", **headers: str) -> Answer:
    """Send a request."""
    sent: list[dict[str, Any]] = []
    requests = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> dict[str, Any]:
        return requests.pop() if requests else await asyncio.Event().wait()

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    await app({**scope("http", path, headers, query), "method": method}, receive, send)
    found = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return Answer(sent[0]["status"], found, b"".join(each.get("body", b"") for each in sent))


class Page:
    """A socket, as a page opens it; `accepted` tells whether it was let in."""

    def __init__(self, app: Any, path: str = "/play/socket", **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self._scope = scope("websocket", path, named)
        self._app = app
        self._in: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._out: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def __aenter__(self) -> Page:
        """Connect."""
        await self._in.put({"type": "websocket.connect"})
        self._task = asyncio.create_task(self._app(self._scope, self._in.get, self._out.put))
        first = await asyncio.wait_for(self._out.get(), 60)
        self.accepted = first["type"] == "websocket.accept"
        return self

    async def __aexit__(self, *error: object) -> None:
        """Go away without a word, as a page that is closed does."""
        await self._in.put({"type": "websocket.disconnect", "code": 1001})
        await asyncio.wait_for(self._task, 60)

    async def send(self, message: str | bytes | dict[str, Any]) -> None:
        """Send text, bytes or an object."""
        if isinstance(message, bytes):
            await self._in.put({"type": "websocket.receive", "bytes": message})
            return
        text = message if isinstance(message, str) else json.dumps(message)
        await self._in.put({"type": "websocket.receive", "text": text})

    async def receive(self) -> dict[str, Any] | bytes | None:
        """Return the next object or picture that comes; None where the socket is closed."""
        message = await asyncio.wait_for(self._out.get(), 60)
        if message["type"] == "websocket.close":
            return None
        text = message.get("text")
        return message["bytes"] if text is None else json.loads(text)

    async def wait_for(self, name: str) -> Any:
        """Return what the next object says that says anything under this name."""
        while True:
            message = await self.receive()
            assert message is not None, "the socket is closed"
            if isinstance(message, dict) and name in message:
                return message[name]
