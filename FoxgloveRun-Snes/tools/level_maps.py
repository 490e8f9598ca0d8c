"""Levels as text, and the metatiles that they are made of.

A level file has the line `theme NAME` and then 14 rows of the same length, one character for each
16 x 16 pixels:

    .  nothing           #  ground            X  stone           =  platform, solid from above
    o  coin              ?  box with a coin   T  tree stump, two wide
    f  foxglove (two high, this is its foot)  t  grass           b  bush, two wide
    S  the start         F  the flag's top    D  the den's top left corner, 3 x 3
    s  snail             e  beetle           m  moth
"""

import sys
from pathlib import Path
from typing import NamedTuple

ROWS = 14
EMPTY, SOLID, ONE_WAY, COIN, BOX = 0, 2, 4, 6, 8  # as in tiles.s
ENEMIES = {"s": 0, "e": 2, "m": 4}  # as in enemies.s


class Metatile(NamedTuple):
    """16 x 16 pixels of a level."""

    name: str
    kind: int = EMPTY
    palette: str = "terrain"


METATILES = (
    Metatile("empty", palette="common"),
    Metatile("ground_top", SOLID),
    Metatile("ground_top_left", SOLID),
    Metatile("ground_top_right", SOLID),
    Metatile("ground_top_both", SOLID),
    Metatile("ground", SOLID),
    Metatile("ground_left", SOLID),
    Metatile("ground_right", SOLID),
    Metatile("ground_both", SOLID),
    Metatile("ground_deep", SOLID),
    Metatile("stone", SOLID),
    Metatile("platform_left", ONE_WAY),
    Metatile("platform", ONE_WAY),
    Metatile("platform_right", ONE_WAY),
    Metatile("stump_top_left", SOLID),
    Metatile("stump_top_right", SOLID),
    Metatile("stump_left", SOLID),
    Metatile("stump_right", SOLID),
    Metatile("foxglove_top", palette="common"),
    Metatile("foxglove", palette="common"),
    Metatile("grass"),
    Metatile("bush_left"),
    Metatile("bush_right"),
    *(Metatile(f"den_{n}") for n in range(1, 10)),
    Metatile("coin", COIN, "common"),
    Metatile("box", BOX, "common"),
    Metatile("box_used", SOLID, "common"),
    Metatile("pole_top", palette="common"),
    Metatile("pole", palette="common"),
    Metatile("pole_foot", SOLID, "common"),
)
NUMBER = {tile.name: number for number, tile in enumerate(METATILES)}


class Level(NamedTuple):
    """What the game needs of a level; places in pixels."""

    theme: str
    map: bytes
    start: tuple[int, int]
    flag: tuple[int, int]
    enemies: list[tuple[int, int, int]]


def read_level(path: Path) -> Level:
    """Read a level file."""
    lines = [line for line in path.read_text().splitlines() if line]
    theme, rows = lines[0].split()[1], lines[1:]
    width = len(rows[0])
    if len(rows) != ROWS or any(len(row) != width for row in rows):
        sys.exit(f"{path}: expected {ROWS} rows of the same length")
    grid = [[0] * width for _ in range(ROWS)]
    start = flag = None
    enemies = []
    for y, row in enumerate(rows):
        for x, character in enumerate(row):
            if character == "S":
                start = (x * 16 + 8, y * 16 + 6)
            elif character in ENEMIES:
                enemies.append((x * 16 + 8, y * 16 + 8, ENEMIES[character]))
            elif character == "F":
                flag = (x * 16 + 8, y * 16 + 10)
                grid[y][x] = NUMBER["pole_top"]
                foot = y + 1
                while rows[foot + 1][x] != "#":
                    grid[foot][x] = NUMBER["pole"]
                    foot += 1
                grid[foot][x] = NUMBER["pole_foot"]
            elif character == "D":
                for n in range(9):
                    grid[y + n // 3][x + n % 3] = NUMBER[f"den_{n + 1}"]
            elif character == "f":
                grid[y][x], grid[y - 1][x] = NUMBER["foxglove"], NUMBER["foxglove_top"]
            elif character != ".":
                grid[y][x] = NUMBER[_name(rows, x, y)]
    if start is None or flag is None:
        sys.exit(f"{path}: the start (S) or the flag (F) is missing")
    columns = (bytes(grid[y][x] for y in range(ROWS)) + bytes(2) for x in range(width))
    return Level(theme, b"".join(columns), start, flag, sorted(enemies))


def _name(rows: list[str], x: int, y: int) -> str:
    """Return the name of the metatile for the character at x, y, by its neighbours."""
    character = rows[y][x]

    def same(dx: int, dy: int) -> bool:
        inside = 0 <= x + dx < len(rows[0]) and y + dy < ROWS
        return not inside or y + dy >= 0 and rows[y + dy][x + dx] == character

    sides = {(True, True): "", (False, True): "_left", (True, False): "_right",
             (False, False): "_both"}[same(-1, 0), same(1, 0)]  # fmt: skip
    if character == "#":
        if not same(0, -1):
            return "ground_top" + sides
        deep = not sides and y >= 2 and rows[y - 2][x] == "#"
        return "ground_deep" if deep else "ground" + sides
    if character == "=":
        return "platform" + ("" if sides == "_both" else sides)
    if character == "T":
        right = _run_length(rows[y], x, character) % 2
        return "stump" + ("" if same(0, -1) else "_top") + ("_right" if right else "_left")
    if character == "b":
        return "bush_right" if _run_length(rows[y], x, character) % 2 else "bush_left"
    try:
        return {"X": "stone", "o": "coin", "?": "box", "t": "grass"}[character]
    except KeyError:
        sys.exit(f"row {y + 1}, column {x + 1}: {character!r} means nothing in a level")


def _run_length(row: str, x: int, character: str) -> int:
    """Return how many of the same character precede x without a gap."""
    count = 0
    while x - count > 0 and row[x - count - 1] == character:
        count += 1
    return count
