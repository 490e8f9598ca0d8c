"""The networks that were published for the grid world, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras

CONVOLUTIONAL = {
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
DENSE = {
    "mlp1": {"hidden": [1024, 1024, 1024]},
    "mlp2": {"hidden": [1024, 1024]},
}
MODELS = (*CONVOLUTIONAL, *DENSE)
SMALL = 0.1


def network_maker(
    model: str,
    observation_shape: tuple[int, int, int],
    n_actions: int,
    *,
    dueling: bool,
    layer_norm: bool,
    small_start: bool = False,
) -> Callable[[], keras.Model]:
    """Return a function that makes a network of the given name, one of `MODELS`.

    Its Q-frames have a cell for each pixel of the observation. With `small_start` they start at a
    tenth of their size. Else the first updates unlearn large random Q-values. Their gradients, a
    hundred times as long as later ones, fill Adam's second moments, which take thousands of
    updates to forget them; until then the network hardly tells the character's rows apart.
    """
    # The names are needed to check the command line, before TensorFlow is loaded.
    from qmap.agents.networks import ConvQFrames, DenseQFrames

    def make() -> keras.Model:
        options = {"dueling": dueling, "layer_norm": layer_norm}
        if model in CONVOLUTIONAL:
            network = ConvQFrames(observation_shape, n_actions, **options, **CONVOLUTIONAL[model])
            last = [stream[-1].kernel for stream in (network.advantage, network.value) if stream]
        else:
            options["coords_shape"] = observation_shape[:2]
            network = DenseQFrames(observation_shape, n_actions, **options, **DENSE[model])
            streams = [stream[0] for stream in (network.advantage, network.value) if stream]
            last = [each.norm.gamma if layer_norm else each.dense.kernel for each in streams]
        if small_start:
            for weights in last:
                weights.assign(weights * SMALL)
        return network

    return make
