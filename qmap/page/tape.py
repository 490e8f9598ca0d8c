"""What becomes a demonstration of an episode on the page: all its actions, from its reset on."""

from __future__ import annotations

import pickle
from pathlib import Path

import gymnasium
import numpy as np

from qmap.demonstration.actions_file import Tape
from qmap.demonstration.worlds import env_of
from qmap.envs import saving
from qmap.evaluate.trained import Origin
from qmap.experiment import Episode


class EpisodeTape:
    """The actions of the episode under way, in a world where they can be replayed.

    Args:
        folder: where files go.
        world: name of the world in the results.
        env: the world, before its episode begins.
    """

    def __init__(self, folder: Path, world: str, env: gymnasium.Env) -> None:
        self._tape = Tape(folder, world)
        self._env = env
        self.start()

    @classmethod
    def of(cls, origin: Origin, env: gymnasium.Env, folder: Path) -> EpisodeTape | None:
        """Return one, None where `qmap.train_demonstration` cannot play an episode again."""
        if env_of(origin.config) is None or not saving.has_states(env):
            return None
        return cls(folder, origin.name, env)

    def start(self) -> None:
        """Let an episode begin: call it before the world is reset."""
        self._tape.start()
        self._luck = self._streams()

    def add(self, episode: Episode, screen: np.ndarray, action: str) -> None:
        """Record a step that is about to be taken; see `Tape.add`."""
        self._tape.add(episode, screen, action)

    @property
    def had_luck(self) -> bool:
        """Whether anything random was drawn, so that the same actions lead elsewhere next time."""
        return self._streams() != self._luck

    def end(self, episode: Episode, name: str) -> Path | None:
        """Write NAME.actions so far; return the file, None where there is none.

        Raises:
            UserError: it cannot be written.
        """
        return None if self.had_luck else self._tape.end(episode, name)

    def _streams(self) -> bytes:
        """Return something that is equal for as long as nothing random is drawn."""
        return pickle.dumps(saving.save_streams(self._env))
