from __future__ import annotations

from itertools import product

import keras
import numpy as np
import pytest

from qmap.agents.acting import OnlineNetworks
from qmap.agents.dqn import DQNLearner
from qmap.agents.networks import ConvDQN, ConvQFrames
from qmap.agents.q_map import QMapLearner

SHAPE = (12, 16, 3)


def make_networks(seed: int = 0) -> OnlineNetworks:
    keras.utils.set_random_seed(seed)
    small = {"encoder": [(4, 4, 2)], "hidden": [11]}
    learning = {"learning_rate": 1e-3, "gamma": 0.9, "clip_norm": 1000.0}
    decoder = {"decoder": [(4, 4, 2)], "last": (4, 1)}
    return OnlineNetworks(
        QMapLearner(lambda: ConvQFrames(SHAPE, 5, **small, **decoder), **learning),
        DQNLearner(lambda: ConvDQN(SHAPE, 5, **small), **learning),
    )


def observations(count: int = 20) -> np.ndarray:
    return np.random.default_rng(0).integers(256, size=(count, *SHAPE), dtype=np.uint8)


def draw_weights(networks: OnlineNetworks, seed: int) -> None:
    """Give both networks other weights, so that nothing has to be traced anew."""
    rng = np.random.default_rng(seed)
    for learner in (networks.q_map, networks.dqn):
        for weight in learner.online.weights:
            weight.assign(rng.normal(scale=0.3, size=weight.shape))


def test_one_pass_gives_what_each_network_alone_gives() -> None:
    networks = make_networks()
    seen = set()
    for seed, with_q_frames, with_greedy_actions in product(range(5), (False, True), (False, True)):
        draw_weights(networks, seed)
        q_frames, greedy_actions = networks.evaluate(
            observations(), q_frames=with_q_frames, greedy_actions=with_greedy_actions
        )
        assert (q_frames is not None, greedy_actions is not None) == (
            with_q_frames,
            with_greedy_actions,
        )
        if with_q_frames:
            alone = networks.q_map.q_frames(observations())
            np.testing.assert_allclose(q_frames, alone, rtol=1e-5, atol=1e-6)
        if with_greedy_actions:
            best = networks.dqn.q_values(observations()).argmax(axis=-1)
            np.testing.assert_array_equal(greedy_actions, best)
            seen |= set(best.tolist())
    assert len(seen) > 1


@pytest.mark.parametrize("name", ["q_map", "dqn"])
def test_values_that_are_not_finite_are_named(name: str) -> None:
    networks = make_networks()
    learner = getattr(networks, name)
    for weights in learner.online.weights:
        weights.assign(np.full(weights.shape, np.nan))
    with pytest.raises(FloatingPointError, match=f"the Q-values of {name} are not finite"):
        networks.evaluate(observations(), q_frames=True, greedy_actions=True)


def test_passes_of_one_kind_are_traced_once() -> None:
    networks = make_networks()
    for _ in range(3):
        networks.evaluate(observations(1), q_frames=True, greedy_actions=True)
        networks.evaluate(observations(1), q_frames=False, greedy_actions=True)
    assert networks._pass.experimental_get_tracing_count() == 2
