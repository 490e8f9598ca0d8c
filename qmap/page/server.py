"""The application: the tabs, the page's own files, and the files of the results."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import uvicorn
from PIL import ImageFont
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from qmap.page import compare, play, watch
from qmap.page.guard import Guard
from qmap.page.results import Results
from qmap.utils.drawing import COLORS
from qmap.utils.errors import UserError

STATIC = Path(__file__).parent / "static"
TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
# What may be fetched of the results; whatever else a run holds stays where it is.
FILES = {
    ".mp4": "video/mp4",
    ".png": "image/png",
    ".pdf": "application/pdf",
    ".actions": "text/plain",
}
LARGEST_MESSAGE = 2**16


def serve(results: Results, listener: socket.socket, host: str, token: str | None) -> None:
    """Serve until Ctrl-C.

    Args:
        results: what can be seen.
        listener: a bound socket.
        host: that it listens on.
        token: that visitors have to know, None for none.
    """
    config = uvicorn.Config(
        make_app(results, host, token),
        log_level="critical",
        ws="websockets-sansio",
        ws_max_size=LARGEST_MESSAGE,
        server_header=False,
        limit_concurrency=200,
        timeout_graceful_shutdown=2,
    )
    uvicorn.Server(config).run(sockets=[listener])


def make_app(results: Results, host: str = "127.0.0.1", token: str | None = None) -> ASGIApp:
    """Make the application; see `serve`."""
    tabs = [module.make(results) for module in (play, watch, compare)]

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        for tab in tabs:
            tab.close()

    def runs(request: Request) -> Response:
        return JSONResponse({"root": results.root.name, "runs": results.runs()})

    def file(request: Request) -> Response:
        path = results.path(request.path_params["name"])
        if path.suffix not in FILES or not path.is_file():
            raise UserError("there is no such file in the results")
        return FileResponse(path, media_type=FILES[path.suffix])

    pages = {path.name: path.read_bytes() for path in STATIC.iterdir() if path.suffix in TYPES}
    routes = [
        Route("/", lambda request: _page("index.html", pages)),
        Route("/static/{name}", lambda request: _page(request.path_params["name"], pages)),
        Route("/font", lambda request: Response(_font(), media_type="font/otf")),
        Route("/colors", lambda request: JSONResponse(COLORS.tolist())),
        Route("/runs", runs),
        Route("/files/{name:path}", file),
        *(route for tab in tabs for route in tab.routes),
    ]
    app = Starlette(
        routes=routes,
        lifespan=lifespan,
        exception_handlers={UserError: _refused, 404: _refused},
    )
    # An address is as it is asked for: no answer sends anybody anywhere else.
    app.router.redirect_slashes = False
    return Guard(app, host, token)


def _page(name: str, pages: dict[str, bytes]) -> Response:
    """Return a file of the page: one of those that were there at the start, and no other."""
    if name not in pages:
        raise UserError("there is no such page")
    return Response(pages[name], media_type=TYPES[Path(name).suffix])


def _font() -> bytes:
    """Return the font of the videos."""
    return ImageFont.load_default(15).font_bytes


def _refused(request: Request, error: Exception) -> Response:
    return PlainTextResponse(str(error) if isinstance(error, UserError) else "not found", 404)
