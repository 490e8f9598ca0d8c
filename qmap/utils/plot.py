"""`python -m qmap.utils.plot`: one figure for each environment and log, averaged over runs.

The logs are `PATH/ENV/AGENT/RUN/NAME.csv` and the figures `PATH/ENV/NAME.pdf`. It may run while
training runs: a last line that is not whole yet is left for the next time, and a figure takes the
place of the old one in a single move.
"""

from __future__ import annotations

import io
import sys
import textwrap
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from qmap.utils.command_line import option, parse, run
from qmap.utils.errors import UserError
from qmap.utils.files import atomic_file

POINTS, MOST_POINTS, MOST_PANELS = 400, 10_000, 12
LEGEND_CHARACTERS = 85  # that fit beside each other
# Rows of each log that are averaged unless --window is given: 100 episodes, 1,000 steps.
WINDOWS = {"score": 100, "exploration": 10, "ground_truth_loss": 1}
TITLES = {
    "undiscounted_return": "Undiscounted return",
    "discounted_return": "Discounted return",
    "episode_length": "Episode length (agent steps)",
    "current_exploration": "Exploratory actions (share)",
    "random_actions": "Random actions (share)",
    "goal_actions": "Goal actions (share)",
    "greedy_actions": "Greedy actions (share)",
}
# Drawn dashed in the panel of another column.
COMPANIONS = {"current_exploration": "planned_exploration"}
# Okabe and Ito's colors, told apart by color-blind readers too; then the same in other dashes.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
DASHES = ("-", (0, (5, 1.5)), (0, (1, 1.2)), (0, (5, 1.5, 1, 1.5)))
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


@dataclass(frozen=True)
class PlotOptions:
    """What to plot and how; `option` gives each flag its meaning."""

    path: str = option("qmap_results", "folder of the results", metavar="DIR")
    window: int | None = option(
        None, "rows to average over (default: 100 episodes, 1,000 steps of exploration)", minimum=1
    )
    max_step: int | None = option(None, "leave out what came after this step", minimum=1)
    mini: float | None = option(None, "lower end of the vertical axes")
    maxi: float | None = option(None, "upper end of the vertical axes")
    freq: int | None = option(None, "steps between two points (default: 400 points)", minimum=1)
    without: list[str] = option(
        [], "leave out agents and runs with one of these in their names", aliases=["--witout"],
        nargs="+",
    )  # fmt: skip
    only: list[str] = option([], "plot only those with one of these in their names", nargs="+")
    averaged: bool = option(True, "a line for each run in place of their mean")
    std: bool = option(True, "leave out the band of the standard deviation")
    extrema: bool = option(True, "leave out the band of the extremes")
    logscale: bool = option(False, "logarithmic vertical axes")
    format: str = option("pdf", "kind of file", choices=("pdf", "png"))


@dataclass(frozen=True)
class Curves:
    """One column of the runs of an agent on common steps.

    Args:
        steps: (points,) steps.
        values: (runs, points), NaN where a run has no data.
    """

    steps: np.ndarray
    values: np.ndarray


Logs = dict[str, dict[str, dict[str, list[pd.DataFrame]]]]


def main(arguments: Sequence[str] | None = None) -> None:
    """Draw all figures that there is data for."""
    options = parse(PlotOptions, "Plot the logs of all runs.", arguments, "qmap.utils.plot")
    if options.mini is not None and options.maxi is not None and options.mini >= options.maxi:
        raise UserError(f"--mini {options.mini:g} is not below --maxi {options.maxi:g}")
    if options.logscale and options.mini is not None and options.mini <= 0:
        raise UserError("with --logscale, --mini must be above 0")
    folder = Path(options.path)
    if not folder.is_dir():
        raise UserError(
            f"there is no folder {folder}; train first, or give the folder of the results by --path"
        )
    logs, left_out = read_logs(folder, options)
    for environment, by_name in logs.items():
        for name, agents in by_name.items():
            figure = draw_figure(environment, name, agents, options)
            path = folder / environment / f"{name}.{options.format}"
            metadata = {"CreationDate": None} if options.format == "pdf" else None
            with atomic_file(path) as file, _drawing():
                figure.savefig(file, format=options.format, dpi=150, metadata=metadata)
            runs = sum(map(len, agents.values()))
            _say(f"{path} ({_plural(len(agents), 'agent')}, {_plural(runs, 'run')})")
    if not logs and left_out:
        _say(f"nothing to plot: --only and --without leave out all runs ({', '.join(left_out)})")
    elif not logs:
        _say(
            f"nothing to plot yet: no {folder}/ENV/AGENT/RUN/*.csv has a row "
            "(the first comes with the end of the first episode)"
        )


