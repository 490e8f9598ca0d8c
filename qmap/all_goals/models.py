"""The networks of the experiment, by name, without loading TensorFlow."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from qmap.agents import published
from qmap.agents.published import CONVOLUTIONAL, GRID_WORLD

if TYPE_CHECKING:
    import keras

ANY_SIZE = "any-size"
MODELS = (*GRID_WORLD, ANY_SIZE)
# A network with a goal for its input is the encoder of one of these, and dense layers.
MODELS_OF_ONE_GOAL = ("convdeconv1", "convdeconv2", "convdeconv3")


def q_frames_maker(
    model: str, observation_shape: tuple[int, int, int], n_actions: int, *, small_start: bool
) -> Callable[[], keras.Model]:
    """Return a function that makes a network whose Q-frames have a cell for each pixel.

    Args:
        model: one of `MODELS`.
        observation_shape: (height, width, channels), multiples of 4.
        n_actions: number of actions.
        small_start: see `qmap.agents.published.q_frames_maker`.
    """
    if model in GRID_WORLD:
        return published.q_frames_maker(
            model, observation_shape, n_actions, small_start=small_start
        )
    from qmap.all_goals.networks import AnySizeQFrames

    return lambda: _small(AnySizeQFrames(observation_shape, n_actions), small_start)


def goal_network_maker(
    model: str, observation_shape: tuple[int, int, int], n_actions: int, *, small_start: bool
) -> Callable[[], keras.Model]:
    """Return a function that makes a network with the goal as one more channel of its input.

    Args:
        model: one of `MODELS_OF_ONE_GOAL`, whose encoder and dense layer it has.
        observation_shape: (height, width, channels) without the goal's channel.
        n_actions: number of actions.
        small_start: see `qmap.agents.published.q_frames_maker`.
    """
    from qmap.all_goals.networks import GoalQNetwork

    rows, cols, channels = observation_shape
    layers = {name: CONVOLUTIONAL[model][name] for name in ("encoder", "hidden")}
    shape = (rows, cols, channels + 1)
    return lambda: _small(GoalQNetwork(shape, n_actions, **layers), small_start)


def _small(network: keras.Model, small_start: bool) -> keras.Model:
    from qmap.agents.networks import SMALL

    if small_start:
        for stream in (network.advantage, network.value):
            kernel = getattr(stream[-1], "dense", stream[-1]).kernel
            kernel.assign(kernel * SMALL)
    return network
