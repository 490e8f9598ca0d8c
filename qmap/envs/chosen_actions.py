"""Some of a world's actions, chosen by their names."""

from __future__ import annotations

import gymnasium

from qmap.envs.contract import name_of
from qmap.utils.errors import UserError


def split_actions(text: str) -> tuple[str, ...]:
    """Return the actions of "LEFT;RIGHT;RIGHT+B" one by one.

    Raises:
        UserError: one has no name, or two have the same.
    """
    names = tuple(name.strip() for name in text.split(";"))
    kinds = {_parts(name) for name in names}
    if not all(names) or len(kinds) < len(names):
        raise UserError(
            f'--actions {text!r}: expected different actions like "LEFT;RIGHT;RIGHT+B", buttons '
            "that are held together with + between them, NOOP for none"
        )
    return names


class ChosenActions(gymnasium.ActionWrapper):
    """Leaves an agent some of a world's actions, in an order of its own.

    Args:
        env: a world that keeps the contract.
        names: what `split_actions` returned; the order of the parts of a name does not matter.

    Attributes:
        action_names: the same.

    Raises:
        UserError: the world has no such action.
    """

    def __init__(self, env: gymnasium.Env, names: tuple[str, ...]) -> None:
        super().__init__(env)
        there = env.get_wrapper_attr("action_names")
        numbers = {_parts(name): number for number, name in enumerate(there)}
        for name in names:
            if _parts(name) not in numbers:
                raise UserError(
                    f"--actions: {name_of(env)} has no action {name}; there are {';'.join(there)}"
                )
        self.action_names = names
        self._numbers = [numbers[_parts(name)] for name in names]
        self.action_space = gymnasium.spaces.Discrete(len(names))

    def action(self, action: int) -> int:
        """Return the world's own number of an action."""
        return self._numbers[action]


def _parts(name: str) -> frozenset[str]:
    return frozenset(part.strip() for part in name.split("+"))
