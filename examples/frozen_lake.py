"""Frozen Lake for Q-map: `python -m qmap.train_environment --env examples/frozen_lake.py`."""

import gymnasium

from qmap.envs.wrappers import GoalGrid


def make(render_mode=None):
    """Frozen Lake, with one goal for each of its 4 x 4 tiles."""
    env = gymnasium.make("FrozenLake-v1", render_mode=render_mode)
    names = ("LEFT", "DOWN", "RIGHT", "UP")
    return GoalGrid(env, (4, 4), lambda env, tile, info: divmod(tile, 4), action_names=names)
