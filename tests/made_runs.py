"""Runs as trainings leave them, made for the page, and all that the page can be asked of one."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pytest
from asgi import Answer, Page, ask

# Whoever makes such a run is about to show it.
pytest.importorskip("starlette", reason="starlette is not installed: pip install -e '.[test]'")

from qmap.page.results import Results
from qmap.page.run_pictures import NewestPictures
from qmap.page.run_reader import Readers, RunReader
from qmap.page.server import make_app
from qmap.utils.csv_logger import CSVLogger
from qmap.utils.run_folder import FINISHED


def make_run(
    results: Path,
    seed: int = 0,
    agent: str = "q-map+dqn",
    rows: int = 20,
    environment: str = "maze",
) -> Path:
    """A run as a training leaves it: finished."""
    folder = results / environment / agent / f"seed-{seed}_2026-01-01_00-00-0{seed}"
    folder.mkdir(parents=True)
    options = {"steps": 10 * rows + 100, "stop_at": 10 * rows, "seed": seed, "path": "somewhere"}
    config = {"program": "qmap.train_maze", "options": options}
    (folder / "config.json").write_text(json.dumps(config))
    random = np.random.default_rng(seed)
    names = ("steps", "undiscounted return", "episode length")
    with CSVLogger(folder / "score.csv", names) as log:
        for row in range(1, rows + 1):
            log.write(10 * row, row + random.normal(), 10)
    with CSVLogger(
        folder / "exploration.csv", ("steps", "planned exploration", "current exploration")
    ) as log:
        for row in range(1, rows + 1):
            log.write(10 * row, 1 - row / rows, random.random())
    (folder / FINISHED).write_text(f"{10 * rows}\n")
    (folder / ".lock").touch()
    return folder


def reader_of(results: Path, run: Path) -> RunReader:
    return Readers(Results.of(results)).of(run.relative_to(results).as_posix())


def get(app: Any, path: str, **query: str) -> Answer:
    return asyncio.run(ask(app, path, query=urlencode(query, errors="replace")))


def look_at_everything(results: Path, run: Path) -> list[str]:
    """Ask all there is to ask of a run; what is refused is one line, and nothing crashes."""
    name = run.relative_to(results).as_posix()
    app = make_app(Results.of(results))
    (row,) = [row for row in json.loads(get(app, "/compare/table").body) if row["run"] == name]
    answers = [
        get(app, "/compare/curves", runs=row["id"], way=way, log="score")
        for way in ("interval", "runs")
    ]
    answers += [get(app, "/watch/visits", run=name, step=step) for step in ("7", "8")]
    answers.append(get(app, "/watch/config", run=name))
    for answer in answers:
        assert answer.status in (200, 404)
        assert answer.status == 200 or b"\n" not in answer.body
    said = [answer.body.decode(errors="replace") for answer in answers]

    async def watch() -> None:
        async with Page(app, "/watch/socket") as page:
            await page.send({"do": "watch", "run": name})
            words: Any = {}
            while "figures" not in words:
                words = await page.receive()
                said.append(str(words))

    asyncio.run(watch())
    said.append(str(NewestPictures().of(reader_of(results, run))))
    return said
