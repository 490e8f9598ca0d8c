"""What a page may ask of the game, each part of it checked before the game hears of it."""

from __future__ import annotations

from typing import Any, NamedTuple

from qmap.page.messages import BadMessage, number, text, word

MOST = 1000  # steps a second
FASTEST = 0  # the speed that stands for as fast as it goes
FARTHEST = 2**20  # rows and columns
CELLS = 64  # that one message may change


class Command(NamedTuple):
    """A method of `qmap.page.game_loop.GameLoop` and its arguments."""

    name: str
    arguments: tuple = ()


def command_of(message: dict[str, Any], world: dict[str, Any]) -> Command:
    """Return what a message asks for.

    Args:
        message: as `qmap.page.messages.parse` returned it.
        world: what `Game.world_words` says of the world that is played in.

    Raises:
        BadMessage: it asks for nothing that there is.
    """
    do, actions = message["do"], len(world["actions"])
    if do in ("step", "restart"):
        return Command(do)
    if do == "goal":
        return Command("go_to", _cell(message))
    if do == "drive":
        return Command("drive", (word(message, "by", world["drivers"]),))
    if do == "map":
        action = number(message, "action", 0, actions - 1)
        return Command("show", (word(message, "map", world["maps"]), action))
    if do == "speed":
        speed = message.get("speed")
        return Command(
            "pace", (None if speed is None else number(message, "speed", FASTEST, MOST),)
        )
    if do == "hold":
        held = message.get("action")
        return Command(
            "hold", (None if held is None else number(message, "action", 0, actions - 1),)
        )
    if do == "level":
        return Command("change_level", (word(message, "level", world["levels"]),))
    if do == "walls":
        return Command("set_walls", (_cells(message), _flag(message, "wall")))
    if do == "record":
        return Command("record", (_flag(message, "on"),))
    if do == "truth":
        return Command("show_truth", (_flag(message, "on"),))
    raise BadMessage(f"nothing is called {do[:20]!r}")


def checkpoint_of(message: dict[str, Any]) -> str:
    """Return the name of the checkpoint that a message asks to open."""
    return text(message, "checkpoint")


def _cell(message: dict[str, Any]) -> tuple[int, int]:
    return (
        number(message, "row", -FARTHEST, FARTHEST),
        number(message, "col", -FARTHEST, FARTHEST),
    )


def _cells(message: dict[str, Any]) -> list[tuple[int, int]]:
    cells = message.get("cells")
    if not isinstance(cells, list) or len(cells) > CELLS:
        raise BadMessage(f"'cells' is not a list of at most {CELLS}")
    return [_cell(each if isinstance(each, dict) else {}) for each in cells]


def _flag(message: dict[str, Any], name: str) -> bool:
    value = message.get(name)
    if not isinstance(value, bool):
        raise BadMessage(f"{name!r} is not true or false")
    return value
