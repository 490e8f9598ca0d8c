"""What is saved of an environment comes back, through the file of a snapshot."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces, wrappers
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from qmap.envs import saving
from qmap.utils import checkpoint

LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**200), 2**200)
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
    | arrays.arrays(arrays.scalar_dtypes(), arrays.array_shapes(min_dims=1, min_side=0)).filter(
        lambda array: array.dtype.kind in "biuf" and not (array != array).any()
    )
)
STATES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


def written(state: dict[str, Any]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        checkpoint.save(Path(folder) / "file", "snapshot", state)
        return checkpoint.load(Path(folder) / "file", "snapshot")


def assert_same(one: Any, other: Any) -> None:
    assert type(one) is type(other)
    if isinstance(one, np.ndarray):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)
    elif isinstance(one, dict):
        assert one.keys() == other.keys()
        for key, value in one.items():
            assert_same(value, other[key])
    elif isinstance(one, (list, tuple)):
        assert len(one) == len(other)
        for left, right in zip(one, other, strict=True):
            assert_same(left, right)
    else:
        assert one == other


@given(state=STATES)
def test_every_state_comes_back_from_a_file_as_it_was(state: Any) -> None:
    packed = saving.pack(state)
    again = written({"state": packed})["state"]
    assert_same(saving.unpack(again), state)
    assert saving.same(packed, again)


@given(one=STATES, other=STATES)
def test_states_are_the_same_only_if_they_are(one: Any, other: Any) -> None:
    def equal() -> bool:
        try:
            assert_same(one, other)
        except AssertionError:
            return False
        return True

    assert saving.same(saving.pack(one), saving.pack(other)) == equal()


class World(gymnasium.Env):
    observation_space = spaces.Box(-9, 9, (2,), np.float64)
    action_space = spaces.Discrete(2)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict]:
        super().reset(seed=seed)
        return self.np_random.normal(size=2), {}

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        return self.np_random.normal(size=2), self.np_random.normal(), False, False, {}


STREAMS: list[Callable[[int], Any]] = [
    np.random.default_rng,
    np.random.RandomState,
    random.Random,
    lambda seed: np.random.Generator(np.random.MT19937(seed)),
    lambda seed: np.random.Generator(np.random.Philox(seed)),
    lambda seed: np.random.RandomState(np.random.PCG64(seed)),
]


def drawn(stream: Any) -> list[float]:
    draw = stream.random if hasattr(stream, "random") else stream.random_sample
    return [draw() for _ in range(700)]


@pytest.mark.parametrize("make", STREAMS)
@pytest.mark.parametrize("there", [True, False])
def test_random_streams_of_every_kind_go_on(make: Callable[[int], Any], there: bool) -> None:
    one, other = World(), World()
    one.own = make(1)
    drawn(one.own)
    streams = written(saving.save_streams(one))
    if there:
        # Another kind than the saved one's, or the same.
        other.own = make(2) if there else np.random.default_rng()
    saving.restore_streams(other, streams)
    assert drawn(other.own) == drawn(one.own)
    other.own = np.random.default_rng(5)
    saving.restore_streams(other, streams)
    assert type(other.own) is type(one.own)


def test_streams_of_spaces_and_wrappers_go_on() -> None:
    def make() -> gymnasium.Env:
        world = World()
        world.action_space = spaces.Discrete(1000)
        layer = wrappers.TimeLimit(world, 5)
        layer.own = np.random.default_rng()
        return layer

    one, other = make(), make()
    one.unwrapped.action_space.seed(4)
    one.reset(seed=3)
    saving.restore_streams(other, written(saving.save_streams(one)))
    assert other.own.random() == one.own.random()
    assert other.unwrapped.action_space.sample() == one.unwrapped.action_space.sample()
    assert other.reset()[0].tolist() == one.reset()[0].tolist()


@pytest.mark.parametrize(
    "wrap",
    [
        wrappers.NormalizeReward,
        wrappers.NormalizeObservation,
        lambda env: wrappers.FrameStackObservation(env, 3),
        lambda env: wrappers.DelayObservation(env, 2),
        lambda env: wrappers.MaxAndSkipObservation(env, 2),
        lambda env: wrappers.TimeAwareObservation(wrappers.TimeLimit(env, 9), flatten=True),
        lambda env: wrappers.StickyAction(env, 0.5),
        wrappers.RecordEpisodeStatistics,
        lambda env: wrappers.OrderEnforcing(wrappers.PassiveEnvChecker(env)),
    ],
)
def test_the_state_of_gymnasiums_wrappers_is_saved(
    wrap: Callable[[gymnasium.Env], gymnasium.Env],
) -> None:
    one, other = wrap(World()), wrap(World())
    before = saving.traces(one)
    one.reset(seed=1)
    for action in (0, 1, 1, 0):
        one.step(action)
    assert saving.changed(before, saving.traces(one)) == ()
    other.reset(seed=2)
    saving.restore_streams(other, written(saving.save_streams(one)))
    saving.restore_wrappers(other, written(saving.save_wrappers(one)))
    for action in (0, 1, 1, 0, 1):
        got, expected = other.step(action), one.step(action)
        np.testing.assert_array_equal(got[0], expected[0])
        assert got[1:4] == expected[1:4]
    if isinstance(one, wrappers.RecordEpisodeStatistics):
        assert other.episode_returns == one.episode_returns
        assert other.episode_lengths == 9


def test_a_wrapper_that_records_is_named_as_one_that_forgets(tmp_path: Path) -> None:
    class Log(gymnasium.Wrapper):
        def __init__(self, env: gymnasium.Env) -> None:
            super().__init__(env)
            self.file = open(tmp_path / "log", "w")  # noqa: SIM115

    env = Log(wrappers.RepeatAction(World(), 2))
    before = saving.traces(env)
    env.reset()
    env.step(0)
    assert saving.changed(before, saving.traces(env)) == ("Log",)
    env.file.close()
