"""The intervals of what is measured, over trials and over episodes."""

from __future__ import annotations

import numpy as np
import pytest

from qmap.evaluate import report


def test_intervals_are_those_of_the_textbook() -> None:
    share = report.share_of([True] * 8 + [False] * 2)
    assert share["interval"] == pytest.approx([0.4902, 0.9433], abs=1e-4)
    mean = report.mean_of([1.0, 2.0, 3.0])
    assert mean["interval"] == pytest.approx([2 - 2.4841, 2 + 2.4841], abs=1e-3)
    assert report.mean_of([4.0])["interval"] is None


def test_intervals_over_episodes_hold_the_truth_as_often_as_they_say() -> None:
    generator, held, frames = np.random.default_rng(1), [], []
    episodes = np.repeat(np.arange(12), 30)
    for _ in range(150):
        # Whole episodes are seen well or badly: 360 frames say little more than 12.
        shares = generator.beta(1, 1, 12)
        seen = generator.random(360) < shares[episodes]
        for found, intervals in (
            (report.share_over_episodes(seen, episodes), held),
            (report.share_of(seen), frames),
        ):
            low, high = found["interval"]
            intervals.append(low <= 0.5 <= high)
    assert np.mean(held) > 0.9
    assert np.mean(frames) < 0.6


def test_intervals_over_episodes_are_equal_each_time_and_none_of_a_single_one() -> None:
    values, episodes = [1.0, 2.0, 2.0, 5.0, 1.0], [1, 1, 2, 3, 3]
    found = report.mean_over_episodes(values, episodes)
    assert (found["mean"], found["n"], found["episodes"]) == (2.2, 5, 3)
    assert found == report.mean_over_episodes(values, episodes)
    low, high = found["interval"]
    assert 1.5 <= low < 2.2 < high <= 3.0
    # Frames of equal episodes do not make it narrower.
    more = report.mean_over_episodes(np.repeat(values, 9), np.repeat(episodes, 9))
    assert more["interval"] == pytest.approx(found["interval"])
    assert report.mean_over_episodes([1.0, 2.0], [4, 4])["interval"] is None


def test_a_share_of_all_or_none_has_an_interval_of_as_many_trials_as_episodes() -> None:
    for share in (0, 1):
        found = report.share_over_episodes([share] * 40, np.repeat(np.arange(10), 4))
        assert found["interval"] == report.share_of([share] * 10)["interval"]
        assert (found["share"], found["n"]) == (share, 40)
