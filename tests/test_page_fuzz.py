from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from asgi import Page, ask

pytest.importorskip("starlette", reason="starlette is not installed: pip install -e '.[test]'")

from qmap.page.channel import PATIENCE, WAITING, Channel
from qmap.page.commands import Command, command_of
from qmap.page.game_loop import GameLoop
from qmap.page.messages import BadMessage, parse
from qmap.page.results import Results
from qmap.page.server import make_app

SECRET = b"nobody may read this"
WORLD = {
    "actions": ["UP", "LEFT", "RIGHT", "DOWN"],
    "drivers": ["nothing", "goals"],
    "maps": ["best", "action", "none"],
    "levels": ["level1"],
}


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A run, and beside the results, and linked to from within them, a secret."""
    (tmp_path / "secret.png").write_bytes(SECRET)
    (tmp_path / "secret.actions").write_bytes(SECRET)
    run = tmp_path / "results" / "world" / "agent" / "seed-0"
    run.mkdir(parents=True)
    (run / "config.json").write_bytes(SECRET)
    (run / "secret.txt").write_bytes(SECRET)
    (run / "picture.png").write_bytes(b"a picture")
    (tmp_path / "results" / "link.png").symlink_to(tmp_path / "secret.png")
    (tmp_path / "results" / "up").symlink_to(tmp_path)
    (tmp_path / "results" / "round").symlink_to(tmp_path / "results" / "round")
    os.mkfifo(tmp_path / "results" / "pipe.png")
    return tmp_path / "results"


def strange_paths(generator: np.random.Generator, count: int) -> Iterator[str]:
    parts = ["..", ".", "", "files", "static", "runs", "up", "secret.png", "link.png", "world"]
    parts += ["agent", "seed-0", "config.json", "secret.txt", "round", "pipe.png", "\0", "%2e%2e"]
    parts += ["\\..", "~", "etc", "passwd", "x" * 300, "\udcff", "ü", "\n", "play", "socket", "*"]
    parts += [
        "watch",
        "compare",
        "colors",
        "font",
        "C:",
        "//",
        "app.js",
        "__init__.py",
        "server.py",
    ]
    starts = ["/", "/files/", "/static/", "/files/../", ""]
    for _ in range(count):
        chosen = [parts[index] for index in generator.integers(len(parts), size=6)]
        path = "/".join(chosen[: generator.integers(1, 7)])
        yield starts[generator.integers(len(starts))] + path


def test_no_path_leads_out_of_the_results(results: Path) -> None:
    app = make_app(Results.of(results))
    before = sorted(results.parent.rglob("*"))

    async def fuzz() -> set[int]:
        statuses = set()
        for path in strange_paths(np.random.default_rng(0), 3000):
            status, _, body = await ask(app, path)
            assert SECRET not in body, path
            assert b"root:" not in body, path
            statuses.add(status)
        return statuses

    assert asyncio.run(fuzz()) <= {200, 404}
    assert sorted(results.parent.rglob("*")) == before
    picture = asyncio.run(ask(app, "/files/world/agent/seed-0/picture.png"))
    assert (picture.status, picture.body) == (200, b"a picture")


@pytest.mark.parametrize(
    "name",
    [
        "../secret.png",
        "up/secret.png",
        "up/secret.actions",
        "link.png",
        "/etc/passwd",
        "pipe.png",
        "a\0.png",
    ],
)
def test_what_is_outside_is_not_there(results: Path, name: str) -> None:
    answer = asyncio.run(ask(make_app(Results.of(results)), f"/files/{name}"))
    assert (answer.status, SECRET in answer.body) == (404, False)


def test_nothing_but_questions_is_answered(results: Path) -> None:
    app = make_app(Results.of(results))
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "TRACE", "NONSENSE"):
        answer = asyncio.run(ask(app, "/files/world/agent/seed-0/picture.png", method))
        assert answer.status == 405, method


def strange_value(generator: np.random.Generator, depth: int = 0) -> Any:
    values = [None, True, False, -1, 0, 1, 3, 4, 2**63, -(2**70), 0.5, 1e308, "", "goal", "best"]
    values += ["nothing", "level1", "../..", "\0", "x" * 2000, float("inf"), float("nan"), "\ud800"]
    kind = generator.integers(8 if depth < 3 else 6)
    if kind < 6:
        return values[generator.integers(len(values))]
    inside = [strange_value(generator, depth + 1) for _ in range(generator.integers(4))]
    return inside if kind == 6 else {str(index): each for index, each in enumerate(inside)}


def strange_messages(generator: np.random.Generator, count: int) -> Iterator[str]:
    words = ["step", "restart", "goal", "drive", "map", "speed", "hold", "level", "walls", "record"]
    words += ["truth", "open", "list", "seen", "close", "__init__", "run", "obey", "watch", ""]
    fields = ["row", "col", "by", "map", "action", "speed", "level", "cells", "wall", "on", "more"]
    for _ in range(count):
        message = {name: strange_value(generator) for name in fields if generator.random() < 0.6}
        if generator.random() < 0.95:
            message["do"] = words[generator.integers(len(words))]
        text = json.dumps(message)
        if generator.random() < 0.1:
            cut = generator.integers(len(text) + 1)
            text = text[:cut] + chr(generator.integers(0xD000)) + text[cut:]
        yield text


def test_a_malformed_message_asks_for_nothing() -> None:
    understood = 0
    for text in strange_messages(np.random.default_rng(1), 5000):
        try:
            command = command_of(parse(text), WORLD)
        except BadMessage:
            continue
        understood += 1
        assert isinstance(command, Command)
        assert command.name in vars(GameLoop)
        assert all(type(each) in (int, str, bool, list, type(None)) for each in command.arguments)
        if command.name in ("show", "hold"):
            assert command.arguments[-1] in (None, 0, 1, 2, 3)
    assert 50 < understood < 4000


@pytest.mark.parametrize("text", ["", "[]", "1", "null", '{"do": 1}', "[" * 4000, "{" * 4096])
def test_what_is_no_message_is_refused(text: str) -> None:
    with pytest.raises(BadMessage):
        parse(text)


def test_a_page_that_talks_nonsense_loses_its_socket_and_the_others_stay(results: Path) -> None:
    app = make_app(Results.of(results))

    async def talk() -> str:
        async with Page(app) as other:
            async with Page(app) as page:
                for number in range(PATIENCE):
                    await page.send(b"\xff\xfe" if number % 2 else "nonsense")
                while await page.receive() is not None:
                    pass
            await other.send({"do": "open", "checkpoint": "../../etc/passwd"})
            return await other.wait_for("problem")

    assert "there is no such" in asyncio.run(talk())


def test_messages_by_the_thousand_leave_the_server_as_it_was(results: Path) -> None:
    app = make_app(Results.of(results))
    messages = list(strange_messages(np.random.default_rng(2), 2000))

    async def talk() -> str:
        sent = 0
        while sent < len(messages):
            async with Page(app) as page:
                for text in messages[sent : sent + 50]:
                    await page.send(text)
                sent += 50
        async with Page(app) as page:
            await page.send({"do": "nothing known"})
            return await page.wait_for("problem")

    assert "there is no game yet" in asyncio.run(talk())


def test_a_page_that_does_not_read_loses_its_socket_and_memory_stays_small() -> None:
    class Deaf:
        """A socket whose other end takes nothing."""

        closed = False

        async def accept(self) -> None:
            pass

        async def receive(self) -> dict[str, Any]:
            await asyncio.Event().wait()

        send_text = send_bytes = receive_text = lambda self, *message: asyncio.Event().wait()

        async def close(self, code: int) -> None:
            self.closed = True

    socket = Deaf()
    channel = Channel(socket)

    async def talk() -> None:
        async def listen() -> None:
            async for _ in channel.messages():
                pass

        listening = asyncio.create_task(listen())
        for number in range(10 * WAITING):
            channel.send({"number": number})
            channel.show(bytes(1000))
            await asyncio.sleep(0)
        await asyncio.wait_for(listening, 60)

    asyncio.run(talk())
    assert socket.closed
    assert len(channel._words) <= WAITING
