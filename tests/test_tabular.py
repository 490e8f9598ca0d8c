"""Tables: their rules against slow obvious models, their memory, and whole trainings."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import run_folder
from hypothesis import given
from hypothesis import strategies as st

from qmap import train_tabular
from qmap.envs.diagonal_grid import MOVES, DiagonalGridEnv
from qmap.parse_config import parse
from qmap.tabular import figure
from qmap.tabular.agent import TabularAgent
from qmap.tabular.config import TabularConfig
from qmap.tabular.memory import load_memory
from qmap.tabular.rules import RULES, BestReward, QLearning, make_rule
from qmap.tabular.table import ABSENT, Entries, Table, merged, screen_hash
from qmap.utils.errors import UserError

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
QUIET = ["--no-videos", "--steps", "400"]


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


def by_screen(table: Entries) -> dict[int, list[tuple[Any, int]]]:
    """What is known of each screen: for each action its values and its visits."""
    return {
        int(key): [(tuple(value), int(n)) for value, n in zip(values.T, visits, strict=True)]
        for key, values, visits in zip(*table, strict=True)
    }


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


def train(results: Path, *flags: str) -> Path:
    """The folder of a run, which is made."""
    assert train_tabular.main([*QUIET, "--path", str(results), *flags]) == 0
    return run_folder(results)


@pytest.mark.parametrize("rule", RULES)
def test_a_table_that_is_stopped_and_resumed_goes_on_as_if_nothing_had_happened(
    rule: str, tmp_path: Path
) -> None:
    flags = ["--noise", "3", "--rule", rule]
    whole = train(tmp_path / "whole", *flags)
    run = train(tmp_path / "stopped", *flags, "--stop-at", "170")
    assert train_tabular.main(["--resume", str(run), "--stop-at", "400"]) == 0
    for name in ("score.csv", "exploration.csv", "kept_actions.csv", "tensorflow/step_400.ckpt"):
        assert (run / name).read_bytes() == (whole / name).read_bytes(), name
    one, other = (
        pd.read_csv(each / "learning.csv").drop(columns="steps per second") for each in (run, whole)
    )
    pd.testing.assert_frame_equal(one, other)


def test_a_run_with_memory_is_resumed_as_if_nothing_had_happened_too(tmp_path: Path) -> None:
    train(tmp_path / "first", "--memory", str(tmp_path / "a"), "--size", "4")
    (tmp_path / "b").write_bytes((tmp_path / "a").read_bytes())
    whole = train(tmp_path / "whole", "--memory", str(tmp_path / "a"))
    run = train(tmp_path / "stopped", "--memory", str(tmp_path / "b"), "--stop-at", "170")
    flags = ["--resume", str(run), "--stop-at", "400"]
    assert train_tabular.main(flags) == 0
    name = "tensorflow/step_400.ckpt"
    assert (run / name).read_bytes() == (whole / name).read_bytes()
    assert (pd.read_csv(run / "learning.csv")["new screens"] == 8).all(), "since its beginning"
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert train_tabular.main(flags) == 0, "and once more: nothing is left to do"
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_memory_is_where_the_next_run_begins(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    memory = tmp_path / "grid.memory"
    train(tmp_path / "first", "--memory", str(memory))
    assert "table: 8 screens, 8 of them new in this run" in capsys.readouterr().err
    before = by_screen(read(memory))
    run = train(tmp_path / "second", "--memory", str(memory), "--seed", "1", "--size", "4")
    said = capsys.readouterr().err
    assert "table: 8 screens; it takes up to 1,000,000" in said
    learning = pd.read_csv(run / "learning.csv")
    assert list(learning) == [
        *("steps", "table change", "known screens", "screens", "new screens"),
        "steps per second",
    ]
    assert learning["new screens"].iloc[-1] == learning.screens.iloc[-1] - 8 > 0
    assert learning["known screens"].iloc[-1] > 0.9
    after = by_screen(read(memory))
    assert set(before) < set(after), "a grid of another size is another part of the same game"


def test_what_another_run_wrote_meanwhile_is_kept(tmp_path: Path) -> None:
    memory = tmp_path / "grid.memory"
    train(tmp_path / "first", "--memory", str(memory), "--size", "4")
    other = by_screen(read(memory))
    memory.rename(tmp_path / "other")
    run = train(tmp_path / "second", "--memory", str(memory), "--stop-at", "100")
    (tmp_path / "other").rename(memory)
    assert train_tabular.main(["--resume", str(run), "--stop-at", "400"]) == 0
    both = by_screen(read(memory))
    assert len(both) == len(other) + 8
    assert all(both[key] == value for key, value in other.items())


def read(memory: Path) -> Entries:
    return load_memory(memory, {})


@pytest.fixture(scope="module")
def memory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The memory of a run."""
    folder = tmp_path_factory.mktemp("memory")
    train(folder / "run", "--memory", str(folder / "file"))
    return folder / "file"


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--rule", "best-reward"], "its rule is q-learning, that of the run best-reward"),
        (["--gamma", "0.5"], "its discount factor is 0.99, that of the run 0.5"),
        (["--env", "montezuma"], "its game is grid, that of the run montezuma"),
        (["--edges", "100", "200"], "its edges is none, that of the run 100.0, 200.0"),
        (["--right-reward", "5"], "its rewards is 1.0, 0.0, 0.0, that of the run 1.0, 5.0, 0.0"),
        (["--screens", "7"], "8 screens are more than the 7 of the table; give more --screens"),
    ],
)
def test_a_memory_that_does_not_fit_is_refused_in_one_line(
    flags: list[str], said: str, memory: Path, tmp_path: Path
) -> None:
    before = memory.read_bytes()
    with pytest.raises(UserError) as error:
        train(tmp_path / "results", *flags, "--memory", str(memory))
    assert said in str(error.value)
    assert str(memory) in str(error.value)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "results").exists()
    assert memory.read_bytes() == before


