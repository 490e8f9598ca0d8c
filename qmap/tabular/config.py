"""Everything the training of a table can be told, in one flat list."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from qmap.envs.diagonal_grid import LARGEST
from qmap.envs.games import GAMES
from qmap.game_options import GameOptions
from qmap.named_worlds import MONTEZUMA, OTHERS, NamedWorldOptions
from qmap.run_options import of_exploration, of_learning, of_run
from qmap.tabular.rules import BEST_REWARD, Q_LEARNING, RULES
from qmap.utils.errors import UserError

GRID = "grid"


@dataclass(frozen=True)
class TabularConfig(GameOptions, NamedWorldOptions):
    """Everything the training can be told."""

    # A table learns at every step, from the first one on.
    learning_starts: ClassVar[int] = 1
    train_every: ClassVar[int] = 1

    # What to learn.
    env: str = of_learning(
        GRID,
        f"the environment: {GRID}, {MONTEZUMA}, {', '.join(GAMES)}, {OTHERS}",
        metavar="ENV",
    )
    size: int = of_learning(
        3, "rows and columns of the grid", needs=["on_grid"], minimum=2, maximum=LARGEST
    )
    noise: float = of_learning(
        0.0,
        "its rewards of -1 are so much higher or lower, evenly at random",
        needs=["on_grid"],
        minimum=0,
    )
    level: str = of_learning(
        "1.1", "world and level of a game", needs=["has_levels"], metavar="W.L"
    )
    steps: int = of_learning(
        100_000, "agent steps to train for; the exploration spans them", minimum=1
    )
    rule: str = of_learning(
        Q_LEARNING,
        "what a step teaches: the value of what follows, with one table or two, or only the best "
        "reward that an action ever brought on a screen",
        choices=RULES,
    )
    lr: float = of_learning(0.1, "learning rate", needs=["bootstraps"], above=0, maximum=1)
    gamma: float = of_learning(
        0.99, "discount factor, also of the returns that are logged", above=0, below=1
    )
    screens: int = of_learning(
        1_000_000,
        "the most screens that the table takes; the later ones are not learned",
        minimum=1,
    )
    # Exploration.
    first_exploration: float = of_exploration(
        1.0, "share of random steps at first", minimum=0, maximum=1
    )
    last_exploration: float = of_exploration(0.05, "and at the end", minimum=0, maximum=1)
    # Run.
    memory: str | None = of_run(
        None,
        "begin with the table in this file, if it is there, and merge what was learned into it",
        may_differ=True,
        metavar="FILE",
    )

    @property
    def bootstraps(self) -> bool:
        """Whether values are learned from values."""
        return self.rule != BEST_REWARD

    @property
    def on_grid(self) -> bool:
        """Whether the world is the grid."""
        return self.env == GRID

    @property
    def game_and_level(self) -> tuple[str, str] | None:
        """A game of the project and its level, which has an option of its own here."""
        return (self.env, self.level) if self.env in GAMES else None

    @property
    def agent_name(self) -> str:
        """Name of the agent in the results."""
        return f"table-{self.rule}"

    @property
    def task_gamma(self) -> float:
        """Discount factor of the returns that are logged."""
        return self.gamma

    def check(self) -> None:
        """Refuse what cannot be trained on; see `RunOptions.check`."""
        super().check()
        self.check_world(needs_grid=False)
        game, _, level = self.env.partition(":")
        if game in GAMES and level:
            raise UserError(f"--env {self.env}: expected --env {game} --level {level}")
        if not self.on_grid:
            self.experiment()
        if self.memory is not None:
            path = Path(self.memory).absolute()
            # Of a name that is too long, `Path.is_dir` would raise an error.
            if os.path.isdir(path):
                raise UserError(f"--memory {self.memory} is a folder, expected a file")
            if not os.path.isdir(path.parent):
                raise UserError(
                    f"--memory {self.memory}: there is no folder {path.parent}; make it first"
                )
