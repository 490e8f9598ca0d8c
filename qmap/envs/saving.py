"""What of an environment is saved, so that a run that was stopped goes on in it.

The world's own state, where it has `save_state` and `restore_state`; the random streams of the
world, its spaces and its wrappers, and the global ones; and the state of wrappers that are known or
have these methods too.
"""

from __future__ import annotations

import copy
import pickle
import random
from collections import deque
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import gymnasium
import numpy as np
from gymnasium import wrappers
from gymnasium.wrappers.utils import RunningMeanStd

from qmap.utils.errors import UserError
from qmap.utils.streams import NUMPY, PYTHON

# The attributes in which Gymnasium's wrappers keep what a later step depends on.
KNOWN: dict[type[gymnasium.Wrapper], tuple[str, ...]] = {
    wrappers.TimeLimit: ("_elapsed_steps",),
    wrappers.OrderEnforcing: ("_has_reset",),
    wrappers.NormalizeReward: ("return_rms", "discounted_reward"),
    wrappers.NormalizeObservation: ("obs_rms",),
    wrappers.FrameStackObservation: ("obs_queue", "padding_value"),
    wrappers.DelayObservation: ("observation_queue",),
    wrappers.MaxAndSkipObservation: ("_obs_buffer",),
    wrappers.TimeAwareObservation: ("timesteps",),
    wrappers.StickyAction: ("last_action", "is_sticky_actions", "num_repeats", "repeats_taken"),
    wrappers.AtariPreprocessing: ("obs_buffer", "lives", "game_over"),
    wrappers.RecordEpisodeStatistics: (
        "episode_count",
        "episode_returns",
        "episode_lengths",
        "return_queue",
        "length_queue",
        "time_queue",
    ),
}
# Attributes that change without a step depending on them: scratch space, clocks, checks done once.
SCRATCH = {
    wrappers.FrameStackObservation: ("stacked_obs",),
    wrappers.RecordEpisodeStatistics: ("episode_start_time",),
    wrappers.PassiveEnvChecker: (
        "checked_reset",
        "checked_step",
        "checked_render",
        "checked_data_reuse",
        "_previous_data",
    ),
}
OF_EVERY_WRAPPER = {
    "env",
    "_action_space",
    "_observation_space",
    "_metadata",
    "_cached_spec",
    "_saved_kwargs",
}
RANDOM = (np.random.Generator, np.random.RandomState, random.Random)
WORLD = "0"  # the place of the world itself among those that hold random streams
TIME_LIMITS = "elapsed"  # in states of the first version: the steps of all time limits
GLOBAL = SimpleNamespace(python=PYTHON, numpy=NUMPY)


def has_states(env: gymnasium.Env) -> bool:
    """Whether the world itself can be saved and restored."""
    world = env.unwrapped
    return hasattr(world, "save_state") and hasattr(world, "restore_state")


def save_world(env: gymnasium.Env) -> Any:
    """Return the world's own state, packed; None if it has none."""
    if not has_states(env):
        return None
    return pack(env.unwrapped.save_state(), "save_state()")


def restore_world(env: gymnasium.Env, state: Any) -> None:
    """Bring the world, which has been reset, to where `save_world` was called."""
    env.unwrapped.restore_state(unpack(state))


def save_streams(env: gymnasium.Env) -> dict[str, Any]:
    """Return the states of all random streams, by holder and attribute."""
    streams = {}
    for number, holder in enumerate(_holders(env)):
        held = {name: value for name, value in vars(holder).items() if isinstance(value, RANDOM)}
        if held:
            streams[f"{number}"] = {name: _stream_state(value) for name, value in held.items()}
    return streams


def restore_streams(env: gymnasium.Env, streams: dict[str, Any]) -> None:
    """Go on in the random streams; one that is not there yet is made."""
    holders = list(_holders(env))
    for number, states in streams.items():
        holder = holders[int(number)]
        for name, state in states.items():
            setattr(holder, name, _stream(state, vars(holder).get(name)))


