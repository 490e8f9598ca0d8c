"""Deep Q-networks as others trained them: the values, and what becomes of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from qmap.agents.schedules import linear
from qmap.config import TrainingConfig
from qmap.envs.vector import Step, View
from qmap.make_agent import make_agent
from qmap.parse_config import parse
from qmap.presets import PRESETS
from qmap.shaping import ShapedRewards
from qmap.utils.command_line import options_of

KERAS = {
    "stack": 4,
    "skip": 1,
    "dqn_model": "nature",
    "dqn_loss": "mse",
    "dqn_gamma": 0.99,
    "batch": 32,
    "train_every": 1,
    "double": False,
    "dueling": False,
    "target_network": False,
    "alpha": 0.0,
    "exploration": "phases",
    "first_exploration": 0.1,
    "last_exploration": 0.0001,
}
WRITTEN = {
    "mario-land": {
        **KERAS,
        "dqn_lr": 1e-6,
        "replay": 50_000,
        "learning_starts": 50,
        "anneal": 3_000,
        "game_reward": 0.0,
        "right_reward": 5.0,
        "death_reward": -100.0,
    },
    "sonic-edges": {
        **KERAS,
        "dqn_lr": 1e-4,
        "replay": 100_000,
        "learning_starts": 200_000,
        "anneal": 200_000,
        "edges": [100.0, 200.0],
        "color": False,
        "game_reward": 1.0,
    },
    "mario-ddqn": {
        "frame_size": [84, 84],
        "stack": 4,
        "skip": 1,
        "double": True,
        "target_network": True,
        "dqn_loss": "huber",
        "dqn_gamma": 0.9,
        "dqn_lr": 2.5e-4,
        "replay": 100_000,
        "learning_starts": 100_000,
        "train_every": 3,
        "target_every": 10_000,
        "exploration": "geometric",
        "exploration_factor": 0.99999975,
        "first_exploration": 1.0,
        "last_exploration": 0.1,
        "alpha": 0.0,
        "dueling": False,
        "actions": "RIGHT;RIGHT+JUMP",
    },
}


def config_of(flags: str) -> TrainingConfig:
    return parse(TrainingConfig, "a program", "A program.", flags.split())


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_has_the_values_of_its_write_up(
    preset: str, capsys: pytest.CaptureFixture[str]
) -> None:
    config = config_of(f"--preset {preset}")
    for name, value in WRITTEN[preset].items():
        assert getattr(config, name) == value, name
    assert not config.qmap
    assert config.agent_name == preset
    assert capsys.readouterr().err == "", "nobody is told of options that he did not type"


def test_a_preset_holds_options_and_values_that_there_are() -> None:
    known = options_of(TrainingConfig)
    for values in PRESETS.values():
        for name, value in values.items():
            assert known[name].check(value) == value


def test_what_is_typed_wins_over_a_preset_and_a_preset_over_the_defaults() -> None:
    config = config_of("--preset mario-land --dqn-lr 0.5 --anneal 7")
    assert (config.dqn_lr, config.anneal, config.replay) == (0.5, 7, 50_000)
    assert config_of("").shapes_rewards is False


def test_the_frames_of_the_sonic_preset_are_84_by_120_on_its_console() -> None:
    pipeline = config_of("--preset sonic-edges").pipeline()
    frame = pipeline(np.zeros((224, 320, 3), np.uint8), (1, 1))
    assert frame.shape == (84, 120, 1)


@pytest.mark.parametrize("preset", PRESETS)
def test_the_agent_of_a_preset_is_the_networks_and_the_memory_of_its_write_up(preset: str) -> None:
    config = config_of(f"--preset {preset} --replay 100")
    agent = make_agent(config, "mario", (20, 24, 1), (28, 32), 2)
    dqn = agent.dqn
    layers = [(each.filters, each.kernel_size[0], each.strides[0]) for each in dqn.online.encoder]
    assert layers == [(32, 8, 4), (64, 4, 2), (64, 3, 1)]
    assert [each.dense.units for each in dqn.online.advantage] == [512, 2]
    assert dqn.online.value == []
    assert agent.q_map is None
    assert (dqn.target is dqn.online) == (preset != "mario-ddqn")
    assert dqn.picking is dqn.online
    assert dqn.giving is dqn.target
    priorities = agent.replay.priorities["dqn"]
    priorities.add(np.arange(8))
    priorities.update(np.arange(4), np.array([0.1, 5.0, 7.0, 0.3]))
    np.testing.assert_array_equal(priorities.weights(np.arange(8), 0.7), 1.0)


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("", lambda step: linear(step, 5_000_000, 1.0, 0.05)),
        (
            "--preset mario-land",
            lambda step: 0.1 if step <= 50 else 0.1 - 0.0999 * (step - 50) / 3e3,
        ),
        ("--preset mario-ddqn", lambda step: 0.99999975**step),
    ],
)
def test_exploration_follows_the_schedule_that_is_asked_for(flags: str, expected: Any) -> None:
    config = config_of(f"{flags} --replay 100 --no-qmap")
    agent = make_agent(config, "mario", (8, 8, 1), (4, 4), 2)
    for agent.step in (0, 30, 50, 51, 2_000):
        assert agent.planned_exploration == pytest.approx(expected(agent.step))
        assert agent.random_proba == agent.planned_exploration


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ("--anneal 5", "--anneal does nothing with a schedule of exploration that has no phases"),
        (
            "--exploration-factor 0.5 --exploration phases",
            "--exploration-factor does nothing with a schedule of exploration that is not "
            "geometric",
        ),
        ("--no-dqn --right-reward 1", "--right-reward does nothing with --no-dqn"),
        (
            "--no-qmap --no-target-network --target-every 9",
            "--target-every does nothing with no target network in use",
        ),
        ("--no-qmap --exploration phases --anneal 5", ""),
    ],
)
def test_options_of_another_schedule_are_named(
    flags: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    config_of(flags)
    assert capsys.readouterr().err == (f"note: {said}\n" if said else "")


def test_an_unknown_preset_is_refused_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as status:
        config_of("--preset sonic")
    assert status.value.code == 2
    said = capsys.readouterr().err
    assert "expected one of mario-land, sonic-edges, mario-ddqn" in said
    assert said.count("\n") == 1


def step_of(
    columns: list[int], rewards: list[float], terminals: list[bool], completed: list[bool]
) -> Step:
    n = len(columns)
    view = View(
        frames=np.zeros((n, 1, 1, 1), np.uint8),
        coords=np.zeros((n, 3), np.int64),
        positions=np.array([[7, column] for column in columns]),
        rooms=np.zeros(n, np.int64),
        distances=None,
        completed=np.array(completed),
        clipped=np.zeros(n, bool),
        screen=None,
    )
    return Step(view, np.array(rewards), np.array(terminals), np.zeros(n, bool))


def test_shaped_rewards_are_those_of_a_slow_model() -> None:
    generator = np.random.default_rng(0)
    config = TrainingConfig(game_reward=0.5, right_reward=5.0, death_reward=-100.0, envs=3)
    shaped = ShapedRewards(config)
    places = [10, 10, 10]
    shaped.begin(np.ones(3, bool), np.array([[0, 10]] * 3))
    for _ in range(200):
        after = generator.integers(0, 30, 3).tolist()
        ended, done = generator.random(3) < 0.2, generator.random(3) < 0.5
        rewards = generator.normal(size=3)
        found = shaped(step_of(after, rewards.tolist(), ended.tolist(), done.tolist()))
        for env in range(3):
            expected = 0.5 * rewards[env]
            if after[env] > places[env]:
                expected += 5.0
            if ended[env] and not done[env]:
                expected -= 100.0
            assert found[env] == pytest.approx(expected)
        places = after
        if ended.any():
            starts = generator.integers(0, 30, ended.sum())
            shaped.begin(ended, np.stack([np.zeros_like(starts), starts], axis=1))
            for env, start in zip(np.flatnonzero(ended), starts.tolist(), strict=True):
                places[env] = start
        other = ShapedRewards(config)
        other.restore(shaped.state())
        shaped = other
