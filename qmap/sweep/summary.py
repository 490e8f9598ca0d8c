"""One table and one figure over all runs of a sweep: `python -m qmap.sweep FILE --summary`."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from qmap.sweep.job import Job
from qmap.sweep.measures import Measure, Results, arrays, gather
from qmap.utils import curves
from qmap.utils.files import atomic_file
from qmap.utils.panels import POINTS
from qmap.utils.plot import drawing, finish
from qmap.utils.plot_options import FEWEST_FOR_IQM, PlotOptions
from qmap.utils.plot_runs import RunPainter

PERCENT = 95.0
MOST_WORLDS, MOST_MEASURES, MOST_PAIRS = 8, 4, 15  # that are drawn
HEADING = ("measure", "world", "agent", "runs", "mean", "low", "high", "IQM", "low", "high")
PAIRS = ("measure", "better", "than", "worlds", "probability", "low", "high")

Estimate = tuple[float, float, float]  # NaN for what so few runs do not tell


def sum_up(jobs: Sequence[Job], folder: Path) -> None:
    """Print the table, and write it and the figure to `folder`/summary.csv and summary.pdf.

    Raises:
        UserError: there are no runs, or a file cannot be written.
    """
    results = gather(jobs)
    lines = [HEADING, *estimates(results)]
    pairs = [PAIRS, *improvements(results)]
    print("\n\n".join(_aligned(table) for table in (lines, pairs) if len(table) > 1))
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([*lines, [], *pairs])
    with atomic_file(folder / "summary.csv") as file:
        file.write(text.getvalue().encode())
    with atomic_file(folder / "summary.pdf") as file, drawing():
        draw(results).savefig(file, format="pdf", metadata={"CreationDate": None})
    print(f"\n{folder / 'summary.csv'}\n{folder / 'summary.pdf'}")


def estimates(results: Results) -> Iterator[tuple[str, ...]]:
    """Yield the rows of the table: each measure, world and agent."""
    for measure in results.measures:
        for world, agents in measure.values.items():
            for agent, values in agents.items():
                finished, there = results.counts[world][agent]
                numbers = (*mean_of(values), *iqm_of(values))
                runs = f"{finished}/{there} finished"
                yield (measure.name, world, agent, runs, *map(_number, numbers))


def improvements(results: Results) -> Iterator[tuple[str, ...]]:
    """Yield the rows of the second table: each measure and two agents with worlds in common."""
    for measure in results.measures:
        for one, other, worlds, numbers in compared(measure):
            yield (measure.name, one, other, str(len(worlds)), *map(_number, numbers))


def compared(measure: Measure) -> Iterator[tuple[str, str, list[str], Estimate]]:
    """Yield two agents, the worlds of both, and how probably the first is better; likelier first.

    The order of the two is such that the probability is at least a half.
    """
    agents = list(dict.fromkeys(agent for each in measure.values.values() for agent in each))
    for one, other in combinations(agents, 2):
        worlds = [world for world, each in measure.values.items() if one in each and other in each]
        if not worlds:
            continue
        values = [arrays(measure, agent, worlds) for agent in (one, other)]
        numbers = curves.improvement(*values, PERCENT)
        if numbers[0] < 0.5:
            one, other = other, one  # noqa: PLW2901
            numbers = curves.improvement(*values[::-1], PERCENT)
        yield one, other, worlds, numbers


def mean_of(values: Sequence[float]) -> Estimate:
    """Return the mean over runs and the ends of its interval, by Student's t."""
    if len(values) < 2:
        return values[0], np.nan, np.nan
    low, high = curves.student_interval(np.array(values)[:, None], PERCENT)
    return float(np.mean(values)), float(low[0]), float(high[0])


def iqm_of(values: Sequence[float]) -> Estimate:
    """Return the interquartile mean over runs and the ends of its interval, by the bootstrap."""
    if len(values) < FEWEST_FOR_IQM:
        return np.nan, np.nan, np.nan
    column = np.array(values)[:, None]
    low, high = curves.bootstrap_interval(column, PERCENT)
    return float(curves.interquartile_mean(column)[0]), float(low[0]), float(high[0])


