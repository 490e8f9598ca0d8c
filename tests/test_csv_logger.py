"""The CSV logger: whole lines only, resuming, full disks, files of others."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qmap.utils.csv_logger import CSVLogger
from qmap.utils.errors import UserError
from qmap.utils.files import atomic_file

COLUMNS = ("steps", "undiscounted_return")


def test_a_row_is_in_the_file_when_write_returns(tmp_path: Path) -> None:
    logger = CSVLogger(tmp_path / "score.csv", COLUMNS)
    assert (tmp_path / "score.csv").read_text() == "steps,undiscounted_return\n"
    logger.write(np.int64(5_000_000), np.float32(0.25))
    assert (tmp_path / "score.csv").read_text() == "steps,undiscounted_return\n5000000,0.25\n"


def test_numbers_survive_the_file(tmp_path: Path) -> None:
    with CSVLogger(tmp_path / "a.csv", COLUMNS) as logger:
        logger.write(12345678901, 1 / 3)
    steps, value = (tmp_path / "a.csv").read_text().splitlines()[1].split(",")
    assert int(steps) == 12345678901
    assert float(value) == pytest.approx(1 / 3, rel=1e-7)


def test_a_row_of_another_width_is_a_mistake_of_the_caller(tmp_path: Path) -> None:
    with CSVLogger(tmp_path / "a.csv", COLUMNS) as logger, pytest.raises(ValueError, match="steps"):
        logger.write(1)


@pytest.mark.parametrize("nothing", [None, float("nan"), np.float32("nan")])
def test_what_was_not_measured_is_an_empty_cell_that_a_resume_takes(
    tmp_path: Path, nothing: float | None
) -> None:
    path = tmp_path / "a.csv"
    with CSVLogger(path, (*COLUMNS, "loss")) as logger:
        logger.write(1, nothing, 2)
        logger.write(2, 3, nothing)
        logger.write(3, nothing, nothing)
    with CSVLogger(path, (*COLUMNS, "loss"), resume_at=2) as logger:
        logger.write(4, 1, 1)
    assert path.read_text() == "steps,undiscounted_return,loss\n1,,2\n2,3,\n4,1,1\n"


@pytest.mark.parametrize("nothing", [None, float("nan")])
def test_a_row_without_steps_is_a_mistake_of_the_caller(
    tmp_path: Path, nothing: float | None
) -> None:
    with CSVLogger(tmp_path / "a.csv", COLUMNS) as logger, pytest.raises(ValueError, match="steps"):
        logger.write(nothing, 1)
    assert (tmp_path / "a.csv").read_text() == "steps,undiscounted_return\n"


def test_a_mirror_gets_each_row_that_was_written(tmp_path: Path) -> None:
    rows = []
    with CSVLogger(tmp_path / "a.csv", COLUMNS, mirror=lambda *row: rows.append(row)) as logger:
        logger.write(np.int64(1), 2.5)
        logger.write(7, None)
    assert rows == [
        ("a", 1, {"undiscounted_return": 2.5}),
        ("a", 7, {"undiscounted_return": None}),
    ]


def test_a_log_of_an_earlier_run_goes_on_under_its_own_header(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("steps,undiscounted_return\n10,1\n20,2\n")
    with CSVLogger(path, ("steps", "undiscounted return"), resume_at=10) as logger:
        logger.write(15, 9)
    assert path.read_text() == "steps,undiscounted_return\n10,1\n15,9\n"


def test_the_torn_header_of_an_earlier_run_is_written_anew(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("steps,undiscounted_re")
    CSVLogger(path, ("steps", "undiscounted return"), resume_at=10).close()
    assert path.read_text() == "steps,undiscounted return\n"


def test_a_new_run_never_overwrites_a_log(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("precious")
    with pytest.raises(UserError, match="exists already"):
        CSVLogger(tmp_path / "a.csv", COLUMNS)
    assert (tmp_path / "a.csv").read_text() == "precious"


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere.*a\.csv"):
        CSVLogger(tmp_path / "nowhere" / "a.csv", COLUMNS)


def test_resuming_cuts_later_rows_and_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("steps,undiscounted_return\n10,1\n20,2\n30,3\n40,4\n")
    with CSVLogger(path, COLUMNS, resume_at=20) as logger:
        logger.write(25, 9)
    assert path.read_text() == "steps,undiscounted_return\n10,1\n20,2\n25,9\n"
    assert os.listdir(tmp_path) == ["a.csv"]


@pytest.mark.parametrize("content", [None, "", "steps,und", "steps,undiscounted_return"])
def test_resuming_starts_a_file_that_has_no_whole_header(
    tmp_path: Path, content: str | None
) -> None:
    path = tmp_path / "a.csv"
    if content is not None:
        path.write_text(content)
    CSVLogger(path, COLUMNS, resume_at=20).write(1, 2)
    assert path.read_text() == "steps,undiscounted_return\n1,2\n"


@given(st.integers(0, 60), st.integers(0, 60))
@settings(max_examples=60, deadline=None)
def test_a_file_torn_anywhere_resumes_with_its_whole_rows(
    tmp_path_factory: pytest.TempPathFactory, torn_after: int, resume_at: int
) -> None:
    path = tmp_path_factory.mktemp("torn") / "a.csv"
    whole = "steps,undiscounted_return\n10,1.5\n20,2.5\n30,3.5\n40,4.5\n"
    path.write_text(whole[:torn_after])
    CSVLogger(path, COLUMNS, resume_at=resume_at).close()
    lines = whole[:torn_after].split("\n")[:-1] or [",".join(COLUMNS)]
    expected = [lines[0]] + [row for row in lines[1:] if int(row.split(",")[0]) <= resume_at]
    assert path.read_text() == "\n".join(expected) + "\n"


@pytest.mark.parametrize(
    "content",
    [
        b"other,header\n1,2\n",
        b"steps,undiscounted_return\n1,2\nabc,2\n",
        b"steps,undiscounted_return\n1,2\n3\n",
        b"steps,undiscounted_return\n1,2,\n",
        b"steps,undiscounted_return\n,2\n",
        b"steps,undiscounted_return\n1, \n",
        b"steps,undiscounted_return\nnan,2\n",
        b"steps,undiscounted_return\n\n",
        b"\x00\xff\xfe",
    ],
)
def test_a_file_of_something_else_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"a\.csv, line \d"):
        CSVLogger(path, COLUMNS, resume_at=100)
    assert path.read_bytes() == content


@pytest.mark.skipif(sys.platform == "win32", reason="no resource limits on Windows")
def test_a_full_disk_is_one_clear_error_and_leaves_whole_lines(tmp_path: Path) -> None:
    script = """
import resource, sys
from qmap.utils.csv_logger import CSVLogger
from qmap.utils.errors import UserError
logger = CSVLogger(sys.argv[1], ("steps", "undiscounted_return"))
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    for step in range(1000):
        logger.write(step, 1 / 3)
except UserError as error:
    print(error)
"""
    path = tmp_path / "score.csv"
    done = subprocess.run(
        [sys.executable, "-c", script, str(path)],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=Path(__file__).parent.parent,
    )
    assert done.stdout.startswith(f"cannot write {path}: ")
    assert len(done.stdout.splitlines()) == 1
    lines = path.read_text().split("\n")
    assert lines[-1] == ""
    assert lines[-2] == f"{len(lines) - 3},0.33333333"


def test_a_failed_atomic_write_leaves_the_old_content(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")

    def fail() -> None:
        with atomic_file(tmp_path / "a") as file:
            file.write(b"new")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert (tmp_path / "a").read_text() == "old"
    assert os.listdir(tmp_path) == ["a"]
