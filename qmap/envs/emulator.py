"""The SNES emulator of stable-retro (snes9x core), with a game's ROM and variables in it."""

from __future__ import annotations

import gc
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import stable_retro

from qmap.envs.game import Game
from qmap.utils.errors import UserError

BUTTONS = ("B", "Y", "SELECT", "START", "UP", "DOWN", "LEFT", "RIGHT", "A", "X", "L", "R")


class Emulator:
    """An SNES that runs one game.

    stable-retro runs one emulator per process. This class needs nothing in its folders: the ROM is
    read from where it is, and `data.json` from the game's own folder.

    Args:
        game: The game.
        rom: Its ROM; None for the one in its folder.
        game_dir: Its folder; None for where `Game.find_folder` finds it.

    Raises:
        UserError: Wrong or missing files, or an emulator is open in this process.
    """

    def __init__(
        self, game: Game, rom: str | Path | None = None, game_dir: str | Path | None = None
    ) -> None:
        self.game = game
        self.folder = game.find_folder(game_dir)
        path = game.find_rom(self.folder, rom)
        self._data = stable_retro.data.GameData()
        self._core: stable_retro.RetroEmulator | None = _start(path)
        try:
            self._core.configure_data(self._data)
            self._load_variables()
        except BaseException:
            self.close()
            raise

    def _load_variables(self) -> None:
        data, scenario = self.folder / "data.json", self.folder / "scenario.json"
        try:
            loaded = self._data.load(str(data), str(scenario))
        except RuntimeError:
            loaded = False
        if not loaded:
            raise UserError(
                f"{data} or {scenario.name} is not an integration file of stable-retro; "
                "restore it from this project's"
            )
        missing = self.game.variables() - set(self._data.lookup_all())
        if missing:
            raise UserError(
                f"{data} does not locate {', '.join(sorted(missing))}, which {self.game.title} "
                "needs; restore it from this project's"
            )

    @property
    def core(self) -> stable_retro.RetroEmulator:
        """The emulator of stable-retro; `RuntimeError` after `close`."""
        if self._core is None:
            raise RuntimeError("the emulator is closed")
        return self._core

    def hold(self, *buttons: str) -> None:
        """Hold these buttons, and no others, from the next frame on."""
        self.core.set_button_mask(np.array([name in buttons for name in BUTTONS], np.uint8), 0)

    def frame(self) -> dict[str, int]:
        """Run one frame (1/60 s) and return the values that the variables then have."""
        self.core.step()
        return self._data.lookup_all()

    def values(self) -> dict[str, int]:
        """Return the values of the variables of `data.json`."""
        self.core  # noqa: B018 - reading the memory of a closed emulator crashes the process
        return self._data.lookup_all()

    def write(self, values: Mapping[str, int]) -> None:
        """Write values of variables into RAM."""
        self.core  # noqa: B018
        for name, value in values.items():
            self._data.set_value(name, value)

    def screen(self) -> np.ndarray:
        """Return the screen of the last frame: uint8 (224, 256, 3), RGB, an array of its own."""
        return self.core.get_screen()

    def ram(self) -> np.ndarray:
        """Return a copy of the work RAM: uint8 (131072,)."""
        self.core  # noqa: B018
        return np.frombuffer(self._data.memory.blocks[0x7E0000], np.uint8)

    def save(self) -> bytes:
        """Return the state of the whole machine, between two frames."""
        return self.core.get_state()

    def load(self, state: bytes) -> bool:
        """Continue from what `save` returned; False if it is not a state of this emulator.

        The screen is that of before until the next frame.
        """
        return self.core.set_state(state)

    def close(self) -> None:
        """Free the process's one emulator; a second call does nothing."""
        self._core = None


def _start(rom: Path) -> stable_retro.RetroEmulator:
    with tempfile.TemporaryDirectory() as folder:
        # stable-retro tells the console from the file name's ending, which may be another one.
        path = Path(folder) / "rom.sfc"
        try:
            path.symlink_to(rom.resolve())
        except OSError:
            path.write_bytes(rom.read_bytes())
        return open_core(path)


def open_core(rom: Path) -> stable_retro.RetroEmulator:
    """Start the emulator of the console that the ROM's ending names.

    Raises:
        UserError: one is open in this process.
    """
    # An environment that nobody holds any longer may live on in a cycle of references.
    gc.collect()
    try:
        return stable_retro.RetroEmulator(str(rom))
    except RuntimeError as error:
        if "multiple emulator" not in str(error):
            raise UserError(f"no emulator can run {rom}: {error}") from error
        raise UserError(
            "an emulator is already open in this process, and stable-retro runs only one: "
            "close() the first environment, or run the second in a process of its own "
            "(several environments in one training: --envs)"
        ) from None
