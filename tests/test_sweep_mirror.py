"""A run's folder that is told elsewhere in pieces, and a job that is held far away."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest
from fake_training import FakeConfig
from test_sweep import expected, numbers

from qmap.sweep import cluster, mirror
from qmap.sweep.cluster import Holder
from qmap.sweep.job import Job
from qmap.sweep.mirror import Piece, Source, apply
from qmap.utils.errors import UserError
from qmap.utils.files import atomic_file

HERE = Path(__file__).parent


def contents(folder: Path) -> dict[str, bytes]:
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def change(folder: Path, generator: random.Random) -> None:
    """What a training does to its folder, in random order."""
    log = folder / generator.choice(["score.csv", "learning.csv"])
    kind = generator.choice(["append", "append", "cut", "replace", "remove"])
    if kind == "append":
        with open(log, "ab") as file:
            file.write(generator.randbytes(generator.randrange(30)))
    elif kind == "cut" and log.exists():
        whole = log.read_bytes()
        with atomic_file(log) as file:
            file.write(whole[: generator.randrange(len(whole) + 1)])
            file.write(generator.randbytes(generator.randrange(60)))
    elif kind == "replace":
        (folder / "snapshots").mkdir(exist_ok=True)
        with atomic_file(folder / f"snapshots/step_{generator.randrange(4)}.snapshot") as file:
            file.write(generator.randbytes(generator.choice([0, 7, 8, 9, 100])))
    elif there := sorted(folder.glob("snapshots/*")):
        generator.choice(there).unlink()


@pytest.mark.parametrize("seed", range(20))
def test_what_was_told_is_what_is_there(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirror, "PIECE", 8)
    generator = random.Random(seed)
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    source = Source(here)
    for _ in range(30):
        for _ in range(generator.randrange(6)):
            change(here, generator)
        for piece in source.pieces():
            assert len(piece.data or b"") <= 8
            apply(piece, there)
        assert contents(there) == contents(here)
    assert list(source.pieces()) == []


def test_what_has_arrived_at_any_moment_can_be_gone_on_with(tmp_path: Path) -> None:
    (tmp_path / "snapshots").mkdir()
    for name in ("config.json", "finished", "score.csv", "snapshots/step_5.snapshot"):
        (tmp_path / name).write_text("5")
    source = Source(tmp_path)
    order = []
    for piece in source.pieces():
        if not order:
            # Later than the snapshots that are being told: no harm, rows are cut off at resume.
            (tmp_path / "score.csv").write_text("56")
            (tmp_path / "snapshots/step_6.snapshot").write_text("6")
        order.append((piece.path, piece.data))
    assert order == [
        ("config.json", b"5"),
        ("score.csv", b"56"),
        ("snapshots/step_5.snapshot", b"5"),
        ("finished", b"5"),
    ]


def test_a_file_that_is_removed_while_it_is_told_arrives_whole_and_goes(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    for name in ("a.png", "b.png"):
        (here / name).write_bytes(b"xyz")
    source = Source(here)
    pieces = source.pieces()
    apply(next(pieces), there)
    (here / "b.png").unlink()
    for piece in pieces:
        apply(piece, there)
    assert contents(there) == {"a.png": b"xyz", "b.png": b"xyz"}
    for piece in source.pieces():
        apply(piece, there)
    assert contents(there) == {"a.png": b"xyz"}


def test_hidden_files_are_not_told(tmp_path: Path) -> None:
    (tmp_path / ".lock").touch()
    (tmp_path / ".score.csv.1.part").touch()
    assert list(Source(tmp_path).pieces()) == []


def test_a_file_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    apply(Piece("a.png", 0, b"12", False, False), tmp_path)
    assert not (tmp_path / "a.png").exists()
    apply(Piece("a.png", 2, b"3", True, False), tmp_path)
    assert contents(tmp_path) == {"a.png": b"123"}


def test_what_cannot_be_written_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    with pytest.raises(UserError, match="cannot write"):
        apply(Piece("a/b.png", 0, b"", True, False), tmp_path)


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    monkeypatch.setenv("PYTHONPATH", f"{HERE}:{HERE.parent}:{os.environ.get('PYTHONPATH', '')}")
    folder = tmp_path / "results" / "fake"
    folder.mkdir(parents=True)
    return Job(("fake",), "fake_training", FakeConfig(path=str(folder), crash_at=13))


def follow(holder: Holder, folder: Path) -> int:
    while True:
        pieces, status, _ = holder.pull()
        for piece in pieces:
            apply(piece, folder)
        if status is not None:
            return status
        time.sleep(0.01)


def test_a_job_far_away_is_gone_on_with_from_what_came_back(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "AT_ONCE", 10)
    first = Holder(job, job.folder, 1, job.folder.parent / ".mark", Path.cwd())
    assert not first.shares()
    first.start(None)
    assert follow(first, job.folder) == -9
    first.leave()
    assert not first.folder.exists()
    run = job.run()
    assert run is not None
    assert not job.finished()

    second = Holder(job, job.folder, 1, job.folder.parent / ".mark", Path.cwd())
    for piece in Source(run).pieces():
        second.put(piece._replace(path=f"{run.relative_to(job.folder)}/{piece.path}"))
    second.start(run.relative_to(job.folder))
    assert follow(second, job.folder) == 0
    second.leave()
    assert job.finished()
    assert numbers((run / "score.csv").read_bytes()) == numbers(expected(20))


def test_a_job_whose_folder_is_seen_from_there_writes_into_it(job: Job) -> None:
    mark = job.folder.parent / ".mark"
    mark.write_text(".mark")
    holder = Holder(job, job.folder, 1, mark, Path.cwd())
    assert holder.shares()
    holder.start(None)
    assert follow(holder, job.folder / "nowhere") == -9
    holder.leave()
    assert job.run() is not None
