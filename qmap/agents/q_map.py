"""The Q-map learner: from one transition, an update of the Q-values towards all goals at once.

In the order of the computation: `next_q_frames` values the next observation, `all_goals_targets`
turns that into targets for the observation, `QMapLearner` moves the network towards them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import keras
import numpy as np
import tensorflow as tf

from qmap.agents.learner import Learner, finite_q, preferences
from qmap.agents.replay import Transitions

UnknownColumns = Literal["keep", "ignore"]
DoubleOrder = Literal["reference", "usual"]


def next_q_frames(
    online: tf.Tensor,
    target: tf.Tensor | None,
    order: DoubleOrder = "reference",
) -> tf.Tensor:
    """Value of each goal cell in the next observation, under its best action there.

    Double Q-learning (van Hasselt et al. 2016) lets one network pick the action of each cell and
    the other give its value. In "usual" order the online network picks; the published code has
    it the other way round, the target network picks and the online network gives the value,
    and that is the default here.

    Args:
        online: Q-frames of the online network, (batch, rows, cols, actions).
        target: Q-frames of the target network, the same shape; None for no double Q-learning:
            the maximum of the online network. Of the network that picks, advantages will do.
        order: who picks the action.

    Returns:
        (batch, rows, cols) in [0, 1]: a discounted number of steps cannot be outside.
    """
    if target is None:
        value = tf.reduce_max(online, axis=-1)
    else:
        picking, giving = (target, online) if order == "reference" else (online, target)
        chosen = tf.argmax(picking, axis=-1, output_type=tf.int32)
        value = tf.gather(giving, chosen, axis=-1, batch_dims=3)
    return tf.clip_by_value(value, 0.0, 1.0)


def all_goals_targets(
    next_q: tf.Tensor,
    rows: tf.Tensor,
    cols: tf.Tensor,
    window_shifts: tf.Tensor,
    terminals: tf.Tensor,
    lengths: tf.Tensor,
    gamma: float,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Targets towards all goal cells of n-step transitions (section 3.2 of the paper).

    From the last step back to the first: everything gets one step farther (times gamma, or 0 at
    the end of an episode), the cell that the step reached gets 1, and the array is moved from the
    window after the step to the window before it. Columns that come in from outside the window
    after the step are unknown: they keep the values that stood there.

    Args:
        next_q: (batch, rows, cols) values in the window of the last observation.
        rows: (batch, n) row of the character after each step.
        cols: (batch, n) its column in the window after that step.
        window_shifts: (batch, n) columns by which the window moved during the step.
        terminals: (batch, n) 1 where the step ended the episode.
        lengths: (batch,) number of steps that are there, 1 to n; the others are padding.
        gamma: discount factor.

    Returns:
        The targets in the window of the first observation, and whether each is known,
        both (batch, rows, cols), float32 and bool.
    """
    n_rows, n_cols = next_q.shape[1:]
    columns = tf.range(n_cols, dtype=tf.int32)
    value = next_q
    known = tf.ones_like(value, tf.bool)
    for step in reversed(range(rows.shape[1])):
        terminal = tf.cast(terminals[:, step], value.dtype)[:, None, None]
        reached = (
            tf.one_hot(rows[:, step], n_rows, on_value=True, off_value=False)[:, :, None]
            & tf.one_hot(cols[:, step], n_cols, on_value=True, off_value=False)[:, None, :]
        )
        stepped = tf.where(reached, 1.0, value * gamma * (1.0 - terminal))
        stepped_known = known | reached | (terminal > 0.0)

        source = columns[None, :] - tf.cast(window_shifts[:, step, None], tf.int32)
        inside = (source >= 0) & (source < n_cols)
        source = tf.where(inside, source, columns)
        stepped = tf.gather(stepped, source, axis=2, batch_dims=1)
        stepped_known = tf.gather(stepped_known, source, axis=2, batch_dims=1)
        stepped_known &= inside[:, None, :]

        there = (lengths > step)[:, None, None]
        value = tf.where(there, stepped, value)
        known = tf.where(there, stepped_known, known)
    return value, known


