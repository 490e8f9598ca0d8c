"""Runs that are killed or stopped and go on as if nothing had happened."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import gymnasium
import psutil
import pytest
from conftest import run_folder

from benchmarks.faults import LOGS, differences
from qmap import train_environment, train_montezuma
from qmap.envs.wrappers import GoalGrid
from qmap.training import Training
from qmap.utils import checkpoint
from qmap.utils.errors import UserError
from qmap.utils.run_folder import RunFolder

# Without learners there is nothing to compile: a run takes a second.
RANDOM = ["--no-dqn", "--no-qmap", "--steps", "700", "--save-every", "300", "--no-videos"]
# The replay is so small that the ring is overwritten.
LEARNING = [
    "--deterministic",
    "--keep-moments",
    "--batch",
    "2",
    "--learning-starts",
    "20",
    "--replay",
    "100",
]
LEARNING += ["--steps", "160", "--save-every", "60"]


def start(program: str, *flags: object) -> subprocess.Popen[str]:
    """A training in a process of its own."""
    command = [sys.executable, "-m", f"qmap.{program}", *map(str, flags)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def wait_for(process: subprocess.Popen[str], results: Path, pattern: str) -> None:
    """Wait until there is a file of this name, however slow the process is that writes it."""
    while not any(results.glob(pattern)):
        assert process.poll() is None, f"the process ended without {pattern}"
        time.sleep(0.005)


def assert_same(run: Path, other: Path) -> None:
    """Two runs have written the same logs, visits and weights, byte for byte."""
    assert differences(run, other) == []
    for path in run.glob("visits/*.npy"):
        assert path.read_bytes() == (other / "visits" / path.name).read_bytes()


def kill_and_resume(tmp_path: Path, program: str, *flags: str) -> None:
    """Kill a run after a snapshot and while it writes another; compare it with an undisturbed."""
    whole = start(program, *flags, "--path", tmp_path / "whole")
    first = start(program, *flags, "--path", tmp_path / "other")
    wait_for(first, tmp_path / "other", "*/*/*/snapshots/*.snapshot")
    wait_for(first, tmp_path / "other", "*/*/*/snapshots/.*.part")
    first.kill()
    assert whole.communicate()
    first.communicate()
    run = run_folder(tmp_path / "other")
    resumed = start(program, "--resume", run)
    errors = resumed.communicate()[1]
    assert resumed.returncode == 0, errors
    assert not list(run.rglob("*.part"))
    assert_same(run_folder(tmp_path / "whole"), run)


def test_a_killed_run_goes_on_as_if_nothing_had_happened(tmp_path: Path) -> None:
    kill_and_resume(tmp_path, "train_montezuma", *LEARNING, "--no-videos")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("program", "flags"),
    [
        ("train_montezuma", [*LEARNING, "--envs", "2"]),
        ("train_mario", [*LEARNING, "--game", "foxglove"]),
        (
            "train_gridworld",
            ["--deterministic", "--model", "convdeconv3", "--batch", "2", "--steps", "160"]
            + ["--save-every", "40", "--eval-every", "10", "--test-levels", "level1"],
        ),
    ],
)
def test_so_does_a_run_of_every_other_kind(program: str, flags: list[str], tmp_path: Path) -> None:
    kill_and_resume(tmp_path, program, *flags)


class Death(Exception):
    """Ends a run in this process as suddenly as a signal would."""


def die_at(monkeypatch: pytest.MonkeyPatch, step: int, main: Callable[[], int]) -> None:
    """Call `main`, whose run does not get farther than this step."""
    original = Training.step

    def step_or_die(self: Training) -> None:
        original(self)
        if self.agent.step >= step:
            raise Death

    with monkeypatch.context() as context:
        context.setattr(Training, "step", step_or_die)
        with pytest.raises(Death):
            main()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random run that was never disturbed."""
    results = tmp_path_factory.mktemp("whole")
    assert train_montezuma.main([*RANDOM, "--path", str(results)]) == 0
    return run_folder(results)


