"""The networks by name: the published ones, variants of theirs, and others' for the task.

Convolutions are (channels, kernel, stride).

Loads without TensorFlow, because the names are needed to check the command line.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras

# Q-frame networks: "convdeconv" is that of Mario and Montezuma, the others are the grid world's.
CONVOLUTIONAL: dict[str, dict[str, Any]] = {
    "convdeconv": {
        "encoder": [(32, 8, 2), (32, 6, 2), (64, 4, 2)],
        "hidden": [1024],
        "decoder": [(64, 4, 2), (32, 6, 2)],
        "last": (4, 1),
    },
    "convdeconv1": {
        "encoder": [(32, 8, 2), (32, 6, 2), (64, 4, 1)],
        "hidden": [1024],
        "decoder": [(64, 4, 1), (32, 6, 2)],
        "last": (4, 2),
    },
    "convdeconv2": {
        "encoder": [(32, 8, 2), (32, 6, 2), (64, 4, 1)],
        "hidden": [1024],
        "decoder": [(64, 4, 1), (32, 6, 2)],
        "last": (8, 2),
    },
    "convdeconv3": {
        "encoder": [(32, 4, 2), (32, 4, 2), (32, 4, 1)],
        "hidden": [512],
        "decoder": [(32, 4, 1), (32, 4, 2)],
        "last": (4, 2),
    },
}
CONVOLUTIONAL["skip"] = {**CONVOLUTIONAL["convdeconv"], "skip": True}
CONVOLUTIONAL["skip1"] = {**CONVOLUTIONAL["convdeconv1"], "skip": True}
DENSE: dict[str, dict[str, Any]] = {
    "mlp1": {"hidden": [1024, 1024, 1024]},
    "mlp2": {"hidden": [1024, 1024]},
}
# Task networks; "nature" is that of Mnih et al. 2015.
DQN: dict[str, dict[str, Any]] = {
    "mario": {"encoder": [(32, 8, 2), (32, 6, 2), (64, 4, 2)], "hidden": [1024]},
    "montezuma": {"encoder": [(32, 8, 2), (32, 6, 2), (32, 4, 2)], "hidden": [1024]},
    "nature": {"encoder": [(32, 8, 4), (64, 4, 2), (64, 3, 1)], "hidden": [512]},
}
GAMES = ("convdeconv", "skip")
# Those without dense layers, which take observations of any size.
VALUE_ITERATION = "value-iteration"
ANY_SIZE = ("any-size", VALUE_ITERATION)
GRID_WORLD = ("convdeconv1", "convdeconv2", "convdeconv3", "skip1", *ANY_SIZE, *DENSE)


def q_frames_maker(
    name: str,
    observation_shape: tuple[int, int, int],
    n_actions: int,
    hidden: int | None = None,
    **options: Any,
) -> Callable[[], keras.Model]:
    """Return a function that makes the Q-frame network `name` of `GAMES` or `GRID_WORLD`.

    The Q-frames of dense ones, and of those of any size, have a cell for each pixel of the
    observation. `hidden` is the number of units of each hidden dense layer, if not as the name
    says. See the classes for the options.
    """
    from qmap.agents.any_size import AnySizeQFrames
    from qmap.agents.networks import ConvQFrames, DenseQFrames
    from qmap.agents.value_iteration import ValueIterationQFrames

    if name == "any-size":
        return lambda: AnySizeQFrames(observation_shape, n_actions, **options)
    if name == VALUE_ITERATION:
        options.pop("layer_norm", None)  # there is no layer to normalize
        return lambda: ValueIterationQFrames(observation_shape, n_actions, **options)
    if name in CONVOLUTIONAL:
        options |= _with_hidden(CONVOLUTIONAL[name], hidden)
        return lambda: ConvQFrames(observation_shape, n_actions, **options)
    options |= {**_with_hidden(DENSE[name], hidden), "coords_shape": observation_shape[:2]}
    return lambda: DenseQFrames(observation_shape, n_actions, **options)


def dqn_maker(
    name: str,
    observation_shape: tuple[int, int, int],
    n_actions: int,
    dueling: bool = True,
    hidden: int | None = None,
) -> Callable[[], keras.Model]:
    """Return a function that makes the task network `name` of `DQN`; `hidden` as above."""
    from qmap.agents.networks import ConvDQN

    layers = _with_hidden(DQN[name], hidden)
    return lambda: ConvDQN(observation_shape, n_actions, dueling=dueling, **layers)


def _with_hidden(layers: dict[str, Any], units: int | None) -> dict[str, Any]:
    """Return `layers` with so many units in each hidden dense layer, None for as it is."""
    return layers if units is None else {**layers, "hidden": [units] * len(layers["hidden"])}
