"""Play: a trained agent in its world, which goes where one points."""

from __future__ import annotations

from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from qmap.page.channel import Channel
from qmap.page.results import Results
from qmap.page.tab import Tab


def make(results: Results) -> Tab:
    """Make the tab."""

    async def socket(socket: WebSocket) -> None:
        channel = Channel(socket)
        async for _ in channel.messages():
            channel.complain("nothing can be played yet")

    return Tab([WebSocketRoute("/play/socket", socket)])
