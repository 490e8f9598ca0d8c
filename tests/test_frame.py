"""One picture of a video."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import cv2
import imageio.v3 as imageio
import numpy as np
import pytest

from qmap.utils.errors import UserError
from qmap.utils.frame import frame, main


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """Ten pictures, from black to white."""
    pictures = np.repeat(np.linspace(0, 255, 10).astype(np.uint8), 64 * 64 * 3)
    path = tmp_path / "video.mp4"
    imageio.imwrite(path, pictures.reshape(10, 64, 64, 3), plugin="FFMPEG", fps=10)
    return path


@pytest.mark.parametrize("at", [0.0, 0.5, 1.0])
def test_the_picture_is_the_one_at_that_share_of_the_video(video: Path, at: float) -> None:
    output = video.with_suffix(".png")
    main([str(video), "--at", str(at), "--output", str(output)])
    picture = cv2.imread(str(output))
    assert picture.shape == (64, 64, 3)
    assert picture.mean() == pytest.approx(255 * round(at * 9) / 9, abs=6)


def test_a_long_video_does_not_fill_the_memory(video: Path) -> None:
    black = np.zeros((300, 480, 640, 3), np.uint8)
    imageio.imwrite(video, black, plugin="FFMPEG", fps=10)
    del black
    tracemalloc.start()
    try:
        frame(video, 1.0)
        assert tracemalloc.get_traced_memory()[1] < 20 * 480 * 640 * 3
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("content", [None, b"", b"no video at all"])
def test_what_is_no_video_is_refused_in_one_line(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "video.mp4"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError) as refusal:
        main([str(path)])
    assert "\n" not in str(refusal.value)


def test_a_share_outside_the_video_is_refused(video: Path) -> None:
    with pytest.raises(UserError, match="--at"):
        main([str(video), "--at", "1.5"])
