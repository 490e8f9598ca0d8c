"""What the two learners share: two networks, the pass through both, an update, their state."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from qmap.agents.adam import ClippedAdam
from qmap.agents.layers import MeanFrame
from qmap.agents.replay import Transitions

# Of double Q-learning: "usual" lets the online network pick the next action and the target network
# give its value (van Hasselt et al. 2016); "reference" is the other way round.
DoubleOrder = Literal["usual", "reference"]

# Updates from one move of a soft target to the next: moving all weights takes as long as a tenth
# of an update, and four small moves at once are hardly another thing than one after each.
FOLLOW_EVERY = 4


class Update(NamedTuple):
    """What an update found out.

    Attributes:
        loss: the mean over the batch, weighted.
        errors: (batch,) temporal-difference error of each transition, for its priority.
        best_q: mean of the best action's Q-value in the observations, as it was before.
    """

    loss: float
    errors: np.ndarray
    best_q: float


class Learner:
    """An online network, a target network that follows it, and Adam.

    Args:
        make_network: makes a network; called twice, online and target.
        learning_rate: Adam's step size.
        gamma: discount factor.
        clip_norm: L2 norm to which each variable's gradient is clipped.
        double_order: which network picks the next action, the other gives its value; None for no
            double Q-learning.
        single: the network that does both without double Q-learning.
        target_network: without it there is the online network alone, which picks and gives.

    Attributes:
        online: the network that learns.
        target: the one that follows it; without a target network the same one.
    """

    name: str

    def __init__(
        self,
        make_network: Callable[[], keras.Model],
        *,
        learning_rate: float,
        gamma: float,
        clip_norm: float,
        double_order: DoubleOrder | None,
        single: Literal["online", "target"],
        target_network: bool = True,
    ) -> None:
        self.gamma = gamma
        self.online = self.target = make_network()
        self.networks = {"online": self.online}
        if target_network:
            self.networks["target"] = self.target = make_network()
            self.target.trainable = False
        picking, giving = {
            "usual": ("online", "target"),
            "reference": ("target", "online"),
            None: (single, single),
        }[double_order]
        self.picking: keras.Model = getattr(self, picking)
        self.giving: keras.Model = getattr(self, giving)
        variables = [variable.value for variable in self.online.trainable_variables]
        self.optimizer = ClippedAdam(variables, learning_rate, clip_norm)
        self.update_target()

    def train(self, batch: Transitions, weights: np.ndarray) -> Update:
        """One update.

        Args:
            batch: transitions.
            weights: (batch,) importance weights.

        Raises:
            FloatingPointError: the loss is not finite.
        """
        loss, errors, best_q = self._train(batch, weights)
        if not math.isfinite(loss := float(loss)):
            raise FloatingPointError(f"the loss of {self.name} is {loss}")
        return Update(loss, errors.numpy(), float(best_q))

    def next_values(self, observations: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """What picks the action in the next observations, and what gives its value.

        Args:
            observations: (batch, height, width, channels) uint8.

        Returns:
            Both (batch, ..., actions); of the network that only picks, advantages will do.
        """
        giving = self.giving(observations)
        if self.picking is self.giving:
            return giving, giving
        return preferences(self.picking, observations), giving

    @tf.function
    def update_target(self, share: float = 1.0) -> None:
        """Move the target network's weights by a share of the way to the online ones; 1 copies."""
        if self.target is self.online:
            return
        for target, online in zip(self.target.weights, self.online.weights, strict=True):
            if share == 1.0:
                target.value.assign(online.value)
            else:
                target.value.assign_add(share * (online.value - target.value))

    def weights(self, moments: bool = True) -> dict[str, Any]:
        """Return the networks and, with `moments`, the optimizer: what a run can start from.

        Raises:
            FloatingPointError: a weight or a moment is infinite or not a number.
        """
        weights = {name: arrays_of(network) for name, network in self.networks.items()}
        if moments:
            weights["optimizer"] = self.optimizer.state()
        for arrays in weights.values():
            if not all(np.isfinite(array).all() for array in arrays.values()):
                raise FloatingPointError(f"weights of {self.name} are not finite")
        return weights

    def restore_weights(self, weights: dict[str, Any]) -> None:
        """Continue from what `weights` returned; without moments the optimizer stays new.

        Raises:
            ValueError: they are those of another network.
        """
        for name, network in self.networks.items():
            # What was trained without a target network may go on with one.
            arrays = weights.get(name, weights["online"])
            expected = [tuple(variable.shape) for variable in network.weights]
            found = [array.shape for array in arrays.values()]
            if found != expected:
                raise ValueError(f"its {self.name} network has other layers")
            network.set_weights(list(arrays.values()))
        if "optimizer" in weights:
            self.optimizer.restore(weights["optimizer"])

    def start_from(self, weights: dict[str, Any]) -> None:
        """Learn on from `weights`, of what may have been another level.

        The mean frame is counted anew: that of another level hides what is to be seen on this one.

        Raises:
            ValueError: they are those of another network.
        """
        self.restore_weights(weights)
        if (mean_frame := self._mean_frame) is not None:
            mean_frame.forget()

    def center_on(self, observations: np.ndarray) -> None:
        """Take the mean of these observations away from now on, if frames are centered.

        Args:
            observations: (n, height, width, channels) uint8.
        """
        if (mean_frame := self._mean_frame) is not None:
            mean_frame.forget()
            self._observe(tf.constant(observations))

    @property
    def centers(self) -> bool:
        """Whether the mean frame is taken away from observations."""
        return self._mean_frame is not None

    @property
    def _mean_frame(self) -> MeanFrame | None:
        return getattr(self.online, "mean_frame", None)

    @tf.function
    def _forward(self, observations: tf.Tensor) -> tf.Tensor:
        return self.online(observations)

    def _observe(self, observations: tf.Tensor) -> None:
        """Take observations into the mean frame, which both networks have or neither has."""
        mean_frame = self._mean_frame  # AutoGraph knows no :=
        if mean_frame is not None:
            mean_frame.observe(observations)
            self.target.mean_frame.follow(mean_frame)

    def _descend(self, tape: tf.GradientTape, loss: tf.Tensor) -> None:
        self.optimizer.apply(tape.gradient(loss, self.optimizer.variables))


def followed(share: float) -> float:
    """Return the share of the way of `FOLLOW_EVERY` moves by `share`, one after the other."""
    return 1.0 - (1.0 - share) ** FOLLOW_EVERY


def value_of_best(picking: tf.Tensor, giving: tf.Tensor) -> tf.Tensor:
    """Value that `giving` has for the action which is best in `picking`.

    Args:
        picking: (batch, ..., actions).
        giving: the same shape.

    Returns:
        (batch, ...).
    """
    chosen = tf.argmax(picking, axis=-1, output_type=tf.int32)
    return tf.gather(giving, chosen, axis=-1, batch_dims=chosen.shape.rank)


def mean_of_best(q_values: tf.Tensor) -> tf.Tensor:
    """Mean, over everything but the actions, of the best action's Q-value."""
    return tf.reduce_mean(tf.reduce_max(q_values, axis=-1))


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


def arrays_of(network: keras.Model) -> dict[str, np.ndarray]:
    """Weights by their place in the network; their paths depend on what else the process made."""
    return {
        f"{index:02d}:{variable.name}": variable.numpy()
        for index, variable in enumerate(network.weights)
    }
