"""Images come back as they were written, and nothing else passes for one."""

from __future__ import annotations

import io
import os
import struct
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from qmap.utils.errors import UserError
from qmap.utils.image_file import read_image, write_image

LARGEST = (100, 200)


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize(
    ("shape", "mode"), [((30, 40), "L"), ((30, 40, 3), "RGB"), ((30, 40, 4), "RGBA")]
)
def test_images_come_back_as_they_were_written(
    tmp_path: Path, shape: tuple[int, ...], mode: str
) -> None:
    write_image(tmp_path / "a.png", noise(*shape), {"first": "-7"})
    pixels, notes, stored = read_image(tmp_path / "a.png", mode, LARGEST)
    np.testing.assert_array_equal(pixels, noise(*shape))
    assert notes == {"first": "-7"}
    assert stored == mode
    assert os.listdir(tmp_path) == ["a.png"]


def test_parts_of_arrays_are_written_too(tmp_path: Path) -> None:
    pixels = noise(30, 40, 3)[::-1, 5:20, ::-1]
    write_image(tmp_path / "a.png", pixels)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png", "RGB", LARGEST).pixels, pixels)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_black_and_white_are_gray_of_0_and_255_in_every_kind_of_png(
    tmp_path: Path, mode: str
) -> None:
    expected = np.where(noise(20, 30) < 128, 0, 255).astype(np.uint8)
    if mode == "I;16":
        image = Image.fromarray(expected.astype(np.uint16) * 257)
    else:
        image = Image.fromarray(expected).convert(mode)
    image.save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png", "L", LARGEST).pixels, expected)


def png() -> bytes:
    file = io.BytesIO()
    Image.fromarray(noise(30, 40, 3)).save(file, "PNG")
    return file.getvalue()


def assert_refused(path: Path, words: str) -> None:
    with pytest.raises(UserError, match=words) as caught:
        read_image(path, "RGB", LARGEST)
    assert len(str(caught.value).splitlines()) == 1


def test_a_png_with_any_bit_of_its_pixels_wrong_is_refused(tmp_path: Path) -> None:
    data, path = png(), tmp_path / "a.png"
    start = data.index(b"IDAT")
    for place in [*range(start + 4, len(data) - 12, 97), len(data) - 13]:  # last: a checksum
        path.write_bytes(data[:place] + bytes([data[place] ^ 4]) + data[place + 1 :])
        assert_refused(path, "not an image, or damaged")


def test_a_png_that_breaks_off_is_refused(tmp_path: Path) -> None:
    data, path = png(), tmp_path / "a.png"
    for size in [0, 1, 8, 20, 33, *range(40, len(data) - 12, 211)]:
        path.write_bytes(data[:size])
        assert_refused(path, "not an image, or damaged")


@pytest.mark.parametrize("size", [(201, 10), (10, 101), (13_000, 13_000), (2**30, 2**30)])
def test_a_gigantic_claim_takes_no_memory(tmp_path: Path, size: tuple[int, int]) -> None:
    data, path = png(), tmp_path / "a.png"
    header = b"IHDR" + struct.pack(">II", *size) + data[24:29]
    path.write_bytes(data[:12] + header + struct.pack(">I", zlib.crc32(header)) + data[33:])
    tracemalloc.start()
    try:
        assert_refused(path, "rows and|pixels")
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def test_what_cannot_be_written_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot write"):
        write_image(tmp_path / "no" / "a.png", noise(3, 3))
    assert not os.listdir(tmp_path)
