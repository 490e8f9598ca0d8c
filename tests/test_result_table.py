"""The tables that benchmarks keep."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.result_table import add_run, draw_curves, shown
from qmap.utils.errors import UserError
from qmap.utils.plot_options import PlotOptions

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


def test_a_picture_in_a_folder_that_cannot_be_made_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    curves = {"agent": {"seed-0": pd.DataFrame({"steps": [0, 1], "cells": [1, 2]})}}
    with pytest.raises(UserError, match=r"^cannot write .*file/pictures/a\.png: ") as refused:
        draw_curves(tmp_path / "file/pictures/a.png", "a", "coverage", curves, PlotOptions())
    assert "\n" not in str(refused.value)


def test_a_single_value_has_no_interval_and_nothing_is_shown_of_none() -> None:
    assert shown(np.array([1234.0])) == "1,234 (1,234)"
    assert shown(np.array([0.5, np.nan, 0.25])) == "0.38 ± 1.59 (0.50, 0.25)"
    assert shown(np.array([np.nan])) == ""