@pytest.mark.parametrize("step", [50, 299, 301, 699])
def test_rows_after_the_snapshot_are_cut_off_and_written_again(
    step: int, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    die_at(monkeypatch, step, lambda: train_montezuma.main([*RANDOM, "--path", str(tmp_path)]))
    run = run_folder(tmp_path)
    assert train_montezuma.main(["--resume", str(run)]) == 0
    assert_same(whole, run)


def test_a_finished_run_is_left_as_it_is(
    whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    logs = {name: (run / name).read_bytes() for name in LOGS if (run / name).exists()}
    capsys.readouterr()
    assert train_montezuma.main(["--resume", str(run)]) == 0
    assert "is finished: all of its 700 steps are done" in capsys.readouterr().err
    assert {name: (run / name).read_bytes() for name in logs} == logs


def test_a_run_that_another_process_is_at_is_refused(whole: Path) -> None:
    owner = RunFolder(whole, "qmap.train_montezuma")
    with pytest.raises(UserError, match="another process is training"):
        train_montezuma.main(["--resume", str(owner.path)])
    owner.release()


def test_a_checkpoint_that_a_run_started_from_is_not_needed_to_resume_it(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start_from = tmp_path / "step_700.ckpt"
    shutil.copy(whole / "tensorflow" / start_from.name, start_from)
    flags = [*RANDOM, "--path", str(tmp_path / "second"), "--load", str(start_from)]
    die_at(monkeypatch, 400, lambda: train_montezuma.main(flags))
    start_from.unlink()
    assert train_montezuma.main(["--resume", str(run_folder(tmp_path / "second"))]) == 0


def children() -> set[int]:
    """Processes that came from this one and still live."""
    family = psutil.Process().children(recursive=True)
    return {one.pid for one in family if one.status() != psutil.STATUS_ZOMBIE}


def wait_until_gone(pids: set[int]) -> None:
    """Wait for processes to end; a zombie has."""
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            while psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                time.sleep(0.05)


def test_control_c_saves_and_tells_how_to_go_on(tmp_path: Path) -> None:
    flags = ["--no-dqn", "--no-qmap", "--steps", "900000", "--path", tmp_path, "--envs", "2"]
    before = children()
    process = start("train_montezuma", *flags)
    wait_for(process, tmp_path, "*/*/*/videos/*.mp4")
    family = children() - before
    assert len(family) >= 4, "the training, two games and an encoder"
    # As a terminal does it: to every process of the group.
    for pid in family:
        os.kill(pid, signal.SIGINT)
    errors = process.communicate()[1]
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    run = run_folder(tmp_path)
    assert f"go on with: python -m qmap.train_montezuma --resume {run}" in errors
    wait_until_gone(family)
    assert not list(run.rglob("*.part"))
    (snapshot,) = (run / "snapshots").iterdir()
    assert checkpoint.load(snapshot, "snapshot")["step"] > 0
    assert list((run / "tensorflow").iterdir())


# Writing a snapshot takes forever from the second one on, in a call that does not come back.
SLOW_DISK = """
import hashlib, sys
from qmap import train_montezuma
from qmap.utils import checkpoint, command_line
write = checkpoint._write_array
def write_slowly(member, array):
    write(member, array)
    if train_montezuma.saved:
        open(sys.argv[1], "w").close()
        hashlib.pbkdf2_hmac("sha256", b"", b"", 10**9)
save = checkpoint.save
def save_and_count(*arguments):
    size = save(*arguments)
    train_montezuma.saved = True
    return size
train_montezuma.saved = False
checkpoint._write_array = write_slowly
checkpoint.save = save_and_count
command_line.run(lambda: train_montezuma.main(sys.argv[2:]))
"""


def test_a_second_control_c_leaves_at_once_and_the_last_snapshot_whole(tmp_path: Path) -> None:
    flags = ["--no-dqn", "--no-qmap", "--steps", "900000", "--save-every", "100", "--envs", "2"]
    command = [sys.executable, "-c", SLOW_DISK, str(tmp_path / "saving")]
    before = children()
    with subprocess.Popen([*command, *flags, "--path", str(tmp_path / "results")]) as process:
        wait_for(process, tmp_path, "saving")
        family = children() - before
        process.send_signal(signal.SIGINT)
        time.sleep(0.3)
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.wait() == 130
    wait_until_gone(family)  # workers and encoders end with the training
    run = run_folder(tmp_path / "results")
    (snapshot,) = (run / "snapshots").glob("*.snapshot")
    assert checkpoint.load(snapshot, "snapshot")["step"] == 100
    assert list((run / "snapshots").glob(".*.part")), "this is what is left of the other"
    RunFolder(run, "qmap.train_montezuma").release()
    assert not list((run / "snapshots").glob(".*.part"))


def lake(**options: object) -> gymnasium.Env:
    """An environment whose state cannot be saved."""
    env = gymnasium.make("FrozenLake-v1", map_name="8x8", **options)
    return GoalGrid(env, (8, 8), lambda env, observation, info: divmod(int(observation), 8))


def test_an_environment_that_cannot_be_saved_starts_a_new_episode(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    gymnasium.register("test/Unsaved-v0", entry_point=lake)
    flags = ["--env", "test/Unsaved-v0", "--no-dqn", "--no-qmap", "--no-videos"]
    flags += ["--steps", "130", "--save-every", "50", "--path", str(tmp_path)]
    die_at(monkeypatch, 70, lambda: train_environment.main(flags))
    assert train_environment.main(["--resume", str(run_folder(tmp_path))]) == 0
    assert "begins a new episode" in capsys.readouterr().err
    assert (run_folder(tmp_path) / "tensorflow" / "step_130.ckpt").is_file()
