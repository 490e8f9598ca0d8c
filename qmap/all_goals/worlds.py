"""The worlds of the experiment: where training steps come from, and what they are tested on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from qmap.envs import maze_paths, sokoban_search
from qmap.envs.gridworld_paths import UNREACHABLE
from qmap.envs.mazes import random_mazes
from qmap.envs.sokoban_boards import Boards, Goals, joined, random_boards
from qmap.envs.walks import Walks, Worlds, random_walks
from qmap.utils.errors import UserError

# Test sets are drawn from these streams, training from those of the run's seed.
MAZES_SEED, BOARDS_SEED = np.random.SeedSequence(20_200_207).spawn(2)
ROUNDS = 3  # of boards, until a test set has all of its own
WALK = 16  # steps of a walk: how far ahead hindsight looks

# From a source of randomness and a number to as many fresh worlds.
Draw = Callable[[np.random.Generator, int], Worlds]


def sample(draw: Draw, generator: np.random.Generator, count: int) -> Walks:
    """Return a walk of 16 random steps in each of as many fresh worlds.

    Every learner learns from the first steps alone; where the walks went on tells hindsight what
    came later, steps that nobody counts.
    """
    return random_walks(draw(generator, count), generator, WALK)


def draw_mazes(size: int, open_walls: float) -> Draw:
    """Return what draws mazes for training."""
    return lambda generator, count: random_mazes(generator, count, size, open_walls)


def draw_boards(size: int, boxes: int, goals: Goals) -> Draw:
    """Return what draws Sokoban boards for training, at any moment of random play."""
    return lambda generator, count: random_boards(
        generator, count, size, boxes, goals, played_on=True
    )


@dataclass(frozen=True)
class TestSet:
    """Worlds that are never trained on, and what is true there.

    Attributes:
        name: column of the log.
        worlds: as they stand at the start.
        counted: (n, side, side) bool, the goals that belong to the world and not to the padding.
        distances: (n, side, side, actions) uint16, steps left to each goal after each action.
    """

    __test__ = False  # for pytest, which takes it for a class of tests

    name: str
    worlds: Worlds
    counted: np.ndarray
    distances: np.ndarray

    @property
    def reachable(self) -> np.ndarray:
        """(n, side, side) bool, whether there is a way to a goal."""
        return (self.distances < UNREACHABLE).any(axis=-1)

    def first(self, count: int) -> TestSet:
        """Return the first worlds of the set."""
        part = slice(count)
        return TestSet(self.name, self.worlds[part], self.counted[part], self.distances[part])


def maze_test_set(size: int, open_walls: float, count: int) -> TestSet:
    """Return mazes with the character in a random free cell of each."""
    generator = _generator(MAZES_SEED, size, round(1000 * open_walls))
    mazes = random_mazes(generator, count, size, open_walls)
    return TestSet(f"maze-{size}", mazes, _square(mazes, size), maze_paths.distances_after(mazes))


def board_test_set(size: int, boxes: int, goals: Goals, count: int) -> TestSet:
    """Return boards that can be solved, as they stand at the start.

    A board whose search is given up (see `sokoban_search.MAX_STATES`) is left out for another,
    three times at most; then there are fewer.

    Raises:
        UserError: not one was searched to its end.
    """
    generator = _generator(BOARDS_SEED, size, boxes)
    found, distances = [], []
    for _ in range(ROUNDS):
        missing = count - sum(map(len, found))
        if missing > 0:
            boards = random_boards(generator, missing, size, boxes, goals)
            after, exact = sokoban_search.distances_after(boards)
            found.append(boards[exact])
            distances.append(after[exact])
    if not sum(map(len, found)):
        raise UserError(
            f"no board of {size} x {size} with {boxes} boxes was searched to its end within "
            f"{sokoban_search.MAX_STATES:,} states; expected fewer boxes or smaller boards"
        )
    boards = joined(found)
    return TestSet(
        f"sokoban-{size}-{boxes}", boards, _square(boards, size), np.concatenate(distances)
    )


def given_test_set(name: str, boards: Boards) -> tuple[TestSet, int]:
    """Return a test set of given boards, and how many are left out because of their search.

    Raises:
        UserError: not one was searched to its end.
    """
    distances = np.empty((len(boards), boards.side, boards.side, 4), np.uint16)
    exact = np.empty(len(boards), bool)
    n_boxes = boards.boxes.sum(axis=1)
    for number in np.unique(n_boxes):
        which = np.flatnonzero(n_boxes == number)
        distances[which], exact[which] = sokoban_search.distances_after(boards[which])
    if not exact.any():
        raise UserError(
            f"none of the given boards was searched to its end within "
            f"{sokoban_search.MAX_STATES:,} states; expected one at least that is"
        )
    boards, distances = boards[exact], distances[exact]
    return TestSet(name, boards, _square(boards, boards.side), distances), int((~exact).sum())


def _generator(seed: np.random.SeedSequence, *key: int) -> np.random.Generator:
    """Return the stream of the test set with some numbers, apart from that of any other."""
    child = np.random.SeedSequence(seed.entropy, spawn_key=(*seed.spawn_key, *key))
    return np.random.default_rng(child)


def _square(worlds: Worlds, size: int) -> np.ndarray:
    counted = np.zeros((len(worlds), worlds.side, worlds.side), bool)
    counted[:, :size, :size] = True
    return counted
