"""Reading image files that somebody else may have written, or a failing disk."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np

from qmap.utils.errors import UserError
from qmap.utils.files import cannot

PNG = b"\x89PNG\r\n\x1a\n"


def read_image(path: Path, flags: int, largest: tuple[int, int]) -> np.ndarray:
    """Read an image; of a PNG file, first look at its size and the checksums of all its parts.

    The decoder alone would take a PNG with damaged parts, say so on standard error in words of its
    own, and make room for any size that a header claims. Other formats have no checksums.

    Args:
        path: the file.
        flags: what `cv2.imdecode` is to make of it.
        largest: (rows, columns) that are allowed at most.

    Raises:
        UserError: it cannot be read, is no whole image, or is too large.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise cannot("read", path, error) from error
    expected = "expected a PNG, for one"
    shape: tuple[int, ...] = (1, 1)
    if data.startswith(PNG):
        try:
            shape = _png_shape(data)
        except ValueError as error:
            raise UserError(f"{path} is not an image, or damaged ({error}); {expected}") from error
    image = None
    if _fits(shape, largest):
        try:
            image = cv2.imdecode(np.frombuffer(data, np.uint8), flags) if data else None
        except cv2.error:
            image = None
        if image is None:
            raise UserError(f"{path} is not an image that OpenCV can read; {expected}")
        shape = image.shape
    if not _fits(shape, largest):
        raise UserError(
            f"{path} has {shape[0]} rows and {shape[1]} columns, expected 1 to {largest[0]} and 1 "
            f"to {largest[1]}"
        )
    return image


def _fits(shape: tuple[int, ...], largest: tuple[int, int]) -> bool:
    return 0 < shape[0] <= largest[0] and 0 < shape[1] <= largest[1]


def _png_shape(data: bytes) -> tuple[int, int]:
    """Check all parts of a PNG file; return its (rows, columns).

    Raises:
        ValueError: a part is damaged or missing.
    """
    start, kind = len(PNG), b""
    while kind != b"IEND":
        if len(data) < start + 12:
            raise ValueError("its end is missing")
        length, kind = struct.unpack_from(">I4s", data, start)
        body = data[start + 4 : start + 8 + length]
        if data[start + 8 + length : start + 12 + length] != struct.pack(">I", zlib.crc32(body)):
            raise ValueError(f"a wrong checksum after byte {start}")
        start += 12 + length
    if data[12:16] != b"IHDR" or len(data) < 24:
        raise ValueError("its size is missing")
    cols, rows = struct.unpack_from(">II", data, 16)
    return rows, cols
