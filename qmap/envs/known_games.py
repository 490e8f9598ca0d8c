"""Where the character is in games of stable-retro: one table.

Numbers are sums of variables, named as in the `data.json` that stable-retro publishes for the game,
or as in `variables` here, where that lacks them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from qmap.envs.foxglove_run import FOXGLOVE_RUN
from qmap.envs.game import NOT_ZERO, Condition, Number
from qmap.envs.super_mario_all_stars import SUPER_MARIO_ALL_STARS
from qmap.utils.errors import UserError

# Beside the variables, a number may have a constant part: that of this one, which is always 1.
ONE = ""
TERM = re.compile(r"([+-]?)(?:(\d+)\*)?([A-Za-z_]\w*|\d+)")


@dataclass(frozen=True)
class KnownGame:
    """What is known of a game beside its integration.

    Attributes:
        row: of the character on the screen, in pixels from the top; empty if it is not known.
        col: of the character in the level, in pixels from its start; likewise.
        window: of the screen's left edge in the level; empty for a screen that does not scroll.
        room: number of the level or area, where columns alone do not tell places apart.
        completed: a level is finished while one of these holds.
        jump: the button that `--actions` calls JUMP: to jump with, or whatever the game is about;
            empty if it is not known.
        variables: places in RAM that the game's data.json lacks, written as there.
    """

    row: str = ""
    col: str = ""
    window: str = ""
    room: str = ""
    completed: Condition = field(default_factory=dict)
    jump: str = ""
    variables: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


SONIC = KnownGame(
    "y-screen_y",
    "x",
    "screen_x",
    room="4*zone+act",
    completed={"level_end_bonus": NOT_ZERO},
    jump="B",
)
KNOWN_GAMES: dict[str, KnownGame] = {
    # The ship's place is in no published variable.
    "Airstriker-Genesis": KnownGame(jump="B"),
    "FoxgloveRun-Snes": KnownGame(
        "player_row", "player_column", "window_column", completed=FOXGLOVE_RUN.completed, jump="B"
    ),
    "SuperMarioAllStars-Snes": KnownGame(
        "player_row",
        "player_column+256*player_column_page",
        "window_column",
        room="area_pointer",
        completed=SUPER_MARIO_ALL_STARS.completed,
        jump="B",
    ),
    # In RAM is the top left corner of 16 x 32 pixels, of which small Mario fills the lower half;
    # stable-retro cuts 8 rows and columns off each side of the NES' picture.
    "SuperMarioBros-Nes": KnownGame(
        "player_y+256*player_y_page-256+16",
        "player_x+256*player_x_page",
        "xscrollLo+256*xscrollHi",
        room="4*levelHi+levelLo",
        jump="A",
        variables={
            "player_x": {"address": 0x86, "type": "|u1"},
            "player_x_page": {"address": 0x6D, "type": "|u1"},
            "player_y": {"address": 0xCE, "type": "|u1"},
            "player_y_page": {"address": 0xB5, "type": "|u1"},
        },
    ),
    # stable-retro has no such game: all variables are here, from the game's RAM map. The screen's
    # left edge is known to 16 pixels.
    "SuperMarioLand-GameBoy": KnownGame(
        "mario_y-16",
        "mario_x+16*level_block-200",
        "16*level_block-192",
        jump="A",
        variables={
            "mario_x": {"address": 0xC202, "type": "|u1"},
            "mario_y": {"address": 0xC201, "type": "|u1"},
            "level_block": {"address": 0xC0AB, "type": "|u1"},
        },
    ),
    "SonicTheHedgehog-Genesis": SONIC,
    "SonicTheHedgehog2-Genesis": SONIC,
    "SonicAndKnuckles3-Genesis": SONIC,
}


def known_game(game: str) -> KnownGame:
    """Return what is known of a game, by its name with or without a version."""
    return KNOWN_GAMES.get(re.sub(r"-v\d+$", "", game), KnownGame())


def read_number(text: str) -> Number:
    """Return the number that a text describes: "x", "y-screen_y", "256*page+x-8".

    Returns:
        The weight of each variable; that of `ONE` is the constant part.

    Raises:
        ValueError: it is no sum of variables.
    """
    weights: dict[str, int] = {}
    squeezed = re.sub(r"\s*([+*-])\s*", r"\1", text.strip())
    end = 0
    while end < len(squeezed):
        term = TERM.match(squeezed, end)
        if term is None or (end > 0 and not term[1]):
            raise ValueError(text)
        weight = int(term[2] or 1) * (-1 if term[1] == "-" else 1)
        name = term[3]
        if name.isdigit():
            name, weight = ONE, weight * int(name)
        weights[name] = weights.get(name, 0) + weight
        end = term.end()
    return weights


def number_of(flag: str, text: str) -> Number:
    """Return the number that was typed for a flag.

    Raises:
        UserError: it is no sum of variables.
    """
    try:
        return read_number(text)
    except ValueError:
        raise UserError(
            f"{flag} {text!r}: expected variables of data.json, added or subtracted: x, "
            "y-screen_y, 256*page+x"
        ) from None
