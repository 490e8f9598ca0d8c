"""A training run on a disk that is full, in a folder that vanishes, with numbers that explode."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import run_folder

from qmap import train_gridworld, train_montezuma
from qmap.gridworld.training import GridWorldTraining
from qmap.training import Training
from qmap.utils import snapshots
from qmap.utils.errors import UserError

# Without learners there is nothing to compile: a run takes a second.
RANDOM = ["--no-dqn", "--no-qmap", "--steps", "300", "--save-every", "100", "--no-videos"]
LEARNING = ["--steps", "40", "--learning-starts", "12", "--batch", "2", "--replay", "500"]


def at_step(
    monkeypatch: pytest.MonkeyPatch, step: int, disturb: Callable[[Training], None]
) -> None:
    """Call `disturb` after this step of a run."""
    original = Training.step

    def disturbed(self: Training) -> None:
        original(self)
        if self.agent.step == step:
            disturb(self)

    monkeypatch.setattr(Training, "step", disturbed)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 4 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)]
    if sys.platform != "linux" or os.geteuid() != 0 or subprocess.run(command).returncode != 0:
        pytest.skip("only root can mount a file system")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def fill(disk: Path) -> None:
    """Write until nothing more fits."""
    with open(disk / "filler", "wb", buffering=0) as file:
        for size in (2**16, 2**12):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue


def test_a_full_disk_stops_the_run_in_one_line_and_leaves_the_last_snapshot(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_step(monkeypatch, 150, lambda training: fill(small_disk))
    with pytest.raises(UserError, match=r"cannot write .*: No space left on device") as error:
        train_montezuma.main([*RANDOM, "--path", str(small_disk)])
    assert "\n" not in str(error.value)
    run = run_folder(small_disk)
    assert snapshots.load_latest(run / "snapshots")["step"] == 100
    assert not list(run.rglob("*.part"))
    # Room again: the run goes on to its end.
    (small_disk / "filler").unlink()
    monkeypatch.undo()
    assert train_montezuma.main(["--resume", str(run)]) == 0
    assert (run / "tensorflow" / "step_300.ckpt").is_file()


def test_a_disk_that_is_full_from_the_start_is_told_before_anything_is_written(
    small_disk: Path,
) -> None:
    fill(small_disk)
    with pytest.raises(UserError, match="No space left on device"):
        train_montezuma.main([*RANDOM, "--path", str(small_disk / "results")])
    assert not [path for path in (small_disk / "results").rglob("*") if not path.is_dir()]


def test_a_file_size_limit_stops_a_real_process_with_exit_status_2(tmp_path: Path) -> None:
    limited = f"ulimit -f 8; exec {sys.executable} -m qmap.train_montezuma"
    command = ["bash", "-c", f'{limited} "$@"', "bash", *RANDOM, "--path", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2, done.stderr
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert "step_100.snapshot: File too large" in errors[0]
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.rglob("*.part"))


def test_what_is_nice_to_have_may_fail_at_one_warning_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def vanish(training: Training) -> None:
        for name in ("visits", "coords", "images", "videos"):
            folder = training.run.folder.path / name
            shutil.rmtree(folder, ignore_errors=True)
            folder.write_text("in the way")

    at_step(monkeypatch, 10, vanish)
    flags = [*RANDOM[:-1], "--checkpoint-every", "100", "--path", str(tmp_path)]
    assert train_montezuma.main(flags) == 0
    warnings = [line for line in capfd.readouterr().err.splitlines() if "warning: " in line]
    for what in ("no visits", "no coords", "no pictures", "no video"):
        assert sum(what in line for line in warnings) == 1, warnings
    assert len((run_folder(tmp_path) / "exploration.csv").read_text().splitlines()) == 4


def test_a_run_folder_that_vanishes_stops_the_run_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_step(monkeypatch, 50, lambda training: shutil.rmtree(training.run.folder.path))
    with pytest.raises(UserError, match=r"cannot write .*\.csv") as error:
        train_montezuma.main([*RANDOM, "--path", str(tmp_path)])
    assert "\n" not in str(error.value)


def poison_network(training: Training) -> None:
    variable = training.agent.q_map.online.weights[0]
    variable.assign(np.full(variable.shape, np.nan))


def poison_rewards(training: Training) -> None:
    training.agent.replay._rewards[:] = np.inf


@pytest.mark.usefixtures("eagerly", "small_networks")
@pytest.mark.parametrize(
    ("poison", "learner"), [(poison_network, "q_map"), (poison_rewards, "dqn")]
)
def test_numbers_that_are_not_finite_stop_the_run_and_spare_the_snapshot(
    poison: Callable[[Training], None],
    learner: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    at_step(monkeypatch, 20, poison)
    flags = [*LEARNING, "--save-every", "18", "--path", str(tmp_path), "--no-videos"]
    with pytest.raises(UserError, match=rf"diverged at step \d+: .*{learner}") as error:
        train_montezuma.main(flags)
    assert "\n" not in str(error.value)
    state = snapshots.load_latest(run_folder(tmp_path) / "snapshots")
    assert state["step"] == 18
    for part in state["agent"]["weights"][learner].values():
        assert all(np.isfinite(array).all() for array in part.values())


@pytest.mark.usefixtures("eagerly", "small_networks")
def test_weights_that_are_not_finite_are_never_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The step after which the snapshot is due spoils the weights, and nothing has used them yet.
    at_step(monkeypatch, 20, poison_network)
    flags = [*LEARNING, "--save-every", "10", "--path", str(tmp_path), "--no-videos"]
    with pytest.raises(UserError, match="diverged at step 20: weights of q_map are not finite"):
        train_montezuma.main(flags)
    assert snapshots.steps(run_folder(tmp_path) / "snapshots") == [10]


@pytest.mark.usefixtures("eagerly", "small_networks")
def test_q_values_that_are_not_finite_stop_a_run_before_it_acts_on_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_step(monkeypatch, 25, poison_network)
    flags = [*LEARNING[:2], "--learning-starts", "10", "--train-every", "1000", "--no-videos"]
    flags += ["--path", str(tmp_path), "--no-dqn", "--replay", "500"]
    with pytest.raises(UserError, match="Q-values of q_map are not finite"):
        train_montezuma.main(flags)


def test_a_replay_that_does_not_fit_into_memory_is_told_in_one_line(tmp_path: Path) -> None:
    flags = ["--replay", str(10**15), "--path", str(tmp_path)]
    with pytest.raises(UserError, match="--replay") as error:
        train_montezuma.main(flags)
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("eagerly", "few_columns")
def test_the_grid_worlds_pictures_may_fail_at_one_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def vanish(self: Any) -> None:
        self.run.folder.path.joinpath("images").write_text("in the way")
        original(self)

    original = GridWorldTraining._compare
    monkeypatch.setattr(GridWorldTraining, "_compare", vanish)
    monkeypatch.setattr(GridWorldTraining, "evaluate", lambda self: None)
    flags = ["--model", "mlp2", "--batch", "2", "--steps", "8", "--eval-every", "2"]
    flags += ["--test-levels", "level1", "--path", str(tmp_path)]
    assert train_gridworld.main(flags) == 0
    warnings = [line for line in capfd.readouterr().err.splitlines() if "warning: " in line]
    assert len(warnings) == 1
    assert "no pictures" in warnings[0]
