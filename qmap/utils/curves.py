"""A column of several runs on common steps: what is in the middle, and how sure that is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from qmap.utils.plot_options import PlotOptions

RESAMPLES = 1000
EXTREMES = "extremes"


@dataclass(frozen=True)
class Band:
    """How sure the middle of several runs is: (points,) ends, and what they are."""

    low: np.ndarray
    high: np.ndarray
    label: str


@dataclass(frozen=True)
class Average:
    """Several runs in one line.

    Attributes:
        middle: (points,) the mean over the runs that are left, or the interquartile mean.
        everywhere: (points,) bool, where all runs have a value.
        bands: around the middle; NaN where not all runs have a value.
    """

    middle: np.ndarray
    everywhere: np.ndarray
    bands: list[Band]

    @property
    def solid(self) -> np.ndarray:
        """The middle, (points,), where all runs have a value."""
        return np.where(self.everywhere, self.middle, np.nan)

    @property
    def rest(self) -> np.ndarray:
        """The middle where not all have, and one point more on either side, to meet the other."""
        missing = np.pad(~self.everywhere, 1)
        near = missing[:-2] | missing[1:-1] | missing[2:]
        return np.where(near, self.middle, np.nan)


def common_curves(
    logs: Iterable[pd.DataFrame], column: str, steps: np.ndarray, window: int
) -> np.ndarray:
    """Average a column of each run over `window` rows and read it at common steps.

    Args:
        logs: a table a run.
        column: which column; rows without a value are passed over.
        steps: (points,) equally spaced.
        window: how many rows.

    Returns:
        (runs, points), NaN before the first and after the last row of a run.
    """
    curves = []
    spacing = steps[1] - steps[0]
    for log in logs:
        rows = log[["steps", column]].dropna() if column in log else log[:0]
        curve = np.full(len(steps), np.nan)
        if len(rows):
            smooth = rows[column].rolling(window, min_periods=1).mean().to_numpy()
            at = rows["steps"].to_numpy()
            inside = (steps > at[0] - spacing) & (steps < at[-1] + spacing)
            curve[inside] = np.interp(steps[inside], at, smooth)
        curves.append(curve)
    return np.array(curves).reshape(-1, len(steps))


def on_line(at: np.ndarray, steps: np.ndarray, line: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where marks at some steps are on a line, (points,) at common steps.

    Of marks that are closer than the line's points, which could not be told apart, one is kept.

    Returns:
        Steps and values, none if the line has no value.
    """
    known = np.isfinite(line)
    if not known.any():
        return np.array([]), np.array([])
    spacing = steps[1] - steps[0]
    at = np.unique(np.round(at / spacing)) * spacing
    return at, np.interp(at, steps[known], line[known])


def with_data(curves: np.ndarray) -> np.ndarray:
    """Return the curves, (runs, points), that have a value anywhere."""
    return curves[np.isfinite(curves).any(axis=1)]


def average(values: np.ndarray, options: PlotOptions) -> Average:
    """Return what is in the middle of runs, (runs, points), each with a value anywhere."""
    everywhere = np.isfinite(values).all(axis=0)
    by_iqm = options.uses_iqm(len(values))
    middle = interquartile_mean(values) if by_iqm else mean_of_those_left(values)
    known = np.where(everywhere, values, np.nan)
    return Average(middle, everywhere, _bands(known, options) if len(values) > 1 else [])


def mean_of_those_left(values: np.ndarray) -> np.ndarray:
    """Return the mean over the runs, (runs, points), that have a value; NaN where none has."""
    known = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        return np.where(known, values, 0).sum(axis=0) / known.sum(axis=0)


def _bands(values: np.ndarray, options: PlotOptions) -> list[Band]:
    percent = options.interval or 95
    if options.uses_iqm(len(values)):
        ends = bootstrap_interval(values, percent)
        return [Band(*ends, f"IQM, {percent:g}% bootstrap")]
    if options.interval or options.iqm:
        ends = student_interval(values, percent)
        return [Band(*ends, f"mean, {percent:g}% Student's t")]
    bands = []
    if options.extrema:
        bands.append(Band(values.min(axis=0), values.max(axis=0), EXTREMES))
    if options.std:
        mean, std = values.mean(axis=0), values.std(axis=0)
        bands.append(Band(mean - std, mean + std, "standard deviation"))
    return bands


def student_interval(values: np.ndarray, percent: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the ends of the confidence interval of the mean over runs, by Student's t.

    Args:
        values: (runs, points), of at least 2 runs; NaN in one makes NaN.
        percent: how often such an interval has the true mean in it, above 0 and below 100.
    """
    from scipy import stats

    runs = len(values)
    quantile = stats.t.ppf(0.5 + percent / 200, runs - 1)
    half = quantile * values.std(axis=0, ddof=1) / np.sqrt(runs)
    return values.mean(axis=0) - half, values.mean(axis=0) + half


def interquartile_mean(values: np.ndarray, axis: int = 0) -> np.ndarray:
    """Return the mean over runs without a quarter (rounded down) of them at either end.

    Args:
        values: (runs, points) with `axis` 0; NaN in one makes NaN.
        axis: which axis the runs are on.
    """
    runs = values.shape[axis]
    middle = np.arange(runs // 4, runs - runs // 4)
    return np.sort(values, axis=axis).take(middle, axis=axis).mean(axis=axis) + 0 * values.sum(axis)


def bootstrap_interval(values: np.ndarray, percent: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the ends of the interquartile mean's interval, by the percentile bootstrap.

    Whole runs are drawn again within their environment, which is the stratum (Agarwal et al. 2021,
    "Deep Reinforcement Learning at the Edge of the Statistical Precipice"). Equal data gives equal
    intervals.

    Args:
        values: (runs, points), of at least 2 runs; NaN in one makes NaN.
        percent: of the drawn means that lie within, above 0 and below 100.
    """
    from scipy import stats

    ends = np.full((2, values.shape[1]), np.nan)
    known = np.isfinite(values).all(axis=0)
    if known.any():
        result = stats.bootstrap(
            (values[:, known],),
            interquartile_mean,
            n_resamples=RESAMPLES,
            batch=100,
            confidence_level=percent / 100,
            method="percentile",
            axis=0,
            vectorized=True,
            rng=np.random.default_rng(0),
        )
        ends[:, known] = result.confidence_interval
    return ends[0], ends[1]


def improvement(
    ours: Sequence[np.ndarray], theirs: Sequence[np.ndarray], percent: float
) -> tuple[float, float, float]:
    """Return the probability that a run of ours is above one of theirs, and its interval's ends.

    Equal runs count half. The mean over environments is taken, since the environments' values may
    have nothing to do with each other. The interval is that of the percentile bootstrap, which
    draws runs within each agent and environment (Agarwal et al. 2021); equal data gives equal ones.

    Args:
        ours: (runs,) of each environment, finite, at least 1 run.
        theirs: the same, of the same environments, with any number of runs.
        percent: of the drawn probabilities that lie within, above 0 and below 100.
    """
    rng = np.random.default_rng(0)
    found, drawn = [], []
    for one, other in zip(ours, theirs, strict=True):
        wins = (one[:, None] > other) + 0.5 * (one[:, None] == other)
        rows = rng.integers(len(one), size=(RESAMPLES, len(one), 1))
        columns = rng.integers(len(other), size=(RESAMPLES, 1, len(other)))
        found.append(wins.mean())
        drawn.append(wins[rows, columns].mean(axis=(1, 2)))
    low, high = np.percentile(np.mean(drawn, axis=0), [50 - percent / 2, 50 + percent / 2])
    return float(np.mean(found)), float(low), float(high)
