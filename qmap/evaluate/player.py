"""A world and what an agent sees of it, which can go back to where it was."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from qmap.agents.replay import Replay
from qmap.envs.vector import Envs, View


class Player:
    """One copy of a world, with the frames that the agent's observation is stacked of.

    Args:
        envs: the copy.
        stack: frames in an observation.
        skip: steps between two of them.

    Attributes:
        view: what the last step showed.
        over: whether it ended the episode.
        terminal: whether it ended it for good, not by a time limit.
    """

    def __init__(self, envs: Envs, stack: int, skip: int) -> None:
        self.envs = envs
        capacity = (stack - 1) * skip + 2
        shapes = (envs.frame_shape, envs.coords_shape)
        self._memory = Replay(capacity, *shapes, stack=stack, skip=skip)
        self.view: View = envs.reset()
        self.over = True
        self.terminal = False

    def begin(self) -> None:
        """Begin an episode."""
        self.view = self.envs.restart(np.ones(1, bool))
        self._memory.start(np.zeros(1, int), self.view.frames, self.view.coords)
        self.over = self.terminal = False

    def step(self, action: int) -> float:
        """Take an action; return its reward."""
        actions = np.array([action])
        step = self.envs.step(actions)
        self.view = step.view
        self._memory.add(actions, step.rewards, step.terminals, self.view.frames, self.view.coords)
        self.terminal = bool(step.terminals[0])
        self.over = self.terminal or bool(step.truncations[0])
        return float(step.rewards[0])

    def look_again(self, frames: np.ndarray) -> None:
        """Go on in a world that was changed from outside, as from the start of an episode.

        Args:
            frames: (1, height, width, channels) uint8, what it shows now.
        """
        self.view = self.view._replace(frames=frames)
        self._memory.start(np.zeros(1, int), frames, self.view.coords)

    @property
    def observation(self) -> np.ndarray:
        """What the agent sees, (1, height, width, channels) uint8."""
        return self._memory.observations(self._memory.newest())

    @property
    def place(self) -> np.ndarray:
        """Row and column of the character in the world, (2,)."""
        return self.view.coords[0, :2]

    @property
    def window(self) -> int:
        """Column of the world at which the screen begins."""
        return int(self.view.coords[0, 2])

    @property
    def on_screen(self) -> np.ndarray:
        """Row and on-screen column of the character, (2,), within the goal grid."""
        rows, cols = self.envs.coords_shape
        row, col = self.place
        return np.array((min(max(row, 0), rows - 1), min(max(col - self.window, 0), cols - 1)))

    @property
    def room(self) -> int:
        """The room that the character is in."""
        return int(self.view.rooms[0])

    def save(self) -> dict[str, Any]:
        """Return all that `restore` needs to go on from here."""
        memory = copy.deepcopy(self._memory.state())
        return {"envs": self.envs.state(), "memory": memory, "view": self.view, "over": self.over}

    def restore(self, state: dict[str, Any]) -> bool:
        """Go back; False if the world cannot, and has begun an episode instead."""
        begun, _ = self.envs.restore(state["envs"])
        self._memory.restore(state["memory"])
        self.view, self.over = state["view"], state["over"]
        return not begun.any()
