from __future__ import annotations

import numpy as np

from qmap.utils import streams

COPIES = 64


def test_no_two_consumers_draw_the_same_luck() -> None:
    first_draws = [
        streams.generator(seed, consumer).integers(2**63)
        for seed in range(100)
        for consumer in streams.CONSUMERS
    ]
    assert len(set(first_draws)) == len(first_draws)


def test_no_two_environments_are_seeded_alike_whatever_the_run() -> None:
    seeds = [
        streams.number(seed, "environments", copy) for seed in range(100) for copy in range(COPIES)
    ]
    assert len(set(seeds)) == len(seeds)
    assert min(seeds) >= 0
    assert max(seeds) < 2**31


def test_an_environment_does_not_draw_what_the_agent_draws() -> None:
    for seed in range(100):
        agent = streams.generator(seed, "acting").random(100)
        for copy in range(4):
            world = np.random.default_rng(streams.number(seed, "environments", copy)).random(100)
            assert not np.isin(agent, world).any()


def test_luck_is_the_same_in_each_run_of_a_seed() -> None:
    one, other = (streams.generator(3, "sampling").random(5) for _ in range(2))
    assert np.array_equal(one, other)
