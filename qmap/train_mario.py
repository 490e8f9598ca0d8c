"""Train Q-map and DQN on a side-scrolling SNES game: `python -m qmap.train_mario`.

Super Mario All-Stars needs the player's own ROM; `--game foxglove` is a free game that needs none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import gymnasium

from qmap.config import TrainingConfig
from qmap.envs.games import GAMES
from qmap.experiment import Bests, Episode, Experiment
from qmap.launch import train
from qmap.parse_config import parse
from qmap.run_options import of_learning, of_machine
from qmap.utils import command_line

PROGRAM = "qmap.train_mario"


@dataclass(frozen=True)
class MarioConfig(TrainingConfig):
    """What the training can be told, and on which level of which game it runs."""

    game: str = of_learning("super_mario", "the game", choices=tuple(GAMES))
    level: str = of_learning("1.1", "world and level", metavar="W.L")
    rom: str | None = of_machine(
        None, "the ROM, if not in the game's folder", may_differ=True, metavar="FILE"
    )
    game_dir: str | None = of_machine(None, "the game's folder", may_differ=True, metavar="DIR")

    def check(self) -> None:
        """Refuse a level or a ROM that is not there, too; see `RunOptions.check`."""
        super().check()
        game = GAMES[self.game]
        game.state_name(self.level)
        game.find_rom(game.find_folder(self.game_dir), self.rom)


CONFIG = MarioConfig


def main(arguments: Sequence[str] | None = None) -> int:
    """Train as the command line says; return the exit status."""
    config = parse(CONFIG, PROGRAM, __doc__, arguments)
    return train(config, make_experiment(config), PROGRAM)


def make_experiment(config: MarioConfig) -> Experiment:
    """Return the level of the game."""
    return Experiment(
        name=f"{config.game}_{config.level}",
        make_env=config.adapted(
            partial(
                gymnasium.make,
                "qmap.envs:qmap/Mario-v0",
                game=config.game,
                level=config.level,
                rom=config.rom,
                game_dir=config.game_dir,
                render_mode="rgb_array",
                disable_env_checker=True,
            )
        ),
        dqn="mario",
        video_every=10,
        highlight=is_best,
    )


def is_best(episode: Episode, bests: Bests) -> bool:
    """Whether the episode scored more, or got farther, than all before it."""
    return (
        bests.undiscounted_return is None
        or episode.undiscounted_return > bests.undiscounted_return
        or episode.distance > bests.distance
    )


if __name__ == "__main__":
    command_line.run(main)
