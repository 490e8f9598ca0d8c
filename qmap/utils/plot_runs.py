"""The runs of one agent in a panel: lines, bands, and marks of single episodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from qmap.utils import curves

if TYPE_CHECKING:
    from qmap.utils.plot_options import PlotOptions

# Okabe and Ito's colors, told apart by color-blind readers too, and three of Paul Tol's; then the
# same in other dashes.
PALETTE = (
    *("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"),
    *("#882255", "#999933", "#AAAAAA"),
)
DASHES = ("-", (0, (5, 1.5)), (0, (1, 1.2)), (0, (5, 1.5, 1, 1.5)))
GRAY = "#666666"


class RunPainter:
    """Draws one agent's runs, in its color and dashes.

    Args:
        index: of the agent's color.
        options: how to draw.
        notes: what the legend of the figure has to explain besides agents; grows.
    """

    def __init__(self, index: int, options: PlotOptions, notes: dict[str, Artist]) -> None:
        self.look: dict[str, Any] = {
            "color": PALETTE[index % len(PALETTE)],
            "linestyle": DASHES[index // len(PALETTE) % len(DASHES)],
        }
        self.options = options
        self.notes = notes

    def companion(self, axis: Axes, steps: np.ndarray, values: np.ndarray, label: str) -> None:
        """Draw the mean of another column, (runs, points), finely dashed; a single point hollow."""
        dashes = {"dashes": (2, 2), "lw": 0.9}
        mean = curves.mean_of_those_left(values)
        point = {"marker": "o" if np.isfinite(mean).sum() == 1 else None, "markersize": 3}
        style = {"color": self.look["color"], "markerfacecolor": "white", **point, **dashes}
        axis.plot(steps, mean, **style)
        self.notes[label] = Line2D([], [], color=GRAY, **dashes)

    def runs(
        self,
        axis: Axes,
        steps: np.ndarray,
        values: np.ndarray,
    ) -> np.ndarray:
        """Draw runs, (runs, points), one by one or what is in their middle, and return the lines.

        The interquartile mean and all bands end with the first run. A mean goes on thinly, over
        the runs that are left.

        Args:
            axis: the panel.
            steps: (points,) common steps.
            values: (runs, points), NaN where a run has no data.

        Returns:
            (runs, points) one by one, (1, points) averaged.
        """
        # A single point would make no line.
        single = np.isfinite(values).sum(axis=1).max(initial=0) < 2
        look = {**self.look, "marker": "o" if single else None, "markersize": 3}
        if not self.options.averaged:
            for curve, shade in zip(values, shades(self.look["color"], len(values)), strict=True):
                axis.plot(steps, curve, lw=1.0, **{**look, "color": shade})
            return values
        values = curves.with_data(values)
        if not len(values):
            return np.full((1, len(steps)), np.nan)
        average = curves.average(values, self.options)
        middle, everywhere = average.middle, average.everywhere
        for band in average.bands:
            alpha = 0.10 if band.label == curves.EXTREMES else 0.22
            color = self.look["color"]
            axis.fill_between(steps, band.low, band.high, color=color, alpha=alpha, lw=0)
            self.notes[band.label] = Patch(color=GRAY, alpha=alpha, lw=0)
        axis.plot(steps, average.solid, lw=1.5, **look)
        by_iqm = self.options.uses_iqm(len(values))
        if not by_iqm and np.isfinite(middle[~everywhere]).any():
            axis.plot(steps, average.rest, lw=0.6, **look)
            self.notes["not all of the runs"] = Line2D([], [], color=GRAY, lw=0.6)
        return middle[None]

    def completed(
        self,
        axis: Axes,
        steps: np.ndarray,
        drawn: np.ndarray,
        runs: list[str],
        completed: dict[str, pd.DataFrame],
    ) -> None:
        """Tick each run's line, or the one of all, where an episode completed its level.

        Args:
            axis: the panel.
            steps: (points,) common steps.
            drawn: (runs or 1, points) the lines, as `runs` returned them.
            runs: names, in the order of the lines.
            completed: the log of each run that has one.
        """
        style = {"linestyle": "", "marker": "|", "markersize": 8, "markeredgewidth": 0.8}
        colors = shades(self.look["color"], len(drawn))
        for name, log in completed.items():
            line = runs.index(name) if name in runs and len(drawn) > 1 else 0
            at, heights = curves.on_line(log["steps"].to_numpy(), steps, drawn[line])
            if len(at):
                axis.plot(at, heights, color=colors[line], **style)
                self.notes["completed the level"] = Line2D([], [], color=GRAY, **style)

    def unfinished(self, axis: Axes, column: str, unfinished: dict[str, pd.DataFrame]) -> None:
        """Draw episodes that were under way when their run ended as hollow circles."""
        style = {"linestyle": "", "marker": "o", "markersize": 4.5, "markerfacecolor": "white"}
        for log in unfinished.values():
            if column in log:
                axis.plot(log["steps"], log[column], color=self.look["color"], zorder=3, **style)
                self.notes["unfinished episode"] = Line2D([], [], color=GRAY, **style)


def shades(color: str, count: int) -> list[tuple[float, ...]]:
    """Return shades of a color from light to dark; the color itself if there is only one."""
    rgb = np.array(to_rgb(color))
    amounts = np.linspace(0.55, -0.45, count) if count > 1 else [0.0]
    return [
        tuple(rgb + (1 - rgb) * amount if amount > 0 else rgb * (1 + amount)) for amount in amounts
    ]