def read_logs(folder: Path, options: PlotOptions) -> tuple[Logs, list[str]]:
    """Return the logs as [environment][name][agent] -> runs, and the runs that were left out."""
    logs: Logs = {}
    left_out = set()
    for path in sorted(folder.glob("*/*/*/*.csv")):
        environment, agent, run_name, file_name = path.relative_to(folder).parts
        place = f"{agent}/{run_name}"
        wanted = not options.only or any(part in place for part in options.only)
        if not wanted or any(part in place for part in options.without):
            left_out.add(f"{environment}/{place}")
            continue
        try:
            log = read_log(path)
        except (ValueError, OSError, OverflowError, MemoryError) as error:
            reason = " ".join(str(error).split())[:150] or type(error).__name__
            _say(f"warning: left out {path}: {reason}", sys.stderr)
            continue
        if options.max_step is not None:
            log = log[log["steps"] <= options.max_step]
        if len(log):
            name = file_name.removesuffix(".csv")
            agents = logs.setdefault(environment, {}).setdefault(name, {})
            agents.setdefault(agent, []).append(log)
    return logs, sorted(left_out)


def read_log(path: Path) -> pd.DataFrame:
    """Return the whole rows of a log, sorted by steps, as floating-point numbers.

    Raises:
        ValueError: it is not a table of numbers whose first column is steps.
        OSError: it cannot be read.
    """
    if not path.is_file():
        raise ValueError("not a file")
    content = path.read_bytes()
    content = content[: content.rfind(b"\n") + 1]
    if not content.strip():
        return pd.DataFrame({"steps": []})
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        try:
            log = pd.read_csv(io.BytesIO(content), dtype=np.float64, index_col=False)
        except pd.errors.ParserWarning as warning:
            raise ValueError(str(warning)) from warning
    if len(log.columns) < 2 or log.columns[0] != "steps":
        raise ValueError("expected columns of numbers, the first of them steps")
    # Nobody means values near the end of the floating-point range, and axes cannot show them.
    log = log.mask(~(log.abs() < 1e30))
    log = log[log["steps"] >= 0]
    return log.sort_values("steps", kind="stable", ignore_index=True)


def common_curves(
    logs: Sequence[pd.DataFrame], column: str, steps: np.ndarray, window: int
) -> Curves:
    """Average a column of each run over `window` rows and read it at common steps.

    A run counts from its first to its last row, so that the mean at the end is that of the runs
    that got so far.
    """
    values = []
    spacing = steps[1] - steps[0]
    for log in logs:
        rows = log[["steps", column]].dropna() if column in log else log[:0]
        if len(rows):
            smooth = rows[column].rolling(window, min_periods=1).mean().to_numpy()
            at = rows["steps"].to_numpy()
            inside = (steps > at[0] - spacing) & (steps < at[-1] + spacing)
            values.append(np.where(inside, np.interp(steps, at, smooth), np.nan))
    return Curves(steps, np.array(values).reshape(len(values), len(steps)))