@pytest.mark.parametrize(
    ("name", "other"),
    [("actions", ["LEFT", "RIGHT"]), ("frame", [84, 84, 1])],
)
def test_a_memory_of_other_actions_or_screens_is_refused(
    name: str, other: list[Any], memory: Path
) -> None:
    with pytest.raises(
        UserError, match=f"its {name} is .*, that of the run {other[0]}, {other[1]}"
    ):
        load_memory(memory, {"game": "grid", name: other})


def test_what_is_no_memory_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello")
    with pytest.raises(UserError, match="text is damaged or not a memory") as error:
        train(tmp_path / "results", "--memory", str(tmp_path / "text"))
    assert "\n" not in str(error.value)
    with pytest.raises(UserError, match="there is no folder .*nowhere; make it first"):
        train(tmp_path / "results", "--memory", str(tmp_path / "nowhere" / "file"))
    with pytest.raises(UserError, match="there is no memory"):
        train(tmp_path / "results", "--memory", str(tmp_path))


def test_a_checkpoint_is_where_another_run_starts(tmp_path: Path) -> None:
    first = train(tmp_path / "first")
    loaded = str(first / "tensorflow" / "step_400.ckpt")
    run = train(tmp_path / "second", "--load", loaded, "--seed", "3")
    assert (pd.read_csv(run / "learning.csv")["new screens"] == 0).all()
    with pytest.raises(UserError, match=r"checkpoint of grid-3, table-q-learning and does not fit"):
        train(tmp_path / "third", "--load", loaded, "--rule", "best-reward")


def test_a_game_is_learned_by_its_screens(tmp_path: Path) -> None:
    run = train(tmp_path, "--env", "foxglove", "--rule", "best-reward", "--steps", "100")
    assert run.parts[-3:-1] == ("foxglove_1.1", "table-best-reward")
    assert pd.read_csv(run / "learning.csv").screens.iloc[-1] > 50


def test_a_table_needs_no_tensorflow_and_leaves_videos_and_logs(tmp_path: Path) -> None:
    flags = ["--steps", "300", "--path", str(tmp_path)]
    code = (
        f"import sys; from qmap import train_tabular; print(train_tabular.main({flags}), "
        "{'tensorflow', 'keras'} & {*sys.modules})"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout == "0 set()\n", done.stderr
    run = run_folder(tmp_path)
    score = pd.read_csv(run / "score.csv")
    assert len(list((run / "videos").glob("*.mp4"))) == min(len(score), 50)
    assert (run / "visits" / "step_300.npy").is_file()


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ("", ""),
        ("--rule best-reward --lr 0.5", "note: --lr does nothing with --rule best-reward\n"),
        (
            "--env montezuma --size 4 --level 1.2",
            "note: --size does nothing with an --env other than grid\n"
            "note: --level does nothing with an --env that has no levels\n",
        ),
        ("--env foxglove --level 1.2", ""),
    ],
)
def test_options_that_do_nothing_are_named(
    flags: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    parse(TabularConfig, "qmap.train_tabular", "A program.", flags.split())
    assert capsys.readouterr().err == said


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ("--env foxglove --level 9.9", "9.9"),
        ("--env nowhere.py", "there is no file nowhere.py"),
        ("--env super_mario --rom nowhere.sfc", "nowhere.sfc"),
    ],
)
def test_a_world_that_is_not_there_is_refused_in_one_line(flags: str, said: str) -> None:
    with pytest.raises(UserError) as error:
        parse(TabularConfig, "qmap.train_tabular", "A program.", flags.split())
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_the_rules_say_how_many_tables_they_need() -> None:
    rules = [make_rule(name, 0.1, 0.9, np.random.default_rng(0)) for name in RULES]
    assert [rule.n_tables for rule in rules] == [1, 1, 2]
    assert isinstance(rules[0], BestReward)
    assert isinstance(rules[1], QLearning)
    assert dataclasses.asdict(TabularConfig())["rule"] == "q-learning"
