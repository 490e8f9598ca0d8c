"""Super Mario All-Stars: its data without the ROM, the game itself where the ROM is found."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from run_right import way_right

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


def without_rom(folder: Path) -> Path:
    """Return a new copy of the game's folder in that one, with nothing of its owner's ROM."""
    copy = folder / GAME.folder
    shutil.copytree(GAME.find_folder(), copy, ignore=shutil.ignore_patterns("rom.sfc", "*.state"))
    return copy


def with_free_rom(folder: Path) -> Path:
    """Return a copy of the game's folder that takes the free game's ROM for its own."""
    copy, source = without_rom(folder), FOXGLOVE_RUN.find_folder()
    rom = FOXGLOVE_RUN.find_rom(source)
    (copy / "rom.sha").write_text(hashlib.sha1(rom.read_bytes()).hexdigest())
    (copy / "rom.sfc").symlink_to(rom)
    (copy / "mario_level_1_2.state").symlink_to(source / "foxglove_level_1_1.state")
    return copy


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Emulator]:
    """An SNES with this game's variables but the free game's ROM, whose RAM is blank paper."""
    emulator = Emulator(GAME, game_dir=with_free_rom(tmp_path))
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


def test_where_a_castle_loops_column_and_window_are_negative(machine: Emulator) -> None:
    for address, value in ((537, 8), (120, 255), (66, 152), (67, 254)):
        poke(machine, address, value)
    assert number(machine.values(), GAME.column) == -248
    assert number(machine.values(), GAME.window) == -360


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


PLAYING = {
    "engine_state": 8,
    "mode": 1,
    "task": 3,
    "player_row": 176,
    "player_column": 40,
    "player_column_page": 0,
    "window_column": 0,
    "area_pointer": 0xA5,
    "score_tens": 0,
    "run_over": 0,
}
LOADING = {"engine_state": 0, "task": 1, "player_row": 0, "player_column": 0}
COMING_OUT = {"engine_state": 7, "player_row": 160, "player_column": 24, "area_pointer": 0xC2}


class Script:
    """In place of the emulator's memory: what each frame reads, the last one for ever."""

    def __init__(self) -> None:
        self.frames: list[dict[str, int]] = []
        self.held: list[tuple[str, ...]] = []
        self.last = PLAYING

    def play(self, *frames: dict[str, int]) -> None:
        """Let the next frames read as in play, but for what is given."""
        self.frames = [{**PLAYING, **frame} for frame in frames]
        self.held = []


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    script, buttons = Script(), [()]

    def frame(emulator: Emulator) -> dict[str, int]:
        script.held.append(buttons[-1])
        if script.frames:
            script.last = script.frames.pop(0)
        return script.last

    monkeypatch.setattr(Emulator, "frame", frame)
    monkeypatch.setattr(Emulator, "values", lambda emulator: script.last)
    monkeypatch.setattr(Emulator, "hold", lambda emulator, *names: buttons.append(names))
    return script


@pytest.fixture
def env(script: Script, tmp_path: Path) -> Iterator[MarioEnv]:
    env = MarioEnv(level="1.2", game_dir=with_free_rom(tmp_path))
    env.reset()
    yield env
    env.close()


def test_a_pipe_is_passed_within_one_step(env: MarioEnv, script: Script) -> None:
    assert env.reset()[1]["qmap"]["room"] == 0xC0
    out = {"engine_state": 8, "player_row": 144, "player_column": 30, "score_tens": 50}
    script.play({}, {"engine_state": 2}, *[LOADING] * 36, *[COMING_OUT] * 112, out)
    _, reward, over, truncated, info = env.step(env.action_names.index("JUMP+RIGHT"))
    assert (reward, over, truncated) == (5.0, False, False)
    assert script.held == [("B", "RIGHT")] * 2 + [()] * 149
    assert info["position"].tolist() == [144, 30]
    assert info["coords"].tolist() == [18, 3, 0]
    assert info["qmap"] == {"room": 0xA5, "distance": 40, "completed": False}


def test_the_room_is_kept_while_the_next_pipe_is_announced(env: MarioEnv, script: Script) -> None:
    script.play(*[{"area_pointer": 0xC2}] * 4)
    assert env.step(4)[4]["qmap"]["room"] == 0xC0


def test_a_restored_state_knows_its_room(env: MarioEnv, script: Script) -> None:
    script.play({"engine_state": 3, "area_pointer": 0x29}, LOADING, {})
    env.step(4)
    state = env.save_state()
    env.reset()
    env.restore_state(state)
    script.play({})
    assert env.step(4)[4]["qmap"]["room"] == 0x29


@pytest.mark.parametrize(
    ("end", "reward", "completed"),
    [({"engine_state": 11}, 0.0, False), ({"engine_state": 5}, 50.0, True)],
)
def test_an_end_in_between_ends_the_step(
    env: MarioEnv, script: Script, end: dict[str, int], reward: float, completed: bool
) -> None:
    script.play(LOADING, COMING_OUT, end, {})
    _, paid, over, _, info = env.step(5)
    assert (paid, over, info["qmap"]["completed"]) == (reward, True, completed)
    assert len(script.held) == 3
    with pytest.raises(UserError, match=r"call reset\(\) first"):
        env.step(5)
    state = env.save_state()
    env.restore_state(state)
    with pytest.raises(UserError, match=r"call reset\(\) first"):
        env.step(5)


