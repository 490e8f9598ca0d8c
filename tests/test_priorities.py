from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from golden_networks import about_the_tests

from qmap.agents.priorities import Priorities
from qmap.agents.schedules import linear

Golden = Callable[[str], dict[str, np.ndarray]]


def published(figures: dict[str, np.ndarray]) -> Priorities:
    """The golden priorities: a buffer that is not full, with the errors written into it."""
    priorities = Priorities(
        int(figures["capacity"]), float(figures["alpha"]), float(figures["epsilon"])
    )
    priorities.update(np.arange(int(figures["size"])), figures["td_errors"])
    return priorities


def schedule_steps(figures: dict[str, np.ndarray]) -> list[int]:
    """The steps at which the figures have importance weights."""
    return [int(name.split("_")[1]) for name in figures if name.startswith("weights_")]


def assert_as_published(figures: dict[str, np.ndarray]) -> None:
    """All golden figures of the sampler."""
    priorities = published(figures)
    assert priorities.tree.total == pytest.approx(float(figures["total"]), rel=1e-9)
    assert priorities.tree.minimum == pytest.approx(float(figures["minimum"]), rel=1e-9)
    assert np.array_equal(priorities.tree.find(figures["masses"]), figures["indices"])
    assert schedule_steps(figures)
    for step in schedule_steps(figures):
        beta = float(figures[f"beta_{step}"])
        assert linear(step, 1000, 0.4, 1.0) == pytest.approx(beta, rel=1e-12)
        weights = priorities.weights(np.arange(int(figures["size"])), beta)
        np.testing.assert_allclose(weights, figures[f"weights_{step}"], rtol=1e-9)


def test_priorities_indices_betas_and_weights_are_the_published_ones(golden: Golden) -> None:
    assert_as_published(golden("prioritized.npz"))


@about_the_tests
@pytest.mark.parametrize(
    "key", ["td_errors", "alpha", "epsilon", "total", "minimum", "masses"]
    + [f"{name}_{step}" for name in ("beta", "weights") for step in (0, 250, 1000, 5000)]
)  # fmt: skip
def test_figures_off_by_one_percent_are_noticed(golden: Golden, key: str) -> None:
    figures = golden("prioritized.npz")
    assert_as_published(figures)
    with pytest.raises(AssertionError):
        assert_as_published({**figures, key: figures[key] * 1.01})


def test_transitions_are_drawn_in_proportion_to_their_priorities() -> None:
    priorities = Priorities(100, alpha=1.0, epsilon=0.0)
    errors = np.array([1.0, -2.0, 3.0, 0.0, 4.0])
    priorities.update(np.arange(10, 15), errors)
    drawn = priorities.sample(np.random.default_rng(0), 100_000)
    shares = np.bincount(drawn, minlength=100) / 100_000
    np.testing.assert_allclose(shares[10:15], np.abs(errors) / 10.0, atol=0.01)
    assert shares[13] == 0.0
    assert shares[:10].sum() == shares[15:].sum() == 0.0


def test_alpha_zero_draws_uniformly_and_weighs_equally() -> None:
    priorities = Priorities(100, alpha=0.0)
    priorities.update(np.arange(4), np.array([1e-5, 1.0, 50.0, 1e4]))
    drawn = priorities.sample(np.random.default_rng(0), 40_000)
    np.testing.assert_allclose(np.bincount(drawn) / 40_000, 0.25, atol=0.02)
    assert np.array_equal(priorities.weights(np.arange(4), 1.0), np.ones(4))


def test_a_new_transition_has_the_largest_priority_ever_seen() -> None:
    priorities = Priorities(10, alpha=0.5, epsilon=0.25)
    priorities.add(np.array([0]))
    assert priorities.tree[np.array([0])] == [1.0]
    priorities.update(np.array([0]), np.array([-3.75]))
    priorities.update(np.array([0]), np.array([0.0]))
    assert priorities.tree[np.array([0])] == [0.5]
    priorities.add(np.array([1]))
    assert priorities.tree[np.array([1])] == [2.0]


def test_a_removed_transition_is_neither_drawn_nor_counted() -> None:
    priorities = Priorities(10)
    priorities.update(np.arange(3), np.array([0.001, 1.0, 2.0]))
    priorities.remove(np.array([0]))
    assert 0 not in priorities.sample(np.random.default_rng(0), 1000)
    assert priorities.weights(np.array([1]), 1.0) == [1.0]


def test_weights_make_up_for_the_draw_and_the_rarest_weighs_one() -> None:
    priorities = Priorities(10, alpha=1.0, epsilon=0.0)
    priorities.update(np.arange(3), np.array([1.0, 2.0, 8.0]))
    np.testing.assert_allclose(priorities.weights(np.arange(3), 1.0), [1.0, 0.5, 0.125])
    np.testing.assert_allclose(priorities.weights(np.arange(3), 0.5) ** 2, [1.0, 0.5, 0.125])
    assert np.array_equal(priorities.weights(np.arange(3), 0.0), np.ones(3))


def test_a_single_precision_error_is_not_rounded_again() -> None:
    priorities = Priorities(10, alpha=1.0, epsilon=1e-12)
    priorities.update(np.array([0]), np.array([1.0], np.float32))
    assert priorities.tree.total == 1.0 + 1e-12


def test_state_and_restore_continue_alike() -> None:
    one, other = Priorities(50), Priorities(50)
    slots = np.arange(20)
    one.update(slots, np.random.default_rng(1).random(20) * 9)
    other.restore(slots, one.state(slots))
    draws = [p.sample(np.random.default_rng(2), 100) for p in (one, other)]
    assert np.array_equal(*draws)
    for priorities in (one, other):
        priorities.add(np.array([30]))
    assert one.tree[np.array([30])] == other.tree[np.array([30])] > 1.0


def test_the_schedule_is_a_line_that_ends() -> None:
    assert [linear(step, 10, 1.0, 0.0) for step in (0, 5, 10, 99)] == [1.0, 0.5, 0.0, 0.0]
