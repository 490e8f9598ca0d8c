"""Visits, the pictures of levels and the maps drawn from both."""

from __future__ import annotations

import os
import tracemalloc
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qmap.utils import level_pictures
from qmap.utils import visits as visits_module
from qmap.utils.errors import UserError
from qmap.utils.level_pictures import (
    FAR,
    MAX_ROOMS,
    LevelPictures,
    RoomPicture,
    load_pictures,
)
from qmap.utils.visit_map import EMPTY, HEADER, LABEL, MARGIN, draw_map
from qmap.utils.visits import Visits, load_rows

PLACES = st.tuples(st.integers(0, 1000), st.integers(-300, 4000), st.integers(-300, 100_000))


@given(st.lists(st.lists(PLACES, min_size=1, max_size=4), max_size=30))
@settings(max_examples=60, deadline=None)
def test_counts_agree_with_a_plain_counter(steps: list[list[tuple[int, int, int]]]) -> None:
    visits, model = Visits(), Counter()
    for places in steps:
        visits.add(*np.array(places).T)
        model.update(places)
    expected = [[*place, count] for place, count in sorted(model.items())]
    rows = visits.rows()
    assert rows.dtype == np.int64
    assert rows.tolist() == expected
    assert rows.shape == (len(expected), 4)
    resumed = Visits()
    resumed.restore(rows)
    np.testing.assert_array_equal(resumed.rows(), rows)


def test_a_place_can_be_counted_many_times_at_once() -> None:
    visits = Visits()
    for times in (1, 5):
        visits.add(np.zeros(2, int), np.array([2, 3]), np.array([4, 4]), times)
    assert visits.rows().tolist() == [[0, 2, 4, 6], [0, 3, 4, 6]]


def test_the_counts_of_a_screen_are_those_of_its_room_from_its_window_on() -> None:
    visits = Visits()
    visits.add([1, 1, 1, 2, 1], [0, 0, 2, 0, 0], [-1, -1, 1, -1, 9])
    counts = visits.on_screen(1, -2, (3, 4))
    assert counts.tolist() == [[0, 2, 0, 0], [0, 0, 0, 0], [0, 0, 0, 1]]
    assert len(visits.rows()) == 4  # looking is no visit


def test_single_numbers_count_too() -> None:
    visits = Visits()
    visits.add(3, 5, -7)
    visits.add(3, np.int64(5), -7)
    assert visits.rows().tolist() == [[3, 5, -7, 2]]


def test_snapshots_survive_the_file(tmp_path: Path) -> None:
    visits = Visits()
    visits.save(tmp_path / "empty.npy")
    assert load_rows(tmp_path / "empty.npy").shape == (0, 4)
    visits.add(1, 2, 3)
    visits.save(tmp_path / "step_1.npy")
    np.testing.assert_array_equal(load_rows(tmp_path / "step_1.npy"), visits.rows())
    assert sorted(os.listdir(tmp_path)) == ["empty.npy", "step_1.npy"]


@pytest.mark.parametrize(
    "rows",
    [
        np.zeros((3, 4)),
        np.ones((3, 5), np.int64),
        np.ones(4, np.int64),
        np.array(5),
        np.array([[0, 0, 0, 0]]),
        np.array([[-1, 0, 0, 1]]),
        np.array([[0, 2**40, 0, 1]]),
        np.array([[0, 0, 0, 2**62]]),
        np.array([[2**63, 0, 0, 1]], np.uint64),
        np.array([["a", "b", "c", "d"]]),
    ],
)
def test_rows_of_something_else_are_refused(tmp_path: Path, rows: np.ndarray) -> None:
    np.save(tmp_path / "step_1.npy", rows)
    with pytest.raises(UserError, match="not a file of visits"):
        load_rows(tmp_path / "step_1.npy")
    with pytest.raises(ValueError):
        Visits().restore(rows)


