"""The published networks, each once: convolutions are (channels, kernel, stride).

Loads without TensorFlow, because the names are needed to check the command line.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras

# Q-frame networks: "game" is that of Mario and Montezuma, the others are the grid world's.
CONVOLUTIONAL: dict[str, dict[str, Any]] = {
    "game": {
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
DENSE: dict[str, dict[str, Any]] = {
    "mlp1": {"hidden": [1024, 1024, 1024]},
    "mlp2": {"hidden": [1024, 1024]},
}
# Task networks.
DQN: dict[str, dict[str, Any]] = {
    "mario": {"encoder": [(32, 8, 2), (32, 6, 2), (64, 4, 2)], "hidden": [1024]},
    "montezuma": {"encoder": [(32, 8, 2), (32, 6, 2), (32, 4, 2)], "hidden": [1024]},
}
GRID_WORLD = ("convdeconv1", "convdeconv2", "convdeconv3", *DENSE)
SMALL = 0.1


def q_frames_maker(
    name: str,
    observation_shape: tuple[int, int, int],
    n_actions: int,
    *,
    dueling: bool = True,
    layer_norm: bool = True,
    small_start: bool = False,
) -> Callable[[], keras.Model]:
    """Return a function that makes the Q-frame network `name` of `CONVOLUTIONAL` or `DENSE`.

    The Q-frames of dense ones have a cell for each pixel of the observation. With `small_start`
    they start at a tenth of their size. Else the first updates unlearn large random Q-values.
    Their gradients, a hundred times as long as later ones, fill Adam's second moments, which take
    thousands of updates to forget them; until then the network hardly tells the character's rows
    apart.
    """
    from qmap.agents.networks import ConvQFrames, DenseQFrames

    def make() -> keras.Model:
        options = {"dueling": dueling, "layer_norm": layer_norm}
        if name in CONVOLUTIONAL:
            network = ConvQFrames(observation_shape, n_actions, **options, **CONVOLUTIONAL[name])
            last = [stream[-1].kernel for stream in (network.advantage, network.value) if stream]
        else:
            options["coords_shape"] = observation_shape[:2]
            network = DenseQFrames(observation_shape, n_actions, **options, **DENSE[name])
            streams = [stream[0] for stream in (network.advantage, network.value) if stream]
            last = [each.norm.gamma if layer_norm else each.dense.kernel for each in streams]
        if small_start:
            for weights in last:
                weights.assign(weights * SMALL)
        return network

    return make


def dqn_maker(
    name: str, observation_shape: tuple[int, int, int], n_actions: int
) -> Callable[[], keras.Model]:
    """Return a function that makes the task network `name` of `DQN`."""
    from qmap.agents.networks import DuelingDQN

    return lambda: DuelingDQN(observation_shape, n_actions, **DQN[name])
