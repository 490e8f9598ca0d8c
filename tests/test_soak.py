"""What the soak makes of what it saw; a real one takes half an hour."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from benchmarks.soak import Look, at_equal_speed, fixed_work, growth, last_step, milliseconds


def test_growth_is_between_the_first_and_the_last_third() -> None:
    assert growth([10.0, 10.0, 99.0, 99.0, 11.0, 11.0]) == pytest.approx(0.1)
    assert growth([5.0] * 7) == 0.0


def test_one_slow_moment_is_not_growth() -> None:
    assert growth([10.0, 10.0, 10.0, 10.0, 10.0, 10.0, 10.0, 99.0, 10.0]) == 0.0


def test_the_time_of_a_step_is_that_between_looks() -> None:
    moments = [(0.0, 100), (2.0, 200), (2.0, 200), (4.0, 250)]
    looks = [Look(seconds, steps, 1.0, 1.0) for seconds, steps in moments]
    assert milliseconds(looks) == [20.0, 40.0]


def test_a_machine_that_gets_slower_is_taken_off() -> None:
    moments = [(0.0, 0, 5.0), (1.0, 100, 5.0), (2.0, 200, 5.0), (4.0, 300, 10.0), (6.0, 400, 10.0)]
    looks = [Look(seconds, steps, 1.0, work) for seconds, steps, work in moments]
    assert at_equal_speed(looks) == pytest.approx([10.0, 10.0, 40 / 3, 10.0])
    assert fixed_work() > 0.0


def test_the_last_whole_row_tells_the_step(tmp_path: Path) -> None:
    assert last_step(tmp_path)[0] == 0
    log = tmp_path / "run" / "exploration.csv"
    log.parent.mkdir()
    log.write_text("steps,planned_exploration\n")
    assert last_step(tmp_path)[0] == 0
    log.write_text("steps,planned_exploration\n100,1.0\n200,1.0\n")
    os.utime(log, (50.0, 60.0))
    assert last_step(tmp_path) == (200, 60.0)
