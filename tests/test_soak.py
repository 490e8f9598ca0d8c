"""What the soak makes of what it saw; a real one takes half an hour."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.soak import Look, growth, last_step, milliseconds


def test_growth_is_between_the_first_and_the_last_third() -> None:
    assert growth([10.0, 10.0, 99.0, 99.0, 11.0, 11.0]) == pytest.approx(0.1)
    assert growth([5.0] * 7) == 0.0


def test_one_slow_moment_is_not_growth() -> None:
    assert growth([10.0, 10.0, 10.0, 10.0, 10.0, 10.0, 10.0, 99.0, 10.0]) == 0.0


def test_the_time_of_a_step_is_that_between_looks() -> None:
    looks = [Look(0.0, 100, 1.0), Look(2.0, 200, 1.0), Look(2.5, 200, 1.0), Look(4.5, 250, 1.0)]
    assert milliseconds(looks) == [20.0, 40.0]


def test_the_last_whole_row_tells_the_step(tmp_path: Path) -> None:
    assert last_step(tmp_path) == 0
    log = tmp_path / "run" / "exploration.csv"
    log.parent.mkdir()
    log.write_text("steps,planned_exploration\n")
    assert last_step(tmp_path) == 0
    log.write_text("steps,planned_exploration\n100,1.0\n200,1.0\n")
    assert last_step(tmp_path) == 200
