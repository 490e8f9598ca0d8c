"""The evaluation on one page: sight, ways to goals, and what the Q-map shows in three moments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from qmap.evaluate.navigation import DISTANCES, PATIENCE, WAYS, Walk
from qmap.evaluate.play import Sights

COLORS = ("#1b7837", "#9e9ac8", "#bcbddc", "#dadaeb")
CHARACTER, BRIGHTEST = "#e4572e", "#2a9df4"


@dataclass(frozen=True)
class Moment:
    """A frame to show.

    Attributes:
        screen: (height, width, 3) uint8.
        q_max: (rows, cols).
        place: (2,), row and on-screen column of the character.
        brightest: (2,), of the brightest cell.
    """

    screen: np.ndarray
    q_max: np.ndarray
    place: np.ndarray
    brightest: np.ndarray


def draw(
    title: str,
    results: dict[str, Any],
    sights: Sights,
    walks: Sequence[Walk],
    moments: Sequence[Moment],
) -> Figure:
    """Return the page."""
    figure = Figure(figsize=(13, 8), layout="constrained")
    figure.suptitle(title)
    axes = figure.subplots(2, 3)
    _draw_sight(axes[0, 0], results, sights)
    _draw_arrivals(
        axes[0, 1], results.get("navigation", {}), results.get("navigation within 1 cell", {})
    )
    _draw_calibration(axes[0, 2], walks)
    for axis, moment in zip(axes[1], moments, strict=False):
        _draw_moment(axis, moment)
    for axis in axes[1, len(moments) :]:
        axis.axis("off")
    return figure


def _draw_sight(axis: Axes, results: dict[str, Any], sights: Sights) -> None:
    axis.imshow(sights.mean_picture, cmap="magma", vmin=0.0)
    rows, cols = np.array(sights.places).T
    axis.plot(cols, rows, ".", color=CHARACTER, alpha=0.15, markersize=4, label="the character")
    words = [f"mean picture; seen {_seen(results['sight'])}"]
    if "sight on walks" in results:
        words.append(f"on walks to goals: {_seen(results['sight on walks'])}")
    axis.set_title("\n".join(words), fontsize=10)
    axis.legend(loc="upper left", fontsize=8)


def _seen(sight: dict[str, Any]) -> str:
    seen, blind = (sight[name]["share"] for name in ("seen", "seen by mean picture"))
    return f"{seen:.0%}, by the mean picture {blind:.0%}"


def _draw_arrivals(axis: Axes, navigation: dict[str, Any], close: dict[str, Any]) -> None:
    at = np.arange(len(navigation))
    for index, (way, color) in enumerate(zip(WAYS, COLORS, strict=True)):
        found = [ways[way] for ways in navigation.values()]
        shares = np.array([each["share"] for each in found])
        bounds = [each["interval"] or [each["share"]] * 2 for each in found]
        errors = np.abs(np.reshape(bounds, (-1, 2)).T - shares)
        axis.bar(at + 0.2 * index, shares, 0.2, yerr=errors, color=color, label=way, capsize=2)
        near = [ways[way]["share"] for ways in close.values()]
        axis.plot(at + 0.2 * index, near, "_", color=CHARACTER, markersize=8)
    axis.set_xticks(at + 0.3, [f"{distance}" for distance in navigation])
    axis.set_ylim(0, 1.12)  # the legend is above the bars
    axis.set_yticks(np.linspace(0, 1, 6))
    axis.set_xlabel("steps believed")
    title = "arrived in 1.5 x the steps believed (red: within 1 cell of the goal)"
    axis.set_title(title, fontsize=10)
    axis.legend(fontsize=8, loc="upper center", ncols=len(WAYS), columnspacing=1.0)


def _draw_calibration(axis: Axes, walks: Sequence[Walk]) -> None:
    ours = [each for each in walks if each.way == WAYS[0]]
    there = [each for each in ours if each.steps is not None]
    jitter = np.random.default_rng(0).uniform(-0.6, 0.6, len(there))
    believed = np.array([each.believed for each in there], float)
    axis.plot(believed + jitter, [each.steps for each in there], ".", color=COLORS[0], alpha=0.5)
    true = [(each.believed, each.true) for each in there if each.true is not None]
    if true:
        axis.plot(*zip(*true, strict=True), "x", color="black", markersize=4, label="true")
    farthest = DISTANCES[-1]
    axis.plot([0, farthest], [0, farthest], "--", color="gray", linewidth=1)
    axis.plot([0, farthest], [0, PATIENCE * farthest], ":", color="gray", label="given up")
    axis.legend(fontsize=8, loc="upper left")
    axis.set_xlabel("steps believed")
    share = f"the {len(there) / len(ours):.0%} of goals" if ours else "goals"
    axis.set_title(f"steps taken to {share} that were reached", fontsize=10)


def _draw_moment(axis: Axes, moment: Moment) -> None:
    rows, cols = moment.q_max.shape
    extent = (-0.5, cols - 0.5, rows - 0.5, -0.5)
    axis.imshow(moment.screen, extent=extent, aspect="auto")
    axis.imshow(moment.q_max, extent=extent, cmap="magma", alpha=0.55, vmin=0, aspect="auto")
    for (row, col), color, name in (
        (moment.place, CHARACTER, "character"),
        (moment.brightest, BRIGHTEST, "brightest cell"),
    ):
        axis.plot(col, row, "s", color=color, fillstyle="none", markersize=9, label=name)
    axis.set_xticks([])
    axis.set_yticks([])
    axis.legend(loc="upper left", fontsize=8)
