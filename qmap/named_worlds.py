"""Any world by its name: the project's games, and any other environment."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from qmap import train_environment, train_mario, train_montezuma
from qmap.config import TrainingConfig
from qmap.envs.games import GAMES
from qmap.experiment import Experiment
from qmap.run_options import WITHOUT, of_machine
from qmap.utils.command_line import options_of
from qmap.utils.errors import UserError
from qmap.world_options import EnvironmentOptions, WorldOptions, of_world

MONTEZUMA = "montezuma"
OTHERS = "package:Name-v0, FILE.py[:NAME] with make(), or retro:GAME"
NAMES = (
    f"{MONTEZUMA}, {', '.join(f'{game}:LEVEL' for game in GAMES)}, or as of "
    f"qmap.train_environment: {OTHERS}"
)


@dataclass(frozen=True)
class NamedWorldOptions(EnvironmentOptions):
    """Any world by its name, and what there is to say of it; a game's first level if none is named.

    The options of an environment mean what they do in `qmap.train_environment`, those of a game
    with levels what they do in `qmap.train_mario`.
    """

    env: str | None = of_world(None, f"the world: {NAMES}", metavar="ENV")
    game_dir: str | None = of_world(
        None,
        "the folder of a game with levels, or the integration folder of a retro:GAME of your own",
        needs=["has_folder"],
        metavar="DIR",
    )
    rom: str | None = of_machine(
        None,
        "the ROM of a game with levels, if not in its folder",
        needs=["has_levels"],
        may_differ=True,
        metavar="FILE",
    )

    @property
    def game_and_level(self) -> tuple[str, str] | None:
        """A game of the project and its level; None if the world is something else."""
        game, _, level = (self.env or "").partition(":")
        return (game, level or "1.1") if game in GAMES else None

    @property
    def has_levels(self) -> bool:
        """Whether the world is a game with levels."""
        return self.game_and_level is not None

    @property
    def has_folder(self) -> bool:
        """Whether the world is a game whose files are in a folder."""
        return self.has_levels or self.is_retro

    @property
    def of_named_world(self) -> dict[str, Any]:
        """The values of all options of the world, its name included."""
        return self._values(NamedWorldOptions)

    def experiment(self) -> Experiment:
        """Return the world.

        Raises:
            UserError: there is no such level or file, its ROM is missing, or the options do not fit
                together.
        """
        if self.env == MONTEZUMA:
            config = TrainingConfig(qmap=False, **self._values(WorldOptions))
            config.check()
            return train_montezuma.make_experiment(config)
        if self.game_and_level is not None:
            game, level = self.game_and_level
            config = train_mario.MarioConfig(
                game=game,
                level=level,
                rom=self.rom,
                game_dir=self.game_dir,
                qmap=False,
                **self._values(WorldOptions),
            )
            config.check()
            return train_mario.make_experiment(config)
        config = train_environment.EnvironmentConfig(qmap=False, **self._values(EnvironmentOptions))
        config.check()
        return train_environment.make_experiment(config)

    def refuse_idle(self) -> None:
        """Refuse an option that does nothing in this world.

        Raises:
            UserError: there is one.
        """
        for name, option in options_of(NamedWorldOptions).items():
            value = getattr(self, name)
            for need in option.needs if value != option.default else ():
                if not getattr(self, need):
                    raise UserError(
                        f"{option.written(value)} does nothing with {WITHOUT[need]}: leave it out"
                    )

    def _values(self, options: type) -> dict[str, Any]:
        return {each.name: getattr(self, each.name) for each in fields(options)}
