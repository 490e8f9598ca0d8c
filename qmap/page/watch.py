"""Watch: a run that is training in another process on this machine.

What is new is sent through a socket: the newest picture, the state once a second, the figures of
the logs when they have grown, and what files there are.
"""

from __future__ import annotations

import asyncio
import time
import traceback
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress
from typing import Any, TypeVar

import anyio
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from qmap.page.background import patient_threads
from qmap.page.channel import Channel
from qmap.page.figures import figures
from qmap.page.messages import BadMessage, text
from qmap.page.results import Results
from qmap.page.run_pictures import Maps, NewestPictures
from qmap.page.run_reader import Readers, RunReader
from qmap.page.tab import Tab
from qmap.utils.errors import UserError
from qmap.utils.newest_picture import EVERY, ask_for_pictures
from qmap.utils.owner import ask_to_stop
from qmap.utils.plot_options import PlotOptions
from qmap.utils.run_folder import in_use

LOOK = 1.0  # seconds from one look at a run to the next
LONGEST = 500  # characters of an option's value
SHARE = 0.01  # of a processor, at most, that goes into drawing figures for one page

T = TypeVar("T")


def make(results: Results) -> Tab:
    """Make the tab."""
    readers, pictures, maps = Readers(results), NewestPictures(), Maps()
    threads = patient_threads()

    async def socket(socket: WebSocket) -> None:
        channel = Channel(socket)
        watching = asyncio.create_task(asyncio.sleep(0))
        try:
            async for message in channel.messages():
                try:
                    run = text(message, "run")
                except BadMessage as error:
                    channel.refuse(error)
                    continue
                if message["do"] == "watch":
                    watching.cancel()
                    watching = asyncio.create_task(
                        Watching(channel, readers, pictures, run, threads).go_on()
                    )
                elif message["do"] == "stop":
                    try:
                        await anyio.to_thread.run_sync(stop, readers, run)
                    except UserError as error:
                        channel.complain(str(error))
                else:
                    channel.refuse(BadMessage("'do' is not watch or stop"))
        finally:
            watching.cancel()

    def config(request: Request) -> Response:
        program, options = readers.of(request.query_params.get("run", "")).config()
        shown = {name: _shown(value) for name, value in options.items()}
        return JSONResponse({"program": program, "options": shown})

    def visits(request: Request) -> Response:
        reader = readers.of(request.query_params.get("run", ""))
        return Response(
            maps.draw(reader, request.query_params.get("step", "")), media_type="image/png"
        )

    return Tab(
        [
            WebSocketRoute("/watch/socket", socket),
            Route("/watch/config", config),
            Route("/watch/visits", visits),
        ],
        threads.shutdown,
    )


def stop(readers: Readers, run: str) -> None:
    """Ask the process that trains a run to stop.

    Raises:
        UserError: there is none, or it is not known for sure.
    """
    folder = readers.of(run).folder
    if not in_use(folder):
        raise UserError("nobody trains this run")
    ask_to_stop(folder)


class Watching:
    """Sends one page what is new of a run.

    Args:
        channel: to the page.
        readers: of the runs.
        pictures: encodes them.
        run: name of the run.
        threads: for all but the first look, which somebody waits for.
    """

    def __init__(
        self,
        channel: Channel,
        readers: Readers,
        pictures: NewestPictures,
        run: str,
        threads: Executor,
    ) -> None:
        self.channel = channel
        self.readers = readers
        self.pictures = pictures
        self.run = run
        self._threads: Executor | None = None
        self._patient_threads = threads
        self._sent: dict[str, Any] = {}
        self._shown: object = None
        self._next_look = self._next_figures = 0.0

    async def go_on(self) -> None:
        """Look and send, until cancelled."""
        while True:
            now = time.monotonic()
            try:
                if now >= self._next_look:
                    self._next_look = now + LOOK
                    for name, value in (await self._in_thread(self._look)).items():
                        self._send(name, value)
                if (picture := await self._in_thread(self._picture)) is not None:
                    self.channel.show(picture)
                self._threads = self._patient_threads
            except (UserError, OSError) as error:
                self._sent, self._shown, self._next_figures = {}, None, 0.0
                self._send("gone", str(error))
            except Exception as error:  # whatever else: the page says so, and goes on looking
                traceback.print_exc()
                self.channel.complain(f"this run cannot be shown: {error!r}")
            await asyncio.sleep(EVERY)

    def _look(self) -> dict[str, Any]:
        """Return what the page may not know yet."""
        reader = self.readers.of(self.run)
        state = reader.state()
        with suppress(OSError):
            ask_for_pictures(reader.folder)
        new = {
            "state": state,
            "videos": reader.videos(),
            "visits": list(reader.visits()),
        }
        now, spent = time.monotonic(), time.thread_time()
        if now >= self._next_figures and (drawn := self._figures(reader, state)) is not None:
            new["figures"] = drawn
            self._next_figures = now + (time.thread_time() - spent) / SHARE
        return new

    def _figures(self, reader: RunReader, state: dict[str, Any]) -> list[dict[str, Any]] | None:
        """Return the figures of the logs, None if these have not grown."""
        tables = reader.tables()
        version = reader.version()
        if self._sent.get("version") == version:
            return None
        self._sent["version"] = version
        agent, run = state["agent"], state["started"]
        by_name = {name: {agent: {run: table}} for name, table in tables.items()}
        return figures(by_name, PlotOptions())

    def _picture(self) -> bytes | None:
        """Return the newest picture, None if the page has it."""
        version, picture = self.pictures.of(self.readers.of(self.run))
        if version is None or version == self._shown:
            return None
        self._shown = version
        return picture

    async def _in_thread(self, function: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, function)

    def _send(self, name: str, value: Any) -> None:
        if name == "figures" or self._sent.get(name) != value:
            self._sent[name] = value if name != "figures" else None
            self.channel.send({"run": self.run, name: value})


def _shown(value: Any) -> str:
    """Return the value of an option for people."""
    if isinstance(value, list):
        return " ".join(map(_shown, value))
    words = {True: "yes", False: "no", None: "–"}
    return words[value] if value is None or isinstance(value, bool) else str(value)[:LONGEST]
