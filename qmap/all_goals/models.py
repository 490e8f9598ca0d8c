"""The networks that see one goal at a time, by name, without loading TensorFlow."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from qmap.agents.published import CONVOLUTIONAL

if TYPE_CHECKING:
    import keras

# A network with a goal for its input is the encoder of one of these, and dense layers.
MODELS_OF_ONE_GOAL = ("convdeconv1", "convdeconv2", "convdeconv3")


def goal_network_maker(
    model: str, observation_shape: tuple[int, int, int], n_actions: int, *, small_start: bool
) -> Callable[[], keras.Model]:
    """Return a function that makes a network with the goal as one more channel of its input.

    Args:
        model: one of `MODELS_OF_ONE_GOAL`, whose encoder and dense layer it has.
        observation_shape: (height, width, channels) without the goal's channel.
        n_actions: number of actions.
        small_start: see `qmap.agents.networks.ConvQFrames`.
    """
    from qmap.all_goals.networks import GoalQNetwork

    rows, cols, channels = observation_shape
    layers = {name: CONVOLUTIONAL[model][name] for name in ("encoder", "hidden")}
    shape = (rows, cols, channels + 1)
    return lambda: GoalQNetwork(shape, n_actions, **layers, small_start=small_start)
