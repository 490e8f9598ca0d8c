"""The loop of a game in a process of its own: what is asked for, steps, and pictures of them."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qmap.envs.contract import EnvironmentFailure
from qmap.page.background import NICENESS
from qmap.page.commands import FASTEST, Command
from qmap.utils.errors import UserError
from qmap.utils.quiet import quiet

if TYPE_CHECKING:
    from qmap.page.game import Game

PICTURES = 30  # a second, at most
# What the loop sends: a word for what it is, and that.
WORLD, STATE, TRIES, PICTURE, PROBLEM, FAILED = (
    "world",
    "state",
    "tries",
    "picture",
    "problem",
    "failed",
)


def main(connection: Connection, checkpoint: str, seed: int) -> None:
    """Play a checkpoint until the other end of the connection is closed."""
    # Ctrl-C is for the server, which closes the connection then.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        _play(connection, Path(checkpoint), seed)
    except (UserError, EnvironmentFailure, FloatingPointError) as error:
        with suppress(OSError):
            connection.send((FAILED, str(error)))
    except (OSError, EOFError):
        pass  # nobody listens any more


def _play(connection: Connection, checkpoint: Path, seed: int) -> None:
    # Only here is TensorFlow loaded: the server does without.
    with quiet():
        from qmap.agents.device import set_up
        from qmap.evaluate.trained import find
        from qmap.page.game import Game
    origin = find(checkpoint)
    set_up(precision=origin.config.precision)
    game = Game(origin, seed)
    with suppress(OSError, AttributeError):
        os.setpriority(os.PRIO_PROCESS, 0, NICENESS)  # a training on this machine goes first
    try:
        GameLoop(game, connection.send).run(connection)
    finally:
        game.close()


class GameLoop:
    """Takes steps when they are due, and sends what there is to see.

    Args:
        game: it is played.
        send: takes pairs of a word and what it names.
        clock: seconds.
    """

    def __init__(
        self,
        game: Game,
        send: Callable[[tuple[str, Any]], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.game = game
        self._send = send
        self._clock = clock
        self._watched = False
        self._next_step = self._next_picture = 0.0
        self._changed = True
        self._said: dict[str, Any] = {}

    def run(self, connection: Connection) -> None:
        """Go on until the connection ends."""
        self._say()
        while True:
            if connection.poll(self.wait()):
                self.obey(connection.recv())
            else:
                self.go_on()

    def wait(self) -> float | None:
        """Return the seconds until there is something to do, None if that is nothing."""
        if not self._watched:
            return None
        due = [self._next_picture] * self._changed + [self._next_step] * self.game.is_moving
        return max(min(due) - self._clock(), 0.0) if due else None

    def go_on(self) -> None:
        """Do what is due."""
        now = self._clock()
        if self.game.is_moving and now >= self._next_step:
            if speed := self.game.speed:
                # In time on average; what was missed while nothing moved is not made up for.
                self._next_step = max(self._next_step + 1 / speed, now)
            self._tolerate(self.game.step)
        if self._changed and now >= self._next_picture:
            self._changed = False
            self._next_picture = now + 1 / PICTURES
            self._say()
            self._send((PICTURE, self.game.picture()))

    def obey(self, command: Command) -> None:
        """Do what is asked for; `command.name` is one of the methods below."""
        self._tolerate(getattr(self, command.name), *command.arguments)
        self._say()

    # What can be asked for.

    def watch(self, watched: bool) -> None:
        """Begin where somebody looks, stand still where nobody does."""
        self._watched = watched
        self.game.held = None

    def go_to(self, row: int, col: int) -> None:
        """Walk to a cell."""
        if not self.game.go_to(row, col):
            raise UserError("that place is not on the screen any more, or there is no Q-map")

    def drive(self, by: str) -> None:
        """Let something else drive."""
        self.game.let_drive(by)

    def show(self, which: str, action: int) -> None:
        """Show another map."""
        self.game.shown, self.game.shown_action = which, action

    def show_truth(self, shown: bool) -> None:
        """Show the true distances, or do not."""
        self.game.truth = shown

    def pace(self, speed: int | None) -> None:
        """Go faster or slower."""
        self.game.speed = speed
        self._next_step = 0.0 if speed in (None, FASTEST) else self._clock()

    def hold(self, action: int | None) -> None:
        """Press a key of an action, or let go; step by step it is pressed for a single one."""
        self.game.held = action
        if action is not None and self.game.speed is None:
            self.game.step()
            self.game.held = None

    def step(self) -> None:
        """Take a single step."""
        self.game.step()

    def restart(self) -> None:
        """Begin an episode."""
        self.game.restart()

    def change_level(self, level: str) -> None:
        """Go to another level."""
        self.game.change_level(level)

    def set_walls(self, cells: list[tuple[int, int]], wall: bool) -> None:
        """Build walls or take them away."""
        for row, col in cells:
            self.game.set_wall(row, col, wall)

    def record(self, wanted: bool) -> None:
        """Begin or end a video."""
        self.game.record(wanted)

    def _tolerate(self, do: Callable[..., None], *arguments: Any) -> None:
        """Do something; what cannot be done is told, and the game goes on."""
        self._changed = True
        try:
            do(*arguments)
        except UserError as error:
            self._send((PROBLEM, str(error)))

    def _say(self) -> None:
        """Send what words have changed."""
        game = self.game
        for kind, words in (
            (WORLD, game.world_words()),
            (STATE, game.state_words()),
            (TRIES, game.tries_words()),
        ):
            if words != self._said.get(kind):
                self._said[kind] = words
                self._send((kind, words))
