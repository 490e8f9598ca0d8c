"""Runs as the page reads them: while they are written, and after they broke."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from asgi import Page

pytest.importorskip("starlette", reason="starlette is not installed: pip install -e '.[test]'")

from made_runs import look_at_everything, make_run, reader_of

from qmap.page.background import NICENESS, patient_threads
from qmap.page.compare import WAYS, Comparison
from qmap.page.figures import figures
from qmap.page.results import Results
from qmap.page.run_pictures import NewestPictures
from qmap.page.run_reader import Readers, RunReader
from qmap.page.server import make_app
from qmap.page.watch import stop
from qmap.sweep.measures import CELLS
from qmap.utils import plot
from qmap.utils.errors import UserError
from qmap.utils.image_file import write_image
from qmap.utils.newest_picture import PICTURE
from qmap.utils.owner import OWNER
from qmap.utils.run_folder import FINISHED, RunFolder
from qmap.utils.run_logs import parsed, read_logs
from qmap.utils.visits import Visits


def test_a_run_says_how_it_is_doing(tmp_path: Path) -> None:
    run = make_run(tmp_path, seed=3)
    state = reader_of(tmp_path, run).state()
    assert (state["environment"], state["agent"], state["seed"]) == ("maze", "q-map+dqn", 3)
    assert (state["state"], state["step"], state["last"]) == ("finished", 200, 200)
    assert state["resume"] is None
    assert state["problem"] is None
    assert json.dumps(state)


def test_the_state_is_that_of_the_folder(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    reader = reader_of(tmp_path, run)
    (run / FINISHED).unlink()
    assert reader.state()["state"] == "stopped"
    assert reader.state()["resume"] == f"python -m qmap.train_maze --resume {run}"
    folder = RunFolder(run, "qmap.train_maze")
    assert reader.state()["state"] == "training"
    assert reader.state()["resume"] is None
    folder.release()
    assert reader.state()["state"] == "crashed", "it did not take its leave"
    folder = RunFolder(run, "qmap.train_maze")
    folder.finish(200)
    folder.leave()
    folder.release()
    assert reader.state()["state"] == "finished"
    # It was resumed with a later end, and stopped before that.
    (run / "score.csv").open("a").write("210,1,1\n")
    assert reader.state()["state"] == "stopped"
    assert reader.state()["last"] == 300
    (run / "score.csv").open("a").write("300,1,1\n")
    assert reader.state()["state"] == "finished", "by a version that did not say so"


def test_the_steps_grow_and_a_torn_line_waits(tmp_path: Path) -> None:
    run = make_run(tmp_path, rows=2)
    reader = reader_of(tmp_path, run)
    assert reader.state()["step"] == 20
    with open(run / "score.csv", "a") as file:
        file.write("30,5,1")
        file.flush()
        assert reader.state()["step"] == 20
        assert len(reader.tables()["score"]) == 2
        file.write("0\n")
        file.flush()
        assert reader.state()["step"] == 30
        assert reader.tables()["score"]["episode length"].tolist() == [10, 10, 10]


def test_a_run_that_vanishes_is_one_line_and_may_come_back(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    name = run.relative_to(tmp_path).as_posix()
    readers = Readers(Results.of(tmp_path))
    reader = readers.of(name)
    run.rename(tmp_path / "elsewhere")
    asked = (reader.state, reader.tables, reader.videos, reader.strips)
    for each in (*asked, lambda: readers.of(name)):
        with pytest.raises(UserError, match="no such run"):
            each()
    (tmp_path / "elsewhere").rename(run)
    assert readers.of(name).state()["step"] == 200
    assert [each.name for each in readers.all()] == [name]


DAMAGES = {
    "config.json": [b"", b"\xff\xfe", b"[" * 5000, b'{"program": 3, "options": {}}'],
    "score.csv": [b"", b"\xff\xff\n1,2\n", b"steps,a\nx,y\n", b"steps,a\nnan,inf\n"],
    FINISHED: [b"", b"1e999"],
    OWNER: [b"", b'{"pid": 1, "name": "x"}'],
    PICTURE: [b"\x93NUMPY", b"PK\x03\x04"],
    "visits/step_7.npy": [b"\x93NUMPY\x01\x00", b"garbage"],
    "images/step_7_a.png": [b"\x89PNG\r\n"],
    "images/room_1.png": [b"\x89PNG\r\n"],
}
# Python's JSON has numbers that a browser's lacks.
STRANGE = b'{"program": "a", "options": {"steps": NaN, "b": {"c": [Infinity]}}}'


@pytest.mark.parametrize(
    ("name", "content"), [("config.json", STRANGE), *((k, v) for k in DAMAGES for v in DAMAGES[k])]
)
def test_damage_costs_what_is_damaged_and_no_more(
    tmp_path: Path, name: str, content: bytes
) -> None:
    run = make_run(tmp_path)
    (run / name).parent.mkdir(exist_ok=True)
    (run / name).write_bytes(content)
    look_at_everything(tmp_path, run)
    reader = reader_of(tmp_path, run)
    assert (reader.state()["problem"] is not None) == (
        name == "config.json" and b"NaN" not in content
    )
    assert "exploration" in reader.tables()


@pytest.mark.parametrize("way", WAYS)
def test_the_curves_are_those_of_the_pdf(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """Every line and band that Matplotlib is told to draw, in the same numbers."""
    for seed in range(5):
        make_run(tmp_path, seed, rows=20 if seed else 12)
    make_run(tmp_path, 0, agent="dqn", rows=15)
    comparison = Comparison(Readers(Results.of(tmp_path)))
    ids = [row["id"] for row in comparison.table()]
    logs, _ = read_logs(tmp_path)
    for name in ("score", "exploration"):
        (figure,) = comparison.curves(ids, name, way)["figures"]
        drawn = plot.draw_figure("maze", name, logs["maze"][name], WAYS[way])
        for panel, axis in zip(figure["panels"], drawn.axes, strict=True):
            assert axis.get_title(loc="left") == panel["title"]
            theirs = [np.array(line.get_ydata(), float) for line in axis.lines]
            ours = []
            for line in panel["lines"]:
                ours.append(line["values"])
                ours += [line["rest"]] if "rest" in line else []
                ours += [line["companion"]["values"]] if "companion" in line else []
            ours = [np.array(values, float) for values in ours]
            assert len(theirs) == len(ours) > 1
            for each in theirs:
                assert any(equal(each, other) for other in ours)
            bands = [band for line in panel["lines"] for band in line.get("bands", [])]
            assert len(axis.collections) == len(bands)
            for band in bands:
                edges = {
                    round(float(y), 5)
                    for area in axis.collections
                    for y in area.get_paths()[0].vertices[:, 1]
                }
                for value in (*band["low"], *band["high"]):
                    assert value is None or any(abs(value - edge) < 1e-4 for edge in edges)
            steps = axis.lines[0].get_xdata()
            assert equal(np.array(steps, float), np.array(figure["steps"], float))


def equal(one: np.ndarray, other: np.ndarray) -> bool:
    return one.shape == other.shape and np.allclose(one, other, rtol=1e-5, equal_nan=True)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("rows", [["0,5"], ["0,"], ["0,5", "0,6"], ["7,5"], ["0,", "1e29,5"]])
def test_the_first_rows_make_a_figure(way: str, rows: list[str]) -> None:
    tables = [parsed("\n".join(["steps,error", *each, ""]).encode()) for each in (rows, rows[:1])]
    runs = {str(number): table for number, table in enumerate(tables)}
    (figure,) = figures({"score": {"agent": runs}}, WAYS[way])
    plot.draw_figure("maze", "score", {"agent": runs}, WAYS[way])
    assert json.dumps(figure, allow_nan=False)


def test_a_fault_of_the_page_s_own_is_said_and_it_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make_run(tmp_path)
    faults = iter([RuntimeError("of the page")])
    real = RunReader.videos

    def videos(reader: RunReader) -> list[dict[str, Any]]:
        for fault in faults:
            raise fault
        return real(reader)

    monkeypatch.setattr(RunReader, "videos", videos)

    async def talk() -> None:
        async with Page(make_app(Results.of(tmp_path)), "/watch/socket") as page:
            await page.send({"do": "watch", "run": "maze/q-map+dqn/seed-0_2026-01-01_00-00-00"})
            assert "of the page" in await page.wait_for("problem")
            assert (await page.wait_for("state"))["step"] == 200

    asyncio.run(talk())
    assert "RuntimeError" in capsys.readouterr().err


def test_completed_and_unfinished_episodes_are_marked(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    (run / "completed.csv").write_text("steps,undiscounted return\n100,5\n")
    (run / "unfinished.csv").write_text("steps,undiscounted return,episode length\n205,7,5\n")
    tables = reader_of(tmp_path, run).tables()
    found = figures(
        {name: {"agent": {"run": table}} for name, table in tables.items()}, WAYS["runs"]
    )
    (score,) = [figure for figure in found if figure["log"] == "score"]
    first, length = (panel["lines"][0] for panel in score["panels"])
    assert [round(step) for step, _ in first["ticks"]] == [100]
    assert first["circles"] == [(205, 7)]
    assert length["circles"] == [(205, 5)]
    assert "ticks" not in length


def test_the_table_has_the_scores_of_a_sweep_s_summary(tmp_path: Path) -> None:
    run = make_run(tmp_path, rows=150)
    (run / "coords").mkdir()
    for step, cells in ((9, 3), (10, 5)):
        visits = Visits()
        visits.add(np.zeros(cells, int), np.arange(cells), np.arange(cells))
        visits.save(run / "coords" / f"step_{step}.npy")
    (row,) = Comparison(Readers(Results.of(tmp_path))).table()
    returns = reader_of(tmp_path, run).tables()["score"]["undiscounted return"]
    assert row["scores"] == {
        "return, mean of the last 100 episodes": pytest.approx(returns.tail(100).mean()),
        CELLS[1]: 5,
    }


def test_nothing_is_written_into_a_run_that_is_looked_at(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    (run / ".lock").unlink()
    before = sorted(run.rglob("*"))
    Comparison(Readers(Results.of(tmp_path))).table()
    assert sorted(run.rglob("*")) == before


def test_only_a_training_can_be_stopped(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    (run / OWNER).write_text(json.dumps({"pid": os.getpid(), "name": "whoever"}))
    with pytest.raises(UserError, match="nobody trains"):
        stop(Readers(Results.of(tmp_path)), run.relative_to(tmp_path).as_posix())


def test_the_newest_picture_is_the_training_s_or_the_newest_strips(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    (run / "images").mkdir()
    reader, pictures = reader_of(tmp_path, run), NewestPictures()
    assert pictures.of(reader)[0] is None
    for step in (9, 10):
        for name in ("a", "b"):
            write_image(run / "images" / f"step_{step}_{name}.png", np.zeros((4, 6, 3), np.uint8))
    assert [path.name for path in reader.strips()] == ["step_10_a.png", "step_10_b.png"]
    version, picture = pictures.of(reader)
    assert picture.startswith(b"\xff\xd8")
    assert pictures.of(reader) == (version, picture)
    np.save(run / PICTURE, np.zeros((4, 6, 3), np.uint8))
    assert pictures.of(reader)[0] != version


@pytest.mark.skipif(sys.platform != "linux", reason="threads have priorities on Linux alone")
def test_threads_that_wait_for_a_training_leave_the_others_their_priority() -> None:
    def priority() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    before = priority()
    with patient_threads() as threads:
        assert threads.submit(priority).result() == NICENESS
    assert priority() == before
