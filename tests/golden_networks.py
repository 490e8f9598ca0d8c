"""Networks and learners of the golden figures, their shapes read from the figures themselves."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

from qmap.agents.dqn import DQNLearner
from qmap.agents.networks import ConvDQN, ConvQFrames, DenseQFrames
from qmap.agents.q_map import QMapLearner
from qmap.agents.replay import Transitions

Q_MAP_CASES = ("q_map/conv_dueling_norm", "q_map/conv_plain", "q_map/mlp_dueling_norm")
DQN_CASE = "dqn/dueling"
CASES = (*Q_MAP_CASES, DQN_CASE)

# What the figures' page says and no array tells.
STRIDE = 2
LEARNING_RATE = 0.01
CLIP_NORM = 0.05
Q_MAP_GAMMA = 0.9
DQN_GAMMA = 0.97

Figures = dict[str, np.ndarray]

about_the_tests = pytest.mark.skipif(
    "QMAP_GOLDEN_DIR" in os.environ, reason="checks the tests, by the project's own figures"
)


def of_case(figures: Figures, case: str) -> Figures:
    """The arrays of one case, their names without it."""
    start = case + "/"
    return {key[len(start) :]: array for key, array in figures.items() if key.startswith(start)}


def weights_of(figures: Figures, group: str) -> list[np.ndarray]:
    """The weights of a group such as "online" in the order of this project's networks.

    The figures have a layer norm's beta before its gamma, Keras the other way round.
    """
    names = sorted(key for key in figures if key.startswith(group + "/"))
    for index, name in enumerate(tuple(names)):
        if name.endswith("/beta"):
            names[index : index + 2] = [names[index + 1], name]
    return [figures[name] for name in names]


def network_maker(figures: Figures) -> Callable[[], keras.Model]:
    """What makes the network of a case, with the sizes that its weights have."""
    names = sorted(key for key in figures if key.startswith("online/") and key.endswith("weights"))
    shapes = {name: figures[name].shape for name in names}
    observation_shape = figures["obs"].shape[1:]
    encoder = [
        (shape[3], shape[0], STRIDE)
        for name, shape in shapes.items()
        if "/Conv/" in name or "/Conv_" in name
    ]
    layer_norm = any("LayerNorm" in key for key in figures)
    if not any("transpose" in name for name in names) and encoder:
        hidden = [shape[1] for name, shape in shapes.items() if ":action_value/" in name]
        return lambda: ConvDQN(observation_shape, hidden[-1], encoder=encoder, hidden=hidden[:-1])
    rows, cols, n_actions = figures["q_values"].shape[1:]
    hidden = [shape[1] for name, shape in shapes.items() if "hiddens/" in name]
    if not encoder:
        return lambda: DenseQFrames(
            observation_shape,
            n_actions,
            coords_shape=(rows, cols),
            hidden=hidden[:-1],
            dueling=hidden[-1] == rows * cols * n_actions and len(names) > len(hidden),
            layer_norm=layer_norm,
        )
    decoder = [shape for name, shape in shapes.items() if ":action_value/" in name]
    encoded_rows = observation_shape[0] // STRIDE ** len(encoder)
    strides = [1] * (len(decoder) - 1) + [STRIDE]
    for index in reversed(range(len(strides) - 1)):
        if np.prod(strides) * encoded_rows < rows:
            strides[index] = STRIDE
    return lambda: ConvQFrames(
        observation_shape,
        n_actions,
        encoder=encoder,
        hidden=hidden[:-1],
        decoder=[
            (shape[2], shape[0], stride)
            for shape, stride in zip(decoder[:-1], strides, strict=False)
        ],
        last=(decoder[-1][0], strides[-1]),
        dueling=any(":state_value/" in name for name in names),
        layer_norm=layer_norm,
    )


def learner_of(figures: Figures) -> QMapLearner | DQNLearner:
    """The learner of a case; its weights are still to be loaded."""
    if "reward" in figures:
        return DQNLearner(
            network_maker(figures),
            learning_rate=LEARNING_RATE,
            gamma=DQN_GAMMA,
            clip_norm=CLIP_NORM,
        )
    return QMapLearner(
        network_maker(figures),
        learning_rate=LEARNING_RATE,
        gamma=Q_MAP_GAMMA,
        clip_norm=CLIP_NORM,
    )


def batch_of(figures: Figures) -> Transitions:
    """The batch of a case, one step each."""
    size = len(figures["action"])

    def column(name: str, kind: type) -> np.ndarray:
        return figures.get(name, np.zeros(size)).astype(kind)[:, None]

    return Transitions(
        observations=figures["obs"],
        actions=figures["action"].astype(np.int32),
        rewards=column("reward", np.float32),
        next_observations=figures["next_obs"],
        rows=column("row", np.int32),
        cols=column("col", np.int32),
        window_shifts=column("window_shift", np.int32),
        terminals=column("done", bool),
        lengths=np.ones(size, np.int32),
    )


def load_figures(learner: QMapLearner | DQNLearner, figures: Figures) -> None:
    """Give a learner the figures' weights, and an optimizer that has not done a step."""
    learner.online.set_weights(weights_of(figures, "online"))
    learner.target.set_weights(weights_of(figures, "target"))
    moments = {name: value * 0.0 for name, value in learner.optimizer.state().items()}
    powers = {"beta_1_power": np.float32(0.9), "beta_2_power": np.float32(0.999)}
    learner.optimizer.restore(moments | powers)


def three_steps(learner: QMapLearner | DQNLearner, figures: Figures) -> dict[str, Any]:
    """What a learner gives for a case: outputs, errors of three steps, weights after them."""
    load_figures(learner, figures)
    batch = batch_of(figures)
    if isinstance(learner, QMapLearner):
        measured = {"outputs": learner.q_frames(figures["obs"])}
    else:
        measured = {"outputs": learner.q_values(figures["obs"])}
    measured["td_errors"] = np.array(
        [learner.train(batch, figures["weights"]).errors for _ in figures["td_errors"]]
    )
    measured["online_after_3"] = learner.online.get_weights()
    return measured


def assert_close(
    measured: np.ndarray, expected: np.ndarray, tolerance: float, floor: float = 0.1
) -> None:
    """Each value within `tolerance`, relative to it or to `floor` of the array's largest."""
    assert measured.shape == expected.shape
    scale = np.maximum(np.abs(expected), floor * np.abs(expected).max())
    error = np.abs(measured - expected)
    assert np.all(error <= tolerance * scale), (
        f"off by up to {np.max(error / np.maximum(scale, 1e-30)):.2g}, relative"
    )


def assert_as_published(measured: dict[str, Any], figures: Figures) -> None:
    """The golden figures of a case, to the tolerances of the project."""
    if "q_values" in figures:
        assert_close(measured["outputs"], figures["q_values"], 1e-4)
    if "greedy_action" in figures:
        assert np.array_equal(measured["outputs"].argmax(axis=-1), figures["greedy_action"])
    assert_close(measured["td_errors"], figures["td_errors"], 1e-4)
    for weight, expected in zip(
        measured["online_after_3"], weights_of(figures, "online_after_3"), strict=True
    ):
        # A gradient of nearly zero moves a weight by its sign: only the array's scale is fair.
        assert_close(weight, expected, 1e-4, floor=1.0)
