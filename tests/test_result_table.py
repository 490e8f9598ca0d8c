"""The tables that benchmarks keep."""

from __future__ import annotations

from pathlib import Path

from benchmarks.result_table import add_run

COLUMNS = ["agent", "steps", "depth", "share"]


def test_rows_of_other_runs_stay_as_they_are_written_when_one_is_added(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    add_run(path, COLUMNS, {"agent": "a"}, [[5, 21, 0.25], [10, 22, 1.0]])
    before = path.read_text()
    assert before == "agent,steps,depth,share\na,5,21,0.25\na,10,22,1\n"
    add_run(path, COLUMNS, {"agent": "b"}, [[5, None, None]])
    assert path.read_text() == before + "b,5,,\n"
    add_run(path, COLUMNS, {"agent": "b"}, [[5, 7, 0.5]])
    assert path.read_text() == before + "b,5,7,0.5\n"
