"""What to plot and how."""

from __future__ import annotations

from dataclasses import dataclass

from qmap.utils.command_line import option

FEWEST_FOR_IQM = 5  # runs of which something is left when a quarter is cut off at either end


@dataclass(frozen=True)
class PlotOptions:
    """What to plot and how; `option` gives each flag its meaning."""

    path: str = option("qmap_results", "folder of the results", metavar="DIR")
    window: int | None = option(
        None,
        "rows to average over (default: 100 episodes, 10 rows of exploration and learning)",
        minimum=1,
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
    interval: float | None = option(
        None, "in place of these bands, a confidence interval of so many percent, as 95, by "
        "Student's t over runs", above=0, below=100, metavar="PERCENT",
    )  # fmt: skip
    iqm: bool = option(
        False, "the interquartile mean in place of the mean, with its bootstrap interval of 95 "
        "percent or --interval; agents with fewer than 5 runs keep their mean",
    )  # fmt: skip
    logscale: bool = option(False, "logarithmic vertical axes")
    format: str = option("pdf", "kind of file", choices=("pdf", "png"))

    def wants(self, place: str) -> bool:
        """Tell whether to plot a run, by its AGENT/RUN."""
        wanted = not self.only or any(part in place for part in self.only)
        return wanted and not any(part in place for part in self.without)

    def uses_iqm(self, runs: int) -> bool:
        """Tell whether so many runs are drawn by their interquartile mean."""
        return self.iqm and runs >= FEWEST_FOR_IQM
