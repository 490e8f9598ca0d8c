"""Where the agents of a run have been, and the pictures of those places."""

from __future__ import annotations

import numpy as np

from qmap.utils.level_pictures import LevelPictures
from qmap.utils.run_folder import RunFolder
from qmap.utils.terminal import Warnings
from qmap.utils.visits import Visits


class Maps:
    """Counts of visited pixels and goal cells, and the levels' pictures to draw them on.

    Args:
        warnings: lets the run go on where a map cannot be written.
        cell: (height, width) of a goal cell in pixels of the screen; they need not be whole.
    """

    def __init__(self, warnings: Warnings, cell: tuple[float, float]) -> None:
        self._tolerate = warnings.tolerate
        self._visits = {"visits": Visits(), "coords": Visits()}
        self._pictures = LevelPictures(cell)

    def add(self, rooms: np.ndarray, positions: np.ndarray, coords: np.ndarray) -> None:
        """Count where the characters are: (n,) rooms, (n, 2) positions, (n, 3) coords."""
        self._visits["visits"].add(rooms, positions[:, 0], positions[:, 1])
        self._visits["coords"].add(rooms, coords[:, 0], coords[:, 1])

    def wants_screen(self, room: int, window: int) -> bool:
        """Whether `see` would make use of a screen that starts at goal column `window`."""
        return self._pictures.wants(room, window)

    def see(self, room: int, window: int, screen: np.ndarray) -> None:
        """Look at a screen that starts at goal column `window` of a room, once per step.

        Where `wants_screen` was False, what is on the screen does not matter.
        """
        self._pictures.add(room, window, screen)

    def save(self, folder: RunFolder, step: int) -> None:
        """Write the counts of `step` and the pictures so far."""
        for name, visits in self._visits.items():
            with self._tolerate(name):
                visits.save(folder.subfolder(name) / f"step_{step}.npy")
        with self._tolerate("pictures of the rooms"):
            self._pictures.save(folder.subfolder("images"))
        with self._tolerate("pictures of all places"):
            self._pictures.check_complete()

    def state(self) -> dict[str, np.ndarray]:
        """Return the counts."""
        return {name: visits.rows() for name, visits in self._visits.items()}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Continue from what `state` returned."""
        for name, visits in self._visits.items():
            visits.restore(state[name])

    def restore_pictures(self, folder: RunFolder, screen_width: int) -> None:
        """Continue from the pictures that `save` wrote."""
        with self._tolerate("pictures of the rooms seen before"):
            self._pictures.restore(folder.subfolder("images"), screen_width)
