"""A log read while it grows, against the same log read whole."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qmap.utils import growing_log
from qmap.utils.csv_logger import CSVLogger
from qmap.utils.growing_log import GrowingLog
from qmap.utils.run_logs import read_log

LINES = st.sampled_from(
    ["steps,a_b,c", "1,2,3", "5,,1e3", "2,nan,4", "7,1", "", "9,8,7,6", "x,y,z", "-3,1,1", '"1,2']
)


@given(
    st.lists(LINES, max_size=12).map(lambda lines: ["steps,a_b,c", *lines])
    | st.lists(LINES, max_size=5),
    st.data(),
)
@settings(max_examples=100, deadline=None)
def test_pieces_give_the_table_of_the_whole(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("log") / "score.csv"
    content = "".join(f"{line}\n" for line in lines).encode()
    log, end = GrowingLog(), 0
    while end < len(content):
        more = data.draw(st.integers(1, len(content) - end))
        with open(path, "ab") as file:
            file.write(content[end : end + more])
        end += more
        try:
            whole = read_log(path)
        except ValueError:
            with pytest.raises(ValueError):
                log.read(path)
        else:
            pd.testing.assert_frame_equal(log.read(path), whole, check_dtype=False)


def test_only_new_bytes_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = []
    real = growing_log.parsed
    monkeypatch.setattr(growing_log, "parsed", lambda text: taken.append(text) or real(text))
    path = tmp_path / "score.csv"
    log = GrowingLog()
    with CSVLogger(path, ("steps", "value")) as rows:
        for step in range(5):
            rows.write(step, step * step)
            assert len(log.read(path)) == step + 1
            version = log.version
            log.read(path)
            assert log.version == version
    assert taken[1:] == [b"steps,value\n%d,%d\n" % (step, step**2) for step in range(1, 5)]


def test_a_resumed_run_s_log_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "score.csv"
    log = GrowingLog()
    with CSVLogger(path, ("steps", "value")) as rows:
        for step in (10, 20, 30):
            rows.write(step, 1)
    assert log.read(path)["steps"].tolist() == [10, 20, 30]
    with CSVLogger(path, ("steps", "value"), resume_at=20) as rows:
        rows.write(25, 2)
        assert log.read(path)["steps"].tolist() == [10, 20, 25]
        assert log.read(path)["value"].tolist() == [1, 1, 2]


def test_a_file_that_shrank_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "score.csv"
    log = GrowingLog()
    path.write_text("steps,a\n1,1\n2,2\n")
    log.read(path)
    path.write_text("steps,a\n7,1\n")
    assert log.read(path)["steps"].tolist() == [7]


def test_what_was_refused_is_not_read_again_until_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = []
    real = growing_log.parsed
    monkeypatch.setattr(growing_log, "parsed", lambda text: taken.append(text) or real(text))
    path = tmp_path / "score.csv"
    path.write_text("garbage\n")
    log = GrowingLog()
    for _ in range(3):
        with pytest.raises(ValueError):
            log.read(path)
    assert len(taken) == 1
    path.write_text("steps,a\n1,2\n")
    assert np.array_equal(log.read(path), [[1, 2]])


def test_a_file_of_gigabytes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "score.csv"
    path.touch()
    os.truncate(path, growing_log.LARGEST + 1)
    with pytest.raises(ValueError, match="MB"):
        GrowingLog().read(path)
