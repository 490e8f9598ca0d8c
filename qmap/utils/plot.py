"""`python -m qmap.utils.plot`: one figure for each environment and log, averaged over runs.

The logs are `PATH/ENV/AGENT/RUN/NAME.csv` and the figures `PATH/ENV/NAME.pdf`. It may run while
training runs: a last line that is not whole yet is left for the next time, and a figure takes the
place of the old one in a single move. `completed.csv` and `unfinished.csv` are marks in the figure
of `score.csv`.
"""

from __future__ import annotations

import sys
import textwrap
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from qmap.utils import curves
from qmap.utils.command_line import parse, run
from qmap.utils.errors import UserError
from qmap.utils.files import atomic_file
from qmap.utils.panels import MARKS, TICKED, panels_of, title
from qmap.utils.plot_options import FEWEST_FOR_IQM, PlotOptions
from qmap.utils.plot_runs import RunPainter, shades
from qmap.utils.run_logs import Agents, read_logs

MOST_IN_A_COLUMN = 4  # panels
LEGEND_CHARACTERS = 85  # that fit beside each other below one column of panels
LEGEND_LINE = 0.2  # inches
MOST_SEEDS = 12  # that a legend names one by one
STYLE = {
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.7,
    "axes.edgecolor": "#444444",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.6,
    "xtick.color": "#444444",
    "ytick.color": "#444444",
    "text.parse_math": False,  # names of folders are not formulas
    "pdf.fonttype": 42,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Draw all figures that there is data for."""
    options = parse(PlotOptions, "Plot the logs of all runs.", arguments, "qmap.utils.plot")
    if options.mini is not None and options.maxi is not None and options.mini >= options.maxi:
        raise UserError(f"--mini {options.mini:g} is not below --maxi {options.maxi:g}")
    if options.logscale and options.mini is not None and options.mini <= 0:
        raise UserError("with --logscale, --mini must be above 0")
    if options.iqm and not options.averaged:
        raise UserError(
            "--iqm is a way to average runs, --no-averaged shows each; give one of them"
        )
    folder = Path(options.path)
    if not folder.is_dir():
        raise UserError(
            f"there is no folder {folder}; train first, or give the folder of the results by --path"
        )
    logs, left_out = read_logs(folder, options.wants, options.max_step)
    few = {}
    for environment, by_name in logs.items():
        marks = {name: by_name.pop(name, {}) for name in MARKS}
        for name, agents in by_name.items():
            figure = draw_figure(
                environment, name, agents, options, marks if name == "score" else {}
            )
            path = folder / environment / f"{name}.{options.format}"
            metadata = {"CreationDate": None} if options.format == "pdf" else None
            with atomic_file(path) as file, drawing():
                figure.savefig(file, format=options.format, dpi=150, metadata=metadata)
            runs = sum(map(len, agents.values()))
            _say(f"{path} ({_plural(len(agents), 'agent')}, {_plural(runs, 'run')})")
            few |= {
                f"{environment}/{agent}": len(each)
                for agent, each in agents.items()
                if not options.uses_iqm(len(each))
            }
    if options.iqm and few:
        said = ", ".join(f"{agent} has {count}" for agent, count in few.items())
        _say(f"--iqm needs {FEWEST_FOR_IQM} runs, mean drawn instead: {said}", sys.stderr)
    if not logs and left_out:
        _say(f"nothing to plot: --only and --without leave out all runs ({', '.join(left_out)})")
    elif not logs:
        _say(
            f"nothing to plot yet: no {folder}/ENV/AGENT/RUN/*.csv has a row "
            "(the first comes with the end of the first episode)"
        )


def draw_figure(
    environment: str,
    name: str,
    agents: Agents,
    options: PlotOptions,
    marks: dict[str, Agents] | None = None,
    order: Sequence[str] = (),
) -> Figure:
    """Return the figure of one log of an environment: a panel a column, a color an agent.

    Args:
        environment: its title.
        name: of the log.
        agents: the runs of each agent.
        options: how to draw them.
        marks: the runs' `completed` and `unfinished` episodes, for the figure of scores and of
            what an exploration has found.
        order: agents by their colors, so that an agent has the same in figures of several choices;
            by default those of the figure.
    """
    marks = marks or {}
    order = order or list(agents)
    panels = panels_of(name, agents, options, marks.values())
    columns, steps = panels.columns, panels.steps
    across = 1 if len(columns) <= MOST_IN_A_COLUMN else 2
    down = -(-len(columns) // across)
    with drawing():
        figure = Figure(figsize=(1.6 + 4.8 * across, 0.9 + 2.0 * down), layout="constrained")
        axes = np.atleast_1d(figure.subplots(down, across, sharex=True)).ravel()
        for axis in axes[len(columns) :]:
            axis.remove()
        names = short_names(agents)
        handles: list[Artist] = []
        notes: dict[str, Artist] = {}
        for agent, runs in agents.items():
            painter = RunPainter(order.index(agent), options, notes)
            # A legend leaves out labels that begin with an underscore.
            label = _printable(names[agent]).lstrip("_")
            seeds = sum(map(len, agents.values())) <= MOST_SEEDS and not options.averaged
            look = painter.look
            handles += _seed_handles(label, runs, look) if seeds else [_handle(label, runs, look)]
            completed, unfinished = (marks.get(mark, {}).get(agent, {}) for mark in MARKS)
            for axis, column in zip(axes, columns, strict=False):
                values = curves.common_curves(runs.values(), column, steps, panels.window)
                lines = painter.runs(axis, steps, values)
                if column in TICKED:
                    painter.completed(axis, steps, lines, list(runs), completed)
                painter.unfinished(axis, column, unfinished)
                if column in panels.companions:
                    companion, word = panels.companions[column]
                    values = curves.common_curves(runs.values(), companion, steps, panels.window)
                    painter.companion(axis, steps, values, word)
        for axis, column in zip(axes, columns, strict=False):
            finish(axis, title(name, column), options)
        for axis in axes[max(len(columns) - across, 0) : len(columns)]:
            axis.set_xlabel(panels.unit)
            axis.xaxis.set_tick_params(labelbottom=True)
        axes[0].set_xlim(0, 1.01 * (options.max_step or panels.last or 1))
        figure.suptitle(_printable(environment), fontsize=10, fontweight="bold")
        for text, note in notes.items():
            note.set_label(text)
            handles.append(note)
        longest = max(len(handle.get_label()) for handle in handles)
        fitting = LEGEND_CHARACTERS * across // (longest + 6)
        beside = min(len(handles), 3 * across, max(1, fitting))
        figure.legend(handles=handles, loc="outside lower center", ncols=beside, frameon=False)
        # What a long legend takes is not taken from the panels.
        lines = [handle.get_label().count("\n") + 1 for handle in handles]
        tallest = max(sum(column) for column in np.array_split(lines, beside))
        figure.set_figheight(figure.get_figheight() + LEGEND_LINE * max(0, tallest - 2))
    return figure


def short_names(agents: Iterable[str]) -> dict[str, str]:
    """Return a name for each agent that fits a legend.

    Of several agents, only what not all have in common, parts being separated by "_"; of what is
    still too long, lines.
    """
    parts = {agent: [part for part in agent.split("_") if part] for agent in agents}
    if len(parts) > 1:
        common = set.intersection(*map(set, parts.values()))
        parts = {
            agent: [part for part in each if part not in common] or each
            for agent, each in parts.items()
        }
    # Spaces are where lines may break.
    return {
        agent: textwrap.fill(" ".join(each), LEGEND_CHARACTERS - 15, break_on_hyphens=False)
        for agent, each in parts.items()
    }


def _handle(label: str, runs: dict[str, pd.DataFrame], look: dict[str, Any]) -> Line2D:
    """Return an agent's line in the legend, with how many runs there are, and at the end."""
    ends = [log["steps"].iloc[-1] for log in runs.values() if len(log)]
    count = _plural(len(ends), "run") if ends else "no finished episode"
    # Runs of equal length end with their last episodes, a little apart.
    longest = sum(end >= 0.97 * max(ends) for end in ends)
    if longest < len(ends):
        count += f", {longest} at the end"
    return Line2D([], [], label=f"{label} ({count})", **look)


def _seed_handles(
    label: str, runs: dict[str, pd.DataFrame], look: dict[str, Any]
) -> Iterator[Line2D]:
    seeds = [name.split("_")[0] for name in runs]
    for name, seed, shade in zip(runs, seeds, shades(look["color"], len(runs)), strict=True):
        text = f"{label}, {_printable(seed if seeds.count(seed) == 1 else name)}"
        yield Line2D([], [], label=text, **{**look, "color": shade})


def finish(axis: Axes, heading: str, options: PlotOptions) -> None:
    """Give a panel, in which everything is drawn, its title, limits and ticks."""
    axis.set_title(heading, loc="left")
    axis.margins(x=0)
    positive = any((np.asarray(line.get_ydata()) > 0).any() for line in axis.lines)
    if options.logscale and positive:
        axis.set_yscale("log", nonpositive="clip")
        low, high = axis.get_ylim()
        axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 500 * low else (1,)))
        axis.yaxis.set_minor_formatter(NullFormatter())
    else:
        axis.yaxis.set_major_locator(MaxNLocator(5))
        if "(share)" in heading:
            axis.set_ylim(-0.03, 1.03)
    axis.xaxis.set_major_formatter(FuncFormatter(_short))
    axis.yaxis.set_major_formatter(FuncFormatter(_short))
    if options.mini is not None:
        axis.set_ylim(bottom=options.mini)
    if options.maxi is not None:
        axis.set_ylim(top=options.maxi)


@contextmanager
def drawing() -> Iterator[None]:
    """Use the style, without the complaints about steps without data and letters without glyph."""
    with mpl.rc_context(STYLE), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _printable(text: str) -> str:
    """Return `text` with what cannot be encoded, as file names may hold it, replaced."""
    return text.encode(errors="replace").decode()


def _say(text: str, file: TextIO | None = None) -> None:
    print(_printable(text), file=file)


def _short(value: float, position: int | None = None) -> str:
    """Return a number for an axis: 1500000 is 1.5M, 20000 is 20k."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size * (10 if size == 1e3 else 1):
            return f"{value / size:.4g}{unit}"
    return f"{value:.4g}"


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" + "s" * (count != 1)


if __name__ == "__main__":
    run(main)
