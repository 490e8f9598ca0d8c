"""What the soak makes of what it saw; a real one takes half an hour."""

from __future__ import annotations

import itertools
import os
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from benchmarks.soak import (
    Look,
    Options,
    at_equal_speed,
    growth,
    last_step,
    milliseconds,
    paused,
    watch,
)


def test_growth_is_between_the_first_and_the_last_third() -> None:
    assert growth([10.0, 10.0, 99.0, 99.0, 11.0, 11.0]) == pytest.approx(0.1)
    assert growth([5.0] * 7) == 0.0


def test_one_slow_moment_is_not_growth() -> None:
    assert growth([10.0, 10.0, 10.0, 10.0, 10.0, 10.0, 10.0, 99.0, 10.0]) == 0.0


def test_the_time_of_a_step_is_that_between_looks() -> None:
    assert milliseconds(Look(2.0, 200, 1.0, 1.0), Look(4.0, 250, 1.0, 1.0)) == 40.0


def test_a_machine_that_gets_slower_is_taken_off() -> None:
    moments = [(0.0, 0, 5.0), (1.0, 100, 5.0), (2.0, 200, 5.0), (4.0, 300, 10.0), (6.0, 400, 10.0)]
    looks = [Look(seconds, steps, 1.0, floor) for seconds, steps, floor in moments]
    assert at_equal_speed(looks) == pytest.approx([10.0, 10.0, 40 / 3, 10.0])


def test_a_paused_process_stands_still_and_then_goes_on() -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        try:
            with paused(process.pid):
                wait_until(process.pid, stopped=True)
            wait_until(process.pid, stopped=False)
        finally:
            process.kill()


def wait_until(pid: int, *, stopped: bool) -> None:
    """Wait until a process is stopped, or is not."""
    while (psutil.Process(pid).status() == psutil.STATUS_STOPPED) != stopped:
        time.sleep(0.01)


@pytest.mark.slow
def test_a_training_is_watched_and_ended(tmp_path: Path) -> None:
    looks = watch(Options(minutes=1.0, every=1.0, replay=2000, game="montezuma"), tmp_path)
    assert len(looks) >= 2
    assert all(after.steps > before.steps for before, after in itertools.pairwise(looks))
    assert all(after.seconds > before.seconds for before, after in itertools.pairwise(looks))
    assert all(look.floor > 0.0 and look.megabytes > 100.0 for look in looks)
    assert "stopped at step" in (tmp_path / "stderr.txt").read_text()


def test_the_last_whole_row_tells_the_step(tmp_path: Path) -> None:
    assert last_step(tmp_path)[0] == 0
    log = tmp_path / "run" / "exploration.csv"
    log.parent.mkdir()
    log.write_text("steps,planned_exploration\n")
    assert last_step(tmp_path)[0] == 0
    log.write_text("steps,planned_exploration\n100,1.0\n200,1.0\n")
    os.utime(log, (50.0, 60.0))
    assert last_step(tmp_path) == (200, 60.0)
