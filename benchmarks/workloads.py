"""The games that are measured: their trainings, and their emulators alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import gymnasium
from ale_py import Action, ALEInterface, LoggerMode, roms

from benchmarks.floor import BareEmulator, Emulate
from qmap.config import TrainingConfig
from qmap.envs.foxglove_run import FOXGLOVE_RUN
from qmap.experiment import Experiment
from qmap.train_mario import MarioConfig
from qmap.train_mario import make_experiment as make_mario
from qmap.train_montezuma import make_experiment as make_montezuma

FRAMES_PER_STEP = 4


@dataclass(frozen=True)
class Workload:
    """A game to measure.

    Attributes:
        config: its training's options.
        experiment: the game.
        bare_emulator: its emulator alone.
    """

    config: TrainingConfig
    experiment: Experiment
    bare_emulator: BareEmulator


def montezuma(**options: Any) -> Workload:
    """Return Montezuma's Revenge."""
    config = TrainingConfig(**options)
    return Workload(config, make_montezuma(config), _bare_ale)


def mario(**options: Any) -> Workload:
    """Return the free game, for nobody has to own it."""
    config = MarioConfig(game=FOXGLOVE_RUN.key, **options)
    return Workload(config, make_mario(config), _bare_snes)


@contextmanager
def _bare_ale(env: gymnasium.Env) -> Iterator[Emulate]:
    """Montezuma's Revenge in an emulator of its own, its screens fetched and thrown away."""
    ALEInterface.setLoggerMode(LoggerMode.Error)
    ale = ALEInterface()
    ale.setInt("frame_skip", 1)
    ale.loadROM(roms.get_rom_path("montezuma_revenge"))
    buttons = cycle((Action.RIGHT, Action.RIGHTFIRE, Action.LEFT, Action.LEFTFIRE))

    def step() -> None:
        button = next(buttons)
        for _ in range(FRAMES_PER_STEP):
            ale.act(button)
        ale.getScreenGrayscale()
        if ale.game_over():
            ale.reset_game()

    yield step


@contextmanager
def _bare_snes(env: gymnasium.Env) -> Iterator[Emulate]:
    """The environment's own emulator, for there can be only one; it goes back to where it was."""
    state = env.unwrapped.save_state()
    core = env.unwrapped.emulator.core
    env.unwrapped.emulator.hold("RIGHT")

    def step() -> None:
        for _ in range(FRAMES_PER_STEP):
            core.step()
        core.get_screen()

    yield step
    env.unwrapped.restore_state(state)
