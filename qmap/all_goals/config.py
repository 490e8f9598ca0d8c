"""Everything the trainings in mazes and in Sokoban can be told, in flat lists."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from qmap.agents.published import ANY_SIZE, GRID_WORLD, VALUE_ITERATION
from qmap.all_goals.learners import ALL_GOALS, LEARNERS, check_learner
from qmap.all_goals.worlds import (
    Draw,
    TestSet,
    board_test_set,
    draw_boards,
    draw_mazes,
    given_test_set,
    maze_test_set,
)
from qmap.envs.mazes import check_maze
from qmap.envs.sokoban_boards import GOALS, LARGEST, check_board
from qmap.envs.sokoban_text import read_boards
from qmap.envs.walks import screen_size
from qmap.run_options import QLearningOptions, of_learning, of_q_map, of_run
from qmap.utils.errors import UserError
from qmap.utils.terminal import say


@dataclass(frozen=True)
class AllGoalsConfig(QLearningOptions):
    """What both trainings can be told; the defaults are tuned, `--help` names the published ones.

    A class of its own for each world says which worlds there are.
    """

    EARLIER: ClassVar[dict[str, Any]] = {"last_lr": None}

    # What to learn.
    learner: str = of_learning(ALL_GOALS, "how goals are learned", choices=LEARNERS)
    steps: int = of_learning(1_000_000, "transitions to learn from", minimum=1)
    # Q-map.
    model: str = of_q_map(VALUE_ITERATION, "the network", choices=GRID_WORLD)
    small_start: bool = of_q_map(True, "start with Q-values as large as Glorot's weights make them")
    lr: float = of_q_map(2e-3, "learning rate at first (published 0.0001)", above=0)
    last_lr: float | None = of_q_map(
        1e-4,
        "and at the end, to which it falls in a straight line (published: as at first)",
        above=0,
    )
    clip: float = of_q_map(1000.0, "norm to which each gradient is clipped", above=0)
    batch: int = of_q_map(32, "transitions in an update", minimum=1)
    gamma: float = of_q_map(0.9, "discount factor of the distances", above=0, below=1)
    double_order: str = of_q_map(
        "usual",
        "who picks the next action: the target network (reference, as published) or the online one",
        needs=["double"],
        choices=("reference", "usual"),
    )
    target: int = of_q_map(
        1000,
        "updates between copies to the target network",
        needs=["double", "copies"],
        minimum=1,
    )
    soft_target: float = of_q_map(
        0.04,
        "move the target network by this share towards the online one after each update; 0 makes "
        "copies instead, as published",
        needs=["double"],
        minimum=0,
        maximum=1,
    )
    # Run.
    test_size: int = of_run(
        0, "size of worlds of a second test set; 0 for one that the network takes", minimum=0
    )
    compared: int = of_run(50, "worlds of each test set compared during training", minimum=1)
    eval_every: int = of_run(500, "updates between comparisons with the truth", minimum=1)
    checkpoint_every: int = of_run(
        250_000, "transitions between checkpoints for --load; there is one at the end", minimum=1
    )

    @property
    def copies(self) -> bool:
        """Whether the target network is a copy of the online one, made now and then."""
        return self.soft_target == 0

    @property
    def side(self) -> int:
        """Rows and columns of the screen."""
        return screen_size(self.size)

    @property
    def agent_name(self) -> str:
        """Name of the agent in the results: what distinguishes its learning."""
        rates = "-".join(f"{rate:g}" for rate in (self.lr, self.last_lr) if rate is not None)
        double = f"double-{self.double_order}" if self.double else "no-double"
        target = f"target-{self.target}" if self.copies else f"soft-{self.soft_target:g}"
        parts = [self.learner, self.model, f"lr-{rates}"]
        parts += [f"{name}-{getattr(self, name):g}" for name in ("batch", "gamma")]
        parts += [double, target, *["large-start"] * (not self.small_start)]
        return "_".join(parts)

    def check(self) -> None:
        """Refuse options that do not fit together.

        Raises:
            UserError: they do not.
        """
        super().check()
        check_learner(self.learner, self.model)
        self.check_world(self.size)
        if self.test_size:
            self.check_world(self.test_size)
            if self.model not in ANY_SIZE and screen_size(self.test_size) != self.side:
                test_side = screen_size(self.test_size)
                raise UserError(
                    f"--test-size {self.test_size} takes a screen of {test_side} x {test_side}, "
                    f"and --model {self.model} sees {self.side} x {self.side}; expected --model "
                    f"{' or '.join(ANY_SIZE)}, or none"
                )

    def second_size(self, usual: int) -> int | None:
        """Return the size of the second test set, None for none: as asked for, else the usual."""
        fits = self.model in ANY_SIZE or screen_size(usual) == self.side
        return self.test_size or (usual if fits and usual > self.size else None)


@dataclass(frozen=True)
class MazeConfig(AllGoalsConfig):
    """Everything the training in mazes can be told."""

    size: int = of_learning(15, "rows and columns of a maze, odd, 5 to 63")
    open_walls: float = of_learning(0.1, "share of inner walls taken away", minimum=0, maximum=1)
    test_worlds: int = of_run(
        500, "mazes of the test set; a second one has a fifth of them", minimum=5
    )

    def check_world(self, size: int) -> None:
        """Refuse sizes that no maze has."""
        check_maze(size, self.open_walls)

    @property
    def draw(self) -> Draw:
        """What draws mazes for training."""
        return draw_mazes(self.size, self.open_walls)

    def test_sets(self) -> list[TestSet]:
        """Make the test sets."""
        sets = [maze_test_set(self.size, self.open_walls, self.test_worlds)]
        if (size := self.second_size(21)) is not None:
            sets.append(maze_test_set(size, self.open_walls, self.test_worlds // 5))
        return sets


@dataclass(frozen=True)
class SokobanConfig(AllGoalsConfig):
    """Everything the training in Sokoban can be told."""

    size: int = of_learning(10, "rows and columns of a board, 7 to 12")
    boxes: int = of_learning(2, "boxes on a board, 1 to 4")
    goals: str = of_learning(
        "character", "cells that the character can get to, or a box can be pushed to", choices=GOALS
    )
    boards: str | None = of_run(None, "test also on the boards of a text file", metavar="FILE")
    test_worlds: int = of_run(
        200, "boards of the test set; a second one has a fifth of them", minimum=5
    )

    def check_world(self, size: int) -> None:
        """Refuse sizes and boxes of which there are no boards."""
        check_board(size, self.boxes)

    def check(self) -> None:
        """Refuse options that do not fit together, and a file of boards that cannot be used."""
        super().check()
        if self.boards is not None:
            boards = read_boards(self.boards)
            if self.model not in ANY_SIZE and boards.side > self.side:
                raise UserError(
                    f"{self.boards} has boards of up to {boards.side} x {boards.side} cells, and "
                    f"--model {self.model} sees {self.side} x {self.side}; expected smaller ones, "
                    f"a larger --size, or --model {' or '.join(ANY_SIZE)}"
                )

    @property
    def agent_name(self) -> str:
        """Name of the agent in the results."""
        return f"{self.goals}_{super().agent_name}"

    @property
    def draw(self) -> Draw:
        """What draws boards for training."""
        return draw_boards(self.size, self.boxes, self.goals)

    def test_sets(self) -> list[TestSet]:
        """Make the test sets."""
        many = self.boxes > 2
        if many:
            say("searching the test boards: with more than 2 boxes that takes minutes")
        sets = [board_test_set(self.size, self.boxes, self.goals, self.test_worlds)]
        if (size := self.second_size(self.size if many else LARGEST)) is not None:
            sets.append(board_test_set(size, self.boxes, self.goals, self.test_worlds // 5))
        if self.boards is not None:
            side = self.side if self.model not in ANY_SIZE else None
            given, left_out = given_test_set("given", read_boards(self.boards, self.goals, side))
            if left_out:
                say(f"{left_out} of the boards in {self.boards} take too long to search: left out")
            sets.append(given)
        return sets