def test_objects_are_never_unpickled(tmp_path: Path) -> None:
    np.save(tmp_path / "step_1.npy", np.array([{}], object), allow_pickle=True)
    with pytest.raises(UserError, match="not a file of visits"):
        load_rows(tmp_path / "step_1.npy")


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_a_damaged_file_is_read_or_refused_but_never_more(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("damaged") / "step_1.npy"
    visits = Visits()
    visits.add(*np.random.default_rng(0).integers(0, 50, (3, 20)))
    visits.save(path)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        index = data.draw(st.integers(0, len(content) - 1))
        content[index] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    refused = ""
    try:
        assert load_rows(path).shape[1:] == (4,)
    except UserError as error:
        refused = str(error)
    assert len(refused.splitlines()) <= 1


def scenery(width: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 200, (40, width, 3), dtype=np.uint8)


def test_a_scrolling_level_is_stitched_and_its_moving_character_removed(tmp_path: Path) -> None:
    level, rng = scenery(400), np.random.default_rng(0)
    pictures = LevelPictures((8, 8))
    for step in range(6000):
        window = 300 - abs(step * 2 % 600 - 300)
        screen = level[:, window : window + 100].copy()
        character = int(rng.integers(0, 96))
        screen[20:30, character : character + 4] = 255 * (step % 2)
        pictures.add(0, window // 8, screen)
    pictures.save(tmp_path)
    stitched = load_pictures(tmp_path)[0].pixels
    # Where the level ends, columns that only the exact window would show may be missing.
    assert 400 - 8 < stitched.shape[1] <= 400
    np.testing.assert_array_equal(stitched[..., :3], level[:, : stitched.shape[1]])


def test_layers_that_scroll_at_their_own_speed_stay_whole(tmp_path: Path) -> None:
    level, clouds = scenery(400), scenery(800)[:, 400:]
    pictures = LevelPictures()
    for step in range(301):
        screen = level[:, step : step + 100].copy()
        screen[:10] = clouds[:10, step // 2 : step // 2 + 100]
        pictures.add(0, step, screen)
    pictures.save(tmp_path)
    stitched = load_pictures(tmp_path)[0].pixels[..., :3]
    np.testing.assert_array_equal(stitched[10:], level[10:])
    for start in range(100, 400, 50):  # each tile was first whole at the right of the screen
        begin = start + 50 - 100
        seen = clouds[:10, begin // 2 + 50 : begin // 2 + 100]
        np.testing.assert_array_equal(stitched[:10, start : start + 50], seen)


def test_what_was_not_seen_is_transparent(tmp_path: Path) -> None:
    pictures = LevelPictures()
    pictures.add(7, 200, scenery(100))
    pictures.save(tmp_path)
    assert os.listdir(tmp_path) == ["room_7.png"]
    alpha = load_pictures(tmp_path)[7].pixels[..., 3]
    assert not alpha[:, :200].any()
    assert (alpha[:, 200:] == 255).all()


def test_a_screen_is_wanted_until_it_is_known(tmp_path: Path) -> None:
    pictures = LevelPictures()
    added = 0
    for _ in range(1000):
        added += pictures.wants(0, 0)
        pictures.add(0, 0, scenery(100))
    assert added == 5
    assert pictures.wants(0, 1)
    assert pictures.wants(1, 0)
    assert not pictures.wants(0, 0)


def test_a_resumed_run_keeps_the_rooms_it_knew(tmp_path: Path) -> None:
    level = scenery(300)
    first = LevelPictures()
    first.add(0, 0, level[:, :100])
    first.add(0, 200, level[:, 200:])
    first.save(tmp_path)
    resumed = LevelPictures()
    resumed.restore(tmp_path, screen_width=100)
    resumed.add(0, 90, level[:, 90:190])
    resumed.save(tmp_path)
    picture = load_pictures(tmp_path)[0].pixels
    np.testing.assert_array_equal(picture[:, :190, :3], level[:, :190])
    np.testing.assert_array_equal(picture[:, 200:, :3], level[:, 200:])
    assert not picture[:, 190:200, 3].any()


def test_a_level_goes_on_to_the_left_of_its_start_also_after_resuming(tmp_path: Path) -> None:
    level, left = scenery(400), 130  # column 0 is the 130th of the scenery
    first = LevelPictures()
    for window in range(0, 201, 20):
        first.add(0, window - left, level[:, window : window + 100])
    first.save(tmp_path)
    saved = load_pictures(tmp_path)[0]
    assert saved.first == -left
    np.testing.assert_array_equal(saved.pixels[..., :3], level[:, :300])
    resumed = LevelPictures()
    resumed.restore(tmp_path, screen_width=100)
    assert not resumed.wants(0, -100)
    for window in range(200, 301, 20):
        resumed.add(0, window - left, level[:, window : window + 100])
    resumed.save(tmp_path)
    saved = load_pictures(tmp_path)[0]
    assert saved.first == -left
    np.testing.assert_array_equal(saved.pixels[..., :3], level)


@pytest.mark.parametrize("absurd", [-65_528, -8191, 8178, 30_000, 65_528, 10**6, -(10**15)])
@pytest.mark.parametrize("moment", ["first", "last"])
def test_one_absurd_window_neither_widens_a_picture_nor_is_kept_quiet(
    tmp_path: Path, absurd: int, moment: str
) -> None:
    level, pictures = scenery(400), LevelPictures()
    windows = [absurd] * (moment == "first") + [*range(0, 301, 20)] + [absurd] * (moment == "last")
    tracemalloc.start()
    try:
        for window in windows:
            screen = level[:, window : window + 100] if 0 <= window <= 300 else level[:, :100]
            pictures.add(0, window, screen)
        pictures.save(tmp_path)
        assert tracemalloc.get_traced_memory()[1] < 10 * 2**20
    finally:
        tracemalloc.stop()
    picture = load_pictures(tmp_path)[0]
    assert picture.first == 0
    np.testing.assert_array_equal(picture.pixels[..., :3], level)
    with pytest.raises(UserError, match="the rest is left out"):
        pictures.check_complete()


def test_a_part_of_a_room_that_is_a_few_screens_away_belongs_to_it(tmp_path: Path) -> None:
    pictures = LevelPictures()
    for window in (0, 100 * FAR):
        pictures.add(0, window, scenery(100))
    pictures.check_complete()
    pictures.save(tmp_path)
    assert load_pictures(tmp_path)[0].pixels.shape[1] == 100 * (FAR + 1)
    pictures.check_complete()


def test_a_room_an_episode_does_not_fill_memory_and_disk(tmp_path: Path) -> None:
    pictures = LevelPictures()
    for room in range(MAX_ROOMS):
        pictures.add(room, 0, scenery(8))
    pictures.check_complete()
    assert not pictures.wants(MAX_ROOMS, 0)
    pictures.add(MAX_ROOMS, 0, scenery(8))
    assert pictures.wants(0, 1)  # what is known goes on
    with pytest.raises(UserError, match="too many"):
        pictures.check_complete()
    pictures.save(tmp_path)
    assert len(os.listdir(tmp_path)) == MAX_ROOMS


def test_large_screens_stop_being_kept_at_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(level_pictures, "MAX_BYTES", 10 * scenery(100).nbytes)
    pictures = LevelPictures()
    for room in range(20):
        pictures.add(room, 0, scenery(100))
    assert sum(pictures.wants(room, 50) for room in range(20)) == 0
    with pytest.raises(UserError, match="too many"):
        pictures.check_complete()


def make_run(folder: Path, width: int = 3000) -> Path:
    run = folder / "ENV" / "AGENT" / "seed-0"
    (run / "visits").mkdir(parents=True)
    (run / "images").mkdir()
    pictures = LevelPictures()
    for window in range(0, width - 256, 64):
        pictures.add(0, window, np.full((224, 256, 3), 90, np.uint8))
    pictures.save(run / "images")
    visits = Visits()
    rng = np.random.default_rng(0)
    for step in (100, 2000):
        for _ in range(step):
            visits.add(0, int(rng.integers(0, 224)), int(rng.integers(0, width // 4)))
        visits.save(run / "visits" / f"step_{step}.npy")
    return run


def test_every_snapshot_gets_a_picture(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    visits_module.main([str(run)])
    for step in (100, 2000):
        picture = cv2.imread(str(run / "visits" / f"step_{step}.png"))
        assert picture is not None
        assert picture.shape[1] < 1200
        assert picture.shape[0] > 3 * 224


def test_visits_are_drawn_where_they_were() -> None:
    picture = np.full((80, 100, 4), 100, np.uint8)
    picture[..., 3] = 255
    blank = draw_map(np.zeros((0, 4), np.int64), {0: RoomPicture(picture)}, "title", 100)
    drawn = draw_map(
        np.array([[0, 40, 20, 100], [0, -5, 20, 1]]), {0: RoomPicture(picture)}, "title", 100
    )
    panel = (slice(HEADER + LABEL, None), slice(MARGIN, MARGIN + 200))
    rows, cols = np.nonzero((drawn[panel] != blank[panel]).any(axis=2))
    # Cells of 4 x 4 pixels, enlarged twice.
    assert (rows.min(), rows.max()) == (80, 87)
    assert (cols.min(), cols.max()) == (40, 47)


def heated(rows: list[list[int]], picture: RoomPicture) -> tuple[np.ndarray, np.ndarray]:
    """Return the (rows, columns) of the first panel, enlarged twice, that visits change."""
    blank = draw_map(np.array(rows) * (1, 1, 1, 0), {0: picture}, "title", 100)
    drawn = draw_map(np.array(rows), {0: picture}, "title", 100)
    width = 2 * picture.pixels.shape[1]
    panel = (slice(HEADER + LABEL, None), slice(MARGIN, MARGIN + width))
    return np.nonzero((drawn[panel] != blank[panel]).any(axis=2))


def test_visits_to_the_left_of_a_levels_start_are_drawn_where_they_were() -> None:
    picture = RoomPicture(np.full((80, 100, 4), 100, np.uint8), first=-60)
    rows, cols = heated([[0, 40, -20, 100]], picture)
    assert (rows.min(), rows.max()) == (80, 87)
    assert (cols.min(), cols.max()) == (80, 87)


def test_visits_of_worlds_with_large_tiles_fill_the_tile() -> None:
    picture = RoomPicture(np.full((96, 128, 4), 100, np.uint8), cell=(24, 32))
    rows, cols = heated([[0, 36, 80, 100]], picture)
    assert (rows.min(), rows.max()) == (2 * 24, 2 * 48 - 1)
    assert (cols.min(), cols.max()) == (2 * 64, 2 * 96 - 1)
    rows, cols = heated([[0, 36, 81, 100]], picture)  # not in the middle: the pixel matters
    assert len(rows) == 8 * 8


@pytest.mark.parametrize("with_picture", [True, False])
@pytest.mark.parametrize("absurd", [(10, -(2**20)), (10, 65_535), (10, 10**6), (2**19, 5)])
def test_one_absurd_place_does_not_widen_a_map(absurd: tuple[int, int], with_picture: bool) -> None:
    rows = [[0, 10, col, 1] for col in range(-30, 50)]
    pictures = {}
    if with_picture:
        pictures[0] = RoomPicture(np.full((50, 100, 4), 255, np.uint8), first=-30)
    sane = draw_map(np.array(rows), pictures, "title", 1)
    drawn = draw_map(np.array([*rows, [0, *absurd, 1]]), pictures, "title", 1)
    assert drawn.shape == sane.shape
    np.testing.assert_array_equal(drawn[HEADER:], sane[HEADER:])
    assert (drawn[:HEADER] != sane[:HEADER]).any()  # the line that counts it


def test_of_a_room_an_episode_the_most_visited_are_drawn() -> None:
    rows = np.array([[room, 0, 0, 1 + room % 7] for room in range(2000)])
    drawn = draw_map(rows, {}, "title", 10)
    assert drawn.size < 3 * 2**20


def test_more_visits_are_brighter() -> None:
    rows = np.array([[0, 4 * index, 0, 10**index] for index in range(5)])
    drawn = draw_map(rows, {}, "title", 10_000)
    column = drawn[HEADER + LABEL :, MARGIN].astype(int).sum(axis=1)[: 5 * 8 : 8]
    assert (np.diff(column) > 0).all()


def test_rooms_without_a_picture_and_pictures_without_visits_are_drawn() -> None:
    picture = np.zeros((50, 50, 4), np.uint8)
    drawn = draw_map(np.array([[4, 10, 10, 1]]), {9: RoomPicture(picture)}, "title", 1)
    assert (drawn == np.array(EMPTY)).all(axis=2).any()


@pytest.mark.parametrize("problem", ["no run", "no visits", "picture", "truncated", "huge picture"])
def test_problems_are_one_line(tmp_path: Path, problem: str) -> None:
    run = make_run(tmp_path, 600)
    image = run / "images" / "room_0.png"
    if problem == "no run":
        run = tmp_path / "nowhere"
    elif problem == "no visits":
        for path in (run / "visits").iterdir():
            path.unlink()
    elif problem == "picture":
        image.write_bytes(b"not a picture")
    elif problem == "truncated":
        image.write_bytes(image.read_bytes()[:40])
    elif problem == "huge picture":
        content = bytearray(image.read_bytes())
        content[16:24] = (2**30).to_bytes(4, "big") * 2
        image.write_bytes(content)
    with pytest.raises(UserError) as caught:
        visits_module.main([str(run)])
    assert len(str(caught.value).splitlines()) == 1
