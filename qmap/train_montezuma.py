"""Train Q-map and DQN on Montezuma's Revenge: `python -m qmap.train_montezuma`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import gymnasium

from qmap.config import TrainingConfig
from qmap.experiment import Bests, Episode, Experiment
from qmap.game_options import GameOptions
from qmap.launch import train
from qmap.parse_config import parse
from qmap.utils import command_line

PROGRAM = "qmap.train_montezuma"
CONFIG = TrainingConfig


def main(arguments: Sequence[str] | None = None) -> int:
    """Train as the command line says; return the exit status."""
    config = parse(CONFIG, PROGRAM, __doc__, arguments)
    return train(config, make_experiment(config), PROGRAM)


def make_experiment(config: GameOptions) -> Experiment:
    """Return the game."""
    return Experiment(
        name="montezuma",
        make_env=config.adapted(
            partial(
                gymnasium.make,
                "qmap.envs:qmap/Montezuma-v0",
                render_mode="rgb_array",
                disable_env_checker=True,
            )
        ),
        dqn="montezuma",
        video_every=100,
        highlight=has_score,
    )


def has_score(episode: Episode, bests: Bests) -> bool:
    """Whether the episode found any of the game's rare rewards."""
    return episode.undiscounted_return > 0.0


if __name__ == "__main__":
    command_line.run(main)
