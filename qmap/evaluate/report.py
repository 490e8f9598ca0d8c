"""What was measured, in numbers with their 95 percent confidence intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import stats

from qmap.evaluate.navigation import DISTANCES, WAYS, Walk
from qmap.evaluate.play import EpisodeResult, Sights

CONFIDENCE = 0.95
STEPS_BEFORE = (1, 2, 3, 5, 10)


def mean_of(values: Sequence[float]) -> dict[str, Any]:
    """Return the mean and Student's t interval of it; of one value, no interval."""
    array = np.asarray(values, float)
    n, mean = len(array), float(array.mean())
    interval = None
    if n > 1:
        half = stats.t.ppf((1 + CONFIDENCE) / 2, n - 1) * array.std(ddof=1) / np.sqrt(n)
        interval = [mean - float(half), mean + float(half)]
    return {"mean": mean, "interval": interval, "n": n}


def share_of(happened: Sequence[bool] | np.ndarray) -> dict[str, Any]:
    """Return a share and Wilson's interval of it, which holds for shares of 0 and 1 too."""
    array = np.asarray(happened, bool)
    result = stats.binomtest(int(array.sum()), len(array))
    interval = result.proportion_ci(CONFIDENCE, method="wilson")
    return {
        "share": float(array.mean()),
        "interval": [float(interval.low), float(interval.high)],
        "n": len(array),
    }


def task(episodes: Sequence[EpisodeResult]) -> dict[str, Any]:
    """Return how the task went."""
    found = {
        "score": mean_of([episode.score for episode in episodes]),
        "length": mean_of([episode.length for episode in episodes]),
        "completed": share_of([episode.completed for episode in episodes]),
    }
    distances = [episode.distance for episode in episodes if episode.distance is not None]
    if distances:
        found["distance"] = mean_of(distances)
    return found


def sight(sights: Sights) -> dict[str, Any]:
    """Return how often the character is seen; frames that follow each other are not independent."""
    return {
        "seen": share_of(sights.seen),
        "seen, or its way": share_of(sights.seen_ahead),
        "seen by mean picture": share_of(sights.seen_by_mean),
    }


def foresight(sights: Sights) -> dict[str, Any]:
    """Return the Q-values some steps before deaths, as shares of those of all frames."""
    before = {steps: sights.values_before(steps) for steps in STEPS_BEFORE}
    return {str(steps): mean_of(values) for steps, values in before.items() if len(values)}


def navigation(walks: Sequence[Walk]) -> dict[str, Any]:
    """Return the share of goals that each way reached in time, by believed distance."""
    return {
        str(distance): {
            way: share_of([each.steps is not None for each in walks if _is(each, distance, way)])
            for way in WAYS
        }
        for distance in DISTANCES
        if any(each.believed == distance for each in walks)
    }


def calibration(walks: Sequence[Walk]) -> dict[str, Any]:
    """Return the steps that goals took which were reached, and the true ones, by belief."""
    found: dict[str, Any] = {}
    for distance in DISTANCES:
        ours = [each for each in walks if _is(each, distance, "q-map")]
        if not ours:
            continue
        row: dict[str, Any] = {"goals": len(ours)}
        if steps := [each.steps for each in ours if each.steps is not None]:
            row["taken"] = mean_of(steps)
        true = [each.true for each in ours if each.true is not None]
        if true:
            row["reachable"] = share_of(np.isfinite(true))
        if ways := [steps for steps in true if np.isfinite(steps)]:
            row["true"] = mean_of(ways)
        found[str(distance)] = row
    return found


def text(results: dict[str, Any]) -> str:
    """Return the results as a few lines for the terminal."""
    lines = []
    for name, found in results["task"].items():
        lines.append(f"{name:22} {_shown(found)}")
    for name, found in results.get("sight", {}).items():
        lines.append(f"{name:22} {_shown(found)}")
    for steps, found in results.get("foresight", {}).items():
        lines.append(f"{f'value {steps} before death':22} {_shown(found)}")
    if "navigation" in results:
        lines.append("arrived in 1.5 x the steps believed")
        lines.append(f"{'':9}" + "".join(f"{way:>14}" for way in WAYS))
        for distance, ways in results["navigation"].items():
            shares = "".join(f"{ways[way]['share']:14.0%}" for way in WAYS)
            lines.append(f"{distance:>3} steps{shares}   of {ways[WAYS[0]]['n']}")
    return "\n".join(lines)


def _is(each: Walk, distance: int, way: str) -> bool:
    return each.believed == distance and each.way == way


def _shown(found: dict[str, Any]) -> str:
    if "share" in found:
        low, high = found["interval"]
        return f"{found['share']:.1%} ({low:.1%} to {high:.1%})"
    if found["interval"] is None:
        return f"{found['mean']:.2f}"
    low, high = found["interval"]
    return f"{found['mean']:.2f} ({low:.2f} to {high:.2f})"
