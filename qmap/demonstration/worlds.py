"""The worlds that `--env` names: the project's games, and any other environment."""

from __future__ import annotations

import dataclasses
from functools import partial

from qmap import train_environment, train_mario, train_montezuma
from qmap.config import RunOptions, TrainingConfig
from qmap.envs.games import GAMES
from qmap.experiment import Experiment

MONTEZUMA = "montezuma"
HELP = (
    f"{MONTEZUMA}, {', '.join(f'{game}:LEVEL' for game in GAMES)}, or as of "
    "qmap.train_environment: package:Name-v0, FILE.py[:NAME] with make(), or retro:GAME"
)


def find_world(env: str) -> Experiment:
    """Return the world of that name.

    On the Atari, where things flicker, frames are the maximum of a step's last two pictures.

    Raises:
        UserError: there is no such level or file, or its ROM is missing.
    """
    if env == MONTEZUMA:
        world = train_montezuma.make_experiment(TrainingConfig())
        return dataclasses.replace(world, make_env=partial(world.make_env, max_of_two=True))
    game, _, level = env.partition(":")
    if game in GAMES:
        config = train_mario.MarioConfig(game=game, level=level or "1.1")
        config.check()
        return train_mario.make_experiment(config)
    config = train_environment.EnvironmentConfig(env=env, qmap=False)
    config.check()
    return train_environment.make_experiment(config)


def env_of(config: RunOptions) -> str | None:
    """Return what `--env` calls the world of a training.

    Args:
        config: the options of its run.

    Returns:
        None where no name stands for it: a world of cells, or one that its options make another.
    """
    if not isinstance(config, TrainingConfig) or config.actions is not None:
        return None
    if isinstance(config, train_mario.MarioConfig):
        return f"{config.game}:{config.level}"
    if not isinstance(config, train_environment.EnvironmentConfig):
        return MONTEZUMA
    return config.env if config.game_dir is None and config.state is None else None