def save_wrappers(env: gymnasium.Env) -> dict[str, Any]:
    """Return the states of the wrappers that are known or can save themselves."""
    states = {}
    for number, layer in enumerate(_layers(env)):
        if hasattr(layer, "save_state"):
            states[f"{number}"] = pack(layer.save_state(), f"save_state() of {_class(layer)}")
        elif names := [name for name in KNOWN.get(type(layer), ()) if hasattr(layer, name)]:
            states[f"{number}"] = pack({name: getattr(layer, name) for name in names})
    return states


def restore_wrappers(env: gymnasium.Env, states: dict[str, Any]) -> None:
    """Bring the wrappers to where `save_wrappers` was called."""
    layers = list(_layers(env))
    if TIME_LIMITS in states:
        limits = [layer for layer in layers if isinstance(layer, wrappers.TimeLimit)]
        for limit, elapsed in zip(limits, states[TIME_LIMITS], strict=True):
            limit._elapsed_steps = elapsed
        return
    for number, state in states.items():
        layer, values = layers[int(number)], unpack(state)
        if hasattr(layer, "restore_state"):
            layer.restore_state(values)
            continue
        for name, value in values.items():
            old = getattr(layer, name)
            if isinstance(old, RunningMeanStd):
                old.mean, old.var, old.count = value["mean"], value["var"], value["count"]
            elif isinstance(old, deque):
                old.clear()
                old.extend(value)
            else:
                setattr(layer, name, value)


def traces(env: gymnasium.Env) -> list[tuple[str, dict[str, Any]]]:
    """Return each wrapper's name and what its attributes hold that is not saved.

    Two of them, made before and after a few steps, tell which wrappers have a state: `changed`.
    """
    found = []
    for layer in _layers(env):
        # Those of this project keep nothing longer than a step.
        own = type(layer).__module__.startswith("qmap.") or hasattr(layer, "save_state")
        saved = {*OF_EVERY_WRAPPER, *KNOWN.get(type(layer), ()), *SCRATCH.get(type(layer), ())}
        attributes = {} if own else vars(layer)
        found.append(
            (
                _class(layer),
                {
                    name: _trace(value)
                    for name, value in attributes.items()
                    if name not in saved and not isinstance(value, RANDOM)
                },
            )
        )
    return found


def changed(
    before: list[tuple[str, dict[str, Any]]], after: list[tuple[str, dict[str, Any]]]
) -> tuple[str, ...]:
    """Return the names of the wrappers whose traces differ, each once."""
    pairs = zip(before, after, strict=True)
    return tuple(dict.fromkeys(old[0] for old, new in pairs if old[1] != new[1]))


def pack(value: Any, where: str = "state") -> Any:
    """Return a state as what `qmap.utils.checkpoint` can write.

    A state consists of dictionaries with text keys, lists, tuples, arrays of numbers or text,
    bytes, numbers, text, booleans and None, in each other as you like.

    Args:
        value: the state.
        where: what a message calls it.

    Raises:
        UserError: there is something else in it.
    """
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind in "biufcSUV":
        if not value.dtype.hasobject:
            return {"array": np.array(value)}
    elif isinstance(value, (bytes, bytearray)):
        return {"bytes": np.frombuffer(value, np.uint8)}
    elif isinstance(value, (list, tuple, deque)):
        kind = "tuple" if isinstance(value, tuple) else "list"
        packed = (pack(item, f"{where}[{index}]") for index, item in enumerate(value))
        return {kind: {f"{index}": item for index, item in enumerate(packed)}}
    elif isinstance(value, RunningMeanStd):
        return pack({"mean": value.mean, "var": value.var, "count": value.count}, where)
    elif isinstance(value, dict):
        for key in value:
            if type(key) is not str:
                raise UserError(f"{where} has the key {key!r}, expected keys that are text")
        return {"dict": {key: pack(item, f"{where}[{key!r}]") for key, item in value.items()}}
    raise UserError(
        f"{where} is of type {type(value).__name__}, which cannot be saved; expected dictionaries "
        "with text keys, lists, tuples, arrays, bytes, numbers, text and None"
    )


