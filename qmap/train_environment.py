"""Train Q-map and DQN on an environment of your own: `python -m qmap.train_environment --env ID`.

The environment is one that Gymnasium can make by its id, "package:Name-v0" to import a package that
registers it first, and that keeps the contract of `qmap.envs.contract.check_contract`;
`qmap.envs.wrappers.GoalGrid` brings any environment with discrete actions to that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import gymnasium

from qmap.config import TrainingConfig, parse
from qmap.experiment import Bests, Episode, Experiment
from qmap.launch import train
from qmap.utils import command_line
from qmap.utils.command_line import option
from qmap.utils.errors import UserError

PROGRAM = "qmap.train_environment"


@dataclass(frozen=True)
class EnvironmentConfig(TrainingConfig):
    """What the training can be told, and on which environment it runs."""

    env: str = option("", "id of the environment, such as package:Name-v0", metavar="ID")


def main(arguments: Sequence[str] | None = None) -> int:
    """Train as the command line says; return the exit status."""
    config = parse(EnvironmentConfig, PROGRAM, __doc__, arguments)
    if not config.env:
        raise UserError("--env is missing: expected the id of an environment, package:Name-v0")
    return train(config, make_experiment(config), PROGRAM)


def make_experiment(config: EnvironmentConfig) -> Experiment:
    """Return the environment."""
    return Experiment(
        name=config.env.rpartition(":")[2].replace("/", "_"),
        make_env=partial(make_env, config.env),
        dqn="mario",
        video_every=100,
        highlight=is_best,
    )


def make_env(env_id: str) -> gymnasium.Env:
    """Make an environment by its id.

    Raises:
        UserError: there is none, or it cannot render its screen.
    """
    try:
        return gymnasium.make(env_id, render_mode="rgb_array", disable_env_checker=True)
    except (gymnasium.error.Error, ImportError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"cannot make the environment {env_id}: {reason}") from error


def is_best(episode: Episode, bests: Bests) -> bool:
    """Whether the episode's return is above those of all before it."""
    best = bests.undiscounted_return
    return best is not None and episode.undiscounted_return > best


if __name__ == "__main__":
    command_line.run(main)
