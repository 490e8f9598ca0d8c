"""Train Q-map and DQN on an environment of your own: `python -m qmap.train_environment --env ENV`.

ENV is a Python file with a function `make(render_mode=None)` that returns the environment, an id
that Gymnasium knows, "package:Name-v0" to import a package that registers it first, or retro:GAME,
a game of stable-retro.
`qmap.envs.wrappers.GoalGrid` makes any environment with discrete actions one for Q-map.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from qmap.config import TrainingConfig
from qmap.experiment import Bests, Episode, Experiment
from qmap.launch import train
from qmap.parse_config import parse
from qmap.utils import command_line
from qmap.world_options import EnvironmentOptions

PROGRAM = "qmap.train_environment"


@dataclass(frozen=True)
class EnvironmentConfig(TrainingConfig, EnvironmentOptions):
    """What the training can be told, and on which environment it runs."""

    def check(self) -> None:
        """Refuse what cannot be trained on; see `RunOptions.check`."""
        super().check()
        self.check_environment(needs_place=self.qmap)


CONFIG = EnvironmentConfig


def main(arguments: Sequence[str] | None = None) -> int:
    """Train as the command line says; return the exit status."""
    config = parse(CONFIG, PROGRAM, __doc__, arguments)
    return train(config, make_experiment(config), PROGRAM)


def make_experiment(config: EnvironmentConfig) -> Experiment:
    """Return the environment."""
    return Experiment(
        name=config.results_name,
        make_env=config.make_env(),
        dqn="mario",
        video_every=100,
        highlight=is_best,
    )


def is_best(episode: Episode, bests: Bests) -> bool:
    """Whether the episode's return is above those of all before it."""
    best = bests.undiscounted_return
    return best is not None and episode.undiscounted_return > best


if __name__ == "__main__":
    command_line.run(main)
