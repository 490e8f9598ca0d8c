"""The side-scrolling games of this project, by the name that `--game` takes."""

from __future__ import annotations

from qmap.envs.foxglove_run import FOXGLOVE_RUN
from qmap.envs.game import Game
from qmap.envs.super_mario_all_stars import SUPER_MARIO_ALL_STARS
from qmap.utils.errors import UserError

GAMES: dict[str, Game] = {game.key: game for game in (SUPER_MARIO_ALL_STARS, FOXGLOVE_RUN)}


def find_game(key: str) -> Game:
    """Return the game of that name; `UserError` if there is none."""
    if key not in GAMES:
        raise UserError(f"there is no game {key!r}; there are {', '.join(GAMES)}")
    return GAMES[key]
