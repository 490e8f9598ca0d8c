"""What is computed from the measured parts of a step; measuring takes minutes."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.scale import Parts, budget, overhead, table

PARTS = Parts(
    emulator=2.0,
    message=0.5,
    answer_bytes=1_250_000,
    passes={1: 3.0, 32: 10.0},
    training=8.0,
    train_every=4,
)


def test_a_step_of_all_copies_is_the_sum_of_its_parts() -> None:
    spent = budget(PARTS, 32, cores=16, gigabits=10)
    assert spent == pytest.approx(
        {"emulators": 4.0, "messages": 16.0, "wire": 32.0, "pass": 10.0, "training": 64.0}
    )


def test_the_table_says_how_fast_all_are_and_what_takes_most() -> None:
    heading, one, many = table(PARTS, cores=16, gigabits=10)
    assert heading.split()[0] == "copies"
    assert one.split()[-2:] == ["118", "pass"]
    assert many.split()[-2:] == ["254", "training"]


def test_what_ray_costs_is_told_by_blocks_that_saw_the_same_machine() -> None:
    processes, ray = np.array([2.0, 8.0, 4.0]), np.array([2.2, 8.8, 40.0])
    assert overhead(processes, ray, agent=36.0) == (
        "Ray costs 10.0% of a step of the copies, and 1.00% of one with its pass and its trainings"
    )
