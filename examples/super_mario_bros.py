"""Super Mario Bros. (NES) for Q-map, its ROM included, on Python 3.13 and later."""

import gym_super_mario_bros
import gymnasium
from nes_py.wrappers import JoypadSpace

from qmap.envs.wrappers import GoalGrid

gymnasium.register_envs(gym_super_mario_bros)
ACTIONS = {
    "RIGHT": ["right"],
    "RIGHT+JUMP": ["right", "A"],
    "JUMP": ["A"],
    "LEFT+JUMP": ["left", "A"],
    "LEFT": ["left"],
    "NOOP": ["NOOP"],
}


def pixels(env, screen, info):
    """The middle of small Mario: row on the screen, column in the level."""
    return 279 - info["y_pos"], info["x_pos"] + 8


def cell(env, screen, info):
    """The same in cells of 8 x 8 pixels, and the column at which the screen starts."""
    row, col = pixels(env, screen, info)
    window = info["x_pos"] - info["left_x_pos"]
    return row / 8, col / 8, window / 8


def finished(env, screen, info):
    """Whether the flag was reached; any other end of an episode is a death."""
    return bool(info["flag_get"])


def make(render_mode=None):
    """Level 1-1, in steps of 4 frames."""
    env = gymnasium.make("SuperMarioBros-1-1-v0", render_mode=render_mode)
    env = JoypadSpace(env, list(ACTIONS.values()))
    env = gymnasium.wrappers.MaxAndSkipObservation(env, skip=4)
    return GoalGrid(env, (30, 32), cell, pixels, action_names=ACTIONS, completed=finished)
