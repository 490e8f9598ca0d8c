"""Train Q-map and DQN on an environment of your own: `python -m qmap.train_environment --env ENV`.

ENV is a Python file with a function `make(render_mode=None)` that returns the environment, or an id
that Gymnasium knows, "package:Name-v0" to import a package that registers it first.
`qmap.envs.wrappers.GoalGrid` makes any environment with discrete actions one for Q-map.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from qmap.config import TrainingConfig, of_learning, parse
from qmap.envs.make_env import find_file, make_env, name_in_results
from qmap.experiment import Bests, Episode, Experiment
from qmap.launch import train
from qmap.utils import command_line
from qmap.utils.errors import UserError

PROGRAM = "qmap.train_environment"


@dataclass(frozen=True)
class EnvironmentConfig(TrainingConfig):
    """What the training can be told, and on which environment it runs."""

    env: str | None = of_learning(
        None, "the environment: package:Name-v0, or FILE.py[:NAME] with make()", metavar="ENV"
    )

    def check(self) -> None:
        """Refuse what cannot be trained on; see `RunOptions.check`."""
        super().check()
        if not self.env:
            raise UserError("--env is missing: expected package:Name-v0, or FILE.py with make()")
        find_file(self.env)


CONFIG = EnvironmentConfig


def main(arguments: Sequence[str] | None = None) -> int:
    """Train as the command line says; return the exit status."""
    config = parse(CONFIG, PROGRAM, __doc__, arguments)
    return train(config, make_experiment(config), PROGRAM)


def make_experiment(config: EnvironmentConfig) -> Experiment:
    """Return the environment."""
    return Experiment(
        name=name_in_results(config.env),
        make_env=config.adapted(partial(make_env, config.env)),
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