def test_nobody_waits_for_ever_to_come_out_of_a_pipe(env: MarioEnv, script: Script) -> None:
    script.play(LOADING)
    _, _, over, _, _ = env.step(5)
    assert not over
    assert len(script.held) == 1 + 600


def test_in_between_no_place_counts(env: MarioEnv, script: Script) -> None:
    """A row below the screen is no fall there, and a column no distance."""
    nonsense = {"task": 2, "player_row": 230, "player_column_page": 9}
    script.play({"player_row": 215}, {**LOADING, "player_row": 226}, nonsense, {"player_row": 120})
    _, _, over, _, info = env.step(5)
    assert not over
    assert info["position"].tolist() == [120, 40]
    assert info["qmap"]["distance"] == 40


def test_a_start_without_control_is_run_into_control(env: MarioEnv, script: Script) -> None:
    script.play(*[COMING_OUT] * 50, {"player_column": 44})
    _, info = env.reset()
    assert info["position"].tolist() == [176, 44]
    assert info["qmap"]["room"] == 0xC0


def test_a_looping_castle_keeps_the_player_where_he_is_seen(env: MarioEnv, script: Script) -> None:
    far = {"player_column_page": 3, "player_column": 251, "window_column": 900, "player_row": 202}
    script.play(*[far] * 4)
    distances, windows = [env.step(5)[4]["qmap"]["distance"]], []
    for column in range(2, -60, -4):
        page, byte = divmod(column, 256)
        looped = {"player_column_page": page, "player_column": byte, "player_row": 202}
        script.play(*[{**looped, "window_column": column - 112}] * 4)
        _, _, over, _, info = env.step(5)
        assert not over
        assert info["position"].tolist() == [202, column]
        row, col, window = info["coords"].tolist()
        assert (row, col - window) == (25, 14)
        distances.append(info["qmap"]["distance"])
        windows.append(window)
    assert set(distances) == {1019}
    assert max(windows) == -14


class Recorder:
    """In place of an emulator: writes down what each frame was run with; plays after a while."""

    game = GAME
    starts_after = 700
    in_control_after = 0
    falls = 0

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
        frames = len(self.frames)
        row = max(0, self.starts_after + self.falls - frames) // 8
        timer = 400 if frames >= self.starts_after else 0
        control = frames >= self.starts_after + self.in_control_after
        return {
            "mode": 1,
            "task": 3,
            "timer": timer,
            "engine_state": 8 if control else 7,
            "player_row": 176 - row,
        }

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


@pytest.mark.parametrize(("in_control_after", "falls"), [(50, 0), (0, 90), (20, 90)])
def test_a_level_is_recorded_in_control_and_still(in_control_after: int, falls: int) -> None:
    """In water, a row lasts for some frames while the player sinks."""
    emulator = Recorder()
    emulator.in_control_after, emulator.falls = in_control_after, falls
    record_level(emulator, "2.2", b"title")  # type: ignore[arg-type]
    landed = falls - 7 if falls else 0
    assert len(emulator.frames) == 700 + max(in_control_after, landed) + 30


def test_a_level_that_never_starts_is_an_error() -> None:
    emulator = Recorder()
    emulator.starts_after = 10**9
    with pytest.raises(UserError, match="level 1.1 of Super Mario All-Stars did not start"):
        record_level(emulator, "1.1", b"title")  # type: ignore[arg-type]


def test_without_a_rom_one_line_says_what_to_do(tmp_path: Path) -> None:
    folder = without_rom(tmp_path)
    with pytest.raises(UserError) as raised:
        MarioEnv(game_dir=folder)
    (line,) = str(raised.value).splitlines()
    assert f"{folder / 'rom.sfc'}, or give it as --rom FILE" in line
    assert "python -m qmap.envs.record_levels" in line
    assert "the free game, foxglove" in line


@pytest.fixture(scope="module")
def recorded() -> Iterator[Path]:
    """The game's folder with the ROM's own starts of some levels, nothing of which stays."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = without_rom(Path(temporary))
        (folder / "rom.sfc").symlink_to(GAME.find_rom(GAME.find_folder(), ROM).resolve())
        emulator = Emulator(GAME, game_dir=folder)
        try:
            assert all(written for _, written in record_levels(emulator, ("1.1", "1.2", "8.1")))
        finally:
            emulator.close()
        yield folder


@needs_rom
@pytest.mark.parametrize("level", ["1.1", "1.2", "8.1"])
def test_running_right_scrolls_every_recorded_level(recorded: Path, level: str) -> None:
    env = MarioEnv(level=level, game_dir=recorded)
    try:
        _, info = env.reset()
        assert info["coords"][2] == 0
        actions = way_right(env, 500)
        assert actions is not None
        env.reset()
        for action in actions:
            _, _, over, _, info = env.step(action)
            row, column, window = info["coords"]
            assert 0 <= row < 28
            assert 0 <= column - window < 32
            assert not over
        assert info["qmap"]["distance"] >= 500
        assert window > 0
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
