"""The logs of all runs below a folder, `ENV/AGENT/RUN/NAME.csv`, read while they may grow."""

from __future__ import annotations

import io
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

# [agent][run] -> rows.
Agents = dict[str, dict[str, pd.DataFrame]]
# [environment][name] -> agents.
Logs = dict[str, dict[str, Agents]]


# Tables of a run that do not grow with its steps.
NOT_OVER_STEPS = {"kept_actions.csv"}


def read_logs(
    folder: Path, wanted: Callable[[str], bool] = lambda place: True, max_step: int | None = None
) -> tuple[Logs, list[str]]:
    """Return the logs that have rows, and the runs that were left out.

    A log that cannot be read is left out with a warning. A run whose first episode was still
    under way when it ended has a score without rows beside its `unfinished`.

    Args:
        folder: where the environments' folders are.
        wanted: tells whether to take a run, by its `AGENT/RUN`.
        max_step: leave out rows of later steps.
    """
    logs: Logs = {}
    left_out = set()
    for path in sorted(folder.glob("*/*/*/*.csv")):
        environment, agent, run, file_name = path.relative_to(folder).parts
        if file_name in NOT_OVER_STEPS:
            continue
        if not wanted(f"{agent}/{run}"):
            left_out.add(f"{environment}/{agent}/{run}")
            continue
        try:
            log = read_log(path)
        except (ValueError, OSError, OverflowError, MemoryError) as error:
            reason = " ".join(str(error).split())[:150] or type(error).__name__
            text = f"warning: left out {path}: {reason}"
            print(text.encode(errors="replace").decode(), file=sys.stderr)
            continue
        if max_step is not None:
            log = log[log["steps"] <= max_step]
        if not len(log):
            continue
        by_name = logs.setdefault(environment, {})
        name = file_name.removesuffix(".csv")
        by_name.setdefault(name, {}).setdefault(agent, {})[run] = log
        if name == "unfinished":
            # "score" comes before it.
            by_name.setdefault("score", {}).setdefault(agent, {}).setdefault(run, log[:0])
    return logs, sorted(left_out)


def read_log(path: Path) -> pd.DataFrame:
    """Return the whole rows of a log, sorted by steps, as floating-point numbers.

    Names of columns have spaces, also where those of earlier runs have underscores; empty cells
    are NaN.

    Raises:
        ValueError: it is not a table of numbers whose first column is steps.
        OSError: it cannot be read.
    """
    if not path.is_file():
        raise ValueError("not a file")
    content = path.read_bytes()
    return parsed(content[: content.rfind(b"\n") + 1])


def parsed(content: bytes) -> pd.DataFrame:
    """Return whole lines as `read_log` does.

    Raises:
        ValueError: they are not a table of numbers whose first column is steps.
    """
    if not content.strip():
        return pd.DataFrame({"steps": []})
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        try:
            log = pd.read_csv(io.BytesIO(content), dtype=np.float64, index_col=False)
        except pd.errors.ParserWarning as warning:
            raise ValueError(str(warning)) from warning
    log.columns = [str(column).replace("_", " ") for column in log.columns]
    if len(log.columns) < 2 or log.columns[0] != "steps" or not log.columns.is_unique:
        raise ValueError("expected columns of numbers, the first of them steps")
    # Nobody means values near the end of the floating-point range, and axes cannot show them.
    log = log.mask(~(log.abs() < 1e30))
    log = log[log["steps"] >= 0]
    return log.sort_values("steps", kind="stable", ignore_index=True)
