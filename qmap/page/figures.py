"""The figures of `qmap.utils.plot` as numbers, for the page to draw: what the PDFs show, no other.

A figure is {log, unit, last, steps, agents, panels}; a panel {column, title, share, lines}. A line
has the values at the figure's steps: "values" where all runs have one, "rest" where not all have,
"bands" around it, "companion" (another column, dashed), "ticks" (completed episodes) and "circles"
(unfinished ones), pairs of a step and a value.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from qmap.utils import curves
from qmap.utils.panels import MARKS, Panels, panels_of, title
from qmap.utils.plot import short_names
from qmap.utils.plot_options import PlotOptions
from qmap.utils.run_logs import Agents

DIGITS = 7


def figures(by_name: dict[str, Agents], options: PlotOptions) -> list[dict[str, Any]]:
    """Return the figures of an environment's logs.

    Args:
        by_name: the runs of each agent, of each log, marks among them.
        options: how to draw.
    """
    logs = {name: agents for name, agents in by_name.items() if name not in MARKS}
    marks = {name: by_name.get(name, {}) for name in MARKS}
    return [
        _figure(name, agents, options, marks if name == "score" else {})
        for name, agents in logs.items()
        if any(len(log) for runs in agents.values() for log in runs.values())
    ]


def _figure(
    name: str, agents: Agents, options: PlotOptions, marks: dict[str, Agents]
) -> dict[str, Any]:
    panels = panels_of(name, agents, options, marks.values())
    names = short_names(agents)
    of_agents = [
        {"name": names[agent].replace("\n", " "), "runs": len(runs)}
        for agent, runs in agents.items()
    ]
    return {
        "log": name,
        "unit": panels.unit,
        "last": panels.last,
        "steps": _numbers(panels.steps),
        "agents": of_agents,
        "panels": [
            {
                "column": column,
                "title": title(name, column),
                "share": "(share)" in title(name, column),
                "lines": [
                    line
                    for index, agent in enumerate(agents)
                    for line in _lines(index, agent, agents, column, panels, options, marks)
                ],
            }
            for column in panels.columns
        ],
    }


def _lines(
    index: int,
    agent: str,
    agents: Agents,
    column: str,
    panels: Panels,
    options: PlotOptions,
    marks: dict[str, Agents],
) -> list[dict[str, Any]]:
    """Return the lines of an agent in a panel: one, or one a run."""
    runs = agents[agent]
    steps, window = panels.steps, panels.window
    values = curves.common_curves(runs.values(), column, steps, window)
    lines: list[dict[str, Any]]
    if options.averaged:
        lines = [_average(curves.with_data(values), options)]
        drawn = [lines[0].pop("drawn")]
    else:
        lines = [
            {"values": _numbers(curve), "run": run.rpartition("/")[2]}
            for curve, run in zip(values, runs, strict=True)
        ]
        drawn = list(values)
    for line in lines:
        line["agent"] = index
    if column in panels.companions:
        other, label = panels.companions[column]
        mean = curves.mean_of_those_left(curves.common_curves(runs.values(), other, steps, window))
        lines[0]["companion"] = {"label": label, "values": _numbers(mean)}
    completed, unfinished = (marks.get(mark, {}).get(agent, {}) for mark in MARKS)
    if column == "undiscounted return":
        for run, log in completed.items():
            at = list(runs).index(run) if run in runs and len(lines) > 1 else 0
            ticks = curves.on_line(log["steps"].to_numpy(), steps, drawn[at])
            lines[at].setdefault("ticks", []).extend(_pairs(*ticks))
    for log in unfinished.values():
        if column in log:
            circles = _pairs(log["steps"].to_numpy(), log[column].to_numpy())
            lines[0].setdefault("circles", []).extend(circles)
    return lines


def _average(values: np.ndarray, options: PlotOptions) -> dict[str, Any]:
    if not len(values):
        return {"values": [], "drawn": np.full(2, np.nan)}
    with np.errstate(all="ignore"):
        average = curves.average(values, options)
    line = {
        "values": _numbers(average.solid),
        "bands": [
            {"label": band.label, "low": _numbers(band.low), "high": _numbers(band.high)}
            for band in average.bands
        ],
        "drawn": average.middle,
    }
    left = np.isfinite(average.middle[~average.everywhere]).any()
    if left and not options.uses_iqm(len(values)):
        line["rest"] = _numbers(average.rest)
    return line


def _numbers(values: np.ndarray) -> list[float | None]:
    """Return numbers as JSON has them, in as many digits as anybody can see."""
    return [
        float(f"{value:.{DIGITS}g}") if np.isfinite(value) else None for value in values.tolist()
    ]


def _pairs(steps: np.ndarray, values: np.ndarray) -> list[tuple[float, float]]:
    pairs = zip(_numbers(steps), _numbers(values), strict=True)
    return [(step, value) for step, value in pairs if step is not None and value is not None]
