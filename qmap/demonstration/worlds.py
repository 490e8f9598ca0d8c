"""The worlds that demonstrations are of."""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import Any

from qmap import train_environment, train_mario
from qmap.config import TrainingConfig
from qmap.experiment import Experiment
from qmap.named_worlds import MONTEZUMA, NamedWorldOptions
from qmap.run_options import RunOptions


def find_world(env: str, **options: Any) -> Experiment:
    """Return the world of that name.

    On the Atari, where things flicker, the world's own frames are the maximum of a step's last two
    pictures.

    Args:
        env: its name.
        options: of `NamedWorldOptions`, beside the name.

    Raises:
        UserError: there is no such level or file, its ROM is missing, or an option does nothing
            there or does not fit.
    """
    named = NamedWorldOptions(env=env, **options)
    named.refuse_idle()
    world = named.experiment()
    if env == MONTEZUMA:
        return dataclasses.replace(world, make_env=partial(world.make_env, max_of_two=True))
    return world


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
