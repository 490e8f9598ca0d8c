"""One CSV a benchmark, a moment of a run or a whole run a row, and what is made from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from qmap.utils.curves import student_interval
from qmap.utils.errors import UserError
from qmap.utils.files import atomic_file, cannot
from qmap.utils.plot import Agents, draw_figure
from qmap.utils.plot_options import PlotOptions


def read_table(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    """Return the rows of a table, none if there is no file.

    Raises:
        UserError: the file cannot be read or has other columns.
    """
    try:
        table = pd.read_csv(path, dtype={"level": str})
    except FileNotFoundError:
        return pd.DataFrame(columns=list(columns))
    except OSError as error:
        raise cannot("read", path, error) from error
    except ValueError as error:
        raise UserError(f"{path} is not a table: {' '.join(str(error).split())}") from error
    if list(table.columns) != list(columns):
        raise UserError(f"{path}: expected the columns {','.join(columns)}")
    return table


def require_table(path: Path) -> None:
    """Refuse a table that is not there, where nothing is run to make it.

    Raises:
        UserError: there is none.
    """
    if not path.is_file():
        raise UserError(f"there is no table {path}: leave --only-there out to make it")


def rows_of(table: pd.DataFrame, **values: Any) -> pd.DataFrame:
    """Return the rows that have these values in these columns."""
    for column, value in values.items():
        table = table[table[column] == value]
    return table


def add_run(
    path: Path, columns: Sequence[str], run: Mapping[str, Any], rows: Sequence[Sequence[Any]]
) -> None:
    """Put the rows of a run in a table, in place of those that are there; it changes in one move.

    Args:
        path: the file; it and its folder are made if they are not there.
        columns: of the table.
        run: the values that tell the run from others, by the first columns.
        rows: the values of the other columns.

    Raises:
        UserError: the file cannot be read or written, or has other columns.
    """
    table = read_table(path, columns)
    others = table.drop(rows_of(table, **run).index)
    added = pd.DataFrame([[*run.values(), *row] for row in rows], columns=list(columns))
    table = pd.concat([others, added], ignore_index=True) if len(others) else added
    make_folder(path)
    # Whole numbers stay as they are written beside values that are missing.
    table = table.convert_dtypes()
    with atomic_file(path) as file:
        table.to_csv(file, index=False, float_format="%.8g", lineterminator="\n")


def make_folder(path: Path) -> None:
    """Make the folder of a file, if it is not there.

    Raises:
        UserError: it cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot("write", path, error) from error


def shown(values: np.ndarray) -> str:
    """Return the mean with its 95 percent interval by Student's t, and the single values."""
    values = values[np.isfinite(values)]
    if not len(values):
        return ""
    digits = 0 if (values == values.round()).all() else 2
    interval = ""
    if len(values) > 1:
        low, high = student_interval(values, 95)
        interval = f" ± {(high - low) / 2:,.{digits}f}"
    mean = f"{values.mean():,.{digits}f}"
    return f"{mean}{interval} ({', '.join(f'{value:,.{digits}f}' for value in values)})"


def missing(seeds: int, there: Mapping[str, int]) -> list[str]:
    """Return the lines that say whose runs are missing, none if nobody's.

    Args:
        seeds: how many runs of each there should be.
        there: by name, how many there are.
    """
    few = {name: seeds - count for name, count in there.items() if count < seeds}
    named = ", ".join(f"{name} ({count} of {seeds} seeds)" for name, count in few.items())
    return [f"missing: {named}", ""] if few else []


def draw_curves(
    path: Path,
    title: str,
    name: str,
    curves: Agents,
    options: PlotOptions,
    order: Sequence[str] = (),
    marks: dict[str, Agents] | None = None,
) -> None:
    """Draw curves of runs as `qmap.utils.plot` does, into a picture; its folder is made.

    Args:
        path: of the picture, PNG.
        title: above it.
        name: of the log that the columns are of.
        curves: the runs of each agent or way, each with a column `steps`.
        options: how to draw them.
        order: agents by their colors, see `draw_figure`.
        marks: what happened to the runs at some steps, see `draw_figure`.

    Raises:
        UserError: the picture or its folder cannot be written.
    """
    figure = draw_figure(title, name, curves, options, marks, order)
    make_folder(path)
    with atomic_file(path) as file:
        figure.savefig(file, format="png", dpi=150)
