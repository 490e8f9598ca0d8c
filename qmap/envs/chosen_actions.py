"""Some of a world's actions, chosen by their names."""

from __future__ import annotations

from collections.abc import Sequence

import gymnasium

from qmap.envs.contract import name_of
from qmap.utils.errors import UserError


def split_actions(text: str) -> tuple[str, ...]:
    """Return the actions of "LEFT;RIGHT;RIGHT+B" one by one.

    Raises:
        UserError: one has no name, or two have the same.
    """
    names = tuple(name.strip() for name in text.split(";"))
    kinds = {_buttons(name) for name in names}
    if not all(names) or len(kinds) < len(names):
        raise UserError(
            f'--actions {text!r}: expected different actions like "LEFT;RIGHT;RIGHT+B", buttons '
            "that are held together with + between them, NOOP for none"
        )
    return names


def find_actions(name: str, names: Sequence[str]) -> list[int]:
    """Return the numbers of the actions that a name may stand for.

    Args:
        name: of an action, its parts in any order: RIGHT+B is B+RIGHT.
        names: of all actions.

    Returns:
        Those of exactly this name; if there are none, those with the same parts.
    """
    exact = [number for number, known in enumerate(names) if known == name]
    return exact or [
        number for number, known in enumerate(names) if _buttons(known) == _buttons(name)
    ]


class ChosenActions(gymnasium.ActionWrapper):
    """Leaves an agent some of a world's actions, in an order of its own.

    Args:
        env: a world that keeps the contract.
        names: what `split_actions` returned, found as `find_actions` says.

    Attributes:
        action_names: the same.

    Raises:
        UserError: the world has no such action, or several.
    """

    def __init__(self, env: gymnasium.Env, names: tuple[str, ...]) -> None:
        super().__init__(env)
        there = env.get_wrapper_attr("action_names")
        self.action_names = names
        self._numbers: list[int] = []
        for name in names:
            found = find_actions(name, there)
            if not found:
                raise UserError(
                    f"--actions: {name_of(env)} has no action {name}; there are {';'.join(there)}"
                )
            if len(found) > 1:
                same = ";".join(there[number] for number in found)
                raise UserError(
                    f"--actions: {name_of(env)} has several actions {name}: {same}; name one "
                    "exactly as there"
                )
            self._numbers += found
        self.action_space = gymnasium.spaces.Discrete(len(names))

    def action(self, action: int) -> int:
        """Return the world's own number of an action."""
        return self._numbers[action]


def _buttons(name: str) -> frozenset[str]:
    return frozenset(part.strip() for part in name.split("+"))
