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

from qmap.agents.learner import DoubleOrder, Learner, finite_q, mean_of_best, value_of_best
from qmap.agents.replay import Transitions

UnknownColumns = Literal["keep", "ignore"]


def next_q_frames(picking: tf.Tensor, giving: tf.Tensor) -> tf.Tensor:
    """Value of each goal cell in the next observation, under its best action there.

    Args:
        picking: of the network that picks the action of each cell, Q-frames or advantages,
            (batch, rows, cols, actions).
        giving: Q-frames of the network that gives its value, the same shape.

    Returns:
        (batch, rows, cols) in [0, 1]: a discounted number of steps cannot be outside.
    """
    return tf.clip_by_value(value_of_best(picking, giving), 0.0, 1.0)


def all_goals_targets(
    next_q: tf.Tensor,
    rows: tf.Tensor,
    cols: tf.Tensor,
    window_shifts: tf.Tensor,
    terminals: tf.Tensor,
    lengths: tf.Tensor,
    gamma: float,
    margin: int = 0,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Targets towards all goal cells of n-step transitions (Q-map paper, section 3.2).

    From the last step back to the first: everything gets one step farther (times gamma, or 0 at
    the end of an episode), the cells that the step reached get 1, and the array is moved from the
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
        margin: a step reaches all cells that are at most this many rows and columns away from the
            character; 0, its own cell alone, as published.

    Returns:
        The targets in the window of the first observation, and whether each is known,
        both (batch, rows, cols), float32 and bool.
    """
    n_rows, n_cols = next_q.shape[1:]
    lines, columns = tf.range(n_rows), tf.range(n_cols)
    value = next_q
    known = tf.ones_like(value, tf.bool)
    for step in reversed(range(rows.shape[1])):
        terminal = tf.cast(terminals[:, step], value.dtype)[:, None, None]
        reached = (tf.abs(lines - tf.cast(rows[:, step, None], tf.int32)) <= margin)[:, :, None] & (
            tf.abs(columns - tf.cast(cols[:, step, None], tf.int32)) <= margin
        )[:, None, :]
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

    Of double Q-learning the published code has the reference order, and that is the default of
    the command line; without it the online network picks and gives.

    The loss is the squared error. With a network whose output is a sigmoid it is the cross-entropy
    of its logits: Q-values are in [0, 1], and a sigmoid's squared error would hardly have a
    gradient where they are near 0, as most are.

    The target of a cell of which a transition says that none has `reached` it is 0.

    Args:
        make_network: makes a Q-frame network; called twice, online and target.
        learning_rate: Adam's step size.
        gamma: discount factor of the distance; Q is `gamma ** (steps - 1)`.
        clip_norm: L2 norm to which each variable's gradient is clipped.
        double_order: which network picks the next action, None for no double Q-learning.
        unknown_columns: what to do with cells that the next window did not show after the screen
            scrolled: "keep" leaves the old values there, as the published code does; "ignore"
            leaves those cells out of the loss and of the priority. After a change of room it
            leaves out all cells, of which the next window shows none, whatever its column.
        margin: of `all_goals_targets`.
    """

    name = "q_map"

    def __init__(
        self,
        make_network: Callable[[], keras.Model],
        *,
        learning_rate: float,
        gamma: float,
        clip_norm: float,
        double_order: DoubleOrder | None = "reference",
        unknown_columns: UnknownColumns = "keep",
        margin: int = 0,
    ) -> None:
        super().__init__(
            make_network,
            learning_rate=learning_rate,
            gamma=gamma,
            clip_norm=clip_norm,
            double_order=double_order,
            single="online",
        )
        self.unknown_columns = unknown_columns
        self.margin = margin

    def q_frames(self, observations: np.ndarray) -> np.ndarray:
        """Q-frames of uint8 observations (batch, h, w, c): (batch, rows, cols, actions).

        Raises:
            FloatingPointError: they are not finite.
        """
        return finite_q(self.name, self._forward(observations))

    @tf.function
    def _train(
        self, batch: Transitions, weights: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Return the loss, the errors, (batch,), and the mean of the best Q-values.

        The error of a transition is the mean over cells of |Q - target|.
        """
        self._observe(batch.observations)
        next_q = next_q_frames(*self.next_values(batch.next_observations))
        shifts = tf.cast(batch.window_shifts, tf.int32)
        if self.unknown_columns == "ignore":
            shifts = tf.where(batch.room_changes, next_q.shape[2], shifts)  # out of the window
        targets, known = all_goals_targets(
            next_q,
            batch.rows,
            batch.cols,
            shifts,
            batch.terminals,
            batch.lengths,
            self.gamma,
            self.margin,
        )
        if batch.reached is not True:
            targets = tf.where(batch.reached, targets, 0.0)
        if self.unknown_columns == "keep":
            known = tf.ones_like(known)
        known = tf.cast(known, tf.float32)
        # No cell is known after a jump farther than the screen is wide: 0 / 1, not 0 / 0.
        n_known = tf.maximum(tf.reduce_sum(known, axis=[1, 2]), 1.0)

        cross_entropy = getattr(self.online, "sigmoid", False)
        with tf.GradientTape() as tape:
            outputs = (self.online.logits if cross_entropy else self.online)(batch.observations)
            chosen = tf.gather(outputs, batch.actions, axis=-1, batch_dims=1)
            if cross_entropy:
                losses = tf.nn.sigmoid_cross_entropy_with_logits(targets, chosen) * known
            else:
                losses = tf.square((chosen - targets) * known)
            losses = tf.reduce_sum(losses, axis=[1, 2]) / n_known
            loss = tf.reduce_mean(tf.cast(weights, tf.float32) * losses)
        if cross_entropy:
            outputs, chosen = tf.sigmoid(outputs), tf.sigmoid(chosen)
        errors = tf.reduce_sum(tf.abs((chosen - targets) * known), axis=[1, 2]) / n_known
        self._descend(tape, loss)
        return loss, errors, mean_of_best(outputs)
