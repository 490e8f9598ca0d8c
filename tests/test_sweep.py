"""Sweeps of a program that only counts: what is run, again, and never twice."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from qmap.sweep.__main__ import main
from qmap.sweep.plan import read_plan
from qmap.sweep.pool import LocalPool
from qmap.utils.errors import UserError
from qmap.utils.run_folder import RunFolder

HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def _programs_of_the_tests_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", f"{HERE}:{HERE.parent}:{os.environ.get('PYTHONPATH', '')}")


class Sweep:
    """A sweep file and what became of its runs."""

    def __init__(self, folder: Path, text: str = "") -> None:
        self.results = folder / "results"
        self.file = folder / "sweep.toml"
        head = f'program = "fake_training"\npath = "{self.results}"\n'
        self.file.write_text(head + text)

    def run(self, *flags: str) -> int:
        return main([str(self.file), *flags])

    def start(self, *flags: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "qmap.sweep", str(self.file), *flags]
        return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)

    @property
    def logs(self) -> dict[str, bytes]:
        """The logs by label and seed; every job must have exactly one run."""
        found = {}
        for job in read_plan(self.file):
            (log,) = job.folder.glob(f"*/*/seed-{job.config.seed}_*/score.csv")
            found[job.name] = log.read_bytes()
        return found

    @property
    def starts(self) -> list[int]:
        """From which step each process of the first job began."""
        lines = read_plan(self.file)[0].output.read_text().splitlines()
        return [int(line.split()[-1]) for line in lines if "threads" in line]

    def processes(self) -> list[psutil.Process]:
        """Those of the runs that live."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                words = process.cmdline()
                if "fake_training" in words and str(self.results) in " ".join(words):
                    found.append(process)
        return found


def expected(steps: int, seed: int = 0, scale: float = 1.0) -> bytes:
    rows = [f"{step},{scale * step + seed:g}" for step in range(1, steps + 1)]
    return "\n".join(["steps,undiscounted return", *rows, ""]).encode()


def numbers(log: bytes) -> list[list[float]]:
    return [[float(cell) for cell in line.split(",")] for line in log.decode().splitlines()[1:]]


def wait_until(holds: Callable[[], bool]) -> None:
    while not holds():
        time.sleep(0.01)


def test_every_run_is_done_and_a_finished_one_never_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep = Sweep(tmp_path, "seeds = 2\n[vary]\nscale = [1, 2]\n")
    assert sweep.run() == 0
    logs = sweep.logs
    assert numbers(logs["fake_training_scale=2, seed 1"]) == numbers(expected(20, 1, 2.0))
    assert "4 finished" in capsys.readouterr().err
    assert sweep.run("--vary", "scale=1,2,3") == 0  # an axis that has grown
    assert sweep.logs == logs
    assert sweep.starts == [0]
    assert len(list(sweep.results.glob("*/*/*/*/config.json"))) == 6


def test_a_run_that_was_killed_goes_on_from_its_snapshot(tmp_path: Path) -> None:
    sweep = Sweep(tmp_path, "[options]\ncrash_at = 13\n")
    assert sweep.run() == 0
    assert sweep.starts == [0, 10]
    assert numbers(sweep.logs["fake_training, seed 0"]) == numbers(expected(20))


def test_a_run_that_fails_too_often_is_named_and_the_others_are_done(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep = Sweep(tmp_path, "[agents.bad]\nfail_at = 13\n[agents.good]\n")
    assert sweep.run("--retries", "2", "--jobs", "1") == 1
    assert sweep.starts == [0, 10, 10]
    said = capsys.readouterr().err
    assert "failed: bad, seed 0: ended with exit status 2 (error: the world broke)" in said
    assert str(sweep.results / "bad" / "seed-0.txt") in said
    assert numbers(sweep.logs["good, seed 0"]) == numbers(expected(20))


def test_what_a_program_refuses_is_not_tried_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep = Sweep(tmp_path, "[options]\nrefuse = true\n")
    assert sweep.run() == 1
    assert "starting it again" not in capsys.readouterr().err
    assert (sweep.results / "fake_training/seed-0.txt").read_text() == "error: refused\n"


def test_a_sweep_that_asks_for_more_steps_goes_on_with_the_run(tmp_path: Path) -> None:
    sweep = Sweep(tmp_path, "[options]\nstop_at = 7\n")
    assert sweep.run() == 0
    Sweep(tmp_path, "[options]\nstop_at = 12\n").run()
    assert sweep.starts == [0, 7]
    Sweep(tmp_path).run()
    assert sweep.starts == [0, 7, 12]
    assert numbers(sweep.logs["fake_training, seed 0"]) == numbers(expected(20))


def test_runs_share_the_cores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "8")
    assert (LocalPool(None).size, LocalPool(None).threads) == (8, 1)
    assert (LocalPool(3).size, LocalPool(3).threads) == (3, 2)
    assert (LocalPool(9).size, LocalPool(9).threads) == (9, 1)
    assert (LocalPool(None, 4).size, LocalPool(None, 4).threads) == (2, 4)
    assert (LocalPool(5, 4).size, LocalPool(5, 4).threads) == (5, 4)
    sweep = Sweep(tmp_path, "[options]\nsteps = 1\n")
    sweep.run("--jobs", "2")
    assert (sweep.results / "fake_training/seed-0.txt").read_text().startswith("4 threads")


