"""How many cores a process believes to have."""

from __future__ import annotations

import os

import pytest

from qmap.utils.cores import cores


def test_a_process_uses_the_cores_that_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert cores() == 3


@pytest.mark.parametrize("told", ["", "0", "-1", "2,3", "many"])
def test_else_it_uses_those_that_it_may_run_on(told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", told)
    there = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert cores() == there
