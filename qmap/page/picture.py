"""A picture on its way to the page: the screen as it is, and beside it what is drawn over it."""

from __future__ import annotations

import json
import struct
from typing import Any

import cv2
import numpy as np

ALIGNED = 4  # bytes
MOST = 2**16 - 1


def packed(words: dict[str, Any], maps: dict[str, np.ndarray], screen: np.ndarray) -> bytes:
    """Return one message: a JSON text, maps, and the screen as a PNG file.

    The first 4 bytes are the length of the text, little-endian, filled up with spaces to a multiple
    of 4. Its `maps` names the maps that follow in this order, with rows and columns of each; their
    values are 16-bit numbers, little-endian, 65535 for 1.

    Args:
        words: what is known in words.
        maps: (rows, cols) each, in [0, 1], rows * cols even.
        screen: (height, width, 3) uint8 RGB.
    """
    words = {**words, "maps": {name: list(values.shape) for name, values in maps.items()}}
    text = json.dumps(words).encode()
    text += b" " * (-len(text) % ALIGNED)
    numbers = [
        np.rint(np.nan_to_num(values).clip(0, 1) * MOST).astype("<u2").tobytes()
        for values in maps.values()
    ]
    # At its own size, for the browser to enlarge; level 1 is as small as 3 on screens of games.
    bgr = cv2.cvtColor(screen, cv2.COLOR_RGB2BGR)
    image = cv2.imencode(".png", bgr, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes()
    return b"".join((struct.pack("<I", len(text)), text, *numbers, image))
