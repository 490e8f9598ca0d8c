"""Where rollouts along a demonstration begin."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qmap.demonstration.starts import Starts


def starts_with(**options: Any) -> Starts:
    defaults = {"spread": 8, "own": 1.0, "threshold": 0.2, "rollouts": 10, "back": 3}
    return Starts(40, 5, **{**defaults, **options}, generator=np.random.default_rng(0))


def test_start_points_are_spread_over_the_steps_that_follow_the_start() -> None:
    starts = starts_with()
    starts.start = 20
    assert [starts.draw(copy) for copy in range(5)] == [20, 20, 20, 24, 28]
    starts.start = 36
    assert [starts.draw(copy) for copy in range(5)] == [36, 36, 36, 39, 39]


def test_a_copy_begins_at_its_own_start_point_with_a_probability() -> None:
    starts = starts_with(own=0.8)
    starts.start = 20
    drawn = [starts.draw(4) for _ in range(4000)]
    assert set(drawn) == set(range(20, 40))
    # Of the fifth that is drawn from all twenty that are left, one in twenty is its own again.
    assert np.mean(np.array(drawn) == 28) == pytest.approx(0.8 + 0.2 / 20, abs=0.02)


def test_the_start_moves_back_when_a_fifth_of_the_newest_rollouts_from_it_succeed() -> None:
    starts = starts_with()
    for _ in range(30):
        starts.end(39, False)
        starts.end(38, True)
    starts.end(39, True)
    assert starts.start == 39
    for _ in range(9):
        starts.end(39, False)
    starts.end(39, False)  # the success is forgotten
    starts.end(39, True)
    assert starts.start == 39
    starts.end(39, True)
    assert starts.start == 36


def test_the_start_moves_as_far_as_the_share_of_the_rollouts_looked_at_says() -> None:
    starts = starts_with(rollouts=20)
    for success in (False, True, True, True):
        starts.end(39, success)
    assert starts.start == 39
    starts.end(39, True)
    # Four of twenty, whatever comes: decided. Four of these five: four times as far.
    assert starts.start == 39 - 4 * 3
    for _ in range(3):
        starts.end(27, True)  # those from the start before are forgotten
    starts.end(39, True)
    assert starts.start == 27


def test_luck_moves_the_start_of_a_policy_that_fails_nine_times_in_ten_only_among_few() -> None:
    generator = np.random.default_rng(0)
    few, many = starts_with(rollouts=10), starts_with(rollouts=100)
    for _ in range(500):
        success = generator.random() < 0.1
        for starts in (few, many):
            starts.end(starts.start, success)
    assert (few.start, many.start) == (0, 39)


@given(st.lists(st.booleans(), max_size=60), st.integers(1, 30), st.sampled_from((1, 2, 3, 7, 10)))
def test_the_start_moves_as_the_newest_rollouts_since_it_moved_say(
    successes: list[bool], rollouts: int, tenths: int
) -> None:
    starts = starts_with(rollouts=rollouts, threshold=tenths / 10)
    start, newest = 39, []
    for success in successes:
        starts.end(starts.start, success)
        newest = [*newest, success][-rollouts:]
        if start and 10 * sum(newest) >= tenths * rollouts:
            start -= 3 * (10 * sum(newest) // (tenths * len(newest)))
            start, newest = max(start, 0), []
        assert starts.start == start


def test_successes_are_told_by_parts_of_the_demonstration() -> None:
    starts = starts_with()
    for start, success in ((39, True), (39, False), (38, True), (0, False)):
        starts.end(start, success)
    assert starts.take() == [0.5, 0.0, *[None] * 8, pytest.approx(2 / 3)]
    assert starts.take() == [None] * 11


def test_starts_go_on_from_their_state() -> None:
    one, other = starts_with(own=0.5), starts_with(own=0.5)
    one.end(39, True)
    one.draw(0)
    other.restore(one.state())
    for each in (one, other):
        each.end(39, True)
    assert (one.start, [one.draw(1) for _ in range(20)]) == (
        other.start,
        [other.draw(1) for _ in range(20)],
    )
