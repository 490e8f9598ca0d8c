"""Pitfall and Private Eye for Q-map, with coordinates from their RAM."""

import ale_py
import gymnasium

from qmap.envs.wrappers import GoalGrid

gymnasium.register_envs(ale_py)


def make(game, place, room, render_mode):
    """A game whose RAM tells the (row, col) of the character in pixels, and the room."""
    env = gymnasium.make(f"ALE/{game}-v5", render_mode=render_mode, repeat_action_probability=0.0)

    def ram(env):
        return env.unwrapped.ale.getRAM().astype(int)

    def cell(env, screen, info):
        row, col = place(ram(env))
        return row * 26 / 210, col * 20 / 160

    return GoalGrid(
        env,
        (26, 20),
        cell,
        position=lambda env, screen, info: place(ram(env)),
        room=lambda env, screen, info: ram(env)[room],
        action_names=env.unwrapped.get_action_meanings(),
    )


def pitfall(render_mode=None):
    """Harry; the room is the number of the scene."""
    return make("Pitfall", lambda ram: (ram[105] + 82, ram[97] + 4), 1, render_mode)


def private_eye(render_mode=None):
    """The detective's car: he only jumps out of it for a moment."""
    return make("PrivateEye", lambda ram: (188 - ram[86], ram[63] + 6), 92, render_mode)
