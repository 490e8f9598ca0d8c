"""Montezuma's Revenge (Atari 2600) on the Arcade Learning Environment, whose wheel has the ROM."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from ale_py import Action, ALEInterface, ALEState, LoggerMode, roms

from qmap.envs.episode import step_refused
from qmap.envs.screen import ScreenProcessor
from qmap.utils.errors import UserError

FRAMES_PER_STEP = 4
SCREEN_SHAPE = (210, 160)
COORDS_SHAPE = (28, 20)
# 210 rows are not a multiple of 8 pixels: with these black rows on both sides they become 224.
PADDING = 7

ROOM_BYTE, X_BYTE, Y_BYTE = 3, 42, 43
ROW_OF_Y_0 = 320


class MontezumaEnv(gymnasium.Env[np.ndarray, np.int64]):
    """Montezuma's Revenge with the character's position; an episode is one life.

    Observations are uint8 frames (56, 40, channels), one channel unless options add some. A step
    repeats its action for 4 emulator frames, or fewer where the episode ends in between. Rewards
    are the game's. A lost life ends the episode, and every episode starts with a new game, so that
    the environment is deterministic and seeds change nothing. After the end of an episode `step`
    raises `UserError` until `reset`.

    `info` holds `coords`, int64 (3,): row, column and window (0) on the 28 x 20 goal grid;
    `position`, int64 (2,): row and column on the screen of 210 x 160 pixels, not clipped;
    `qmap`: room, int: number of the screen the character is in; `lives`: lives left.

    Args:
        render_mode: "rgb_array" makes `render` return the screen.
        color: Observations have 3 color channels.
        position_channel: Observations have a last channel with 255 in the character's cell.
        max_of_two: Observations are the maximum, pixel by pixel, of the last two emulator frames
            of a step, since the Atari draws some things in every other frame only.
        max_steps: Episodes are truncated after as many steps; None: never.

    Raises:
        UserError: an option has a value that is not allowed.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 60 // FRAMES_PER_STEP}
    action_names = ("LEFTFIRE", "UP", "RIGHTFIRE", "LEFT", "NOOP", "RIGHT", "DOWN")
    coords_shape = COORDS_SHAPE
    cell_shape = (8, 8)

    def __init__(
        self,
        render_mode: str | None = None,
        color: bool = False,
        position_channel: bool = False,
        max_of_two: bool = False,
        max_steps: int | None = None,
    ) -> None:
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise UserError(f"render_mode is {render_mode!r}, expected None or 'rgb_array'")
        if max_steps is not None and max_steps < 1:
            raise UserError(f"max_steps is {max_steps}, expected at least 1, or None for no limit")
        self.render_mode = render_mode
        self.max_steps = max_steps
        self._max_of_two = max_of_two
        self._screen = ScreenProcessor(SCREEN_SHAPE, COORDS_SHAPE, PADDING, color, position_channel)
        self.observation_space = self._screen.observation_space
        self.action_space = gymnasium.spaces.Discrete(len(self.action_names))
        self._buttons = [getattr(Action, name) for name in self.action_names]

        ALEInterface.setLoggerMode(LoggerMode.Error)
        self._ale = ALEInterface()
        self._ale.setInt("frame_skip", 1)
        self._ale.setFloat("repeat_action_probability", 0.0)
        self._ale.loadROM(roms.get_rom_path("montezuma_revenge"))
        self._start_game()
        self._over = True  # until the first reset

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Start a new game; `options` are ignored."""
        super().reset(seed=seed)
        self._start_game()
        info = self._info()
        return self._observation(info), info

    def step(
        self, action: int | np.integer
    ) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Hold the buttons of an action, 0 to 6, for 4 frames or until the life is lost.

        Raises:
            UserError: the episode has ended, or none has begun.
        """
        if self._over:
            raise step_refused()
        button = self._buttons[action]
        reward = 0
        terminated = False
        before = None
        for frame in range(FRAMES_PER_STEP):
            if self._max_of_two and frame > 0:
                before = self._picture()
            reward += self._ale.act(button)
            lives_before, self._lives = self._lives, self._ale.lives()
            terminated = self._lives < lives_before or self._ale.game_over()
            if terminated:
                break
        self._steps += 1
        self._restored_screen = None
        truncated = self.max_steps is not None and self._steps >= self.max_steps
        self._over = terminated or truncated
        info = self._info()
        return self._observation(info, before), float(reward), terminated, truncated, info

    def render(self) -> np.ndarray | None:
        """Return the screen, uint8 (210, 160, 3) in RGB, or None without a render mode."""
        return self._rgb_screen() if self.render_mode == "rgb_array" else None

    def save_state(self) -> dict[str, np.ndarray]:
        """Return all that `restore_state` needs to go on from here."""
        return {
            "system": np.frombuffer(self._ale.cloneSystemState().serialize(), np.uint8),
            "screen": self._rgb_screen(),
            "steps": np.array(self._steps),
            "over": np.array(self._over),
        }

    def restore_state(self, state: dict[str, np.ndarray]) -> None:
        """Go on exactly from where `save_state` was called, in this or another process.

        Args:
            state: What `save_state` returned, with the same version of ale-py.
        """
        self._ale.restoreSystemState(ALEState(state["system"].tobytes()))
        self._lives = self._ale.lives()
        self._steps = int(state["steps"])
        # States of former versions do not say whether the episode had ended.
        self._over = bool(state.get("over", False))
        # The emulator's states lack the picture: until it draws the next one, this is shown.
        self._restored_screen = state["screen"].copy()

    def _start_game(self) -> None:
        self._ale.reset_game()
        self._lives = self._ale.lives()
        self._steps = 0
        self._over = False
        self._restored_screen: np.ndarray | None = None

    def _rgb_screen(self) -> np.ndarray:
        if self._restored_screen is not None:
            return self._restored_screen.copy()
        return self._ale.getScreenRGB()

    def _info(self) -> dict[str, Any]:
        ram = self._ale.getRAM()
        row, col = ROW_OF_Y_0 - int(ram[Y_BYTE]), int(ram[X_BYTE])
        return {
            "coords": self._screen.coords(row, col),
            "position": np.array((row, col), np.int64),
            "qmap": {"room": int(ram[ROOM_BYTE])},
            "lives": self._lives,
        }

    def _observation(self, info: dict[str, Any], before: np.ndarray | None = None) -> np.ndarray:
        picture = self._picture()
        if before is not None:
            picture = np.maximum(picture, before)
        return self._screen(picture, info["coords"])

    def _picture(self) -> np.ndarray:
        # Asking for luma from the emulator is faster than asking for RGB and converting it.
        return self._ale.getScreenRGB() if self._screen.color else self._ale.getScreenGrayscale()
