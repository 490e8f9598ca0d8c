"""The environment of Mario-like games, with the real emulator and the free game in it."""

from __future__ import annotations

import gzip
import io
import shutil
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from run_right import way_right

from qmap.envs.foxglove_run import FOXGLOVE_RUN
from qmap.envs.game import number
from qmap.envs.mario import MarioEnv
from qmap.utils.errors import UserError

ACTIONS = ("JUMP+LEFT", "JUMP", "JUMP+RIGHT", "LEFT", "NOOP", "RIGHT")
RIGHT, NOOP = ACTIONS.index("RIGHT"), ACTIONS.index("NOOP")


@pytest.fixture
def env() -> Iterator[MarioEnv]:
    env = MarioEnv("foxglove", render_mode="rgb_array")
    env.reset()
    yield env
    env.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the free game's folder that a test may spoil."""
    copy = tmp_path / "game"
    source = FOXGLOVE_RUN.find_folder()
    ignored = shutil.ignore_patterns("source", "tools", "art", "levels", "rom.sfc")
    shutil.copytree(source, copy, ignore=ignored)
    (copy / "rom.sfc").symlink_to(source / "rom.sfc")
    return copy


def hops(steps: int, seed: int = 0) -> list[int]:
    """Actions that go right, jumping now and then for different times: a player of sorts."""
    rng = np.random.default_rng(seed)
    return [int(a) for a in rng.choice([2, 2, 2, 5, 5, 1, 0], size=steps)]


def same_info(one: dict, other: dict) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[key], other[key]) for key in one)


def test_gymnasium_finds_nothing_wrong(env: MarioEnv) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # Without a spec, the checker warns that it cannot make a second environment, which is
        # just as well: there can be only one.
        warnings.filterwarnings("ignore", message=".*not having a spec.*")
        check_env(env)


def test_it_is_registered() -> None:
    env = gymnasium.make("qmap/Mario-v0", game="foxglove")
    try:
        frame, _ = env.reset()
        assert frame.shape == (56, 64, 1)
        assert env.unwrapped.coords_shape == (28, 32)
        assert env.unwrapped.action_names == ACTIONS
        assert env.action_space.n == 6
    finally:
        env.close()


