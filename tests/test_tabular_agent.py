"""Who acts by a table, alone, in copies of a world, and in a grid that it solves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qmap.envs.diagonal_grid import MOVES, DiagonalGridEnv
from qmap.tabular import figure
from qmap.tabular.agent import TabularAgent
from qmap.tabular.config import TabularConfig
from qmap.tabular.rules import make_rule
from qmap.tabular.table import Table, screen_hash


def agent_of(rule: str = "q-learning", n_envs: int = 1, **options: Any) -> TabularAgent:
    """An agent of two actions whose screens are single numbers."""
    config = TabularConfig(rule=rule, first_exploration=0, last_exploration=0, **options)
    generators = {name: np.random.default_rng(0) for name in ("acting", "sampling")}
    made = make_rule(rule, config.lr, config.gamma, generators["sampling"])
    table = Table(config.screens, made.n_tables, 2)
    return TabularAgent(config, table, made, {}, n_envs=n_envs, generators=generators)


def frames(*numbers: int) -> np.ndarray:
    return np.array(numbers, np.uint8).reshape(-1, 1, 1, 1)


def see(agent: TabularAgent, *numbers: int) -> None:
    """Begin an episode in every environment, with these screens."""
    n = len(numbers)
    agent.start(np.arange(n), frames(*numbers), np.zeros((n, 3), np.int64))


def step(agent: TabularAgent, action: int, reward: float, number: int, ends: bool = False) -> None:
    agent.observe(
        np.array([action]), np.array([reward]), np.array([ends]), frames(number), np.zeros((1, 3))
    )


def test_what_is_best_is_done_and_what_is_unknown_is_tried() -> None:
    agent = agent_of("best-reward", screens=10)
    see(agent, 1)
    assert {int(agent.act()[0]) for _ in range(30)} == {0, 1}
    assert agent.policies[0].kind.value == "random"
    step(agent, 1, 2.0, 5)
    see(agent, 1)
    assert {int(agent.act()[0]) for _ in range(30)} == {1}
    assert agent.policies[0].kind.value == "greedy"
    step(agent, 0, 2.0, 5)
    see(agent, 1)
    assert {int(agent.act()[0]) for _ in range(30)} == {0, 1}, "of equals any"


def test_copies_of_a_world_share_what_they_learn() -> None:
    agent = agent_of("best-reward", n_envs=2, screens=10)
    see(agent, 1, 2)
    agent.observe(
        np.array([0, 1]), np.array([3.0, 4.0]), np.zeros(2, bool), frames(2, 1), np.zeros((2, 3))
    )
    assert agent.act().tolist() == [1, 0]
    assert len(agent.table) == 2


def test_an_episode_that_is_cut_off_still_has_a_future_and_one_that_ended_has_none() -> None:
    agent = agent_of(lr=1.0, gamma=0.5, screens=10)
    see(agent, 1)
    step(agent, 0, 8.0, 9, ends=True)
    see(agent, 2)
    step(agent, 0, 0.0, 1)  # the next screen's best value is 8
    see(agent, 3)
    values = agent.table.values[:3, 0, 0]
    assert values.tolist() == [8.0, 4.0, 0.0]
    assert len(agent.table) == 3, "the screen after the end needs no row"


def test_a_full_table_says_so_once_and_acts_at_random_beyond(
    capsys: pytest.CaptureFixture[str],
) -> None:
    agent = agent_of(screens=1)
    see(agent, 1)
    step(agent, 0, 1.0, 2)
    before = agent.table.values.copy()
    step(agent, 0, 1.0, 3)
    assert {int(agent.act()[0]) for _ in range(30)} == {0, 1}
    np.testing.assert_array_equal(agent.table.values, before)
    assert capsys.readouterr().err.count("--screens") == 1


def steps_to_goal(agent: TabularAgent, env: DiagonalGridEnv, place: tuple[int, int]) -> int:
    """The most steps that the agent's best actions take from a cell."""
    if place == (0, env.size - 1):
        return 0
    best = agent.best_actions(agent.table.row(screen_hash(env.observation(place))))
    assert len(best), "each cell was seen"
    after = [tuple(np.add(place, MOVES[action]).tolist()) for action in best]
    assert all(0 <= index < env.size for cell in after for index in cell), "against the border"
    assert all(distance(cell, env) < distance(place, env) for cell in after), "a way round"
    return 1 + max(steps_to_goal(agent, env, cell) for cell in after)


def distance(place: tuple[int, int], env: DiagonalGridEnv) -> int:
    return max(place[0], env.size - 1 - place[1])


@pytest.mark.parametrize("rule", ["q-learning", "double-q-learning"])
@pytest.mark.parametrize("seed", [0, 1])
def test_the_grid_is_solved_from_every_cell(rule: str, seed: int) -> None:
    env = DiagonalGridEnv(3)
    agent, values = figure.learn(TabularConfig(rule=rule, seed=seed, steps=10_000, screens=9), 3, 0)
    for place in np.ndindex(3, 3):
        assert steps_to_goal(agent, env, place) == distance(place, env)
    assert values[-1] == pytest.approx(figure.true_value(2, 0.99), abs=0.02)


def test_noise_makes_plain_q_learning_believe_too_much_and_double_q_learning_not() -> None:
    def believed(rule: str) -> float:
        options = figure.Options(size=3, steps=2000, gamma=0.95)
        learners = [figure.learn(figure.config_of(options, rule, s), 3, 11.0) for s in range(3)]
        return float(np.mean([values[100:] for _, values in learners]))

    truth = figure.true_value(2, 0.95)
    assert believed("q-learning") > truth + 5
    assert abs(believed("double-q-learning") - truth) < 3


def test_the_figure_is_a_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "tables.png"
    flags = ["--steps", "300", "--seeds", "2", "--output", str(output)]
    assert figure.main(flags) == 0
    assert output.read_bytes().startswith(b"\x89PNG")
    assert "true value of the start: -1.95" in capsys.readouterr().out
