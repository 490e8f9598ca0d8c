"""Means and intervals over runs, against slow and obvious ones."""

from __future__ import annotations

import itertools
import statistics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qmap.utils import curves


def test_the_interval_is_that_of_a_table_of_student_s_t() -> None:
    values = np.array([[1.0, 5.0], [2.0, 5.0], [3.0, 5.0]])
    low, high = curves.student_interval(values, 95)
    # 4.3027 standard errors of 1 / sqrt(3), at 2 degrees of freedom.
    np.testing.assert_allclose(low, [2 - 4.3027 / 3**0.5, 5], rtol=1e-4)
    np.testing.assert_allclose(high, [2 + 4.3027 / 3**0.5, 5], rtol=1e-4)
    wider = curves.student_interval(values, 99)
    assert wider[0][0] < low[0]
    assert wider[1][0] > high[0]


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=13))
@settings(max_examples=100, deadline=None)
def test_the_interquartile_mean_leaves_out_a_quarter_at_either_end(values: list[float]) -> None:
    cut = len(values) // 4
    expected = statistics.fmean(sorted(values)[cut : len(values) - cut])
    mean = curves.interquartile_mean(np.array(values)[:, None])
    np.testing.assert_allclose(mean, [expected], atol=1e-9)


def test_a_run_without_data_leaves_no_interquartile_mean() -> None:
    values = np.arange(10.0).reshape(5, 2)
    values[3, 1] = np.nan
    np.testing.assert_array_equal(curves.interquartile_mean(values), [4, np.nan])
    for end in curves.bootstrap_interval(values, 95):
        np.testing.assert_array_equal(np.isfinite(end), [True, False])


def test_the_bootstrap_draws_whole_runs() -> None:
    values = np.array([0.0, 1.0, 2.0, 10.0, 20.0])
    drawn = [
        float(curves.interquartile_mean(np.array(each)[:, None])[0])
        for each in itertools.product(values, repeat=5)
    ]
    low, high = curves.bootstrap_interval(np.stack([values, values + 1], axis=1), 80)
    expected = np.percentile(drawn, [10, 90])
    assert low[0] == pytest.approx(expected[0], abs=0.7)
    assert high[0] == pytest.approx(expected[1], abs=1.5)
    np.testing.assert_allclose([low[1] - low[0], high[1] - high[0]], 1)


def test_equal_data_gives_equal_intervals() -> None:
    values = np.random.default_rng(0).normal(size=(6, 20))
    one, other = (curves.bootstrap_interval(values, 95) for _ in range(2))
    np.testing.assert_array_equal(one, other)


@given(
    st.lists(st.integers(0, 5), min_size=1, max_size=6),
    st.lists(st.integers(0, 5), min_size=1, max_size=6),
)
@settings(max_examples=50, deadline=None)
def test_the_probability_of_improvement_counts_pairs(one: list[int], other: list[int]) -> None:
    pairs = list(itertools.product(one, other))
    expected = sum(1.0 if a > b else 0.5 if a == b else 0.0 for a, b in pairs) / len(pairs)
    found, low, high = curves.improvement([np.array(one)], [np.array(other)], 95)
    assert found == pytest.approx(expected)
    assert 0 <= low <= high <= 1
    assert curves.improvement([np.array(other)], [np.array(one)], 95)[0] == pytest.approx(1 - found)


def test_the_probability_of_improvement_is_the_mean_over_environments() -> None:
    low, high = np.array([1.0, 2.0]), np.array([10.0, 20.0, 30.0])
    assert curves.improvement([low, high], [high, low], 95)[0] == 0.5
    assert curves.improvement([high, high], [low, low], 95) == (1.0, 1.0, 1.0)


def test_the_interval_of_the_probability_of_improvement_draws_runs_of_both() -> None:
    one, other = np.array([0.0, 2.0, 4.0, 6.0]), np.array([1.0, 3.0, 5.0])
    drawn = [
        np.mean([a > b for a in ours for b in theirs])
        for ours in itertools.product(one, repeat=4)
        for theirs in itertools.product(other, repeat=3)
    ]
    _, low, high = curves.improvement([one], [other], 80)
    assert (low, high) == pytest.approx(tuple(np.percentile(drawn, [10, 90])), abs=0.09)
