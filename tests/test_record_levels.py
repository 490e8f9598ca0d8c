"""Recording the starts of levels, with the real emulator and the free game in it."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from pathlib import Path

import pytest

from qmap.envs.emulator import Emulator
from qmap.envs.foxglove_run import FOXGLOVE_RUN as GAME
from qmap.envs.game import all_hold, number
from qmap.envs.record_levels import main, record_levels
from qmap.utils.errors import UserError

LEVELS = tuple(GAME.levels)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The free game's folder without states."""
    source, copy = GAME.find_folder(), tmp_path / "game"
    copy.mkdir()
    for name in ("data.json", "scenario.json", "rom.sha", "rom.sfc"):
        (copy / name).symlink_to(source / name)
    return copy


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.state"))


def test_recording_gives_the_shipped_states(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["--game", "foxglove", "--game-dir", str(folder)])
    lines = capsys.readouterr().out.splitlines()
    assert lines == [f"recorded {folder / GAME.state_name(level)}" for level in LEVELS]
    emulator = Emulator(GAME, game_dir=folder)
    try:
        rams = []
        for name in names(folder):
            for place in (folder, GAME.find_folder()):
                assert emulator.load(gzip.decompress((place / name).read_bytes()))
                emulator.hold()
                emulator.frame()
                rams.append(emulator.ram().tobytes())
            assert rams[-1] == rams[-2], f"{name} is not what the ROM gives; record it again"
        assert len(set(rams)) == len(LEVELS)
    finally:
        emulator.close()


def test_a_recorded_level_is_being_played_from_its_start(folder: Path) -> None:
    emulator = Emulator(GAME, game_dir=folder)
    try:
        for level, (path, written) in zip(LEVELS, record_levels(emulator, LEVELS), strict=True):
            assert written
            assert path.name == GAME.state_name(level)
            values = emulator.values()
            assert all_hold(values, GAME.recording.playing)
            assert number(values, GAME.window) == 0
            assert number(values, GAME.score) == 0
    finally:
        emulator.close()


def test_states_that_are_there_are_kept_unless_forced(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = folder / GAME.state_name("1.2")
    mine.write_bytes(b"mine")
    arguments = ["--game", "foxglove", "--game-dir", str(folder), "--levels", "1.2", "2.1"]
    main(arguments)
    assert mine.read_bytes() == b"mine"
    assert names(folder) == [GAME.state_name("1.2"), GAME.state_name("2.1")]
    first = (folder / GAME.state_name("2.1")).read_bytes()
    main([*arguments, "--force"])
    assert mine.read_bytes() != b"mine"
    assert (folder / GAME.state_name("2.1")).read_bytes() == first, "other bytes each time"
    words = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert words == ["kept", "recorded", "recorded", "recorded"]


def test_a_state_that_cannot_be_written_is_an_error(folder: Path) -> None:
    (folder / GAME.state_name("1.1")).mkdir()
    with pytest.raises(UserError, match=r"cannot write .*foxglove_level_1_1\.state"):
        main(["--game", "foxglove", "--game-dir", str(folder), "--force"])
    assert [path.name for path in folder.glob(".*")] == []
    # The emulator has been freed.
    Emulator(GAME, game_dir=folder).close()


def test_mistakes_end_in_one_line_and_exit_status_2(folder: Path) -> None:
    def run(*arguments: str) -> list[str]:
        command = [sys.executable, "-m", "qmap.envs.record_levels", *arguments]
        ran = subprocess.run(
            command, capture_output=True, text=True, timeout=60, env=os.environ, check=False
        )
        assert ran.returncode == 2, ran.stdout
        assert ran.stdout == ""
        return ran.stderr.splitlines()

    (unknown,) = run("--game", "foxglove", "--levels", "1.1", "7.7")
    assert "no level '7.7'; there are 1.1, 1.2, 2.1, 2.2" in unknown
    (game,) = run("--game", "sonic")
    assert "super_mario" in game
    (rom,) = run("--game", "foxglove", "--rom", str(folder / "data.json"))
    assert "SHA-1" in rom
    assert names(folder) == []
