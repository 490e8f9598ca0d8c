"""Snapshots that the first version wrote, as today's: its runs go on with what they hold.

They have no format, and their parts are laid out otherwise; what is counted since then begins
anew. One generator was for acting and sampling: acting goes on in it, sampling has one of its own.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from qmap.envs import saving
from qmap.utils import streams


def is_earlier(tree: dict[str, Any]) -> bool:
    """Whether a snapshot is one of the first version."""
    return "format" not in tree and ({"agent", "envs"} <= tree.keys() or "progress" in tree)


def as_of_today(tree: dict[str, Any], config: Any) -> dict[str, Any]:
    """Return a snapshot of the first version as the parts of today's, and its step.

    Args:
        tree: what was saved.
        config: the options of the run.
    """
    if "progress" in tree:  # of the grid world
        return {"step": tree["progress"]["updates"] * config.batch, "learning": tree}
    agent, episodes = tree["agent"], tree["episodes"]
    copies = len(episodes)
    return {
        "step": agent["step"],
        "agent": {
            **agent,
            "generators": {
                "acting": agent["generator"],
                "sampling": streams.generator(config.seed, "sampling").bit_generator.state,
            },
            "means": {"sums": {}, "counts": {}},
            "policies": {
                # As if the goal had been chosen just now, with what is left of its time.
                name: {**policy, "expected": policy["timer"] / (1.0 + config.timer_bonus)}
                for name, policy in agent["policies"].items()
            },
        },
        "episodes": {
            "under_way": episodes,
            "bests": tree["bests"],
            "last_return": tree["last_score"],
        },
        "maps": tree["maps"],
        "kept": {
            "counts": np.zeros((0, 2), np.int64),
            "actions": np.zeros(copies, np.int64),
            "lengths": np.zeros(copies, np.int64),
        },
        "envs": {
            name: _world(state, streams.number(config.seed, "environments", env), episodes[env])
            for env, (name, state) in enumerate(tree["envs"].items())
        },
    }


def _world(state: dict[str, Any] | None, seed: int, episode: dict[str, Any]) -> dict[str, Any]:
    """Return what was saved of a copy; of one that could not be saved only its seed is known."""
    if state is None:
        return {"seed": seed}
    return {
        "seed": seed,
        "world": saving.pack(state["env"]),
        "streams": {saving.WORLD: {"_np_random": {"generator": state["generator"]}}},
        "wrappers": {saving.TIME_LIMITS: state["elapsed"]},
        "steps": 0,
        "distance": episode["distance"],
    }
