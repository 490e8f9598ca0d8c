"""Maps of a run: pictures of levels in cells of any size, and how often places were visited."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from qmap.maps import Maps
from qmap.utils.level_pictures import MAX_ROOMS, load_pictures
from qmap.utils.run_folder import RunFolder
from qmap.utils.terminal import Warnings
from qmap.utils.visits import load_rows, main

ROWS, COLS, LEVEL = 8, 8, 64


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder.create(tmp_path, 0, "qmap.train_environment")


def play(maps: Maps, level: np.ndarray, cell: float, windows: range, first: int = 0) -> None:
    """Show the screens that start at the cells `windows` of a level that begins at `first`."""
    for window in windows:
        start = int(np.ceil(window * cell))
        screen = level[:, start : start + int(COLS * cell)]
        if maps.wants_screen(0, window + first):
            maps.see(0, window + first, screen)
        place = np.array([[3, window + first + 4, window + first]])
        maps.add(np.array([0]), np.floor((place[:, :2] + 0.5) * cell).astype(int), place)


@pytest.mark.parametrize("first", [0, -20])
@pytest.mark.parametrize("cell", [2, 4, 8, 16, 7.5])
def test_levels_are_pictured_right_whatever_the_size_of_their_cells(
    folder: RunFolder, cell: float, first: int
) -> None:
    shape = (int(ROWS * cell), int(LEVEL * cell), 3)
    level = np.random.default_rng(7).integers(40, 255, shape, dtype=np.uint8)
    maps = Maps(Warnings(), (cell, cell))
    play(maps, level, cell, range(30), first)
    maps.save(folder, 30)
    resumed = Maps(Warnings(), (cell, cell))
    resumed.restore(maps.state())
    resumed.restore_pictures(folder, int(COLS * cell))
    play(resumed, level, cell, range(30, LEVEL - COLS + 1), first)
    resumed.save(folder, 57)
    picture = load_pictures(folder.path / "images")[0]
    assert picture.first == first * cell
    assert picture.cell == (cell, cell)
    np.testing.assert_array_equal(picture.pixels[..., :3], level[:, : picture.pixels.shape[1]])
    assert picture.pixels.shape[1] > level.shape[1] - cell
    coords = load_rows(folder.path / "coords" / "step_57.npy")
    assert coords[:, 2].tolist() == [window + first + 4 for window in range(57)]
    main([str(folder.path)])
    assert (folder.path / "visits" / "step_57.png").is_file()


def test_what_goes_beyond_the_bounds_is_said_once(
    folder: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    maps = Maps(Warnings(), (8, 8))
    for room in range(MAX_ROOMS + 20):
        assert maps.wants_screen(room, 0) == (room < MAX_ROOMS)
        maps.see(room, 0, np.zeros((16, 16, 3), np.uint8))
    for step in (1, 2, 3):
        maps.save(folder, step)
    warning = capsys.readouterr().err.strip()
    assert len(warning.splitlines()) == 1
    assert "pictures of all places" in warning
    assert len(list((folder.path / "images").iterdir())) == MAX_ROOMS


def test_a_failing_disk_costs_warnings_only(
    folder: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("visits", "coords", "images"):
        (folder.path / name).write_text("in the way")
    maps = Maps(Warnings(), (8, 8))
    maps.see(0, 0, np.zeros((16, 16, 3), np.uint8))
    maps.save(folder, 1)
    warnings = capsys.readouterr().err
    for what in ("visits", "coords", "pictures of the rooms"):
        assert f"no {what}" in warnings
