"""Adam on TensorFlow's fused kernel, each variable's gradient clipped on its own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from qmap.agents.schedules import linear


class ClippedAdam:
    """Adam (Kingma and Ba 2015) as TensorFlow 1 computes it, one kernel call per variable.

    Keras' optimizer spells the update out in a dozen operations that each read and write the
    whole variable; the fused kernel passes over the memory once. Epsilon is added to the square
    root of the uncorrected second moment ("epsilon hat" in their section 2).

    Args:
        variables: the variables to train.
        learning_rate: step size.
        clip_norm: each gradient is scaled down to this L2 norm where it is longer.

    Attributes:
        share: of the step size that is in use; 1 unless a schedule says otherwise.
    """

    BETA_1 = 0.9
    BETA_2 = 0.999
    EPSILON = 1e-8

    def __init__(
        self, variables: Sequence[tf.Variable], learning_rate: float, clip_norm: float
    ) -> None:
        self.variables = list(variables)
        self.learning_rate = learning_rate
        self.clip_norm = clip_norm
        self.share = tf.Variable(1.0, trainable=False)
        self.first_moments = [_zeros_like(variable) for variable in self.variables]
        self.second_moments = [_zeros_like(variable) for variable in self.variables]
        self.beta_1_power = tf.Variable(self.BETA_1, trainable=False, dtype=tf.float32)
        self.beta_2_power = tf.Variable(self.BETA_2, trainable=False, dtype=tf.float32)

    def fall(self, step: int, steps: int, last: float | None) -> None:
        """Go in a straight line from `learning_rate` at step 0 to `last` at `steps`; None stays."""
        if last is not None:
            self.share.assign(linear(step, steps, 1.0, last / self.learning_rate))

    def apply(self, gradients: Sequence[tf.Tensor]) -> None:
        """Take one step along `gradients`, given in the order of the variables."""
        learning_rate = self.learning_rate * self.share
        for variable, m, v, gradient in zip(
            self.variables, self.first_moments, self.second_moments, gradients, strict=True
        ):
            tf.raw_ops.ResourceApplyAdam(
                var=variable.handle,
                m=m.handle,
                v=v.handle,
                beta1_power=self.beta_1_power,
                beta2_power=self.beta_2_power,
                lr=learning_rate,
                beta1=self.BETA_1,
                beta2=self.BETA_2,
                epsilon=self.EPSILON,
                grad=clipped(gradient, self.clip_norm),
            )
        self.beta_1_power.assign(self.beta_1_power * self.BETA_1)
        self.beta_2_power.assign(self.beta_2_power * self.BETA_2)

    def state(self) -> dict[str, np.ndarray]:
        """Return the moments and the powers of the betas as arrays."""
        return {name: variable.numpy() for name, variable in self._named().items()}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Continue from what `state` returned."""
        for name, variable in self._named().items():
            variable.assign(state[name])

    def _named(self) -> dict[str, tf.Variable]:
        named = {"beta_1_power": self.beta_1_power, "beta_2_power": self.beta_2_power}
        for index, (m, v) in enumerate(zip(self.first_moments, self.second_moments, strict=True)):
            named[f"first_moment_{index:02d}"] = m
            named[f"second_moment_{index:02d}"] = v
        return named


def clipped(gradient: tf.Tensor, norm: float) -> tf.Tensor:
    """Scale `gradient` down to L2 norm `norm` if it is longer; a short one is not copied."""
    length = tf.sqrt(2.0 * tf.nn.l2_loss(gradient))
    return tf.cond(length > norm, lambda: gradient * (norm / length), lambda: gradient)


def _zeros_like(variable: tf.Variable) -> tf.Variable:
    return tf.Variable(tf.zeros_like(variable), trainable=False)
