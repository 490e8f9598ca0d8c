"""The replay that both learners share: every frame is stored once."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from qmap.agents.priorities import Priorities
from qmap.agents.sum_tree import BYTES_PER_VALUE

BESIDE_FRAME = 30  # bytes of what is stored with each frame


class Transitions(NamedTuple):
    """A batch of n-step transitions, ready for the learners.

    An n-step transition stops early where its episode ends, or where the stored frames do;
    `lengths` tells how many of its n steps are there. The other entries of a row are padding.

    Attributes:
        observations: (batch, height, width, channels) uint8, stacked frames.
        actions: (batch,) int32, the first action.
        rewards: (batch, n) float32.
        next_observations: uint8, stacked frames after the last step.
        rows: (batch, n) int32, row of the character after each step.
        cols: (batch, n) int32, its column in the window as it stands after the step.
        window_shifts: (batch, n) int32, columns by which the window moved during the step.
        terminals: (batch, n) bool, whether the step ended the episode.
        lengths: (batch,) int32 in [1, n].
        room_changes: (batch, n) bool, whether the step led to another room, which has places of
            its own; False where there is one room only.
        reached: (batch, rows, cols) bool, cells in the window of the observations that a transition
            is known to have led to; True where nobody keeps account of them.
    """

    observations: np.ndarray
    actions: np.ndarray
    rewards: np.ndarray
    next_observations: np.ndarray
    rows: np.ndarray
    cols: np.ndarray
    window_shifts: np.ndarray
    terminals: np.ndarray
    lengths: np.ndarray
    room_changes: np.ndarray | bool = False
    reached: np.ndarray | bool = True


class Replay:
    """Rings of frames, one per environment, from which transitions are put together on demand.

    A slot holds a frame, where the character was in it, and what was done next. The frame of the
    following slot is the next frame, unless an episode ended there. An observation is a stack of
    frames of one episode, oldest first: now, `skip` steps ago, and so on; before the episode's
    start its first frame stands in. Memory is only taken up as slots are filled: the arrays are
    as large as the capacity from the start, but the operating system gives them pages on the
    first write.

    The oldest frames of a ring serve as history for later ones only, so that a stack never
    reaches across the seam between the newest and the oldest frame.

    Args:
        capacity: number of slots of all rings together.
        frame_shape: (height, width, channels) of one frame.
        coords_shape: (rows, cols) of the on-screen goal grid, to which coordinates are clipped.
        stack: number of frames in an observation.
        skip: steps between two frames of an observation.
        n_envs: number of environments.
        priorities: sets of priorities to keep over the transitions, by name.
    """

    def __init__(
        self,
        capacity: int,
        frame_shape: tuple[int, int, int],
        coords_shape: tuple[int, int],
        *,
        stack: int = 1,
        skip: int = 1,
        n_envs: int = 1,
        priorities: dict[str, Priorities] | None = None,
    ) -> None:
        self.ring = capacity // n_envs
        self.capacity = self.ring * n_envs
        self.frame_shape = frame_shape
        self.coords_shape = coords_shape
        self.n_envs = n_envs
        self.history = (stack - 1) * skip
        if self.ring < self.history + 2:
            raise ValueError(
                f"a capacity of {capacity} slots for {n_envs} environments is too small: each "
                f"needs at least {self.history + 2}"
            )
        self.priorities = priorities or {}
        self._offsets = np.arange(stack)[::-1] * skip
        self._starts = np.arange(n_envs) * self.ring
        self._appended = np.zeros(n_envs, np.int64)
        self._frames = np.zeros((self.capacity, *frame_shape), np.uint8)
        self._ages = np.zeros(self.capacity, np.int32)
        self._rows = np.zeros(self.capacity, np.int32)
        self._cols = np.zeros(self.capacity, np.int32)
        self._windows = np.zeros(self.capacity, np.int32)
        self._rooms = np.zeros(self.capacity, np.int32)
        self._actions = np.zeros(self.capacity, np.int32)
        self._rewards = np.zeros(self.capacity, np.float32)
        self._terminals = np.zeros(self.capacity, bool)
        self._continues = np.zeros(self.capacity, bool)

    def __len__(self) -> int:
        """Return the number of frames stored."""
        return int(np.minimum(self._appended, self.ring).sum())

    @property
    def nbytes(self) -> int:
        """Bytes of the filled slots, without the priorities."""
        return len(self) * self.slot_bytes(self.frame_shape)

    @property
    def capacity_bytes(self) -> int:
        """Bytes of all slots once they are filled, with the priorities."""
        return self.capacity * self.slot_bytes(self.frame_shape, len(self.priorities))

    @staticmethod
    def slot_bytes(frame_shape: tuple[int, int, int], priorities: int = 0) -> int:
        """Bytes of a slot, with so many sets of priorities."""
        return int(np.prod(frame_shape)) + BESIDE_FRAME + priorities * BYTES_PER_VALUE

    def start(
        self,
        envs: np.ndarray,
        frames: np.ndarray,
        coords: np.ndarray,
        rooms: np.ndarray | int = 0,
    ) -> None:
        """Begin an episode in each of the environments `envs`.

        Args:
            envs: (k,) numbers of environments.
            frames: (k, height, width, channels) uint8, first frames.
            coords: (k, 3) row, column and window, in world coordinates.
            rooms: (k,) whose coordinates these are.
        """
        self._append(envs, frames, coords, rooms, np.zeros(len(envs), np.int32))

    def add(
        self,
        actions: np.ndarray,
        rewards: np.ndarray,
        terminals: np.ndarray,
        next_frames: np.ndarray,
        next_coords: np.ndarray,
        next_rooms: np.ndarray | int = 0,
    ) -> None:
        """Store one step of every environment.

        Args:
            actions: (n_envs,) what was done.
            rewards: (n_envs,) what it gave.
            terminals: (n_envs,) whether it ended the episode for good (not by a time limit).
            next_frames: (n_envs, height, width, channels) uint8.
            next_coords: (n_envs, 3) row, column and window, in world coordinates.
            next_rooms: (n_envs,) whose coordinates these are.
        """
        slots = self.newest()
        self._actions[slots] = actions
        self._rewards[slots] = rewards
        self._terminals[slots] = terminals
        self._continues[slots] = True
        ages = self._ages[slots] + 1
        self._append(np.arange(len(slots)), next_frames, next_coords, next_rooms, ages)
        for priorities in self.priorities.values():
            priorities.add(slots)

    def newest(self) -> np.ndarray:
        """Slots of the frame that each environment shows now, (n_envs,)."""
        return self._starts + (self._appended - 1) % self.ring

    def ends(self, steps: int = 1) -> np.ndarray:
        """Slots of the last transitions of episodes that ended for good, (k,).

        Args:
            steps: how many of each episode, at most; only those that may be drawn.
        """
        last = np.flatnonzero(self._terminals & self._continues)[:, None]
        before = np.arange(steps)
        steps_ago = (self.newest()[last // self.ring] - last) % self.ring + before
        there = (before <= self._ages[last]) & (steps_ago < self.ring - self.history)
        return self._moved(last, -before)[there]

    def rooms(self, slots: np.ndarray) -> np.ndarray:
        """Rooms in which the frames of `slots` were seen, int32 of the same shape."""
        return self._rooms[slots]

    def observations(self, slots: np.ndarray) -> np.ndarray:
        """Stack the frames that lead up to `slots`: (len(slots), height, width, channels)."""
        offsets = np.minimum(self._offsets, self._ages[slots][:, None])
        stacked = self._frames[self._moved(slots[:, None], -offsets)]
        n, stack, height, width, channels = stacked.shape
        return stacked.transpose(0, 2, 3, 1, 4).reshape(n, height, width, stack * channels)

    def transitions(self, slots: np.ndarray, n_steps: int = 1) -> Transitions:
        """Put together the transitions that begin at `slots`, of up to `n_steps` steps each."""
        steps = self._moved(slots[:, None], np.arange(n_steps + 1))
        there = np.logical_and.accumulate(self._continues[steps[:, :-1]], axis=1)
        lengths = there.sum(axis=1)
        before, after = steps[:, :-1], steps[:, 1:]
        rows, cols = self.coords_shape
        return Transitions(
            observations=self.observations(slots),
            actions=self._actions[slots],
            rewards=self._rewards[before],
            next_observations=self.observations(
                np.take_along_axis(steps, lengths[:, None], 1)[:, 0]
            ),
            rows=np.clip(self._rows[after], 0, rows - 1).astype(np.int32),
            cols=np.clip(self._cols[after] - self._windows[after], 0, cols - 1).astype(np.int32),
            window_shifts=self._windows[after] - self._windows[before],
            terminals=self._terminals[before],
            lengths=lengths.astype(np.int32),
            room_changes=self._rooms[after] != self._rooms[before],
        )

    def state(self) -> dict[str, Any]:
        """Return what is stored, and only that, as views of the arrays."""
        rings = {
            f"{env:02d}": {name: array[slots] for name, array in self._slot_arrays().items()}
            for env, slots in enumerate(self._filled())
        }
        filled = np.concatenate([np.arange(slots.start, slots.stop) for slots in self._filled()])
        return {
            "appended": self._appended,
            "rings": rings,
            "priorities": {
                name: priorities.state(filled) for name, priorities in self.priorities.items()
            },
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from what `state` returned."""
        self._appended[:] = state["appended"]
        for slots, ring in zip(self._filled(), state["rings"].values(), strict=True):
            for name, array in self._slot_arrays().items():
                # Earlier snapshots know no rooms.
                array[slots] = ring.get(name, 0) if name == "rooms" else ring[name]
        filled = np.concatenate([np.arange(slots.start, slots.stop) for slots in self._filled()])
        for name, priorities in self.priorities.items():
            priorities.restore(filled, state["priorities"][name])

    def _slot_arrays(self) -> dict[str, np.ndarray]:
        return {
            "frames": self._frames,
            "ages": self._ages,
            "rows": self._rows,
            "cols": self._cols,
            "windows": self._windows,
            "rooms": self._rooms,
            "actions": self._actions,
            "rewards": self._rewards,
            "terminals": self._terminals,
            "continues": self._continues,
        }

    def _filled(self) -> list[slice]:
        counts = np.minimum(self._appended, self.ring)
        return [
            slice(int(start), int(start + count))
            for start, count in zip(self._starts, counts, strict=True)
        ]

    def _append(
        self,
        envs: np.ndarray,
        frames: np.ndarray,
        coords: np.ndarray,
        rooms: np.ndarray | int,
        ages: np.ndarray,
    ) -> None:
        self._appended[envs] += 1
        slots = self.newest()[envs]
        self._frames[slots] = frames
        self._ages[slots] = ages
        self._rows[slots] = coords[:, 0]
        self._cols[slots] = coords[:, 1]
        self._windows[slots] = coords[:, 2]
        self._rooms[slots] = rooms
        self._continues[slots] = False
        # The slot that the next frames will overwrite, and the one that has just lost part of
        # its history.
        lost = self._moved(slots, self.history)
        for priorities in self.priorities.values():
            priorities.remove(lost)

    def _moved(self, slots: np.ndarray, steps: np.ndarray | int) -> np.ndarray:
        """Slots `steps` later (earlier where negative) in the same ring."""
        starts = slots // self.ring * self.ring
        return starts + (slots - starts + steps) % self.ring
