"""Tables: their rules and how they merge, against slow obvious models."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from entries import by_screen
from hypothesis import given
from hypothesis import strategies as st

from qmap.tabular.config import TabularConfig
from qmap.tabular.rules import RULES, BestReward, QLearning, make_rule
from qmap.tabular.table import ABSENT, Entries, Table, merged, screen_hash

SCREENS, ACTIONS = 4, 3
# Screen, action, reward, next screen, end.
STEPS = st.lists(
    st.tuples(
        st.integers(0, SCREENS - 1),
        st.integers(0, ACTIONS - 1),
        st.floats(-5, 5),
        st.integers(0, SCREENS - 1),
        st.booleans(),
    ),
    max_size=60,
)


def learned(rule: str, steps: list[tuple], seed: int = 0) -> np.ndarray:
    """What a table believes after the steps, (screens, tables, actions)."""
    made = make_rule(rule, 0.3, 0.8, np.random.default_rng(seed))
    table = Table(SCREENS, made.n_tables, ACTIONS)
    for screen in range(SCREENS):
        table.row(screen)
    for screen, action, reward, following, terminal in steps:
        made.update(table, screen, action, reward, following, terminal)
        table.visits[screen, action] += 1
    return table.values


@given(STEPS)
def test_q_learning_is_that_of_the_textbook(steps: list[tuple]) -> None:
    q: dict[tuple[int, int], float] = {}
    for s, a, r, s2, terminal in steps:
        best = 0.0 if terminal else max(q.get((s2, b), 0.0) for b in range(ACTIONS))
        q[s, a] = q.get((s, a), 0.0) + 0.3 * (r + 0.8 * best - q.get((s, a), 0.0))
    expected = [[[q.get((s, a), 0.0) for a in range(ACTIONS)]] for s in range(SCREENS)]
    np.testing.assert_allclose(learned("q-learning", steps), expected, atol=1e-12)


@given(STEPS, st.integers(0, 100))
def test_double_q_learning_picks_in_one_table_and_believes_the_other(
    steps: list[tuple], seed: int
) -> None:
    coin = np.random.default_rng(seed)
    both: list[dict[tuple[int, int], float]] = [{}, {}]
    for s, a, r, s2, terminal in steps:
        mine, other = both if coin.random() >= 0.5 else both[::-1]
        target = r
        if not terminal:
            picked = max(range(ACTIONS), key=lambda b: mine.get((s2, b), 0.0))
            target += 0.8 * other.get((s2, picked), 0.0)
        mine[s, a] = mine.get((s, a), 0.0) + 0.3 * (target - mine.get((s, a), 0.0))
    expected = [
        [[q.get((s, a), 0.0) for a in range(ACTIONS)] for q in both] for s in range(SCREENS)
    ]
    np.testing.assert_allclose(learned("double-q-learning", steps, seed), expected, atol=1e-12)


@given(STEPS)
def test_the_best_reward_is_kept_whatever_came_later(steps: list[tuple]) -> None:
    expected = np.zeros((SCREENS, 1, ACTIONS))
    for s, a in np.ndindex(SCREENS, ACTIONS):
        rewards = [step[2] for step in steps if step[:2] == (s, a)]
        expected[s, 0, a] = max(rewards, default=0.0)
    np.testing.assert_array_equal(learned("best-reward", steps), expected)


def test_the_hash_of_a_screen_is_the_same_on_every_machine() -> None:
    frame = np.arange(56 * 64, dtype=np.uint8).reshape(56, 64, 1)
    assert screen_hash(frame) == 0x88456EBD640D8A73
    assert screen_hash(frame) == screen_hash(np.asfortranarray(frame))
    changed = frame.copy()
    changed[55, 63] ^= 1
    assert screen_hash(changed) != screen_hash(frame)


def entries(data: st.DataObject, n_tables: int = 1) -> Entries:
    """A few screens, drawn from few, so that two such tables share some."""
    keys = data.draw(st.lists(st.integers(0, 7), unique=True, max_size=8))
    number = st.integers(-3, 3)
    values = [
        data.draw(st.lists(number, min_size=n, max_size=n))
        for n in [len(keys) * n_tables * ACTIONS]
    ]
    visits = data.draw(
        st.lists(st.integers(0, 3), min_size=len(keys) * ACTIONS, max_size=len(keys) * ACTIONS)
    )
    seen = np.array(visits, np.uint32).reshape(len(keys), ACTIONS)
    # Nothing is known of what was never tried.
    known = np.array(values, float).reshape(len(keys), n_tables, ACTIONS) * (seen[:, None] > 0)
    return Entries(np.array(keys, np.uint64), known, seen)


@given(st.data())
@pytest.mark.parametrize("rule", RULES)
def test_a_merged_table_knows_the_better_of_both(rule: str, data: st.DataObject) -> None:
    made = make_rule(rule, 0.1, 0.9, np.random.default_rng(0))
    mine, theirs = entries(data, made.n_tables), entries(data, made.n_tables)
    one, other = by_screen(mine), by_screen(theirs)
    both = by_screen(merged(mine, theirs, made.better))
    assert list(both) == [*one, *(key for key in other if key not in one)]
    nothing = [((0.0,) * made.n_tables, 0)] * ACTIONS
    for key, actions in both.items():
        pairs = zip(one.get(key, nothing), other.get(key, nothing), strict=True)
        for (value, visits), ((a, n), (b, m)) in zip(actions, pairs, strict=True):
            assert visits == max(n, m), "visits are not counted twice"
            if rule == "best-reward":
                assert value[0] == max(v for v, k in ((a[0], n), (b[0], m)) if k or n == m == 0)
            else:
                assert value == (b if m > n else a)


@given(st.data())
@pytest.mark.parametrize("rule", RULES)
def test_merging_again_changes_nothing(rule: str, data: st.DataObject) -> None:
    made = make_rule(rule, 0.1, 0.9, np.random.default_rng(0))
    once = merged(entries(data, made.n_tables), theirs := entries(data, made.n_tables), made.better)
    again = merged(once, theirs, made.better)
    assert by_screen(again) == by_screen(once)


def test_a_table_takes_no_more_screens_than_it_was_told() -> None:
    table = Table(2, 1, ACTIONS)
    assert [table.row(key) for key in (7, 9, 7, 8, 9)] == [0, 1, 0, ABSENT, 1]
    assert len(table) == 2


def test_the_rules_say_how_many_tables_they_need() -> None:
    rules = [make_rule(name, 0.1, 0.9, np.random.default_rng(0)) for name in RULES]
    assert [rule.n_tables for rule in rules] == [1, 1, 2]
    assert isinstance(rules[0], BestReward)
    assert isinstance(rules[1], QLearning)
    assert dataclasses.asdict(TabularConfig())["rule"] == "q-learning"
