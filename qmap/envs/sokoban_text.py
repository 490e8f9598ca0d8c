"""Sokoban's boards in the usual text format, in which the published sets are written."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from qmap.envs.sokoban_boards import LARGEST, Boards, Goals, joined, region
from qmap.envs.walks import screen_size
from qmap.utils.errors import UserError

WALL, TARGET, BOX, CHARACTER = "#", ".*+", "$*", "@+"
FLOOR = " -_"
SYMBOLS = set(WALL + TARGET + BOX + CHARACTER + FLOOR)


def read_boards(path: str | Path, goals: Goals = "character", side: int | None = None) -> Boards:
    """Read boards of `#` walls, `@` character, `$` boxes, `.` targets, `*` and `+` both on targets.

    Lines that hold anything else, titles and comments for example, and empty ones part the boards.
    What the character could not get to even without boxes becomes wall.

    Args:
        path: a text file.
        goals: see `Boards`.
        side: rows and columns of the screen, None for as many as the largest board needs.

    Returns:
        The boards, each in the upper left corner of its screen.

    Raises:
        UserError: the file cannot be read, has no board, or one that is open, larger than 12 x 12,
            without exactly one character, or with other numbers of boxes and targets.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise UserError(f"cannot read boards from {path}: {reason}") from error
    found, board = [], []
    for number, line in enumerate([*lines, ""], start=1):
        if "#" in line and set(line.rstrip()) <= SYMBOLS:
            board.append(line.rstrip())
        elif board:
            found.append((number - len(board), board))
            board = []
    if not found:
        raise UserError(
            f"{path} has no Sokoban board; expected lines of the characters #@$.*+ and spaces"
        )
    if side is None:
        side = screen_size(max(max(len(board), *map(len, board)) for _, board in found))
    return joined([_board(f"{path}, line {line}", board, side, goals) for line, board in found])


def _board(where: str, lines: list[str], side: int, goals: Goals) -> Boards:
    rows, cols = len(lines), max(map(len, lines))
    if max(rows, cols) > LARGEST:
        raise UserError(
            f"{where}: the board has {rows} rows and {cols} columns, expected at most {LARGEST}"
        )
    cells = np.full((side, side), " ")
    for row, line in enumerate(lines):
        cells[row, : len(line)] = list(line)
    walls, targets, boxes, characters = (
        np.isin(cells, list(kind)).reshape(1, -1) for kind in (WALL, TARGET, BOX, CHARACTER)
    )
    if (count := np.count_nonzero(characters)) != 1:
        raise UserError(f"{where}: the board has {count} characters, expected one @ or +")
    # Beyond a frame of wall around everything, so that a flood that gets out meets the frame.
    character = characters.argmax(axis=1)
    framed = np.pad(walls.reshape(side, side), 1, constant_values=False)
    outer = np.pad(framed, 1, constant_values=True)
    row, col = divmod(int(character[0]), side)
    wide = region(outer.reshape(1, -1), np.array([(row + 2) * (side + 4) + col + 2]))
    wide = wide.reshape(side + 4, side + 4)
    if wide[1].any():
        raise UserError(f"{where}: the board is open, expected # all around the character")
    inside = wide[2:-2, 2:-2].reshape(1, -1)
    boxes, targets = boxes & inside, targets & inside
    if not boxes.any() or boxes.sum() != targets.sum():
        raise UserError(
            f"{where}: the board has {boxes.sum()} boxes and {targets.sum()} targets, expected as "
            "many of both, and one at least"
        )
    return Boards(~inside, targets, boxes, character, goals)
