"""Pictures as text, and what the console makes of them.

A picture file has lines `color C RRGGBB` (the colors in the order of the palette, each called by
one character; `.` is transparent) and then pictures: `@name` and one line for each row of pixels.
A background also has `sky RRGGBB RRGGBB ...`, the colors behind it from top to bottom.
"""

import sys
from pathlib import Path

SKY_BANDS = 19


def read_picture_file(path: Path) -> tuple[list[int], dict[str, list[list[int]]]]:
    """Return the palette (console colors, 0 the transparent one) and the pictures by name."""
    palette, symbols = [0], {".": 0}
    blocks: dict[str, list[list[int]]] = {}
    rows: list[list[int]] | None = None
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        if line.startswith("@"):
            rows = blocks.setdefault(line[1:].strip(), [])
        elif rows is None:
            words = line.split()
            if words and words[0] == "color":
                symbols[words[1]] = len(palette)
                palette.append(color_word(words[2]))
        elif line:
            try:
                rows.append([symbols[character] for character in line])
            except KeyError as error:
                sys.exit(f"{path}:{number}: no color is called {error}")
    if len(palette) > 16:
        sys.exit(f"{path}: {len(palette) - 1} colors; 15 at most")
    return palette, blocks


def color_word(text: str) -> int:
    """Return the console's 15-bit color for RRGGBB."""
    red, green, blue = (int(text[n : n + 2], 16) >> 3 for n in (0, 2, 4))
    return red | green << 5 | blue << 10


def char(rows: list[list[int]], x: int, y: int, bits: int = 4) -> bytes:
    """Return 8 x 8 pixels as bit planes, in pairs, row by row."""
    data = bytearray()
    for plane in range(0, bits, 2):
        for row in rows[y : y + 8]:
            for bit in (plane, plane + 1):
                byte = 0
                for pixel in row[x : x + 8]:
                    byte = byte << 1 | pixel >> bit & 1
                data.append(byte)
    return bytes(data)


def chars_of(rows: list[list[int]], first: int) -> dict[int, bytes]:
    """Return the chars of a picture by number, in sheets that are 16 chars wide."""
    return {
        first + y // 8 * 16 + x // 8: char(rows, x, y)
        for y in range(0, len(rows), 8)
        for x in range(0, len(rows[0]), 8)
    }


def sheet_of(pictures: list[list[list[int]]]) -> bytes:
    """Return pictures of 16 x 16 pixels as a sheet of chars, 8 pictures side by side."""
    chars = {}
    for number, rows in enumerate(pictures):
        chars |= chars_of(rows, number // 8 * 32 + number % 8 * 2)
    return b"".join(chars.get(number, bytes(32)) for number in range(max(chars) + 1))


def two_bit_chars(font: dict[str, list[list[int]]]) -> bytes:
    """Return the pictures of a font, 8 x 8 pixels in 4 colors, in their order."""
    return b"".join(char(rows, 0, 0, bits=2) for rows in font.values())


def flat_tiles(rows: list[list[int]], palette: int) -> tuple[list[bytes], list[int]]:
    """Cut a picture of 256 x 224 pixels into its different tiles and a map of 32 x 32 words.

    Tiles that are mirror images of others are not stored again. Rows 28 to 31 repeat row 27.
    """
    tiles: list[bytes] = [bytes(32)]
    known = {tiles[0]: 0}
    words = []
    for y in range(0, 224, 8):
        for x in range(0, 256, 8):
            block = [row[x : x + 8] for row in rows[y : y + 8]]
            mirrored = [row[::-1] for row in block]
            variants = {
                0: char(block, 0, 0),
                0x4000: char(mirrored, 0, 0),
                0x8000: char(block[::-1], 0, 0),
                0xC000: char(mirrored[::-1], 0, 0),
            }
            flip = next((flip for flip, tile in variants.items() if tile in known), 0)
            if variants[flip] not in known:
                known[variants[flip]] = len(tiles)
                tiles.append(variants[flip])
            words.append(known[variants[flip]] | palette << 10 | flip)
    return tiles, words + words[-32:] * 4


def sky_table(path: Path) -> bytes:
    """Return the HDMA table of the sky: bands of 8 lines, down to where the hills begin."""
    line = next(each for each in path.read_text().splitlines() if each.startswith("sky "))
    stops = [[int(text[n : n + 2], 16) for n in (0, 2, 4)] for text in line.split()[1:]]
    table = bytearray()
    for band in range(SKY_BANDS):
        place = band / (SKY_BANDS - 1) * (len(stops) - 1)
        index = min(int(place), len(stops) - 2)
        share = place - index
        mixed = [
            round(a + (b - a) * share) for a, b in zip(stops[index], stops[index + 1], strict=True)
        ]
        word = color_word("".join(f"{value:02x}" for value in mixed))
        table += bytes((8, 0, 0)) + word.to_bytes(2, "little")
    return bytes(table) + b"\0"
