"""What all pictures are drawn with: colors, text and images in another size."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from PIL import ImageFont

Color = tuple[int, int, int]

BACKGROUND: Color = (24, 26, 31)
BAR: Color = (36, 39, 46)
EMPTY: Color = (16, 17, 20)
TEXT: Color = (226, 228, 233)
DIM: Color = (146, 150, 160)
_RAMP = np.arange(256, dtype=np.uint8)[:, None]
# (256, 3) RGB, perceptually uniform: as dark as the value is low, also in gray.
COLORS: np.ndarray = cv2.applyColorMap(_RAMP, cv2.COLORMAP_INFERNO)[:, 0, ::-1].copy()


def write(
    image: np.ndarray,
    text: str,
    x: int,
    middle: int,
    size: int,
    color: Color,
    align: str = "left",
) -> int:
    """Write `text` into `image` in place, around the row `middle`; return the column it ends at.

    Args:
        image: (H, W, 3) uint8; text that does not fit is cropped.
        text: one line.
        x: column of the text's left edge, center or right edge, as `align` says.
        middle: row that goes through the middle of the digits.
        size: height of the font in pixels.
        color: RGB.
        align: left, center or right.
    """
    mask, above = _text_mask(text, size)
    height, width = mask.shape
    left = x - {"left": 0, "center": width // 2, "right": width}[align]
    top = middle - above
    target = image[max(top, 0) : top + height, max(left, 0) : left + width]
    mask = mask[max(-top, 0) :, max(-left, 0) :][: target.shape[0], : target.shape[1], None]
    target += (
        (mask * (np.array(color, np.float32) - target)).round().astype(np.int16).astype(np.uint8)
    )
    return left + width


def text_width(text: str, size: int) -> int:
    """Return the width of a line of text in pixels."""
    return _text_mask(text, size)[0].shape[1]


@lru_cache(maxsize=1024)
def _text_mask(text: str, size: int) -> tuple[np.ndarray, int]:
    """Return the coverage in [0, 1] of a line of text and the row of it that is its middle."""
    font = _font(size)
    _, top, _, bottom = font.getbbox("0")
    height = sum(font.getmetrics())
    width = max(int(np.ceil(font.getlength(text))), 1)
    mask = np.zeros((height, width), np.float32)
    glyphs, (left, above) = font.getmask2(text, mode="L")
    drawn = np.asarray(glyphs, np.float32).reshape(glyphs.size[::-1]) / 255
    target = mask[max(above, 0) : above + drawn.shape[0], max(left, 0) : left + drawn.shape[1]]
    target[:] = drawn[: target.shape[0], : target.shape[1]]
    return mask, round((top + bottom) / 2)


@lru_cache(maxsize=8)
def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.load_default(size)


def resize_into(image: np.ndarray, panel: np.ndarray) -> None:
    """Resize `image` into `panel` in place, with pixels as sharp as their new size allows.

    Args:
        image: (h, w, 3) uint8.
        panel: (H, W, 3) uint8, part of a picture; it may be smaller than the image too.
    """
    height, width = panel.shape[:2]
    if height % image.shape[0] == 0 and width % image.shape[1] == 0:
        cv2.resize(image, (width, height), dst=panel, interpolation=cv2.INTER_NEAREST)
    elif height <= image.shape[0] and width <= image.shape[1]:
        cv2.resize(image, (width, height), dst=panel, interpolation=cv2.INTER_AREA)
    else:
        times = max(-(-height // image.shape[0]), 1)
        size = (image.shape[1] * times, image.shape[0] * times)
        image = cv2.resize(image, size, interpolation=cv2.INTER_NEAREST)
        cv2.resize(image, (width, height), dst=panel, interpolation=cv2.INTER_LINEAR)