class QMapLearner(Learner):
    """Learns Q-frames off-policy by all-goals updates, with a target network.

    Args:
        make_network: makes a Q-frame network; called twice, online and target.
        learning_rate: Adam's step size.
        gamma: discount factor of the distance; Q is `gamma ** (steps - 1)`.
        clip_norm: L2 norm to which each variable's gradient is clipped.
        double_q: double Q-learning, see `next_q_frames`.
        double_order: which network picks the action.
        unknown_columns: what to do with cells that the next window did not show after the screen
            scrolled: "keep" leaves the old values there, as the published code does; "ignore"
            leaves those cells out of the loss and of the priority.
        cross_entropy: take Q-values for probabilities, and instead of the squared error the
            cross-entropy of the network's logits; the network must have a sigmoid output.
    """

    name = "q_map"

    def __init__(
        self,
        make_network: Callable[[], keras.Model],
        *,
        learning_rate: float = 3e-4,
        gamma: float = 0.9,
        clip_norm: float = 1000.0,
        double_q: bool = True,
        double_order: DoubleOrder = "reference",
        unknown_columns: UnknownColumns = "keep",
        cross_entropy: bool = False,
    ) -> None:
        super().__init__(make_network, learning_rate, clip_norm)
        self.cross_entropy = cross_entropy
        self.gamma = gamma
        self.double_q = double_q
        self.double_order = double_order
        self.unknown_columns = unknown_columns

    def q_frames(self, observations: np.ndarray) -> np.ndarray:
        """Q-frames of uint8 observations (batch, h, w, c): (batch, rows, cols, actions).

        Raises:
            FloatingPointError: they are not finite.
        """
        return finite_q(self.name, self._forward(observations))

    def train(self, batch: Transitions, weights: np.ndarray) -> tuple[float, np.ndarray]:
        """One update towards all goals.

        Args:
            batch: transitions, see `Transitions`.
            weights: (batch,) importance weights.

        Returns:
            The loss, and the new priority error of each transition, (batch,): the mean over cells
            of |Q - target|.

        Raises:
            FloatingPointError: the loss is not finite.
        """
        loss, errors = self._train(
            batch.observations,
            batch.actions,
            batch.next_observations,
            batch.rows,
            batch.cols,
            batch.window_shifts,
            batch.terminals,
            batch.lengths,
            weights,
        )
        return self._finite(loss), errors.numpy()

    @tf.function
    def _train(
        self,
        observations: tf.Tensor,
        actions: tf.Tensor,
        next_observations: tf.Tensor,
        rows: tf.Tensor,
        cols: tf.Tensor,
        window_shifts: tf.Tensor,
        terminals: tf.Tensor,
        lengths: tf.Tensor,
        weights: tf.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        self._observe(observations)
        if not self.double_q:
            next_q = next_q_frames(self.online(next_observations), None)
        elif self.double_order == "reference":
            picking = preferences(self.target, next_observations)
            next_q = next_q_frames(self.online(next_observations), picking, "reference")
        else:
            picking = preferences(self.online, next_observations)
            next_q = next_q_frames(picking, self.target(next_observations), "usual")
        targets, known = all_goals_targets(
            next_q, rows, cols, window_shifts, terminals, lengths, self.gamma
        )
        if self.unknown_columns == "keep":
            known = tf.ones_like(known)
        known = tf.cast(known, tf.float32)
        # No cell is known after a jump farther than the screen is wide: 0 / 1, not 0 / 0.
        n_known = tf.maximum(tf.reduce_sum(known, axis=[1, 2]), 1.0)

        with tf.GradientTape() as tape:
            if self.cross_entropy:
                logits = tf.gather(self.online.logits(observations), actions, axis=-1, batch_dims=1)
                q_frames = tf.sigmoid(logits)
                losses = tf.nn.sigmoid_cross_entropy_with_logits(targets, logits) * known
            else:
                q_frames = tf.gather(self.online(observations), actions, axis=-1, batch_dims=1)
                losses = tf.square((q_frames - targets) * known)
            losses = tf.reduce_sum(losses, axis=[1, 2]) / n_known
            loss = tf.reduce_mean(tf.cast(weights, tf.float32) * losses)
        errors = (q_frames - targets) * known
        self._descend(tape, loss)
        return loss, tf.reduce_sum(tf.abs(errors), axis=[1, 2]) / n_known
