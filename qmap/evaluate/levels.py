"""The levels that a checkpoint can be tried on, and what it has to know of another one."""

from __future__ import annotations

import dataclasses

import numpy as np

from qmap.envs.games import GAMES
from qmap.envs.gridworld_level import shipped_levels
from qmap.evaluate.player import Player
from qmap.evaluate.trained import Origin, Trained, origin_of
from qmap.gridworld.config import GridWorldConfig
from qmap.train_mario import MarioConfig
from qmap.utils.errors import UserError

CENTERING_STEPS = 300


def levels(origin: Origin) -> tuple[list[str], str]:
    """Return the names of all levels and of the one that was trained on; none, "" without any."""
    config = origin.config
    if isinstance(config, MarioConfig):
        return list(GAMES[config.game].levels), config.level
    if isinstance(config, GridWorldConfig):
        return [*dict.fromkeys([config.train_level, *shipped_levels()])], config.train_level
    return [], ""


def on_level(origin: Origin, level: str) -> Origin:
    """Return the same checkpoint on another level, one of `levels`.

    Raises:
        UserError: there is no such level, or there are none.
    """
    there, _ = levels(origin)
    if level not in there:
        expected = f"expected one of {', '.join(there)}" if there else "it has none"
        raise UserError(f"{origin.name} has no level {level}; {expected}")
    field = "level" if isinstance(origin.config, MarioConfig) else "train_level"
    config = dataclasses.replace(origin.config, **{field: level})
    return origin_of(origin.path, origin.step, config)


def center(trained: Trained, player: Player, generator: np.random.Generator) -> None:
    """Center what a Q-map sees on the level that is played, on the frames of random steps.

    With the mean frame of the level it was trained on, a Q-map that centers frames is blind on
    another one, whose background it never saw.
    """
    if trained.q_map is None or not trained.q_map.centers:
        return
    observations = []
    for _ in range(CENTERING_STEPS):
        if player.over:
            player.begin()
        observations.append(player.observation)
        player.step(int(generator.integers(player.envs.n_actions)))
    trained.q_map.center_on(np.concatenate(observations))
