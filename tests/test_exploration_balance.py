"""The share of exploring steps against its plan."""

from __future__ import annotations

import json

import numpy as np
import pytest

from qmap.agents.exploration_balance import ExplorationBalance
from qmap.agents.policy import Kind


def test_shares_are_running_averages_that_sum_to_one() -> None:
    balance, generator = ExplorationBalance(), np.random.default_rng(0)
    kinds = generator.choice(list(Kind), 2000, p=[0.1, 0.2, 0.3, 0.4])
    shares = np.array([1.0, 0.0, 0.0])
    for kind in kinds:
        balance.count(kind)
        now = [kind is Kind.RANDOM, kind is Kind.GOAL, kind in (Kind.GREEDY, Kind.GREEDY_GOAL)]
        shares = 0.99 * shares + 0.01 * np.array(now)
        np.testing.assert_allclose([balance.random, balance.goal, balance.greedy], shares)
        assert balance.random + balance.goal + balance.greedy == pytest.approx(1.0)
        assert balance.exploring == pytest.approx(balance.random + balance.goal)
    np.testing.assert_allclose(shares, [0.1, 0.2, 0.7], atol=0.12)


def test_goals_become_rarer_where_too_much_is_explored_and_else_more_frequent() -> None:
    balance = ExplorationBalance()
    balance.adjust(planned=0.9)
    assert balance.goal_proba == pytest.approx(0.999)
    balance.adjust(planned=0.9)
    assert balance.goal_proba == pytest.approx(0.998)
    for _ in range(100):
        balance.count(Kind.GREEDY)
    balance.adjust(planned=0.9)
    assert balance.goal_proba == pytest.approx(0.999)


def test_the_probability_of_a_goal_stays_a_probability() -> None:
    balance = ExplorationBalance()
    for _ in range(1005):
        balance.adjust(planned=0.5)
        assert 0.0 <= balance.goal_proba <= 1.0
    assert balance.goal_proba == 0.0
    for _ in range(200):
        balance.count(Kind.GREEDY_GOAL)
    for _ in range(1005):
        balance.adjust(planned=0.5)
        assert 0.0 <= balance.goal_proba <= 1.0
    assert balance.goal_proba == 1.0


def test_without_a_task_rounding_does_not_make_goals_rarer() -> None:
    balance, generator = ExplorationBalance(), np.random.default_rng(0)
    for is_goal in generator.random(20_000) < 0.9:
        balance.count(Kind.GOAL if is_goal else Kind.RANDOM)
        balance.adjust(planned=1.0)
        assert balance.goal_proba == 1.0


def test_a_restored_balance_continues_alike() -> None:
    one, other = ExplorationBalance(), ExplorationBalance()
    for kind in (Kind.GOAL, Kind.GREEDY):
        one.count(kind)
        one.adjust(0.5)
    other.restore(json.loads(json.dumps(one.state())))
    for balance in (one, other):
        balance.count(Kind.GREEDY)
        balance.adjust(0.1)
    assert one.state() == other.state()
