"""Super Mario All-Stars: its data without the ROM, the game itself where the ROM is found."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import gymnasium
import numpy as np
import pytest

from qmap.envs.emulator import Emulator
from qmap.envs.foxglove_run import FOXGLOVE_RUN
from qmap.envs.game import number, one_holds
from qmap.envs.mario import MarioEnv
from qmap.envs.record_levels import boot, record_level, record_levels
from qmap.envs.super_mario_all_stars import SUPER_MARIO_ALL_STARS as GAME
from qmap.utils.errors import UserError

RAM = 0x7E0000
ROM = os.environ.get("QMAP_SUPER_MARIO_ROM")
try:
    GAME.find_rom(GAME.find_folder(), ROM)
    HAS_ROM = True
except UserError:
    HAS_ROM = False
needs_rom = pytest.mark.skipif(
    not HAS_ROM,
    reason="no ROM: SuperMarioAllStars-Snes/rom.sfc, or QMAP_SUPER_MARIO_ROM=FILE, runs this",
)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Emulator]:
    """An SNES with this game's variables but the free game's ROM, whose RAM is blank paper."""
    folder = tmp_path / GAME.folder
    rom = FOXGLOVE_RUN.find_rom(FOXGLOVE_RUN.find_folder())
    shutil.copytree(GAME.find_folder(), folder, ignore=shutil.ignore_patterns("rom.sfc", "*.state"))
    (folder / "rom.sha").write_text(hashlib.sha1(rom.read_bytes()).hexdigest())
    emulator = Emulator(GAME, rom, folder)
    for address in (15, 66, 67, 120, 537, 1827, 1904, 3999, *range(2000, 2004)):
        poke(emulator, address, 0)
    yield emulator
    emulator.close()


def poke(emulator: Emulator, address: int, value: int) -> None:
    """Write one byte of work RAM."""
    emulator._data.memory.assign(RAM + address, "|u1", value)


def done_by_scenario(emulator: Emulator) -> bool:
    """Return what scenario.json says, which is there for stable-retro used on its own."""
    emulator._data.update_ram()
    return emulator._data.is_done()


def test_the_column_counts_screens_of_256_pixels(machine: Emulator) -> None:
    poke(machine, 537, 89)
    poke(machine, 120, 12)
    assert number(machine.values(), GAME.column) == 12 * 256 + 89


def test_the_window_is_a_number_of_two_bytes(machine: Emulator) -> None:
    poke(machine, 66, 200)
    poke(machine, 67, 3)
    assert number(machine.values(), GAME.window) == 3 * 256 + 200


def test_the_row_is_one_byte(machine: Emulator) -> None:
    poke(machine, 3999, 176)
    assert number(machine.values(), GAME.row) == 176


def test_the_score_is_four_digits_and_a_nought(machine: Emulator) -> None:
    for address, digit in zip(range(2000, 2004), (4, 0, 3, 5), strict=True):
        poke(machine, address, digit)
    assert number(machine.values(), GAME.score) == 40350


@pytest.mark.parametrize(
    ("engine_state", "dead", "completed"),
    [(8, False, False), (11, True, False), (6, True, False), (4, False, True), (5, False, True)],
)
def test_the_engine_state_tells_how_a_run_ends(
    machine: Emulator, engine_state: int, dead: bool, completed: bool
) -> None:
    poke(machine, 1904, 1)
    poke(machine, 15, engine_state)
    assert one_holds(machine.values(), GAME.dead) == dead
    assert one_holds(machine.values(), GAME.completed) == completed
    assert done_by_scenario(machine) == (dead or completed)


def test_a_cleared_castle_is_a_finished_level(machine: Emulator) -> None:
    poke(machine, 15, 8)
    poke(machine, 1904, 2)
    assert one_holds(machine.values(), GAME.completed)
    assert not one_holds(machine.values(), GAME.dead)
    assert done_by_scenario(machine)


def test_a_locked_screen_is_not_death(machine: Emulator) -> None:
    poke(machine, 15, 8)
    poke(machine, 1904, 1)
    poke(machine, 1827, 1)
    assert machine.values()["run_over"] == 1
    assert not one_holds(machine.values(), GAME.dead)


def test_there_are_eight_worlds_of_four_levels() -> None:
    assert list(GAME.levels) == [f"{w}.{n}" for w in range(1, 9) for n in range(1, 5)]
    assert GAME.state_name("8.1") == "mario_level_8_1.state"
    assert GAME.levels["8.1"] == {
        "world": 7,
        "level": 0,
        "area_index": 0,
        "area_pointer": 0x30,
    }


class Recorder:
    """In place of an emulator: writes down what each frame was run with; plays after a while."""

    game = GAME
    starts_after = 700

    def __init__(self) -> None:
        self.frames: list[tuple[tuple[str, ...], dict[str, int]]] = []
        self.buttons: tuple[str, ...] = ()
        self.written: dict[str, int] = {}

    def hold(self, *buttons: str) -> None:
        self.buttons = buttons

    def write(self, values: Mapping[str, int]) -> None:
        self.written = dict(values)

    def frame(self) -> None:
        self.frames.append((self.buttons, self.written))
        self.written = {}

    def values(self) -> dict[str, int]:
        playing = len(self.frames) >= self.starts_after
        return {"mode": 1, "task": 3, "timer": 400 if playing else 0}

    def save(self) -> bytes:
        return b"state"

    def load(self, state: bytes) -> bool:
        assert state == b"title"
        return True


def test_the_title_screen_is_reached_as_recorded_by_hand() -> None:
    emulator = Recorder()
    boot(emulator)  # type: ignore[arg-type]
    held = [buttons for buttons, _ in emulator.frames]
    idle, start = (), ("START",)
    assert held == (
        [idle] * 600
        + [start] * 4 + [idle] * 180
        + [start] * 4 + [idle] * 90
        + [start] * 4 + [idle] * 90
        + [start] * 4 + [idle] * 300
    )  # fmt: skip
    assert not any(written for _, written in emulator.frames)


def test_a_level_is_started_as_recorded_by_hand() -> None:
    emulator = Recorder()
    assert record_level(emulator, "3.2", b"title") == b"state"  # type: ignore[arg-type]
    held = [buttons for buttons, _ in emulator.frames]
    assert held == [("START",)] * 4 + [()] * (700 - 4 + 30)
    values = {"world": 2, "level": 1, "area_index": 1, "area_pointer": 0x35}
    assert [written for _, written in emulator.frames] == [values] * 64 + [{}] * (700 - 64 + 30)


def test_a_level_that_never_starts_is_an_error() -> None:
    emulator = Recorder()
    emulator.starts_after = 10**9
    with pytest.raises(UserError, match="level 1.1 of Super Mario All-Stars did not start"):
        record_level(emulator, "1.1", b"title")  # type: ignore[arg-type]


def test_without_a_rom_three_lines_say_what_to_do(tmp_path: Path) -> None:
    folder = tmp_path / GAME.folder
    shutil.copytree(GAME.find_folder(), folder, ignore=shutil.ignore_patterns("rom.sfc", "*.state"))
    with pytest.raises(UserError) as raised:
        MarioEnv(game_dir=folder)
    lines = str(raised.value).splitlines()
    assert len(lines) == 3
    assert str(folder / "rom.sfc") in lines[0]
    assert "--rom FILE" in lines[0]
    assert "python -m qmap.envs.record_levels" in lines[1]
    assert "python -m qmap.train_mario --game foxglove" in lines[2]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The game's folder with the ROM's own starts of some levels."""
    folder = tmp_path_factory.mktemp("game") / GAME.folder
    shutil.copytree(GAME.find_folder(), folder, ignore=shutil.ignore_patterns("rom.sfc", "*.state"))
    shutil.copy(GAME.find_rom(GAME.find_folder(), ROM), folder / "rom.sfc")
    emulator = Emulator(GAME, game_dir=folder)
    try:
        assert all(written for _, written in record_levels(emulator, ("1.1", "1.2", "8.1")))
    finally:
        emulator.close()
    return folder


