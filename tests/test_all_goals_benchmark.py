"""The comparison of learners: runs that are kept, and what is made of their numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks import all_goals
from benchmarks.all_goals import COLUMNS, at, shown, spared

ROWS = [(0, 0.0, 0.2, 0.0), (320, 5.0, 0.1, 0.4), (640, 10.0, 0.05, 0.8)]


def table(**learners: list[tuple[float, ...]]) -> pd.DataFrame:
    rows = [
        ("m", 5, name.replace("_", "-"), 0, *row) for name, runs in learners.items() for row in runs
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def test_a_run_is_read_between_its_looks_and_not_before_it_gets_there() -> None:
    rows = table(mixed=ROWS)
    assert at(rows, "transitions", 480) == pytest.approx((0.075, 0.6))
    assert at(rows, "seconds", 10) == pytest.approx((0.05, 0.8))
    assert np.isnan(at(rows, "transitions", 1000)).all()


def test_what_all_goals_spare_is_told_at_the_best_arrivals_of_another_learner() -> None:
    other = [(0, 0.0, 0.2, 0.0), (3200, 10.0, 0.1, 0.3), (6400, 20.0, 0.1, 0.2)]
    text = spared(table(all_goals=ROWS, mixed=other), "mixed")
    assert "needs 10.0 times the transitions" in text
    never = spared(table(all_goals=other, mixed=ROWS), "mixed")
    assert never.startswith("all goals at once never arrive as often")


def test_means_are_shown_with_an_interval_where_there_are_two_seeds() -> None:
    assert shown([(0.1, 0.5)]) == "0.1000, 50.0%"
    assert shown([(0.1, 0.5), (0.1, 0.5)]) == "0.1000 [0.1000, 0.1000], 50.0% [50.0%, 50.0%]"
    assert shown([(0.1, 0.5), (np.nan, np.nan)]) == "-, -"


def test_a_run_that_is_in_the_table_is_not_repeated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results, picture = tmp_path / "runs.csv", tmp_path / "picture.png"
    learners = ["all-goals", "all-goals-published"]
    options = ["--part", "learning", "--learners", *learners, "--model", "convdeconv3"]
    options += ["--size", "5", "--seeds", "1", "--seconds", "1", "--looks", "1", "--mazes", "1"]
    options += ["--results", str(results), "--costs", str(tmp_path / "none.csv")]
    all_goals.main(options)
    written = results.read_text()
    assert written.splitlines()[0] == ",".join(COLUMNS)
    assert len(written.splitlines()) == 5
    assert "all-goals, seed 0" in capsys.readouterr().out
    all_goals.main([*options, "--picture", str(picture)])
    assert results.read_text() == written
    assert "all-goals, seed 0" not in capsys.readouterr().out
    assert picture.read_bytes().startswith(b"\x89PNG")
