"""What was measured, in numbers with their 95 percent confidence intervals.

Frames, goals and deaths of an episode are not independent, so intervals of what is measured on them
are bootstrapped over episodes: whole ones are drawn anew, with replacement.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy import stats

from qmap.evaluate.navigation import DISTANCES, WAYS, Walk
from qmap.evaluate.play import EpisodeResult, Sights

CONFIDENCE = 0.95
RESAMPLES = 2000
FEW = 10  # episodes, with fewer of which intervals are not to be relied on
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
    interval = _wilson(int(array.sum()), len(array))
    return {"share": float(array.mean()), "interval": interval, "n": len(array)}


def mean_over_episodes(values: Sequence[float] | np.ndarray, of: Sequence[int]) -> dict[str, Any]:
    """Return the mean of values, (n,), and its bootstrapped interval; of one episode, none.

    Args:
        values: (n,).
        of: (n,), the number of the episode of each.
    """
    array = np.asarray(values, float)
    sums = _sums_of_episodes(of, array, np.ones(len(array)))
    return {
        "mean": float(array.mean()),
        "interval": _bootstrapped(np.divide, sums),
        "n": len(array),
        "episodes": sums.shape[1],
    }


def share_over_episodes(happened: Sequence[bool] | np.ndarray, of: Sequence[int]) -> dict[str, Any]:
    """Return a share, else as `mean_over_episodes`.

    All resamples of a share of 0 or 1 are equal: its interval is Wilson's with one trial an
    episode, the widest that it can be.
    """
    found = mean_over_episodes(happened, of)
    share, episodes = found.pop("mean"), found["episodes"]
    if share in (0.0, 1.0) and episodes > 1:
        found["interval"] = _wilson(int(share) * episodes, episodes)
    return {"share": share, **found}


def episodes(played: Sequence[EpisodeResult]) -> dict[str, int]:
    """Return how many episodes there were, and how many that differ in anything."""
    different = {(episode.score, episode.length, episode.actions) for episode in played}
    return {"n": len(played), "distinct": len(different)}


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
    """Return how often the character is seen; its mean picture is not drawn anew."""
    return {
        "seen": share_over_episodes(sights.seen, sights.episodes),
        "seen, or its way": share_over_episodes(sights.seen_ahead, sights.episodes),
        "seen by mean picture": share_over_episodes(sights.seen_by_mean, sights.episodes),
    }


def foresight(sights: Sights, values: Sequence[float]) -> dict[str, Any]:
    """Return values some steps before deaths, as shares of their mean over all frames.

    No place can be reached after a death: who foresees for certain that an action is deadly has a
    value of 0 for it. The best action's value is that low only where no action is left that
    avoids the death.

    Args:
        sights: of whole episodes.
        values: `best_values` or `taken_values` of them.
    """
    array, found = np.array(values, float), {}
    for steps in STEPS_BEFORE:
        before = np.zeros(len(array))
        before[sights.frames_before_deaths(steps)] = 1.0
        if not before.any():
            continue
        sums = _sums_of_episodes(sights.episodes, before * array, before, array, before**0)
        found[str(steps)] = {
            "mean": float(_relative(*sums.sum(axis=1))),
            "interval": _bootstrapped(_relative, sums),
            "n": int(before.sum()),
            "episodes": int(np.count_nonzero(sums[1])),
        }
    return found


def navigation(
    walks: Sequence[Walk], arrived: Callable[[Walk], bool] = lambda each: each.steps is not None
) -> dict[str, Any]:
    """Return the share of goals that each way reached in time, by believed distance.

    Args:
        walks: in all ways.
        arrived: whether one has reached its goal.
    """
    found: dict[str, Any] = {}
    for distance in DISTANCES:
        for way in WAYS:
            if there := [each for each in walks if _is(each, distance, way)]:
                share = share_over_episodes([arrived(each) for each in there], _episodes_of(there))
                found.setdefault(str(distance), {})[way] = share
    return found


def came_close(each: Walk) -> bool:
    """Whether a walk came within 1 cell of its goal, in rows and in columns."""
    return each.steps_until_close is not None


def calibration(walks: Sequence[Walk]) -> dict[str, Any]:
    """Return the steps that goals took which were reached, and the true ones, by belief.

    The steps taken are those of the share that arrived alone, none of which took more than 1.5
    times the belief: the fewer arrive, the more they flatter.
    """
    found: dict[str, Any] = {}
    for distance in DISTANCES:
        ours = [each for each in walks if _is(each, distance, "q-map")]
        if not ours:
            continue
        there = [each for each in ours if each.steps is not None]
        row: dict[str, Any] = {
            "goals": len(ours),
            "arrived": share_over_episodes(
                [each.steps is not None for each in ours], _episodes_of(ours)
            ),
        }
        if there:
            row["taken"] = mean_over_episodes([each.steps for each in there], _episodes_of(there))
        if known := [each for each in ours if each.true is not None]:
            finite = np.isfinite([each.true for each in known])
            row["reachable"] = share_over_episodes(finite, _episodes_of(known))
        if reachable := [each for each in known if np.isfinite(each.true)]:
            true = [each.true for each in reachable]
            row["true"] = mean_over_episodes(true, _episodes_of(reachable))
        found[str(distance)] = row
    return found


def without_intervals(results: dict[str, Any]) -> dict[str, Any]:
    """Return results without intervals: copies of one episode do not tell of chance."""
    bare = {
        name: without_intervals(found) if isinstance(found, dict) else found
        for name, found in results.items()
    }
    return bare | {"interval": None} if "interval" in bare else bare


def text(results: dict[str, Any]) -> str:
    """Return the results as a few lines for the terminal."""
    lines = _of_episodes(results)
    for name, found in results["task"].items():
        lines.append(f"{name:22} {_shown(found)}")
    for name, found in results.get("sight", {}).items():
        lines.append(f"{name:22} {_shown(found)}")
    if "sight on walks" in results:
        lines.append("the same on the Q-map's walks to goals")
        for name, found in results["sight on walks"].items():
            lines.append(f"{name:22} {_shown(found)}")
    if results.get("foresight"):
        lines.append("values before deaths, as shares of their mean")
        lines.append(f"{'':9}{'best action':>24}{'action taken':>24}")
        for steps, found in results["foresight"].items():
            taken = results["foresight of the action taken"][steps]
            values = f"{_shown(found):>24}{_shown(taken):>24}"
            lines.append(f"{_steps(steps)}{values}   of {found['n']}")
    for name, title in (
        ("navigation", "arrived in 1.5 x the steps believed"),
        ("navigation within 1 cell", "arrived within 1 cell of the goal"),
    ):
        if name in results:
            lines.append(title)
            lines.append(f"{'':9}" + "".join(f"{way:>14}" for way in WAYS))
            for distance, ways in results[name].items():
                shares = "".join(f"{ways[way]['share']:14.0%}" for way in WAYS)
                lines.append(f"{_steps(distance)}{shares}   of {ways[WAYS[0]]['n']}")
    if "calibration" in results:
        lines.append("steps taken to the goals that arrived, no others")
        for distance, row in results["calibration"].items():
            taken = _shown(row["taken"]) if "taken" in row else "-"
            lines.append(f"{_steps(distance)}{taken:>24}   {row['arrived']['share']:4.0%} arrived")
    return "\n".join(lines)


def _of_episodes(results: dict[str, Any]) -> list[str]:
    """Return the lines of what was played, and of how far the intervals can be relied on."""
    n, distinct = results["episodes"]["n"], results["episodes"]["distinct"]
    lines = [f"{'episodes':22} {n}, distinct: {distinct}"]
    if distinct == 1:
        lines.append("no two episodes that differ: no intervals; see --random-start")
    elif distinct < FEW:
        lines.append("few episodes that differ: the intervals are not to be relied on")
    if results["sticky"]:
        lines.append(f"{'sticky actions':22} {results['sticky']:g}, as in the training")
    return lines


def _sums_of_episodes(of: Sequence[int], *values: np.ndarray) -> np.ndarray:
    """Return the sums of values, each (n,), over each episode: (values, episodes)."""
    _, index = np.unique(of, return_inverse=True)
    return np.array([np.bincount(index, each) for each in values])


def _bootstrapped(statistic: Callable[..., np.ndarray], sums: np.ndarray) -> list[float] | None:
    """Return the interval of a statistic of sums over episodes; None of fewer than two.

    Few episodes make percentiles too narrow by as much as Student's t is wider than the normal
    distribution; so does a variance divided by n (Hesterberg 2015, *What Teachers Should Know About
    the Bootstrap*). The tails are made smaller by both.

    Args:
        statistic: from sums, (resamples,) each, to (resamples,).
        sums: (k, episodes); the second one counts what the first one sums.
    """
    n = int(np.count_nonzero(sums[1]))
    if n < 2:
        return None
    drawn = sums.shape[1]
    generator = np.random.default_rng(0)
    times = generator.multinomial(drawn, np.full(drawn, 1 / drawn), size=RESAMPLES)
    totals = sums @ times.T
    found = statistic(*totals[:, totals[1] > 0])
    distance = stats.t.ppf((1 + CONFIDENCE) / 2, n - 1) * np.sqrt(n / (n - 1))
    tail = stats.norm.cdf(-distance)
    return [float(bound) for bound in np.quantile(found, [tail, 1 - tail])]


def _relative(
    total: np.ndarray, count: np.ndarray, all_total: np.ndarray, all_count: np.ndarray
) -> np.ndarray:
    """Return a mean as a share of the mean of all."""
    return (total / count) / (all_total / all_count)


def _wilson(happened: int, trials: int) -> list[float]:
    interval = stats.binomtest(happened, trials).proportion_ci(CONFIDENCE, method="wilson")
    return [float(interval.low), float(interval.high)]


def _is(each: Walk, distance: int, way: str) -> bool:
    return each.believed == distance and each.way == way


def _episodes_of(walks: Sequence[Walk]) -> list[int]:
    return [each.episode for each in walks]


def _steps(number: str) -> str:
    return f"{number:>3} {'step ' if number == '1' else 'steps'}"


def _shown(found: dict[str, Any]) -> str:
    value, form = (found["share"], ".1%") if "share" in found else (found["mean"], ".2f")
    if found["interval"] is None:
        return f"{value:{form}}"
    low, high = found["interval"]
    return f"{value:{form}} ({low:{form}} to {high:{form}})"