@needs_rom
@pytest.mark.parametrize("level", ["1.1", "1.2", "8.1"])
def test_running_right_scrolls_every_recorded_level(recorded: Path, level: str) -> None:
    env = MarioEnv(level=level, game_dir=recorded)
    try:
        _, info = env.reset()
        assert info["coords"][2] == 0
        right, jump = env.action_names.index("RIGHT"), env.action_names.index("JUMP+RIGHT")
        over = False
        for step in range(150):
            _, _, over, _, info = env.step(jump if step % 10 < 6 else right)
            row, column, window = info["coords"]
            assert 0 <= row < 28
            assert 0 <= column - window < 32
            if over:
                break
        assert info["distance"] > 200
    finally:
        env.close()


@needs_rom
def test_the_game_is_deterministic(recorded: Path) -> None:
    env = MarioEnv(game_dir=recorded)
    try:
        screens = []
        for _ in range(2):
            env.reset()
            rng = np.random.default_rng(0)
            for _ in range(60):
                frame, _, over, _, _ = env.step(int(rng.integers(6)))
                if over:
                    break
            screens.append((frame, env.emulator.ram()))
        assert np.array_equal(screens[0][0], screens[1][0])
        assert np.array_equal(screens[0][1], screens[1][1])
    finally:
        env.close()


@needs_rom
def test_gymnasium_makes_it(recorded: Path) -> None:
    env = gymnasium.make("qmap/Mario-v0", game_dir=recorded)
    try:
        assert env.reset()[0].shape == (56, 64, 1)
    finally:
        env.close()
