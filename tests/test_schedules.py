"""How something falls over a run, beside models that walk through it step by step."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmap.agents.schedules import geometric, linear, phases

shares = st.floats(0, 1)


@given(st.integers(0, 40), st.integers(0, 20), st.integers(1, 20), shares, shares)
def test_phases_wait_then_fall_then_stay(
    step: int, wait: int, steps: int, first: float, last: float
) -> None:
    value = first
    for now in range(step):
        if wait <= now < wait + steps:
            value += (last - first) / steps
    assert phases(step, wait, steps, first, last) == pytest.approx(value, abs=1e-9)


@given(st.integers(0, 60), st.floats(0.5, 1), shares, shares)
def test_a_geometric_fall_multiplies_each_step_until_it_is_low(
    step: int, factor: float, first: float, last: float
) -> None:
    value = first
    for _ in range(step):
        value *= factor
    assert geometric(step, factor, first, last) == pytest.approx(max(value, last))


def test_the_published_line_is_exact() -> None:
    assert [linear(step, 4, 1.0, 0.0) for step in (0, 1, 4, 5)] == [1.0, 0.75, 0.0, 0.0]


def test_the_figures_of_the_write_ups() -> None:
    annealed = [phases(step, 50, 3_000, 0.1, 0.0001) for step in (0, 50, 1_550, 3_050, 10**6)]
    assert annealed == pytest.approx([0.1, 0.1, 0.05005, 0.0001, 0.0001])
    decayed = [geometric(step, 0.99999975, 1.0, 0.1) for step in (0, 100_000, 10**7)]
    assert decayed == pytest.approx([1.0, 0.97531, 0.1], abs=1e-5)
