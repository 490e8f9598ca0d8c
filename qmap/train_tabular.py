"""Learn with a table in place of networks, screens told apart by a hash of their pixels:
`python -m qmap.train_tabular`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import gymnasium

from qmap import train_environment
from qmap.experiment import Experiment
from qmap.parse_config import parse
from qmap.tabular.config import TabularConfig
from qmap.utils import command_line
from qmap.utils.interrupt import nothing_to_lose

PROGRAM = "qmap.train_tabular"
CONFIG = TabularConfig


def main(arguments: Sequence[str] | None = None) -> int:
    """Train as the command line says; return the exit status."""
    config = parse(CONFIG, PROGRAM, __doc__, arguments)
    # Only now is loaded what takes a second.
    with nothing_to_lose():
        from qmap.tabular.training import train
    return train(config, make_experiment(config), PROGRAM)


def make_experiment(config: TabularConfig) -> Experiment:
    """Return the world."""
    if not config.on_grid:
        return config.experiment()
    return Experiment(
        name=f"grid-{config.size}" + f"_noise-{config.noise:g}" * (config.noise > 0),
        make_env=config.adapted(
            partial(
                gymnasium.make,
                "qmap.envs:qmap/DiagonalGrid-v0",
                size=config.size,
                noise=config.noise,
                render_mode="rgb_array",
                disable_env_checker=True,
            )
        ),
        dqn="mario",
        video_every=1000,
        highlight=train_environment.is_best,
    )


if __name__ == "__main__":
    command_line.run(main)