def draw_figure(
    environment: str, name: str, agents: dict[str, list[pd.DataFrame]], options: PlotOptions
) -> Figure:
    """Return the figure of one log of an environment: a panel a column, a color an agent."""
    logs = [log for logs in agents.values() for log in logs]
    columns = list(dict.fromkeys(column for log in logs for column in log.columns[1:]))
    panels = [column for column in columns if column not in COMPANIONS.values()][:MOST_PANELS]
    last = max(float(log["steps"].iloc[-1]) for log in logs)
    spacing = max(options.freq or last / POINTS, last / MOST_POINTS, 1e-9)
    steps = np.arange(np.ceil(last / spacing) + 2) * spacing
    window = options.window or WINDOWS.get(name, 1)
    with _drawing():
        figure = Figure(figsize=(6.4, 0.9 + 2.0 * len(panels)), layout="constrained")
        axes = np.atleast_1d(figure.subplots(len(panels), 1, sharex=True))
        handles = []
        names = short_names(agents)
        for index, (agent, agent_logs) in enumerate(agents.items()):
            color = PALETTE[index % len(PALETTE)]
            dash = DASHES[index // len(PALETTE) % len(DASHES)]
            # A legend leaves out labels that begin with an underscore.
            label = f"{_printable(names[agent]).lstrip('_')} ({_plural(len(agent_logs), 'run')})"
            handles.append(Line2D([], [], color=color, linestyle=dash, label=label))
            for axis, column in zip(axes, panels, strict=True):
                _draw_curves(
                    axis, common_curves(agent_logs, column, steps, window), color, dash, options
                )
                if (companion := COMPANIONS.get(column)) in columns:
                    plan = common_curves(agent_logs, companion, steps, 1).values
                    axis.plot(steps, np.nanmean(plan, axis=0), color=color, dashes=(2, 2), lw=0.9)
        if any(column in COMPANIONS for column in panels):
            handles.append(Line2D([], [], color="#666666", dashes=(2, 2), lw=0.9, label="planned"))
        for axis, column in zip(axes, panels, strict=True):
            _finish(axis, _title(name, column), options)
        axes[-1].set_xlabel("Training steps" if name == "ground_truth_loss" else "Agent steps")
        axes[-1].set_xlim(0, options.max_step or last or 1)
        figure.suptitle(_printable(environment), fontsize=10, fontweight="bold")
        longest = max(len(handle.get_label()) for handle in handles)
        columns = min(len(handles), 3, max(1, LEGEND_CHARACTERS // (longest + 6)))
        figure.legend(handles=handles, loc="outside lower center", ncols=columns, frameon=False)
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


def _draw_curves(
    axis: Axes, curves: Curves, color: str, dash: object, options: PlotOptions
) -> None:
    style = {"color": color, "linestyle": dash}
    # A single point would make no line.
    style["marker"] = "o" if np.isfinite(curves.values).sum(axis=1).max(initial=0) < 2 else None
    style["markersize"] = 3
    if not options.averaged:
        for values in curves.values:
            axis.plot(curves.steps, values, lw=1.0, alpha=0.85, **style)
        return
    if not len(curves.values):
        return
    mean, std = np.nanmean(curves.values, axis=0), np.nanstd(curves.values, axis=0)
    if len(curves.values) > 1 and options.extrema:
        low, high = np.nanmin(curves.values, axis=0), np.nanmax(curves.values, axis=0)
        axis.fill_between(curves.steps, low, high, color=color, alpha=0.10, lw=0)
    if len(curves.values) > 1 and options.std:
        axis.fill_between(curves.steps, mean - std, mean + std, color=color, alpha=0.22, lw=0)
    axis.plot(curves.steps, mean, lw=1.5, **style)


def _finish(axis: Axes, title: str, options: PlotOptions) -> None:
    axis.set_title(title, loc="left")
    axis.margins(x=0)
    positive = any((np.asarray(line.get_ydata()) > 0).any() for line in axis.lines)
    if options.logscale and positive:
        axis.set_yscale("log", nonpositive="clip")
        low, high = axis.get_ylim()
        axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 500 * low else (1,)))
        axis.yaxis.set_minor_formatter(NullFormatter())
    else:
        axis.yaxis.set_major_locator(MaxNLocator(5))
        if "(share)" in title:
            axis.set_ylim(-0.03, 1.03)
    axis.xaxis.set_major_formatter(FuncFormatter(_short))
    axis.yaxis.set_major_formatter(FuncFormatter(_short))
    if options.mini is not None:
        axis.set_ylim(bottom=options.mini)
    if options.maxi is not None:
        axis.set_ylim(top=options.maxi)


def _title(name: str, column: str) -> str:
    if name == "ground_truth_loss":
        return f"Mean squared error to the ground truth, {column.replace('_', ' ')}"
    return TITLES.get(column) or column.replace("_", " ").capitalize()


@contextmanager
def _drawing() -> Iterator[None]:
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
