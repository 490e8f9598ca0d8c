"""The replay against a slow and obvious model: whole episodes with whole stacked observations."""

from __future__ import annotations

import copy
import subprocess
import sys
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qmap.agents.priorities import Priorities
from qmap.agents.replay import Replay

FRAME_SHAPE = (2, 3, 1)
COORDS_SHAPE = (4, 5)


@dataclass
class Episode:
    """Everything that happened, in the order of it; one frame more than there are actions."""

    frames: list[np.ndarray]
    coords: list[np.ndarray]
    actions: list[int] = field(default_factory=list)
    rewards: list[float] = field(default_factory=list)
    terminals: list[bool] = field(default_factory=list)


class Model:
    """All episodes of every environment, kept for ever, and observations made of lists."""

    def __init__(self, n_envs: int, ring: int, stack: int, skip: int) -> None:
        self.ring, self.stack, self.skip = ring, stack, skip
        self.episodes: list[list[Episode]] = [[] for _ in range(n_envs)]

    def observation(self, episode: Episode, step: int) -> np.ndarray:
        """Frames `skip` apart, oldest first, the first frame standing in for missing ones."""
        steps = [step - age * self.skip for age in reversed(range(self.stack))]
        return np.concatenate([episode.frames[max(s, 0)] for s in steps], axis=-1)

    def transition(self, episode: Episode, start: int, n_steps: int) -> dict[str, Any]:
        """A transition of as many of `n_steps` steps as the episode has had until now."""
        stop = min(start + n_steps, len(episode.actions))
        before, after = episode.coords[start:stop], episode.coords[start + 1 : stop + 1]
        return {
            "observation": self.observation(episode, start),
            "action": episode.actions[start],
            "rewards": episode.rewards[start:stop],
            "next_observation": self.observation(episode, stop),
            "rows": [min(max(row, 0), COORDS_SHAPE[0] - 1) for row, _, _ in after],
            "cols": [min(max(col - w, 0), COORDS_SHAPE[1] - 1) for _, col, w in after],
            "shifts": [b[2] - a[2] for a, b in zip(before, after, strict=True)],
            "terminals": episode.terminals[start:stop],
        }

    def expected(self) -> dict[int, tuple[Episode, int]]:
        """Which transition begins in which slot, for all that ought to be sampleable.

        Frames go round the ring one after the other. The oldest of a ring only serve as history:
        transitions begin in the last `ring - history` frames of every environment.
        """
        slots = {}
        history = (self.stack - 1) * self.skip
        for env, episodes in enumerate(self.episodes):
            frames = [
                (episode, step) for episode in episodes for step in range(len(episode.frames))
            ]
            for number in range(max(0, len(frames) - self.ring + history), len(frames)):
                episode, step = frames[number]
                if step < len(episode.actions):
                    slots[env * self.ring + number % self.ring] = (episode, step)
        return slots


