"""A training that is watched does what it would have done."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from conftest import run_folder

from qmap.train_environment import main
from qmap.utils.newest_picture import PICTURE, NewestPicture, read_picture

LAKE = str(Path(__file__).parents[1] / "examples" / "frozen_lake.py")
OPTIONS = [
    "--env", LAKE, "--steps", "160", "--no-dqn", "--learning-starts", "30", "--train-every", "1",
    "--batch", "4", "--replay", "200", "--min-goal", "1", "--max-goal", "6", "--no-videos",
    "--hidden", "16",
]  # fmt: skip


def test_the_logs_of_a_watched_run_are_those_of_one_that_nobody_watches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = []
    for watched in (False, True):
        # Whenever it may be asked, which is more often than anybody can watch.
        monkeypatch.setattr(NewestPicture, "due", lambda newest, watched=watched: watched)
        path = tmp_path / str(watched)
        main([*OPTIONS, "--deterministic", "--path", str(path)])
        runs.append(run_folder(path))
    alone, together = runs
    assert not (alone / PICTURE).exists()
    assert read_picture(together / PICTURE).std() > 10, "something is drawn"
    logs = ("exploration.csv", "learning.csv", "score.csv")
    for name in (*logs, "unfinished.csv"):
        one, other = (pd.read_csv(run / name) for run in runs)
        timed = [column for column in one if column == "steps per second"]
        pd.testing.assert_frame_equal(one.drop(columns=timed), other.drop(columns=timed))
        assert len(one) or name not in logs
