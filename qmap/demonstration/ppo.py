"""Proximal policy optimization (Schulman et al. 2017) of a recurrent policy."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from qmap.agents.adam import ClippedAdam
from qmap.agents.learner import arrays_of
from qmap.demonstration.network import RecurrentPolicy


class Sequences(NamedTuple):
    """What was done, in sequences side by side: arrays (steps, sequences, ...).

    Attributes:
        observations: uint8 (steps, sequences, height, width, channels).
        begins: bool (steps, sequences): an episode begins at this step.
        memory: float32 (steps, sequences, units): what was remembered before the step.
        actions: int32 (steps, sequences).
        log_probabilities: float32 (steps, sequences), of the actions when they were taken.
        advantages: float32 (steps, sequences).
        returns: float32 (steps, sequences): what the values should have been.
    """

    observations: np.ndarray
    begins: np.ndarray
    memory: np.ndarray
    actions: np.ndarray
    log_probabilities: np.ndarray
    advantages: np.ndarray
    returns: np.ndarray

    def of(self, chosen: np.ndarray) -> Sequences:
        """Return some of the sequences."""
        return Sequences(*(array[:, chosen] for array in self))

    def cut(self, length: int) -> Sequences:
        """Return them in pieces of `length` steps, which divides theirs, side by side."""

        def pieces(array: np.ndarray) -> np.ndarray:
            steps, sequences, *rest = array.shape
            cut = array.reshape(steps // length, length, sequences, *rest)
            return cut.swapaxes(0, 1).reshape(length, -1, *rest)

        return Sequences(*map(pieces, self))


class Losses(NamedTuple):
    """What an update found out: means over its steps.

    Attributes:
        policy: the clipped objective, negative.
        value: squared error of the values.
        entropy: of the policy.
        clipped: share of steps whose probability has changed by more than the clipping range.
    """

    policy: float
    value: float
    entropy: float
    clipped: float


def advantages(
    rewards: np.ndarray,
    values: np.ndarray,
    ends: np.ndarray,
    last_values: np.ndarray,
    gamma: float,
    trace: float,
) -> np.ndarray:
    """Generalized advantage estimates (Schulman et al. 2016).

    Args:
        rewards: (steps, copies).
        values: (steps, copies), of the observations on which the actions were taken.
        ends: bool (steps, copies): the episode ended with this step.
        last_values: (copies,), of the observations after the last step.
        gamma: discount factor.
        trace: lambda, the share of what follows, 0 for the next value alone, 1 for all rewards.

    Returns:
        float32 (steps, copies).
    """
    estimates = np.zeros(rewards.shape, np.float32)
    estimate = np.zeros(rewards.shape[1])
    next_values = last_values
    for step in reversed(range(len(rewards))):
        goes_on = 1.0 - ends[step]
        error = rewards[step] + gamma * goes_on * next_values - values[step]
        estimate = error + gamma * trace * goes_on * estimate
        estimates[step] = estimate
        next_values = values[step]
    return estimates


class PPO:
    """A recurrent policy and Adam.

    Args:
        network: the policy.
        learning_rate: Adam's step size.
        clip: by how much a probability may change in an update before it is not followed further.
        entropy_weight: of the entropy in the loss.
        value_weight: of the squared error of the values in the loss.
        clip_norm: L2 norm to which each variable's gradient is clipped.
    """

    name = "policy"

    def __init__(
        self,
        network: RecurrentPolicy,
        *,
        learning_rate: float,
        clip: float,
        entropy_weight: float,
        value_weight: float,
        clip_norm: float,
    ) -> None:
        self.network = network
        self.clip = clip
        self.entropy_weight = entropy_weight
        self.value_weight = value_weight
        variables = [variable.value for variable in network.trainable_variables]
        self.optimizer = ClippedAdam(variables, learning_rate, clip_norm)

    def act(
        self, observations: np.ndarray, memory: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """One step of the network.

        Args:
            observations: uint8 (batch, height, width, channels).
            memory: float32 (batch, units).

        Returns:
            Log-probabilities (batch, actions), values (batch,), memory (batch, units).

        Raises:
            FloatingPointError: they are not finite.
        """
        outputs = [output.numpy() for output in self._act(observations, memory)]
        if not all(np.isfinite(output).all() for output in outputs):
            raise FloatingPointError("the outputs of the policy are not finite")
        return tuple(outputs)

    def remember(self, observations: np.ndarray, count: int) -> np.ndarray:
        """Return what is remembered after some steps.

        Args:
            observations: uint8 (steps, height, width, channels), always as many.
            count: how many of them there are, at least 1, at the end; the others are padding.

        Returns:
            float32 (units,).
        """
        # Each step of the padding begins an episode, and so does the first that is there.
        begins = np.arange(len(observations)) <= len(observations) - count
        return self._remember(observations, begins).numpy()

    def train(self, batch: Sequences) -> Losses:
        """One update from what was done.

        Raises:
            FloatingPointError: the loss is not finite.
        """
        losses = Losses(*map(float, self._train(batch)))
        if not math.isfinite(losses.policy + losses.value + losses.entropy):
            raise FloatingPointError(f"the loss of the policy is {losses}")
        return losses

    def weights(self, moments: bool = True) -> dict[str, Any]:
        """Return the network and, with `moments`, the optimizer; see `Learner.weights`."""
        weights = {"online": arrays_of(self.network)}
        if moments:
            weights["optimizer"] = self.optimizer.state()
        for arrays in weights.values():
            if not all(np.isfinite(array).all() for array in arrays.values()):
                raise FloatingPointError("weights of the policy are not finite")
        return weights

    def restore_weights(self, weights: dict[str, Any]) -> None:
        """Continue from what `weights` returned; without moments the optimizer stays new.

        Raises:
            ValueError: they are those of another network.
        """
        arrays = list(weights["online"].values())
        expected = [tuple(variable.shape) for variable in self.network.weights]
        if [array.shape for array in arrays] != expected:
            raise ValueError("its policy has other layers")
        self.network.set_weights(arrays)
        if "optimizer" in weights:
            self.optimizer.restore(weights["optimizer"])

    def losses(self, batch: Sequences) -> tuple[tf.Tensor, Losses]:
        """Return the loss and what it is made of; see `train`."""
        seen = self.network.along(batch.observations, batch.begins, batch.memory)
        logits, values = self.network.heads(*seen)
        actions, old, advantage, returns = batch[3:]
        log_probabilities = tf.nn.log_softmax(logits)
        taken = tf.gather(log_probabilities, actions, axis=-1, batch_dims=2)
        ratio = tf.exp(taken - old)
        near = tf.clip_by_value(ratio, 1.0 - self.clip, 1.0 + self.clip)
        policy = -tf.reduce_mean(tf.minimum(ratio * advantage, near * advantage))
        value = tf.reduce_mean(tf.square(values - returns))
        entropy = -tf.reduce_mean(
            tf.reduce_sum(tf.exp(log_probabilities) * log_probabilities, axis=-1)
        )
        clipped = tf.reduce_mean(tf.cast(tf.abs(ratio - 1.0) > self.clip, tf.float32))
        loss = policy + self.value_weight * value - self.entropy_weight * entropy
        return loss, Losses(policy, value, entropy, clipped)

    @tf.function
    def _act(
        self, observations: tf.Tensor, memory: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        logits, values, memory = self.network(observations, memory)
        return tf.nn.log_softmax(logits), values, memory

    @tf.function
    def _remember(self, observations: tf.Tensor, begins: tf.Tensor) -> tf.Tensor:
        nothing = tf.zeros((observations.shape[0], 1, self.network.units))
        _, memory = self.network.along(observations[:, None], begins[:, None], nothing)
        return memory[-1, 0]

    @tf.function
    def _train(self, batch: Sequences) -> Losses:
        with tf.GradientTape() as tape:
            loss, losses = self.losses(batch)
        self.optimizer.apply(tape.gradient(loss, self.optimizer.variables))
        return losses