def unpack(packed: Any) -> Any:
    """Return what was given to `pack`, its arrays as copies."""
    if not isinstance(packed, dict):
        return packed
    ((kind, value),) = packed.items()
    if kind == "array":
        return value.copy() if value.shape else value[()]
    if kind == "bytes":
        return value.tobytes()
    if kind == "dict":
        return {key: unpack(item) for key, item in value.items()}
    items = (unpack(item) for item in value.values())
    return tuple(items) if kind == "tuple" else list(items)


def same(one: Any, other: Any) -> bool:
    """Whether two packed states are equal; a number that is not a number equals itself."""
    if isinstance(one, dict):
        return (
            isinstance(other, dict)
            and one.keys() == other.keys()
            and all(same(value, other[key]) for key, value in one.items())
        )
    if isinstance(one, np.ndarray):
        return (
            isinstance(other, np.ndarray)
            and one.dtype == other.dtype
            and one.shape == other.shape
            and (one.tobytes() == other.tobytes() or bool((one == other).all()))
        )
    return type(one) is type(other) and (one == other or one != one)


def _layers(env: gymnasium.Env) -> Iterator[gymnasium.Wrapper]:
    """Yield the wrappers, from the outermost."""
    while isinstance(env, gymnasium.Wrapper):
        yield env
        env = env.env


def _holders(env: gymnasium.Env) -> Iterator[Any]:
    """Yield what may hold random streams."""
    world = env.unwrapped
    yield from (world, world.action_space, world.observation_space)
    yield from _layers(env)
    yield GLOBAL


def _class(layer: gymnasium.Wrapper) -> str:
    return type(layer).__name__


def _stream_state(stream: Any) -> dict[str, Any]:
    if isinstance(stream, np.random.Generator):
        return {"generator": copy.deepcopy(stream.bit_generator.state)}
    if isinstance(stream, np.random.RandomState):
        return {"legacy": copy.deepcopy(stream.get_state(legacy=False))}
    version, words, gauss = stream.getstate()
    return {"python": {"version": version, "words": np.array(words), "gauss": gauss}}


def _stream(state: dict[str, Any], old: Any) -> Any:
    """Return the stream `old`, or a new one of the right kind, in a saved state."""
    ((kind, value),) = state.items()
    if kind == "python":
        stream = old if isinstance(old, random.Random) else random.Random()
        words = tuple(int(word) for word in value["words"])
        stream.setstate((value["version"], words, value["gauss"]))
        return stream
    holder: Callable[[Any], Any]
    holder = np.random.Generator if kind == "generator" else np.random.RandomState
    bits = _bit_generator(value["bit_generator"])
    stream = old if isinstance(old, holder) and _bits(old) is bits else holder(bits())
    if kind == "generator":
        stream.bit_generator.state = value
    else:
        stream.set_state(value)
    return stream


def _bit_generator(name: str) -> type[np.random.BitGenerator]:
    kind = getattr(np.random, name, None)
    if not (isinstance(kind, type) and issubclass(kind, np.random.BitGenerator)):
        raise ValueError(f"unknown random bit generator {name!r}")
    return kind


def _bits(stream: Any) -> type:
    """Return the type of the bit generator under a stream."""
    return type(getattr(stream, "bit_generator", None) or stream._bit_generator)


def _trace(value: Any) -> Any:
    """Return something that is equal for as long as `value` stays as it is."""
    if callable(value) or isinstance(value, (gymnasium.Env, gymnasium.Space)):
        return None
    try:
        return pickle.dumps(value)
    except Exception:
        return object()  # there is no telling: it counts as changed