@pytest.mark.parametrize(("color", "position_channel"), [(True, False), (False, True)])
def test_frames_have_the_channels_asked_for(color: bool, position_channel: bool) -> None:
    env = MarioEnv("foxglove", color=color, position_channel=position_channel)
    try:
        env.reset()
        for action in hops(20):
            frame, _, _, _, info = env.step(action)
        assert frame.shape == env.observation_space.shape == (56, 64, 3 if color else 2)
        if position_channel:
            row, column, window = info["coords"]
            marked = np.argwhere(frame[..., -1] == 255)
            assert {tuple(each) for each in marked // 2} == {(row, column - window)}
            assert len(marked) == 4
    finally:
        env.close()


def test_coords_are_the_cells_of_the_position_in_the_window(env: MarioEnv) -> None:
    windows = []
    for action in hops(400):
        _, _, over, _, info = env.step(action)
        values = env.emulator.values()
        row, column, window = info["coords"]
        assert info["position"].tolist() == [
            number(values, FOXGLOVE_RUN.row),
            number(values, FOXGLOVE_RUN.column),
        ]
        assert window == number(values, FOXGLOVE_RUN.window) // 8
        assert column == info["position"][1] // 8
        assert row == np.clip(info["position"][0] // 8, 0, 27)
        assert 0 <= column - window < 32
        windows.append(int(window))
        if over:
            break
    assert windows[0] == 0
    assert max(windows) > 10, "the screen has not scrolled; the test shows nothing"
    assert (np.diff(windows) >= 0).all(), "the screen scrolls forward only"
    assert (np.diff(windows) <= 2).all(), "4 frames do not scroll further than that"


def test_a_place_in_the_level_stays_put_when_the_window_moves(env: MarioEnv) -> None:
    """What is drawn at a column of the level is the same before and after the screen scrolled."""

    def window() -> int:
        return number(env.emulator.values(), FOXGLOVE_RUN.window)

    before, start, over = env.render(), window(), False
    for action in hops(100):
        _, _, over, _, _ = env.step(action)
        if over or window() - start > 60:
            break
    # The game draws what it computed a frame before: stand still for the screen to catch up.
    for _ in range(20):
        _, _, over, _, _ = env.step(NOOP)
    after, moved = env.render(), window() - start
    assert not over
    assert moved > 60
    # The ground and what grows on it, which a slower background does not cover.
    ground = slice(184, None)
    same = {
        shift: np.mean(before[ground, shift:] == after[ground, : 256 - shift])
        for shift in range(moved - 20, moved + 21)
    }
    assert max(same, key=same.__getitem__) == moved
    assert same[moved] > 0.85


def test_the_distance_is_the_furthest_column(env: MarioEnv) -> None:
    columns = [int(env.reset()[1]["position"][1])]
    for action in [RIGHT] * 12 + [ACTIONS.index("LEFT")] * 15:
        _, _, _, _, info = env.step(action)
        columns.append(int(info["position"][1]))
        assert info["qmap"]["distance"] == max(columns)
    assert columns[-1] < max(columns), "the player has not turned back"


def test_the_same_actions_give_the_same_ram() -> None:
    runs = []
    for _ in range(2):
        env = MarioEnv("foxglove")
        for _ in range(2):
            env.reset()
            seen = []
            for action in hops(120, seed=3):
                frame, reward, over, _, info = env.step(action)
                seen.append((frame.tobytes(), reward, info["position"].tolist()))
                if over:
                    break
            runs.append((seen, env.emulator.ram().tobytes()))
        env.close()
    assert all(run == runs[0] for run in runs)


def test_a_restored_state_continues_exactly(env: MarioEnv) -> None:
    actions = hops(100, seed=1)
    for action in actions[:40]:
        env.step(action)
    file = io.BytesIO()
    np.savez(file, **env.save_state())
    screen = env.render()
    first = []
    for action in actions[40:]:
        first.append(env.step(action))
        if first[-1][2]:
            break
    ram = env.emulator.ram()

    env.reset()
    file.seek(0)
    with np.load(file, allow_pickle=False) as state:
        env.restore_state(dict(state))
    assert np.array_equal(env.render(), screen)
    for (frame, reward, over, _, info), action in zip(first, actions[40:], strict=False):
        again = env.step(action)
        assert np.array_equal(again[0], frame)
        assert again[1:3] == (reward, over)
        assert same_info(again[4], info)
    assert np.array_equal(env.emulator.ram(), ram)


def test_what_is_returned_never_changes_later(env: MarioEnv) -> None:
    frame, _, _, _, info = env.step(RIGHT)
    screen, coords = env.render(), info["coords"]
    copies = frame.copy(), screen.copy(), coords.copy()
    for action in hops(30):
        env.step(action)
    assert all(np.array_equal(*pair) for pair in zip((frame, screen, coords), copies, strict=True))


def test_what_is_rendered_may_be_drawn_on(env: MarioEnv) -> None:
    before = env.render().copy()
    env.render()[:] = 0
    assert np.array_equal(env.render(), before)


def test_without_a_render_mode_nothing_is_rendered() -> None:
    env = MarioEnv("foxglove")
    try:
        env.reset()
        assert env.render() is None
    finally:
        env.close()
    with pytest.raises(UserError, match="render_mode is 'human'"):
        MarioEnv("foxglove", render_mode="human")


def test_a_second_emulator_in_a_process_is_refused(env: MarioEnv) -> None:
    with pytest.raises(UserError, match=r"already open in this process.*--envs"):
        MarioEnv("foxglove", level="1.2")
    env.step(RIGHT)
    env.close()
    env.close()
    MarioEnv("foxglove", level="1.2").close()


def test_a_closed_environment_raises_instead_of_crashing(env: MarioEnv) -> None:
    env.close()
    for call in (env.reset, lambda: env.step(RIGHT), env.save_state, env.emulator.ram):
        with pytest.raises(RuntimeError, match="closed"):
            call()


@pytest.mark.parametrize(
    "contents", [b"not gzip", gzip.compress(b"not a state")], ids=["not gzip", "not a state"]
)
def test_a_damaged_state_is_an_error_and_frees_the_emulator(folder: Path, contents: bytes) -> None:
    (folder / "foxglove_level_1_1.state").write_bytes(contents)
    with pytest.raises(UserError) as raised:
        MarioEnv("foxglove", game_dir=folder)
    # While the exception is held, so is the environment that failed.
    MarioEnv("foxglove", level="1.2", game_dir=folder).close()
    message = str(raised.value)
    assert "foxglove_level_1_1.state" in message
    assert "python -m qmap.envs.record_levels --game foxglove --levels 1.1 --force" in message


def test_a_damaged_saved_state_is_an_error(env: MarioEnv) -> None:
    state = env.save_state()
    state["emulator"] = state["emulator"][:1000]
    with pytest.raises(UserError, match="damaged"):
        env.restore_state(state)


def test_errors_say_in_one_line_what_to_do(folder: Path) -> None:
    def message(**arguments: object) -> str:
        with pytest.raises(UserError) as raised:
            MarioEnv(**{"game": "foxglove", "game_dir": folder, **arguments})
        assert len(str(raised.value).splitlines()) == 1
        return str(raised.value)

    assert "there are super_mario, foxglove" in message(game="sonic")
    assert "there are 1.1, 1.2, 2.1, 2.2" in message(level="9.9")
    assert "no data.json, scenario.json, rom.sha in it" in message(game_dir=folder.parent)
    assert "no ROM at" in message(rom=folder / "other.sfc")

    (folder / "other.sfc").write_bytes(b"other")
    wrong = message(rom=folder / "other.sfc")
    assert "SHA-1 is d0941e68da8f38151ff86a61fc59f7c5cf9fcaa2" in wrong
    assert f"expected {(folder / 'rom.sha').read_text().strip()}" in wrong

    (folder / "foxglove_level_1_2.state").unlink()
    command = "python -m qmap.envs.record_levels --game foxglove --levels 1.2"
    assert command in message(level="1.2")

    data = (folder / "data.json").read_text()
    (folder / "data.json").write_text(data.replace('"window_column"', '"other"'))
    assert "does not locate window_column" in message()
    (folder / "data.json").write_text(data[:-20])
    assert "is not an integration file" in message()
    (folder / "rom.sfc").unlink()
    assert "no ROM of Foxglove Run at" in message()


def test_a_rom_may_have_any_name(folder: Path) -> None:
    rom = folder.parent / "Foxglove Run (World)"
    (folder / "rom.sfc").rename(rom)
    env = MarioEnv("foxglove", rom=rom, game_dir=folder)
    try:
        assert env.reset()[1]["coords"].shape == (3,)
    finally:
        env.close()
    assert not (folder / "rom.sfc").exists()


def test_stable_retro_itself_can_open_the_folder(folder: Path) -> None:
    program = f"""
import stable_retro
stable_retro.data.Integrations.add_custom_path({str(folder.parent)!r})
env = stable_retro.make(
    {folder.name!r}, inttype=stable_retro.data.Integrations.ALL, render_mode="rgb_array"
)
print(env.reset()[0].shape, env.step(env.action_space.sample())[2])
"""
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60
    )
    assert ran.stdout.split("\n")[0] == "(224, 256, 3) False", ran.stderr


def rows_seen(env: MarioEnv, first: int, read: list[int]) -> list[int]:
    """Return the rows that are understood while one after the other is read."""
    values, rows = env.emulator.values(), []
    env._row = first
    for row in read:
        env._follow({**values, "player_row": row})
        assert env._over == (env._row >= 224)
        rows.append(env._row)
    return rows


def test_above_the_screen_is_the_first_row(env: MarioEnv) -> None:
    assert rows_seen(env, 20, [250, 240]) == [-6, -16]
    assert env._observe()[1]["coords"][0] == 0
    assert rows_seen(env, 215, [226]) == [226]


def test_high_above_the_screen_nobody_has_fallen(env: MarioEnv) -> None:
    read = [4, 250, 238, 230, 224, 220, 218, 217, 221, 226, 238, 250, 4]
    rows = rows_seen(env, 10, read)
    assert rows == [4, -6, -18, -26, -32, -36, -38, -39, -35, -30, -18, -6, 4]


def test_a_row_that_jumps_is_believed(env: MarioEnv) -> None:
    # From below the ceiling to the ground and back, as pipes do, and above the screen.
    assert rows_seen(env, 40, [156, 48, 164]) == [156, 48, 164]
    assert rows_seen(env, -39, [176]) == [176]
    assert rows_seen(env, 100, [240, 250, 6]) == [-16, -6, 6]


@pytest.mark.parametrize("seed", range(20))
def test_one_byte_is_enough_to_follow_a_row(env: MarioEnv, seed: int) -> None:
    moves = np.random.default_rng(seed).integers(-32, 33, 100)
    rows = [int(row) for row in np.clip(100 + np.cumsum(moves), -200, 223)]
    rows = [row for row, before in zip(rows, [100, *rows], strict=False) if abs(row - before) <= 32]
    assert rows_seen(env, 100, [row % 256 for row in rows]) == rows


def test_where_the_free_game_counts_nothing_wraps(env: MarioEnv) -> None:
    """Its row has two bytes and stops at 0, its window scrolls forward only and is a wall."""
    left = [ACTIONS.index("JUMP+LEFT"), ACTIONS.index("LEFT")] * 40
    before = env.emulator.values()
    for action in [*left, *hops(150, seed=3)]:
        over = env.step(action)[2]
        values = env.emulator.values()
        assert 0 <= values["player_row"] < 256
        assert 0 <= values["window_column"] <= values["player_column"] < 4096
        for name in ("player_row", "player_column", "window_column"):
            assert abs(values[name] - before[name]) <= 4 * 12
        before = values
        if over:
            break
    assert before["window_column"] > 100


def test_a_step_before_the_first_reset_is_refused() -> None:
    env = MarioEnv("foxglove")
    try:
        with pytest.raises(UserError, match=r"call reset\(\) first"):
            env.step(RIGHT)
        env.reset()
        env.step(RIGHT)
    finally:
        env.close()


def test_a_step_after_the_end_is_refused_after_a_restore_too(env: MarioEnv) -> None:
    going_on = env.save_state()
    del going_on["room"]  # as former versions saved it
    while not env.step(RIGHT)[2]:
        pass
    state = env.save_state()
    for restore in (lambda: None, lambda: env.restore_state(state)):
        restore()
        with pytest.raises(UserError, match=r"call reset\(\) first"):
            env.step(RIGHT)
    env.restore_state(going_on)
    assert env.step(RIGHT)[4]["qmap"]["room"] == 0


@pytest.mark.parametrize("level", list(FOXGLOVE_RUN.levels))
def test_a_way_to_the_right_is_found_by_trying(level: str) -> None:
    env = MarioEnv("foxglove", level=level)
    try:
        actions = way_right(env, 700)
        assert actions is not None
        env.reset()
        overs = [env.step(action)[2] for action in actions]
        assert not any(overs)
        assert env._distance >= 700
    finally:
        env.close()
