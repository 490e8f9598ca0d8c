"""Any game of stable-retro, of whatever console."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
import stable_retro
from gymnasium.envs.registration import EnvSpec

from qmap.envs.chosen_actions import split_actions
from qmap.envs.emulator import open_core
from qmap.envs.episode import step_refused
from qmap.envs.game import Number, number, one_holds
from qmap.envs.integration import Integration, find_integration
from qmap.envs.known_games import ONE, known_game, number_of
from qmap.envs.wrappers import GoalGrid
from qmap.utils.errors import UserError

FRAMES_PER_STEP = 4
CELL = 8  # pixels
LIVES = "lives"  # what the variable is called in the `data.json` of most games


@dataclass(frozen=True)
class Place:
    """Where the character is, as numbers made of the game's variables.

    Attributes:
        row: on the screen, in pixels.
        col: in the level, in pixels.
        window: of the screen's left edge in the level.
        room: number of the level or area.
    """

    row: Number
    col: Number
    window: Number
    room: Number

    @property
    def known(self) -> bool:
        """Whether anybody knows where the character is."""
        return bool(self.row and self.col)

    def variables(self) -> set[str]:
        """Return the names of the variables that are needed."""
        return {name for each in (self.row, self.col, self.window, self.room) for name in each}


@dataclass(frozen=True)
class RetroGameOptions:
    """Which game, and what the user says of it.

    Attributes:
        game: its name.
        game_dir: its folder, None to find it.
        state: where episodes begin, None for what the game's metadata say.
        row: of the character on the screen, as text, None for what is known of the game.
        col: of the character in the level, likewise.
        window: of the screen's left edge in the level, likewise.
        actions: what the user wants to choose from, None for the game's own list.
        one_life: whether an episode ends when a life is lost, too.
    """

    game: str
    game_dir: str | None = None
    state: str | None = None
    row: str | None = None
    col: str | None = None
    window: str | None = None
    actions: str | None = None
    one_life: bool = False

    def place(self) -> Place:
        """Return where the character is; `UserError` if an option is no sum of variables."""
        known = known_game(self.game)
        texts = {"row": known.row, "col": known.col, "window": known.window}
        for name, text in texts.items():
            texts[name] = text if getattr(self, name) is None else getattr(self, name)
        numbers = {name: number_of(f"--{name}", text) for name, text in texts.items()}
        return Place(**numbers, room=number_of("room", known.room))

    def check(self) -> Integration:
        """Check everything that can be checked without the emulator; return the game's files.

        Raises:
            UserError: something is missing or not as it should be.
        """
        found = find_integration(self.game, self.game_dir)
        found.start(self.state)
        known = known_game(self.game)
        there = found.variables() | set(known.variables)
        missing = (self.place().variables() | set(known.completed)) - there - {ONE}
        if missing:
            raise UserError(
                f"{found.data} has no variable {', '.join(sorted(missing))}; there are "
                f"{', '.join(sorted(there)) or 'none'}"
            )
        if self.one_life and LIVES not in there:
            raise UserError(
                f"--one-life needs a variable {LIVES}, which {found.data} lacks; there are "
                f"{', '.join(sorted(there)) or 'none'}"
            )
        return found


class RetroGame(gymnasium.Env[np.ndarray, int]):
    """A game, from one of its saved states until its scenario says that the episode is over.

    With `one_life` it is over when a life is lost, too.

    Each action is held for 4 frames, fewer if the episode ends in one of them. Rewards are those of
    the game's scenario.json, summed over the frames. Everything is deterministic: seeds change
    nothing. After the end of an episode `step` raises `UserError` until `reset`.

    Observations are the whole screen, uint8 (height, width, 3) in RGB. `info` holds the variables
    of the game's data.json.

    Args:
        options: which game.
        integration: its files, as `RetroGameOptions.check` returned them.
        render_mode: "rgb_array" makes `render` return the screen.

    Raises:
        UserError: an action, a state or a file cannot be used, or an emulator is already open:
            stable-retro runs only one in a process.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 60 // FRAMES_PER_STEP}

    def __init__(
        self,
        options: RetroGameOptions,
        integration: Integration,
        render_mode: str | None = None,
    ) -> None:
        self.render_mode = render_mode
        self.spec = EnvSpec(options.game, entry_point=f"{__name__}:{type(self).__name__}")
        self._start = integration.start(options.state)
        self._one_life = options.one_life
        console = stable_retro.get_romfile_system(str(integration.rom))
        self._names = stable_retro.get_system_info(console)["buttons"]
        self._data = stable_retro.data.GameData()
        self._core: stable_retro.RetroEmulator | None = open_core(integration.rom)
        try:
            self._core.configure_data(self._data)
            self._core.step()
            known = known_game(options.game)
            self._load(integration, known.variables)
            self._power_on = self._core.get_state()
            if options.actions is None:
                buttons = self._own_actions()
            else:
                buttons = self._wanted(split_actions(options.actions), known.jump, console)
            self.action_names = tuple(buttons)
            self._masks = list(buttons.values())
            self.action_space = gymnasium.spaces.Discrete(len(buttons))
            self._begin()
            shape = self._screen.shape
            self.observation_space = gymnasium.spaces.Box(0, 255, shape, np.uint8)
            self._over = True  # until the first reset
        except BaseException:
            # Whoever catches the exception holds this object by its traceback.
            self.close()
            raise

    @property
    def core(self) -> stable_retro.RetroEmulator:
        """The emulator of stable-retro; `RuntimeError` after `close`."""
        if self._core is None:
            raise RuntimeError("the emulator is closed")
        return self._core

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Go back to the start."""
        super().reset(seed=seed)
        self._begin()
        return self._screen, self._info()

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Hold the buttons of `action` for 4 frames.

        Raises:
            UserError: The episode has ended, or none has begun.
        """
        if self._over:
            raise step_refused()
        self.core.set_button_mask(self._masks[action], 0)
        reward = 0.0
        for _ in range(FRAMES_PER_STEP):
            lives = self._lives()
            self._run_frame()
            reward += self._data.current_reward()
            self._over = bool(self._data.is_done()) or self._lives() < lives
            if self._over:
                break
        self._screen = self._shown()
        return self._screen, reward, self._over, False, self._info()

    def render(self) -> np.ndarray | None:
        """Return the screen of the last observation: uint8 (height, width, 3), RGB."""
        return self._screen.copy() if self.render_mode == "rgb_array" else None

    def close(self) -> None:
        """Free the process's one emulator, so that another environment can be made."""
        self._core = None

    def _load(self, integration: Integration, variables: Mapping[str, Mapping[str, Any]]) -> None:
        """Let stable-retro read the game's files, and `variables` beside those of data.json."""
        data, scenario = integration.data, integration.scenario
        unreadable = f"stable-retro cannot read {data} or its {scenario.name}"
        try:
            if not self._data.load(str(data), str(scenario)):
                raise UserError(unreadable)
            for name, place in variables.items():
                self._data.set_variable(name, dict(place))
            # Not before this are the scenario's variables looked up.
            self._data.update_ram()
        except ValueError as error:
            raise UserError(f"{scenario} asks for a variable that {data} lacks: {error}") from error
        except RuntimeError as error:
            raise UserError(f"{unreadable}: {error}") from error

    def _begin(self) -> None:
        """Load the start, and run one frame, since the core draws only while it runs."""
        if not self.core.set_state(self._start or self._power_on):
            raise UserError(
                f"the start of {self.spec.id} is not a state of this version's emulator: --state "
                "names another one"
            )
        self.core.set_button_mask(np.zeros(len(self._names), np.uint8), 0)
        self._run_frame()
        self._data.reset()
        self._data.update_ram()
        self._screen = self._shown()
        self._over = False

    def _run_frame(self) -> None:
        self.core.step()
        self._data.update_ram()

    def _lives(self) -> int:
        """Return how many lives are left; 0 where losing one does not end the episode."""
        return int(self._data.lookup_value(LIVES)) if self._one_life else 0

    def _shown(self) -> np.ndarray:
        """Return the screen without what the scenario crops, in an array of its own."""
        screen = self.core.get_screen()
        left, top, width, height = self._data.crop_info(0)
        bottom, right = top + height if height else None, left + width if width else None
        return np.ascontiguousarray(screen[top:bottom, left:right])

    def _info(self) -> dict[str, Any]:
        self.core  # noqa: B018 - reading the memory of a closed emulator crashes the process
        return self._data.lookup_all()

    def _own_actions(self) -> dict[str, np.ndarray]:
        """Return the game's own list: each button of a kind with each of the other kinds."""
        actions = {}
        for combination in itertools.product(*self._data.valid_actions()):
            bits = np.bitwise_or.reduce(combination)
            mask = np.array([bits >> bit & 1 for bit in range(len(self._names))], np.uint8)
            held = [name for name, down in zip(self._names, mask, strict=True) if down]
            actions["+".join(held) or "NOOP"] = mask
        return actions

    def _wanted(self, names: tuple[str, ...], jump: str, console: str) -> dict[str, np.ndarray]:
        actions = {}
        for name in names:
            mask = np.zeros(len(self._names), np.uint8)
            for part in name.split("+") if name != "NOOP" else ():
                button = jump if part.strip() == "JUMP" and jump else part.strip()
                if button not in self._names:
                    there = ", ".join(filter(None, self._names))
                    also = f", JUMP for {jump}" if jump else ""
                    raise UserError(
                        f"--actions: {console} has no button {button}; there are {there}{also}, "
                        "and NOOP for none"
                    )
                mask[self._names.index(button)] = 1
            actions[name] = mask
        return actions