def draw(results: Results) -> Figure:
    """Return the figure: a column a world, curves and estimates of each measure; then pairs."""
    measures = results.measures[:MOST_MEASURES]
    worlds = list(results.logs)[:MOST_WORLDS]
    agents = list(dict.fromkeys(agent for world in worlds for agent in results.logs[world]))
    options = PlotOptions(iqm=True)
    painters = {agent: RunPainter(index, options, {}) for index, agent in enumerate(agents)}
    pairs = list(compared(measures[0]))[:MOST_PAIRS] if measures else []
    heights = [2.2, 0.6 + 0.22 * len(agents)] * len(measures) + [0.5 + 0.22 * len(pairs)]
    with drawing():
        size = (1.6 + 4.0 * len(worlds), 1.0 + sum(heights))
        figure = Figure(figsize=size, layout="constrained")
        grid = figure.add_gridspec(len(heights), len(worlds), height_ratios=heights)
        for column, world in enumerate(worlds):
            for row, measure in enumerate(measures):
                axis = figure.add_subplot(grid[2 * row, column])
                _draw_curves(axis, results, measure, world, painters, options)
                if row == 0:
                    axis.set_title(world, loc="left")
                axis = figure.add_subplot(grid[2 * row + 1, column])
                _draw_estimates(axis, measure, world, painters)
        if pairs:
            _draw_pairs(figure.add_subplot(grid[-1, :]), measures[0], pairs)
        handles = [
            Line2D([], [], label=agent, **painter.look) for agent, painter in painters.items()
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False)
    return figure


def _draw_curves(
    axis: Axes,
    results: Results,
    measure: Measure,
    world: str,
    painters: dict[str, RunPainter],
    options: PlotOptions,
) -> None:
    """Draw the log that a measure comes from, as the plot does."""
    name, column = measure.log
    logs = {
        agent: [each[name] for each in runs if name in each]
        for agent, runs in results.logs[world].items()
    }
    ends = [log["steps"].max() for runs in logs.values() for log in runs if len(log)]
    if not ends:
        return
    steps = np.linspace(0, max(*ends, 1), POINTS)
    for agent, runs in logs.items():
        painters[agent].runs(axis, steps, curves.common_curves(runs, column, steps, measure.window))
    finish(axis, "", options)
    axis.set_xlabel("Steps")
    axis.set_ylabel(column)


def _draw_estimates(
    axis: Axes, measure: Measure, world: str, painters: dict[str, RunPainter]
) -> None:
    """Draw an agent a line: the mean's interval thin, the interquartile mean's thick."""
    for place, (agent, painter) in enumerate(painters.items()):
        if values := measure.values[world].get(agent):
            color = painter.look["color"]
            mean, low, high = mean_of(values)
            axis.plot([low, high], [place, place], color=color, lw=1)
            axis.plot([mean], [place], "o", color=color, markersize=4)
            middle, low, high = iqm_of(values)
            axis.plot([low, high], [place, place], color=color, lw=4, alpha=0.4)
            axis.plot([middle], [place], "|", color=color, markersize=9)
    axis.set_yticks(range(len(painters)), list(painters))
    axis.set_ylim(len(painters) - 0.5, -0.5)
    axis.set_xlabel(measure.name)


def _draw_pairs(
    axis: Axes, measure: Measure, pairs: Sequence[tuple[str, str, list[str], Estimate]]
) -> None:
    for place, (_, _, _, (probability, low, high)) in enumerate(pairs):
        axis.plot([low, high], [place, place], color="#444444", lw=4, alpha=0.4)
        axis.plot([probability], [place], "|", color="#444444", markersize=9)
    axis.axvline(0.5, color="#444444", lw=0.7)
    axis.set_yticks(range(len(pairs)), [f"{one} over {other}" for one, other, _, _ in pairs])
    axis.set_ylim(len(pairs) - 0.5, -0.5)
    axis.set_xlim(0, 1.02)
    axis.set_xlabel(f"probability of improvement ({measure.name})")


def _number(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.4g}"


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    """Return a table as text; a column of numbers is aligned to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    words = 4
    return "\n".join(
        "  ".join(
            cell.ljust(width) if index < words else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )
