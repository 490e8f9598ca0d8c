"""Super Mario Bros. and games like it: a side-scrolling level on an SNES emulator."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

from qmap.envs.emulator import Emulator
from qmap.envs.episode import step_refused
from qmap.envs.game import Game, number, one_holds
from qmap.envs.games import find_game
from qmap.envs.screen import ScreenProcessor
from qmap.utils.errors import UserError

SCREEN_SHAPE = (224, 256)
COORDS_SHAPE = (28, 32)
FRAMES_PER_STEP = 4
# What is followed from frame to frame moves by at most 12 pixels; pipes and areas jump farther.
MAX_ROWS_PER_FRAME = 32
# No game takes as long as this from one area into the next (a pipe: 150 frames).
MAX_FRAMES_BETWEEN = 600
COMPLETION_BONUS = 5000
REWARD_SCALE = 1 / 100


class MarioEnv(gymnasium.Env[np.ndarray, int]):
    """One level of a game, from its start until the player dies or finishes it.

    Each action is held for 4 frames of 1/60 s, fewer if the episode ends in one of them. Where the
    game takes the player from one area to another (a pipe), the step goes on, with no button held,
    until the player is in control again: there is no place to be and nothing to choose in between.
    The reward is the increase of the score, plus 5,000 for finishing the level, divided by 100. An
    episode is `terminated` by death, by falling below the last row of the goal grid and by
    finishing the level; it is never truncated, and after its end `step` raises `UserError` until
    `reset`. Everything is deterministic: seeds change nothing.

    Observation: one frame, uint8 (56, 64, C). Every `info` holds

    - coords: int64 (3,), (row, column, window) on the goal grid of the level, cells of 8 x 8
      pixels; the column on the 28 x 32 cells of the screen is column - window
      (the window may be negative where a level loops);
    - position: int64 (2,), (row, column) in pixels of the level, above the screen negative rows;
    - qmap: room, int: the area of the level the player is in, for areas share columns;
      distance, int: the furthest column of the episode in pixels; completed, bool: whether the
      level was finished;
    - score: the game's points.

    Args:
        game: Which game, a key of `qmap.envs.games.GAMES`.
        level: Its level, such as "1.1" (world 1, level 1).
        rom: The ROM; None for `rom.sfc` in the game's folder.
        game_dir: The game's folder; None for where `Game.find_folder` finds it.
        color: Frames keep the three color channels.
        position_channel: Frames get a last channel that marks the player's cell.
        render_mode: "rgb_array", the full-size screen, or None.

    Raises:
        UserError: A file, the game or the level is not there or not what it should be, or an
            emulator is already open: stable-retro runs only one in a process.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 60 // FRAMES_PER_STEP}

    def __init__(
        self,
        game: str = "super_mario",
        level: str = "1.1",
        rom: str | Path | None = None,
        game_dir: str | Path | None = None,
        color: bool = False,
        position_channel: bool = False,
        render_mode: str | None = None,
    ) -> None:
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise UserError(f"render_mode is {render_mode!r}, expected None or 'rgb_array'")
        self.game = find_game(game)
        self.level = level
        self.render_mode = render_mode
        self.coords_shape = COORDS_SHAPE
        self.action_names = tuple(self.game.actions)
        self._buttons = list(self.game.actions.values())
        self._processor = ScreenProcessor(
            SCREEN_SHAPE, COORDS_SHAPE, color=color, position_channel=position_channel
        )
        self.observation_space = self._processor.observation_space
        self.action_space = gymnasium.spaces.Discrete(len(self.action_names))
        state_name = self.game.state_name(level)
        self.emulator = Emulator(self.game, rom, game_dir)
        try:
            self._start = _read_state(self.game, level, self.emulator.folder / state_name)
            self._begin()
            self._over = True  # until the first reset
        except BaseException:
            # Whoever catches the exception holds this object by its traceback.
            self.close()
            raise

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Go back to the start of the level."""
        super().reset(seed=seed)
        self._begin()
        return self._observe()

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Hold the buttons of `action` for 4 frames, and go through a pipe that they lead into.

        Raises:
            UserError: The episode has ended, or none has begun.
        """
        if self._over:
            raise step_refused()
        self.emulator.hold(*self._buttons[action])
        for _ in range(FRAMES_PER_STEP):
            values = self._frame()
            if self._over or self._between:
                break
        if self._between:
            # Later the game may announce where the next pipe leads.
            self._room = number(values, self.game.room)
            values = self._wait_for_control()
        self._screen = self.emulator.screen()
        score = number(values, self.game.score)
        # A counter that overflows or is cleared takes nothing away.
        points = max(score - self._score, 0) + COMPLETION_BONUS * self._completed
        self._score = score
        observation, info = self._observe()
        return observation, points * REWARD_SCALE, self._over, False, info

    def render(self) -> np.ndarray | None:
        """Return the screen of the last observation: uint8 (224, 256, 3), RGB."""
        return self._screen.copy() if self.render_mode == "rgb_array" else None

    def close(self) -> None:
        """Free the process's one emulator, so that another environment can be made."""
        self.emulator.close()

    def save_state(self) -> dict[str, np.ndarray]:
        """Return arrays from which `restore_state` continues exactly."""
        place = (self._row, self._column, self._window, self._score, self._distance)
        return {
            "emulator": np.frombuffer(self.emulator.save(), np.uint8),
            "screen": self._screen.copy(),
            "place": np.array((*place, self._completed), np.int64),
            "room": np.array(self._room),
        }

    def restore_state(self, state: dict[str, np.ndarray]) -> None:
        """Continue from what `save_state` returned, in this environment or another of its game."""
        if not self.emulator.load(state["emulator"].tobytes()):
            raise UserError(f"the saved state of {self.game.title} is damaged or of another core")
        self._screen = state["screen"].copy()
        place = [int(value) for value in state["place"]]
        self._row, self._column, self._window, self._score, self._distance, _ = place
        # States of former versions know no rooms.
        self._room = int(state.get("room", self._first_room()))
        self._judge(self.emulator.values())

    def _begin(self) -> None:
        """Load the level's start, and run one frame, since the core draws only while it runs."""
        if not self.emulator.load(self._start):
            raise UserError(
                f"{self.emulator.folder / self.game.state_name(self.level)} is not a state of this "
                f"emulator; record it: {_recording_command(self.game, self.level)} --force"
            )
        self.emulator.hold()
        self._row = self._distance = 0
        self._room = self._first_room()
        values = self._frame()
        if self._between:
            values = self._wait_for_control()
        self._score = number(values, self.game.score)
        self._screen = self.emulator.screen()

    def _first_room(self) -> int:
        return number(self.game.levels[self.level], self.game.room)

    def _frame(self) -> dict[str, int]:
        values = self.emulator.frame()
        self._follow(values)
        return values

    def _wait_for_control(self) -> dict[str, int]:
        """Run frames without a button until the player is in control or the episode has ended."""
        self.emulator.hold()
        for _ in range(MAX_FRAMES_BETWEEN):
            values = self._frame()
            if self._over or not self._between:
                break
        return values

    def _follow(self, values: dict[str, int]) -> None:
        """Update what is known of the player from the RAM of one frame."""
        between = one_holds(values, self.game.between)
        self._row = _follow_row(number(values, self.game.row), 0 if between else self._row)
        self._column = number(values, self.game.column)
        self._window = number(values, self.game.window)
        if not between:
            self._distance = max(self._distance, self._column)
        self._judge(values)

    def _judge(self, values: dict[str, int]) -> None:
        """Tell from the RAM of one frame, and the row, what the player may do."""
        self._between = one_holds(values, self.game.between)
        self._completed = one_holds(values, self.game.completed)
        fallen = self._row >= SCREEN_SHAPE[0]
        self._over = self._completed or fallen or one_holds(values, self.game.dead)

    def _observe(self) -> tuple[np.ndarray, dict[str, Any]]:
        coords = self._processor.coords(self._row, self._column, self._window)
        info = {
            "coords": coords,
            "position": np.array((self._row, self._column), np.int64),
            "qmap": {
                "room": self._room,
                "distance": self._distance,
                "completed": self._completed,
            },
            "score": self._score,
        }
        return self._processor(self._screen, coords), info


def _follow_row(read: int, before: int) -> int:
    """Return the row of the player, of which the game may keep one byte only.

    Args:
        read: What the game says, 0 at the top of the screen; from 224 on above or below it.
        before: The row a frame ago; 0 if it is not known.

    Returns:
        The row nearest to `before` that reads so, if the player can have moved as far in a frame.
        Else the row as it is read, where one just outside the screen is above it: nobody is put
        below the screen, and a fall passes its last rows one after the other.
    """
    move = (read - before + 128) % 256 - 128
    if abs(move) <= MAX_ROWS_PER_FRAME:
        return before + move
    return read if read < SCREEN_SHAPE[0] else read - 256


def _recording_command(game: Game, level: str) -> str:
    return f"python -m qmap.envs.record_levels --game {game.key} --levels {level}"


def _read_state(game: Game, level: str, path: Path) -> bytes:
    """Return the contents of a `.state` file, which is what an emulator saved, gzipped."""
    if not path.is_file():
        raise UserError(
            f"no start of level {level} of {game.title} at {path}; "
            f"record it: {_recording_command(game, level)}"
        )
    try:
        return gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error):
        raise UserError(
            f"{path} is not a state file (gzip); "
            f"record it: {_recording_command(game, level)} --force"
        ) from None