class SavableRetroGame(RetroGame):
    """A game without scripts: all that its next steps depend on is in the emulator."""

    _restored: np.ndarray | None = None

    def save_state(self) -> dict[str, Any]:
        """Return what `restore_state` needs to continue exactly."""
        # Some emulators end a state with whatever is in memory, so that no two are equal.
        emulator = self._restored
        if emulator is None:
            emulator = np.frombuffer(self.core.get_state(), np.uint8)
        return {"emulator": emulator, "screen": self._screen.copy(), "over": self._over}

    def restore_state(self, state: Mapping[str, Any]) -> None:
        """Continue from what `save_state` returned, in this environment or another of its game."""
        if not self.core.set_state(state["emulator"].tobytes()):
            raise UserError(f"the saved state of {self.spec.id} is damaged or of another core")
        # What the next frame's rewards are measured against.
        self._data.update_ram()
        self._screen = state["screen"].copy()
        self._over = bool(state["over"])
        self._restored = state["emulator"]

    def _run_frame(self) -> None:
        super()._run_frame()
        self._restored = None


def make_retro_game(options: RetroGameOptions) -> gymnasium.Env:
    """Make a game with cells of 8 x 8 pixels as goals; all are the same place if nobody knows it.

    Raises:
        UserError: see `RetroGameOptions.check` and `RetroGame`.
    """
    integration = options.check()
    kind = RetroGame if integration.has_scripts else SavableRetroGame
    env = kind(options, integration, "rgb_array")
    place, completed = options.place(), known_game(options.game).completed
    height, width = env.observation_space.shape[:2]
    grid = -(-height // CELL), -(-width // CELL)

    def coords(env: gymnasium.Env, screen: np.ndarray, info: dict[str, Any]) -> tuple[float, ...]:
        row, col, window = (_pixels(each, info) for each in (place.row, place.col, place.window))
        cell_height, cell_width = height / grid[0], width / grid[1]
        return row / cell_height, col / cell_width, window / cell_width

    def position(env: gymnasium.Env, screen: np.ndarray, info: dict[str, Any]) -> tuple[int, int]:
        return _pixels(place.row, info), _pixels(place.col, info)

    return GoalGrid(
        env,
        grid,
        coords,
        position,
        action_names=env.action_names,
        room=lambda env, screen, info: _pixels(place.room, info),
        completed=lambda env, screen, info: one_holds(info, completed),
    )


def _pixels(weights: Number, info: dict[str, Any]) -> int:
    return number({**info, ONE: 1}, weights)
