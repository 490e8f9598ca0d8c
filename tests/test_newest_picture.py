"""The newest picture: only for who watches, a few a second, and never a wait."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qmap.utils import newest_picture
from qmap.utils.newest_picture import (
    ASKED,
    EVERY,
    LASTS,
    PICTURE,
    SELDOM,
    SHARE,
    NewestPicture,
    ask_for_pictures,
    read_picture,
)

RED = np.full((4, 6, 3), (255, 0, 0), np.uint8)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def drawn(folder: Path, clock: Clock, processor: Clock | None = None) -> NewestPicture:
    """A picture that was asked for."""
    newest = NewestPicture(folder, clock, processor or clock)
    ask_for_pictures(folder)
    return newest


def test_what_is_drawn_can_be_read(tmp_path: Path) -> None:
    newest = drawn(tmp_path, Clock())
    assert newest.due()
    newest.show(lambda: RED)
    newest.close()
    assert np.array_equal(read_picture(tmp_path / PICTURE), RED)
    assert sorted(path.name for path in tmp_path.iterdir()) == [ASKED, PICTURE]


def test_nothing_is_drawn_for_nobody(tmp_path: Path) -> None:
    ask_for_pictures(tmp_path)  # who watched an earlier run of this folder
    clock = Clock()
    newest = NewestPicture(tmp_path, clock)
    for _ in range(10):
        assert not newest.due()
        clock.now += EVERY


def test_who_asks_is_shown_pictures_for_a_while(tmp_path: Path) -> None:
    clock = Clock()
    newest = drawn(tmp_path, clock)
    assert newest.due()
    clock.now += LASTS - 0.1
    assert newest.due()
    clock.now += 0.2
    assert not newest.due()
    ask_for_pictures(tmp_path)
    clock.now += EVERY + 0.01
    assert newest.due()


def test_pictures_keep_their_distance(tmp_path: Path) -> None:
    clock, processor = Clock(), Clock()
    newest = drawn(tmp_path, clock, processor)
    newest.show(lambda: RED)
    newest.close()
    processor.now += 1e3
    assert not newest.due()
    clock.now += EVERY + 0.01
    assert newest.due()


def test_pictures_that_take_long_wait_until_the_training_has_had_its_share(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, processor = Clock(), Clock()
    newest = drawn(tmp_path, clock, processor)
    times = iter([1.0, 1.02])
    monkeypatch.setattr(newest_picture.time, "thread_time", lambda: next(times))
    newest.show(lambda: RED)
    newest.close()
    clock.now += EVERY + 0.01
    processor.now += 0.02 / SHARE - 0.01
    assert not newest.due()
    processor.now += 0.02
    assert newest.due()


def test_there_is_a_picture_now_and_then_whatever_it_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    newest = drawn(tmp_path, clock, Clock())
    times = iter([1.0, 2.0])
    monkeypatch.setattr(newest_picture.time, "thread_time", lambda: next(times))
    newest.show(lambda: RED)
    newest.close()
    clock.now += SELDOM - 0.1
    assert not newest.due()
    clock.now += 0.2
    assert newest.due()


def test_nobody_waits_for_a_picture_under_way(tmp_path: Path) -> None:
    clock = Clock()
    newest = drawn(tmp_path, clock)
    go_on = threading.Event()

    def slowly() -> np.ndarray:
        go_on.wait()
        return RED

    newest.show(slowly)
    clock.now += EVERY + 1
    assert not newest.due()
    go_on.set()
    newest.close()


def test_a_picture_that_cannot_be_written_costs_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    clock = Clock()
    newest = drawn(folder, clock)
    (folder / ASKED).unlink()
    folder.rmdir()
    newest.show(lambda: RED)
    newest.close()
    assert not newest.due()


def test_a_link_is_not_followed_out_of_the_folder(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / ASKED).symlink_to(outside)
    with pytest.raises(OSError, match=ASKED):
        ask_for_pictures(folder)
    assert not outside.exists()


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_a_damaged_picture_is_refused(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("damaged") / PICTURE
    np.save(path, RED)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        picture = read_picture(path)
    except ValueError:
        return
    assert picture.dtype == np.uint8
    assert picture.ndim == 3


@pytest.mark.parametrize(
    "other", [RED[..., :2], RED[0], RED.astype(float), np.zeros((1, 9999, 3), np.uint8)]
)
def test_another_array_is_refused(tmp_path: Path, other: np.ndarray) -> None:
    np.save(tmp_path / PICTURE, other)
    with pytest.raises(ValueError, match="not a picture"):
        read_picture(tmp_path / PICTURE)
