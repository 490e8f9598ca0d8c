"""What a figure of a log shows, before anybody draws it: its panels, and their common steps."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from qmap.utils.run_logs import Agents

if TYPE_CHECKING:
    from qmap.utils.plot_options import PlotOptions

POINTS, MOST_POINTS, MOST_PANELS = 400, 10_000, 24
# Rows of each log that are averaged unless --window is given: 100 episodes, 1,000 steps.
WINDOWS = {"score": 100, "exploration": 10, "learning": 10}
MARKS = ("completed", "unfinished")
# In whose panels completed levels are ticked.
TICKED = ("undiscounted return", "best return", "distinct cells", "farthest column")
TITLES = {
    "undiscounted return": "Undiscounted return",
    "discounted return": "Discounted return",
    "episode length": "Episode length (agent steps)",
    "current exploration": "Exploratory actions (share)",
    "planned exploration": "Planned exploratory actions (share)",
    "random actions": "Random actions (share)",
    "goal actions": "Goal actions (share)",
    "greedy actions": "Greedy actions (share)",
    "dqn loss": "Loss of the DQN",
    "q-map loss": "Loss of the Q-map",
    "dqn error": "Absolute temporal-difference error of the DQN",
    "q-map error": "Absolute temporal-difference error of the Q-map",
    "mean best q": "Best Q-value of a cell, mean over the screen",
    "goals reached": "Goals reached in time (share)",
    "believed steps": "Believed steps to a goal",
    "taken steps": "Steps to a goal",
    "steps per second": "Steps per second",
    "start": "Start (step of the demonstration)",
}
# Drawn dashed in the panel of another column, under a name in the legend.
COMPANIONS = {
    "current exploration": ("planned exploration", "planned"),
    "taken steps": ("believed steps", "believed"),
}


@dataclass(frozen=True)
class Panels:
    """The panels of a log's figure.

    Attributes:
        columns: of the log, one a panel.
        companions: [column of a panel] -> another column that is drawn in it, and its short name.
        steps: (points,) equally spaced, at which all runs are read.
        window: rows that are averaged.
        last: step of the last row there is.
        unit: what the steps are of.
    """

    columns: list[str]
    companions: dict[str, tuple[str, str]]
    steps: np.ndarray
    window: int
    last: float
    unit: str


def panels_of(
    name: str, agents: Agents, options: PlotOptions, marks: Iterable[Agents] = ()
) -> Panels:
    """Return the panels of a log.

    Args:
        name: of the log.
        agents: its rows in the runs of each agent; some run has one.
        options: how to draw them.
        marks: further logs whose steps count.
    """
    logs = _tables(agents)
    columns = list(dict.fromkeys(column for log in logs for column in log.columns[1:]))
    companions = {
        column: COMPANIONS[column]
        for column in columns
        if column in COMPANIONS and COMPANIONS[column][0] in columns
    }
    hidden = {companion for companion, _ in companions.values()}
    marked = [log for by_agent in marks for log in _tables(by_agent)]
    last = max(float(log["steps"].max()) for log in logs + marked if len(log))
    spacing = max(options.freq or last / POINTS, last / MOST_POINTS, 1e-9)
    return Panels(
        columns=[column for column in columns if column not in hidden][:MOST_PANELS],
        companions=companions,
        steps=np.arange(np.ceil(last / spacing) + 2) * spacing,
        window=options.window or WINDOWS.get(name, 1),
        last=last,
        unit="Training steps" if name == "ground_truth_loss" else "Agent steps",
    )


def title(name: str, column: str) -> str:
    """Return the title of a panel: a column of a log."""
    if name == "ground_truth_loss":
        return f"Mean squared error to the ground truth, {column}"
    if name == "demonstration" and column.startswith("success"):
        return f"{column.capitalize()} (share)"
    return TITLES.get(column) or column[:1].upper() + column[1:]


def _tables(agents: Agents) -> list[pd.DataFrame]:
    return [log for runs in agents.values() for log in runs.values()]
