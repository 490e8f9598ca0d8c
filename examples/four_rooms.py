"""MiniGrid's FourRooms for Q-map."""

import gymnasium
import minigrid

from qmap.envs.wrappers import GoalGrid

gymnasium.register_envs(minigrid)


def place(env, observation, info):
    """The character's tile."""
    col, row = env.unwrapped.agent_pos
    return row, col


def make(render_mode=None):
    """FourRooms, with one goal for each of its 19 x 19 tiles."""
    env = gymnasium.make("MiniGrid-FourRooms-v0", render_mode=render_mode, highlight=False)
    names = ("LEFT", "RIGHT", "FORWARD", "PICKUP", "DROP", "TOGGLE", "DONE")
    return GoalGrid(env, (19, 19), place, color=True, action_names=names)
