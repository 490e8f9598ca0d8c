from __future__ import annotations

import resource
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qmap.utils import snapshots
from qmap.utils.errors import UserError


def tree(step: int) -> dict[str, Any]:
    return {"step": step, "array": np.full(1000, step)}


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def damage(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def saved(folder: Path, *steps: int) -> Path:
    for step in steps:
        snapshots.save(folder, step, tree(step))
    return folder


def test_the_last_two_snapshots_are_kept(tmp_path: Path) -> None:
    saved(tmp_path, 5, 10, 100, 20_000)
    assert names(tmp_path) == ["step_100.snapshot", "step_20000.snapshot"]
    assert snapshots.load_latest(tmp_path)["step"] == 20_000


def test_the_size_is_that_of_the_file(tmp_path: Path) -> None:
    size = snapshots.save(tmp_path, 3, tree(3))
    assert size == (tmp_path / "step_3.snapshot").stat().st_size


def test_a_run_that_has_none_yet_gets_none(tmp_path: Path) -> None:
    assert snapshots.load_latest(tmp_path) is None
    assert snapshots.load_latest(tmp_path / "nowhere") is None


def test_other_files_are_not_taken_for_snapshots(tmp_path: Path) -> None:
    saved(tmp_path, 3)
    for name in ("step_x.snapshot", "step_-9.snapshot", "step_009.snapshot", "step_9", "a.part"):
        (tmp_path / name).write_bytes(b"")
    assert snapshots.load_latest(tmp_path)["step"] == 3


def test_a_damaged_snapshot_is_named_and_the_one_before_is_taken(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved(tmp_path, 5, 10)
    damage(tmp_path / "step_10.snapshot")
    assert snapshots.load_latest(tmp_path)["step"] == 5
    warning = capsys.readouterr().err
    assert "step_10.snapshot is damaged" in warning
    assert warning.count("\n") == 1


def test_a_damaged_snapshot_does_not_count_as_the_one_before_the_next(tmp_path: Path) -> None:
    saved(tmp_path, 5, 10)
    damage(tmp_path / "step_10.snapshot")
    snapshots.load_latest(tmp_path)
    saved(tmp_path, 12)
    assert names(tmp_path) == ["step_10.snapshot.damaged", "step_12.snapshot", "step_5.snapshot"]
    damage(tmp_path / "step_12.snapshot")
    assert snapshots.load_latest(tmp_path)["step"] == 5


def test_later_snapshots_than_the_one_saved_are_of_a_past_that_was_given_up(tmp_path: Path) -> None:
    saved(tmp_path, 50, 60, 10)
    assert names(tmp_path) == ["step_10.snapshot"]


def test_only_damaged_snapshots_are_an_error_in_one_line(tmp_path: Path) -> None:
    saved(tmp_path, 5, 10)
    for path in tmp_path.iterdir():
        path.write_bytes(b"")
    before = names(tmp_path)
    with pytest.raises(UserError, match="no snapshot in") as error:
        snapshots.load_latest(tmp_path)
    assert "\n" not in str(error.value)
    assert names(tmp_path) == before, "nothing is thrown away"


def test_a_snapshot_that_cannot_be_written_leaves_those_there_are(tmp_path: Path) -> None:
    saved(tmp_path, 5, 10)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, hard))
    try:
        with pytest.raises(UserError, match="cannot write .*step_15"):
            saved(tmp_path, 15)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