class Play:
    """A replay and its model, fed alike by random environments."""

    def __init__(self, seed: int, *, n_envs: int, ring: int, stack: int, skip: int) -> None:
        self.generator = np.random.default_rng(seed)
        self.n_envs = n_envs
        capacity = ring * n_envs
        self.sets = {"one": Priorities(capacity), "other": Priorities(capacity, alpha=1.0)}
        self.replay = Replay(
            capacity,
            FRAME_SHAPE,
            COORDS_SHAPE,
            stack=stack,
            skip=skip,
            n_envs=n_envs,
            priorities=self.sets,
        )
        self.model = Model(n_envs, ring, stack, skip)
        self.windows = np.zeros(n_envs, np.int64)
        self.start(np.arange(n_envs))

    def frames_and_coords(self, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Random frames, and coordinates that leave the grid now and then; windows are zero."""
        frames = self.generator.integers(0, 256, (n, *FRAME_SHAPE), np.uint8)
        coords = np.stack(
            [
                self.generator.integers(-2, COORDS_SHAPE[0] + 2, n),
                self.generator.integers(-2, COORDS_SHAPE[1] + 2, n),
                np.zeros(n, np.int64),
            ],
            axis=1,
        )
        return frames, coords

    def start(self, envs: np.ndarray) -> None:
        """Begin episodes."""
        frames, coords = self.frames_and_coords(len(envs))
        self.windows[envs] = self.generator.integers(0, 9, len(envs))
        coords[:, 1:] += self.windows[envs, None]
        self.replay.start(envs, frames, coords)
        for index, env in enumerate(envs):
            self.model.episodes[env].append(Episode([frames[index]], [coords[index]]))

    def step(self) -> None:
        """One step of every environment; some episodes end, by themselves or by a time limit."""
        actions = self.generator.integers(0, 6, self.n_envs)
        rewards = self.generator.normal(0, 1, self.n_envs).astype(np.float32)
        terminals = self.generator.random(self.n_envs) < 0.1
        truncated = self.generator.random(self.n_envs) < 0.1
        frames, coords = self.frames_and_coords(self.n_envs)
        self.windows += self.generator.integers(-2, 3, self.n_envs)
        coords[:, 1:] += self.windows[:, None]
        self.replay.add(actions, rewards, terminals, frames, coords)
        for env, episodes in enumerate(self.model.episodes):
            episodes[-1].actions.append(int(actions[env]))
            episodes[-1].rewards.append(rewards[env])
            episodes[-1].terminals.append(bool(terminals[env]))
            episodes[-1].frames.append(frames[env])
            episodes[-1].coords.append(coords[env])
        ended = np.flatnonzero(terminals | truncated)
        if len(ended):
            self.start(ended)

    def check(self) -> None:
        """Everything that can be sampled is what the model says, and nothing is missing."""
        expected = self.model.expected()
        for priorities in self.sets.values():
            sampleable = np.flatnonzero(priorities.tree[np.arange(self.replay.capacity)])
            assert sampleable.tolist() == sorted(expected)
        for steps in (1, 2, 5):
            ends = [
                slot
                for slot, (episode, step) in expected.items()
                if any(episode.terminals[step : step + steps])
            ]
            assert sorted(self.replay.ends(steps).tolist()) == sorted(ends)
        slots = np.array(sorted(expected), np.int64)
        for n_steps in range(1, 5):
            batch = self.replay.transitions(slots, n_steps)
            for i, slot in enumerate(slots):
                episode, step = expected[slot]
                want = self.model.transition(episode, step, n_steps)
                length = len(want["rewards"])
                assert batch.lengths[i] == length
                assert np.array_equal(batch.observations[i], want["observation"])
                assert np.array_equal(batch.next_observations[i], want["next_observation"])
                assert batch.actions[i] == want["action"]
                assert batch.rewards[i, :length].tolist() == want["rewards"]
                assert batch.rows[i, :length].tolist() == want["rows"]
                assert batch.cols[i, :length].tolist() == want["cols"]
                assert batch.window_shifts[i, :length].tolist() == want["shifts"]
                assert batch.terminals[i, :length].tolist() == want["terminals"]
        now = self.replay.observations(self.replay.newest())
        for env, episodes in enumerate(self.model.episodes):
            last = episodes[-1]
            assert np.array_equal(now[env], self.model.observation(last, len(last.actions)))


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n_envs=st.integers(1, 3),
    stack=st.integers(1, 3),
    skip=st.integers(1, 3),
    spare=st.integers(2, 12),
    steps=st.integers(0, 60),
)
def test_every_transition_is_the_one_that_happened(
    seed: int, n_envs: int, stack: int, skip: int, spare: int, steps: int
) -> None:
    ring = (stack - 1) * skip + spare
    play = Play(seed, n_envs=n_envs, ring=ring, stack=stack, skip=skip)
    for step in range(steps):
        play.step()
        if step % 7 == 0:
            play.check()
    play.check()


def test_new_transitions_are_found_with_the_priorities_that_the_learners_gave_others() -> None:
    play = Play(0, n_envs=2, ring=20, stack=2, skip=1)
    generator = np.random.default_rng(1)
    for _ in range(200):
        play.step()
        for priorities in play.sets.values():
            slots = priorities.sample(generator, 8)
            assert set(slots) <= set(play.model.expected())
            priorities.update(slots, generator.normal(0, 3, 8).astype(np.float32))
        expected = sorted(play.model.expected())
        for priorities in play.sets.values():
            assert np.flatnonzero(priorities.tree[np.arange(40)]).tolist() == expected


def test_the_two_sets_of_priorities_do_not_touch_each_other() -> None:
    play = Play(0, n_envs=1, ring=20, stack=1, skip=1)
    for _ in range(30):
        play.step()
    slots = np.array(sorted(play.model.expected()))
    before = play.sets["other"].tree[slots].copy()
    play.sets["one"].update(slots, np.linspace(5, 9, len(slots)))
    assert np.array_equal(play.sets["other"].tree[slots], before)
    assert play.sets["other"].largest == 1.0


def test_coordinates_off_the_grid_are_clipped_to_it() -> None:
    replay = Replay(10, FRAME_SHAPE, COORDS_SHAPE, stack=1)
    frame = np.zeros((1, *FRAME_SHAPE), np.uint8)
    replay.start(np.array([0]), frame, np.array([[0, 0, 0]]))
    for coords in ([-7, 99, 3], [99, 2, 3], [1, 2, 9]):
        replay.add(np.array([0]), np.array([0.0]), np.array([False]), frame, np.array([coords]))
    batch = replay.transitions(np.arange(3))
    assert batch.rows[:, 0].tolist() == [0, 3, 1]
    assert batch.cols[:, 0].tolist() == [4, 0, 0]
    assert batch.window_shifts[:, 0].tolist() == [3, 0, 6]


def test_steps_to_another_room_are_told_and_episodes_are_not_steps() -> None:
    replay = Replay(10, FRAME_SHAPE, COORDS_SHAPE)
    env, frame, coords = np.array([0]), np.zeros((1, *FRAME_SHAPE), np.uint8), np.zeros((1, 3), int)
    for rooms in ((1, 1, 2**20 - 1, 0), (5, 5)):
        replay.start(env, frame, coords, np.array(rooms[:1]))
        for room in rooms[1:]:
            replay.add(env, env, env, frame, coords, np.array([room]))
    changes = replay.transitions(np.array([0, 1, 2, 4]), 2)
    there = np.arange(2) < changes.lengths[:, None]
    assert (changes.room_changes & there).tolist() == [
        [False, True],
        [True, True],
        [True, False],
        [False, False],
    ]


def test_a_replay_that_was_saved_before_there_were_rooms_goes_on() -> None:
    replay, other = (Replay(10, FRAME_SHAPE, COORDS_SHAPE) for _ in range(2))
    frame, coords = np.ones((1, *FRAME_SHAPE), np.uint8), np.ones((1, 3), int)
    replay.start(np.array([0]), frame, coords)
    state = replay.state()
    del state["rings"]["00"]["rooms"]
    other.restore(state)
    assert len(other) == 1
    assert np.array_equal(other.observations(other.newest()), frame)


def test_batches_are_arrays_of_the_kinds_that_the_learners_are_compiled_for() -> None:
    play = Play(0, n_envs=1, ring=20, stack=3, skip=2)
    for _ in range(15):
        play.step()
    batch = play.replay.transitions(play.sets["one"].sample(play.generator, 4), 2)
    arrays = batch._asdict()
    assert arrays.pop("reached") is True, "a replay keeps no account"
    kinds = {name: (array.dtype.name, array.shape) for name, array in arrays.items()}
    assert kinds == {
        "observations": ("uint8", (4, 2, 3, 3)),
        "actions": ("int32", (4,)),
        "rewards": ("float32", (4, 2)),
        "next_observations": ("uint8", (4, 2, 3, 3)),
        "rows": ("int32", (4, 2)),
        "cols": ("int32", (4, 2)),
        "window_shifts": ("int32", (4, 2)),
        "terminals": ("bool", (4, 2)),
        "lengths": ("int32", (4,)),
        "room_changes": ("bool", (4, 2)),
    }


@pytest.mark.parametrize("steps", [3, 40])
def test_a_restored_replay_continues_alike(steps: int) -> None:
    one = Play(3, n_envs=2, ring=16, stack=3, skip=2)
    for _ in range(steps):
        one.step()
        slots = one.sets["one"].sample(one.generator, 4)
        one.sets["one"].update(slots, one.generator.normal(0, 2, 4))
    other = Play(4, n_envs=2, ring=16, stack=3, skip=2)
    other.sets = {name: Priorities(32, p.alpha, p.epsilon) for name, p in one.sets.items()}
    other.replay = Replay(
        32, FRAME_SHAPE, COORDS_SHAPE, stack=3, skip=2, n_envs=2, priorities=other.sets
    )
    other.replay.restore(one.replay.state())
    other.model, other.windows = copy.deepcopy(one.model), one.windows.copy()
    other.generator = copy.deepcopy(one.generator)
    other.check()
    for _ in range(30):
        draws = []
        for play in (one, other):
            play.step()
            draws.append(play.sets["one"].sample(play.generator, 16))
            errors = play.generator.normal(0, 2, 16)
            play.sets["one"].update(draws[-1], errors)
        assert np.array_equal(*draws)
        batches = [play.replay.transitions(draws[0], 3) for play in (one, other)]
        assert all(map(np.array_equal, *batches))
    other.check()
    for name in one.sets:
        assert other.sets[name].largest == one.sets[name].largest
        assert other.sets[name].tree.total == one.sets[name].tree.total


def test_the_state_holds_only_what_is_stored() -> None:
    play = Play(0, n_envs=1, ring=10_000, stack=1, skip=1)
    for _ in range(10):
        play.step()
    state = play.replay.state()
    stored = len(play.replay)
    assert stored == sum(len(episode.frames) for episode in play.model.episodes[0]) < 25
    assert all(len(array) == stored for array in state["rings"]["00"].values())
    assert all(len(p["priorities"]) == stored for p in state["priorities"].values())


def test_a_transition_costs_a_frame_and_some_tens_of_bytes() -> None:
    frame_shape = (56, 40, 1)
    sets = {name: Priorities(50_000) for name in ("q_map", "dqn")}
    replay = Replay(50_000, frame_shape, (28, 20), priorities=sets)
    frame = np.zeros((1, *frame_shape), np.uint8)
    replay.start(np.array([0]), frame, np.zeros((1, 3), np.int64))
    assert replay.nbytes - np.prod(frame_shape) < 60
    trees = sum(array.nbytes for p in sets.values() for array in (*p.tree._sums, *p.tree._minima))
    assert trees / 50_000 < 40


GROWTH = """
import resource
import numpy as np
from qmap.agents.priorities import Priorities
from qmap.agents.replay import Replay

def megabytes():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize() / 1e6

start = megabytes()
sets = {name: Priorities(500_000) for name in ("q_map", "dqn")}
replay = Replay(500_000, (56, 40, 1), (28, 20), priorities=sets)
made = megabytes()
frame = np.ones((1, 56, 40, 1), np.uint8)
nothing, coords = np.zeros(1), np.zeros((1, 3), np.int64)
replay.start(np.array([0]), frame, coords)
for _ in range(20_000):
    replay.add(nothing, nothing, nothing, frame, coords)
print(made - start, megabytes() - made)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads Linux' /proc")
def test_memory_grows_with_what_is_stored_and_not_at_the_start() -> None:
    output = subprocess.run(
        [sys.executable, "-c", GROWTH], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    at_start, filled = map(float, output.split())
    assert at_start < 40.0
    assert 40.0 < filled < 60.0, "20,000 frames of 2,240 bytes are 45 megabytes"


def test_a_capacity_without_room_for_a_stack_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 6"):
        Replay(5, FRAME_SHAPE, COORDS_SHAPE, stack=3, skip=2)
