from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qmap.agents.sum_tree import SumTree

POWERS_OF_32 = (1, 2, 31, 32, 33, 63, 64, 65, 1023, 1024, 1025, 32767, 32768, 32769)


def obvious_find(values: np.ndarray, masses: np.ndarray) -> np.ndarray:
    """The prefix-sum search, spelled out."""
    return np.searchsorted(np.cumsum(values), masses, side="right")


@st.composite
def sizes_and_updates(draw: st.DrawFn) -> tuple[int, list[tuple[np.ndarray, np.ndarray]]]:
    """A capacity and a few batches of updates, with indices that come twice and with zeros."""
    capacity = draw(st.sampled_from((1, 2, 31, 32, 33, 100, 1024, 1025)))
    seed = draw(st.integers(0, 2**32 - 1))
    generator = np.random.default_rng(seed)
    updates = []
    for size in draw(st.lists(st.integers(0, 40), min_size=1, max_size=6)):
        values = generator.integers(0, 8, size) / 4.0
        updates.append((generator.integers(0, capacity, size), values))
    return capacity, updates


@settings(max_examples=150, deadline=None)
@given(sizes_and_updates(), st.integers(0, 2**32 - 1))
def test_it_does_what_a_plain_array_does(
    case: tuple[int, list[tuple[np.ndarray, np.ndarray]]], seed: int
) -> None:
    capacity, updates = case
    tree, values = SumTree(capacity), np.zeros(capacity)
    for indices, new in updates:
        tree[indices] = new
        for index, value in zip(indices, new, strict=True):
            values[index] = value
        assert np.array_equal(tree[np.arange(capacity)], values)
        # Quarters add up without rounding, so equality is fair.
        assert tree.total == values.sum()
        assert tree.minimum == values[values > 0].min(initial=np.inf)
        if values.sum() > 0:
            masses = np.random.default_rng(seed).random(50) * tree.total
            edges = np.cumsum(values)
            masses = np.concatenate([masses, [0.0], edges[edges < tree.total]])
            assert np.array_equal(tree.find(masses), obvious_find(values, masses))


@pytest.mark.parametrize("capacity", POWERS_OF_32)
def test_every_place_can_be_found_whatever_the_capacity(capacity: int) -> None:
    tree = SumTree(capacity)
    places = np.arange(capacity)
    tree[places] = 1.0
    assert tree.total == capacity
    assert np.array_equal(tree.find(places.astype(float)), places)
    assert np.array_equal(tree.find(places + 0.999), places)


def test_an_index_that_comes_twice_keeps_the_later_value() -> None:
    tree = SumTree(40)
    tree[np.array([3, 35, 3, 35])] = np.array([5.0, 6.0, 1.0, 2.0])
    assert (tree.total, tree.minimum) == (3.0, 1.0)
    assert np.array_equal(tree[np.array([3, 35])], [1.0, 2.0])


def test_the_minimum_forgets_values_that_are_gone() -> None:
    tree = SumTree(2000)
    assert tree.minimum == np.inf
    tree[np.array([7, 1999])] = np.array([0.5, 2.0])
    assert tree.minimum == 0.5
    tree[np.array([7])] = 0.0
    assert tree.minimum == 2.0
    tree[np.array([1999])] = 0.0
    assert (tree.total, tree.minimum) == (0.0, np.inf)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.one_of(st.just(0.0), st.floats(1e-300, 1e300), st.floats(1e-9, 1e-3)),
        min_size=1,
        max_size=70,
    ),
    st.integers(0, 2**32 - 1),
)
def test_a_place_without_value_is_never_found_however_far_apart_the_values_are(
    values: list[float], seed: int
) -> None:
    tree = SumTree(len(values))
    tree[np.arange(len(values))] = np.array(values)
    if tree.total == 0.0:
        return
    fractions = np.append(np.random.default_rng(seed).random(100), [0.0, np.nextafter(1.0, 0.0)])
    masses = fractions * tree.total
    # The very total cannot be asked for, but rounding of a product may come to it.
    found = tree.find(np.append(masses, tree.total))
    assert np.all(tree[found] > 0.0)


def test_a_sum_does_not_drift_under_many_updates() -> None:
    tree, generator = SumTree(3000), np.random.default_rng(0)
    for _ in range(3000):
        tree[generator.integers(0, 3000, 32)] = generator.random(32) ** 12
    assert tree.total == pytest.approx(tree[np.arange(3000)].sum(), rel=1e-13)