def test_only_as_many_run_at_a_time_as_was_asked_for(tmp_path: Path) -> None:
    sweep = Sweep(tmp_path, "seeds = 3\n[options]\npace = 0.01\n")
    driver = sweep.start("--jobs", "1")
    most = 0
    while driver.poll() is None:
        most = max(most, len(sweep.processes()))
    assert most == 1
    assert driver.wait() == 0


def test_the_longest_runs_are_started_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep = Sweep(tmp_path, "seeds = 2\n[vary]\nsteps = [3, 9]\n")
    assert sweep.run("--jobs", "1") == 0
    said = capsys.readouterr().err.splitlines()
    started = [line.split(":")[0] for line in said if line.endswith(": started")]
    assert started == [
        f"fake_training_steps={steps}, seed {seed}" for steps in (9, 3) for seed in (0, 1)
    ]


def test_ctrl_c_lets_runs_save_themselves_and_the_same_command_goes_on(tmp_path: Path) -> None:
    sweep = Sweep(tmp_path, "seeds = 3\n[options]\nsteps = 300\npace = 0.02\n")
    driver = sweep.start("--jobs", "2")
    wait_until(lambda: any(sweep.results.rglob("seed-0_*/snapshot")))
    driver.send_signal(signal.SIGINT)
    _, said = driver.communicate(timeout=60)
    assert driver.returncode == 130
    assert "stopped; the same command goes on" in said
    assert sweep.processes() == []
    assert sweep.run() == 0
    for seed in range(3):
        log = sweep.logs[f"fake_training, seed {seed}"]
        assert numbers(log) == numbers(expected(300, seed))
    assert len(sweep.starts) == 2
    # It was saved where it was stopped: no step was done twice.
    assert sweep.starts[1] > 0


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere orphans go on to their end")
def test_runs_save_themselves_when_the_sweep_is_killed(tmp_path: Path) -> None:
    sweep = Sweep(tmp_path, "[options]\nsteps = 1000\npace = 0.02\n")
    driver = sweep.start()
    wait_until(lambda: any(sweep.results.rglob("snapshot")))
    driver.kill()
    driver.communicate()
    wait_until(lambda: sweep.processes() == [])
    (snapshot,) = sweep.results.rglob("snapshot")
    saved = int(snapshot.read_text())
    (log,) = sweep.results.rglob("score.csv")
    assert len(numbers(log.read_bytes())) == saved < 1000


def test_two_sweeps_do_not_work_in_one_folder(tmp_path: Path) -> None:
    sweep = Sweep(tmp_path, "[options]\nsteps = 1000\npace = 0.02\n")
    driver = sweep.start()
    wait_until(lambda: any(sweep.results.rglob("config.json")))
    with pytest.raises(UserError, match="another sweep is at work"):
        sweep.run()
    driver.terminate()
    driver.communicate()


def test_a_run_that_another_process_is_still_saving_is_waited_for(tmp_path: Path) -> None:
    sweep = Sweep(tmp_path, "[options]\ncrash_at = 13\n")
    sweep.run("--retries", "0")
    (config,) = sweep.results.rglob("config.json")
    folder = RunFolder(config.parent, "fake_training")
    driver = sweep.start()
    with pytest.raises(subprocess.TimeoutExpired):
        driver.wait(1.5)
    assert sweep.starts == [0]
    folder.release()
    driver.communicate(timeout=60)
    assert sweep.starts == [0, 10]
    assert driver.returncode == 0


def torment(sweep: Sweep, generator: random.Random, seeds: int, steps: int) -> None:
    """Kill the sweep and its runs at random moments, start it again, compare the logs."""
    for _ in range(3):
        driver = sweep.start("--retries", "9")
        deadline = time.monotonic() + generator.uniform(0.3, 2.0)
        while time.monotonic() < deadline:
            time.sleep(generator.uniform(0.0, 0.5))
            if victims := sweep.processes():
                with contextlib.suppress(psutil.Error):
                    generator.choice(victims).send_signal(
                        generator.choice([signal.SIGKILL, signal.SIGTERM])
                    )
        driver.send_signal(generator.choice([signal.SIGKILL, signal.SIGTERM]))
        driver.communicate(timeout=60)
    driver = sweep.start("--retries", "9")
    driver.communicate(timeout=120)
    assert driver.returncode == 0
    for seed in range(seeds):
        log = sweep.logs[f"fake_training, seed {seed}"]
        assert numbers(log) == numbers(expected(steps, seed))


def test_killed_at_random_moments_every_run_ends_with_its_logs(tmp_path: Path) -> None:
    sweep = Sweep(tmp_path, "seeds = 3\n[options]\nsteps = 60\npace = 0.02\n")
    torment(sweep, random.Random(0), 3, 60)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seed", range(1, 21))
def test_twenty_rounds_of_it(tmp_path: Path, seed: int) -> None:
    sweep = Sweep(tmp_path, "seeds = 4\n[options]\nsteps = 100\npace = 0.02\n")
    torment(sweep, random.Random(seed), 4, 100)
