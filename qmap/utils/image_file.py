"""The one place where image files are read and written.

What is read may have been written by somebody else or by a failing disk.
"""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, PngImagePlugin

from qmap.utils.errors import UserError
from qmap.utils.files import atomic_file, cannot

FORMATS = ("PNG", "BMP", "GIF", "JPEG", "WEBP")
# Higher ones make the files of this project hardly smaller, and take up to twice as long.
COMPRESSION = 1


class ImageFile(NamedTuple):
    """What an image file holds.

    Attributes:
        pixels: (H, W) or (H, W, channels) uint8.
        notes: texts kept beside the pixels, of PNG files only.
        stored: Pillow's mode of the file itself: "L", "P", "RGBA", ...
    """

    pixels: np.ndarray
    notes: dict[str, str]
    stored: str


def read_image(path: str | os.PathLike[str], mode: str, largest: tuple[int, int]) -> ImageFile:
    """Read an image, once its size and, of a PNG, the checksums of all its parts are right.

    Args:
        path: the file.
        mode: what the pixels become: "L" gray (H, W), "RGB" or "RGBA" (H, W, 3 or 4).
        largest: (rows, columns) that are allowed at most; larger claims take no memory.

    Raises:
        UserError: it cannot be read, is no whole image, or is too large.
    """
    try:
        with open(path, "rb") as file, warnings.catch_warnings():
            # Pillow's own limits on sizes are not ours, which follow.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(file, formats=FORMATS)
            cols, rows = image.size
            if 0 < rows <= largest[0] and 0 < cols <= largest[1]:
                image.verify()  # of a PNG all checksums, which loading alone does not look at
                file.seek(0)
                image = Image.open(file, formats=FORMATS)
                notes = dict(getattr(image, "text", {}))
                stored = image.mode
                if stored.startswith("I"):  # 16 bits of gray
                    image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
                return ImageFile(np.array(image.convert(mode)), notes, stored)
    except Exception as error:  # a damaged file can make a decoder raise nearly anything
        if isinstance(error, OSError) and error.errno is not None:
            raise cannot("read", path, error) from error
        reason = " ".join(str(error).split())[:150] or type(error).__name__
        raise UserError(
            f"{path} is not an image, or damaged ({reason}); expected a PNG, for one"
        ) from error
    raise UserError(
        f"{path} has {rows} rows and {cols} columns, expected 1 to {largest[0]} and 1 to "
        f"{largest[1]}"
    )


def write_image(
    path: str | os.PathLike[str], pixels: np.ndarray, notes: dict[str, str] | None = None
) -> None:
    """Write a PNG file that is there whole or not at all.

    Args:
        path: the file.
        pixels: uint8, (H, W) gray, (H, W, 3) RGB or (H, W, 4) RGBA.
        notes: short texts to keep beside the pixels, by their names.

    Raises:
        UserError: it cannot be written.
    """
    texts = PngImagePlugin.PngInfo()
    for name, text in (notes or {}).items():
        texts.add_text(name, text)
    image = Image.fromarray(np.ascontiguousarray(pixels))
    with atomic_file(Path(path)) as file:
        image.save(file, "PNG", compress_level=COMPRESSION, pnginfo=texts)
