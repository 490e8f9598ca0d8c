"""What the two learners share: an online and a target network, an optimizer, their state."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from qmap.agents.adam import ClippedAdam


class Learner:
    """An online network, a target network that follows it in copies, and Adam.

    Args:
        make_network: makes a network; called twice.
        learning_rate: Adam's step size.
        clip_norm: L2 norm to which each variable's gradient is clipped.
    """

    name: str

    def __init__(
        self, make_network: Callable[[], keras.Model], learning_rate: float, clip_norm: float
    ) -> None:
        self.online = make_network()
        self.target = make_network()
        self.target.trainable = False
        variables = [variable.value for variable in self.online.trainable_variables]
        self.optimizer = ClippedAdam(variables, learning_rate, clip_norm)
        self.update_target()

    @tf.function
    def update_target(self, share: float = 1.0) -> None:
        """Move the target network's weights by a share of the way to the online ones; 1 copies."""
        for target, online in zip(self.target.weights, self.online.weights, strict=True):
            if share == 1.0:
                target.value.assign(online.value)
            else:
                target.value.assign_add(share * (online.value - target.value))

    def weights(self) -> dict[str, Any]:
        """Return the networks and the optimizer: what a later run can start from."""
        return {
            "online": _arrays(self.online),
            "target": _arrays(self.target),
            "optimizer": self.optimizer.state(),
        }

    def restore_weights(self, weights: dict[str, Any]) -> None:
        """Continue from what `weights` returned.

        Raises:
            ValueError: they are those of another network.
        """
        for network, arrays in ((self.online, "online"), (self.target, "target")):
            expected = [tuple(variable.shape) for variable in network.weights]
            found = [array.shape for array in weights[arrays].values()]
            if found != expected:
                raise ValueError(f"the {self.name} network there has other layers: {found}")
            network.set_weights(list(weights[arrays].values()))
        self.optimizer.restore(weights["optimizer"])

    @tf.function
    def _forward(self, observations: tf.Tensor) -> tf.Tensor:
        return self.online(observations)

    def _observe(self, observations: tf.Tensor) -> None:
        """Take observations into the mean frame that both networks take away, if they do."""
        online = getattr(self.online, "mean_frame", None)
        if online is not None:
            online.observe(observations)
            self.target.mean_frame.follow(online)

    def _descend(self, tape: tf.GradientTape, loss: tf.Tensor) -> None:
        self.optimizer.apply(tape.gradient(loss, self.optimizer.variables))

    def _finite(self, loss: tf.Tensor) -> float:
        value = float(loss)
        if not math.isfinite(value):
            raise FloatingPointError(f"the loss of {self.name} is {value}")
        return value


def all_finite(weights: dict[str, dict[str, np.ndarray]]) -> bool:
    """Whether no weight and no moment in what `Learner.weights` returned is infinite or NaN."""
    return all(np.isfinite(array).all() for part in weights.values() for array in part.values())


def finite_q(name: str, q_values: tf.Tensor) -> np.ndarray:
    """Return the Q-values of the learner called `name` as an array.

    Raises:
        FloatingPointError: they are not finite.
    """
    array = q_values.numpy()
    if not np.isfinite(array).all():
        raise FloatingPointError(f"the Q-values of {name} are not finite")
    return array


def preferences(network: keras.Model, observations: tf.Tensor) -> tf.Tensor:
    """What tells which action is best: the advantages of a `QNetwork`, else the Q-values."""
    return getattr(network, "advantages", network)(observations)


def _arrays(network: keras.Model) -> dict[str, np.ndarray]:
    """Weights by their place in the network; their paths depend on what else the process made."""
    return {
        f"{index:02d}:{variable.name}": variable.numpy()
        for index, variable in enumerate(network.weights)
    }
