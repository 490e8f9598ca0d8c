"""A demonstration in a file: text, an action a line, which anybody can read, write or cut.

    # world: foxglove_1.1
    RIGHT	0	8c2f61d0
    JUMP+RIGHT	1	55ab0193

Columns are separated by tabs: the action's name (or number), the reward that it got, and a checksum
of the screen on which it was taken. The last two may be missing, in all lines or in some: then less
can be checked. `NAME*12` stands for twelve times NAME. Lines that begin with # are notes; one of
them may name the world. Neither a picture nor a state of the game is in it.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

from qmap.experiment import Episode
from qmap.utils.errors import UserError
from qmap.utils.files import atomic_file, cannot

ENDING = ".actions"
LONGEST = 100_000  # steps of an episode that are kept: some worlds never end
WORLD = "# world:"
REPEATED = re.compile(r"(?P<action>.+?)\*(?P<times>[1-9]\d{0,5})")


class Step(NamedTuple):
    """What one line says.

    Attributes:
        action: name of the action, or its number.
        reward: what it got; None: not known.
        screen: checksum of the screen on which it was taken; None: not known.
    """

    action: str
    reward: float | None = None
    screen: str | None = None


@dataclass(frozen=True)
class Demonstration:
    """The steps of one episode, from its reset.

    Attributes:
        world: name in the results of where it was played; None if the file does not say.
        steps: at least one.
        path: of its file.
    """

    world: str | None
    steps: tuple[Step, ...]
    path: Path


class Tape:
    """The steps of an episode under way, to be written beside its video, if they are not too many.

    Args:
        folder: where files go.
        world: name of the world in the results.
    """

    def __init__(self, folder: Path, world: str) -> None:
        self.folder = folder
        self.world = world
        self._steps: list[Step] = []
        self._returns: list[float] = []

    def start(self) -> None:
        """Begin an episode."""
        self._steps, self._returns = [], []

    def add(self, episode: Episode, screen: np.ndarray, action: str) -> None:
        """Record a step that is about to be taken.

        Args:
            episode: before the step.
            screen: uint8 (height, width, 3).
            action: its name.
        """
        if len(self._steps) < LONGEST:
            self._steps.append(Step(action, screen=checksum(screen)))
            self._returns.append(episode.undiscounted_return)

    def end(self, episode: Episode, name: str) -> Path | None:
        """Write NAME.actions; return the file.

        Returns:
            None where nothing is written: the beginning of the episode was missed, or it was too
            long.

        Raises:
            UserError: it cannot be written.
        """
        if len(self._steps) != episode.length:
            return None
        returns = [*self._returns, episode.undiscounted_return]
        steps = [
            step._replace(reward=_gained(before, after))
            for step, (before, after) in zip(self._steps, pairwise(returns), strict=True)
        ]
        path = self.folder / f"{name}{ENDING}"
        write_actions(path, self.world, steps)
        return path


def checksum(screen: np.ndarray) -> str:
    """Return the checksum of a screen, uint8 (height, width, 3)."""
    return f"{zlib.crc32(np.ascontiguousarray(screen)):08x}"


def write_actions(path: Path, world: str, steps: Iterable[Step]) -> None:
    """Write a demonstration.

    Args:
        path: where to.
        world: name in the results of where it was played.
        steps: with all that is known of them.

    Raises:
        UserError: it cannot be written.
    """
    lines = [f"{WORLD} {world}"]
    for step in steps:
        known = [step.action, "" if step.reward is None else _written(step.reward), step.screen]
        lines.append("\t".join(column or "" for column in known).rstrip())
    with atomic_file(path) as file:
        file.write(("\n".join(lines) + "\n").encode())


def read_actions(path: Path) -> Demonstration:
    """Read a demonstration; of a video, the file of its actions beside it.

    Raises:
        UserError: there is no such file, or it is something else.
    """
    if path.suffix == ".mp4":
        path = path.with_suffix(ENDING)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise cannot("read", path, error) from error
    except UnicodeDecodeError:
        raise UserError(
            f"{path} is not a file of actions; expected text, an action a line"
        ) from None
    world, steps = None, []
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith(WORLD):
            world = line.removeprefix(WORLD).strip()
        elif line.strip() and not line.startswith("#"):
            steps += _read_line(path, number, line)
    if not steps:
        raise UserError(f"{path} has no actions; expected one a line")
    return Demonstration(world, tuple(steps), path)


def _written(reward: float) -> str:
    """Return the shortest text that reads back exactly."""
    return repr(float(reward)).removesuffix(".0")


def _gained(before: float, after: float) -> float:
    """Return the reward of the fewest digits that leads from one return to the next.

    The difference alone has digits that are only errors of rounding.
    """
    difference = after - before
    rounded = (float(f"{difference:.{digits}g}") for digits in range(1, 18))
    return next((reward for reward in rounded if before + reward == after), difference)


def _read_line(path: Path, number: int, line: str) -> list[Step]:
    action, *columns = (column.strip() for column in line.split("\t"))
    try:
        reward, screen = (*(column or None for column in columns), None, None)[:2]
        if len(columns) > 2 or (screen is not None and not re.fullmatch("[0-9a-f]{8}", screen)):
            raise ValueError
        step = Step(action, None if reward is None else float(reward), screen)
    except ValueError:
        raise UserError(
            f"{path}, line {number}: expected an action, and behind tabs its reward and the "
            f"checksum of the screen, found {line.strip()[:60]!r}"
        ) from None
    repeated = REPEATED.fullmatch(action)
    if repeated and step.reward is None and step.screen is None:
        return [Step(repeated["action"].strip())] * int(repeated["times"])
    return [step]
