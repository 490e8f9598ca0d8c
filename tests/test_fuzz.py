"""Files of every kind that is loaded, damaged in every way: one clear line, never anything else.

Checkpoints have their own fuzz test in `test_checkpoint.py`.
"""

from __future__ import annotations

import dataclasses
import json
import pickle
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from qmap.config import TrainingConfig
from qmap.envs.gridworld_level import load_level
from qmap.parse_config import parse
from qmap.utils import run_logs, snapshots
from qmap.utils.csv_logger import CSVLogger
from qmap.utils.errors import UserError
from qmap.utils.level_pictures import load_pictures
from qmap.utils.visits import Visits, load_rows

PROGRAM = "qmap.train_montezuma"
COLUMNS = ("steps", "reward", "length")


def config_file(folder: Path) -> Path:
    path = folder / "config.json"
    options = dataclasses.asdict(TrainingConfig(path=str(folder)))
    path.write_text(json.dumps({"program": PROGRAM, "options": options}, indent=2))
    return path


def load_config(path: Path) -> None:
    config = parse(TrainingConfig, PROGRAM, "A program.", ["--resume", str(path.parent)])
    assert config.steps >= 1
    assert 0 < config.qmap_gamma < 1


def snapshot_file(folder: Path) -> Path:
    tree = {"step": 7, "frames": np.arange(3000, dtype=np.uint8), "generator": {"state": 2**100}}
    snapshots.save(folder, 7, tree)
    return folder / "step_7.snapshot"


def load_snapshot(path: Path) -> None:
    tree = snapshots.load_latest(path.parent)
    assert tree["step"] == 7
    assert tree["frames"].sum() == np.arange(3000, dtype=np.uint8).sum()


def level_file(folder: Path) -> Path:
    path = folder / "level.png"
    picture = np.full((28, 60), 255, np.uint8)
    picture[[0, -1]] = picture[:, [0, -1]] = picture[8:17, 20:29] = 0
    cv2.imwrite(str(path), picture)
    return path


def load_image(path: Path) -> None:
    level = load_level(str(path))
    assert len(level.positions) > 0
    assert level.walls.shape[0] == 28


def room_file(folder: Path) -> Path:
    path = folder / "room_3.png"
    cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 256, (30, 40, 4), dtype=np.uint8))
    return path


def load_room(path: Path) -> None:
    (picture,) = load_pictures(path.parent).values()
    assert picture.pixels.shape[2] == 4


def visits_file(folder: Path) -> Path:
    path, visits = folder / "step_7.npy", Visits()
    places = np.random.default_rng(0).integers(0, 100, (3, 200))
    visits.add(*places)
    visits.save(path)
    return path


def load_visits(path: Path) -> None:
    rows = load_rows(path)
    assert rows.dtype == np.int64
    assert rows.shape[1:] == (4,)


def csv_file(folder: Path) -> Path:
    path = folder / "score.csv"
    with CSVLogger(path, COLUMNS) as log:
        for step in range(1, 60):
            log.write(10 * step, step / 7, step)
    return path


def resume_csv(path: Path) -> None:
    with CSVLogger(path, COLUMNS, resume_at=300) as log:
        log.write(301, 1, 1)
    lines = path.read_text().splitlines()
    assert lines[0] == "steps,reward,length"
    assert all(float(line.split(",")[0]) <= 300 for line in lines[1:-1])


def plot_csv(path: Path) -> None:
    try:
        log = run_logs.read_log(path)
    except (ValueError, OSError, OverflowError, MemoryError) as error:
        raise UserError(" ".join(str(error).split())) from error  # what the plot warns of
    if not len(log):
        raise UserError("nothing to plot")
    assert (log["steps"] >= 0).all()


KINDS = {
    "config": (config_file, load_config),
    "snapshot": (snapshot_file, load_snapshot),
    "level": (level_file, load_image),
    "room": (room_file, load_room),
    "visits": (visits_file, load_visits),
    "resumed log": (csv_file, resume_csv),
    "plotted log": (csv_file, plot_csv),
}
Make, Load = Callable[[Path], Path], Callable[[Path], None]
each_kind = pytest.mark.parametrize(("make", "load"), KINDS.values(), ids=KINDS)


def mutated(data: bytes, generator: np.random.Generator) -> bytes:
    """One of the things that happen to files."""
    kind = generator.integers(7)
    start, stop = sorted(int(place) for place in generator.integers(0, len(data), 2))
    if kind == 0:
        return data[:start]
    if kind == 1:
        return data[:start] + bytes(stop - start) + data[stop:]
    if kind == 2:
        return data + generator.bytes(generator.integers(1, 2000))
    if kind == 3:
        return data[:start] + data[stop:]
    if kind == 4:
        return data[:stop] + data[start:]
    changed = bytearray(data)
    for place in generator.integers(0, len(data), 1 if kind == 5 else 20):
        changed[place] ^= 1 << generator.integers(8)
    return bytes(changed)


def fuzz(path: Path, load: Load, rounds: int, seed: int) -> int:
    """Load damaged copies of a file; return how many were refused."""
    data, generator, refused = path.read_bytes(), np.random.default_rng(seed), 0
    for _ in range(rounds):
        for other in path.parent.glob(f"{path.name}?*"):
            other.unlink()
        path.write_bytes(mutated(data, generator))
        with suppress(UserError):
            load(path)
            continue
        refused += 1
    return refused


@each_kind
def test_a_whole_file_is_loaded(make: Make, load: Load, tmp_path: Path) -> None:
    load(make(tmp_path))


@each_kind
def test_damaged_files_cost_one_clear_line(make: Make, load: Load, tmp_path: Path) -> None:
    assert fuzz(make(tmp_path), load, 150, seed=0) > 15


@pytest.mark.slow
@each_kind
def test_thousands_of_damaged_files_cost_one_clear_line(
    make: Make, load: Load, tmp_path: Path
) -> None:
    assert fuzz(make(tmp_path), load, 4000, seed=1) > 400


class Bomb:
    """Leaves a mark when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("unpickled"),)


@each_kind
def test_files_of_another_kind_cost_one_clear_line_and_run_nothing(
    make: Make, load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = make(tmp_path)
    for name, (other, _) in KINDS.items():
        if other is not make:
            (tmp_path / name).mkdir()
            assert_refused(path, other(tmp_path / name).read_bytes(), load)
    assert_refused(path, pickle.dumps(Bomb()), load)
    np.save(tmp_path / "bomb.npy", np.array([Bomb()], object))
    assert_refused(path, (tmp_path / "bomb.npy").read_bytes(), load)
    assert not (tmp_path / "unpickled").exists()
    assert_refused(path, bytes(3_000_000), load)
    assert_refused(path, b"\xff" * 3_000_000, load)
    assert_refused(path, b"9" * 3_000_000 + b"\n", load)
    assert_refused(path, b"[" * 3_000_000, load)


def assert_refused(path: Path, data: bytes, load: Load) -> None:
    path.write_bytes(data)
    with pytest.raises(UserError) as error:
        load(path)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 1000


@pytest.mark.parametrize("kind", ["config", "snapshot", "level", "room", "visits"])
def test_an_empty_file_costs_one_clear_line(kind: str, tmp_path: Path) -> None:
    make, load = KINDS[kind]
    assert_refused(make(tmp_path), b"", load)


@each_kind
def test_a_folder_in_place_of_the_file_costs_one_clear_line(
    make: Make, load: Load, tmp_path: Path
) -> None:
    path = make(tmp_path)
    path.unlink()
    path.mkdir()
    with pytest.raises(UserError) as error:
        load(path)
    assert "\n" not in str(error.value)
