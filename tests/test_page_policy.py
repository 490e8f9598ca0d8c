"""The training's policy at play: it chooses as the training had come to choose."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest


def test_the_training_s_policy_explores_as_the_schedule_says_that_it_had() -> None:
    from qmap.config import TrainingConfig
    from qmap.evaluate.trained import Origin, Trained
    from qmap.page.drivers import TrainingPolicy

    for exploration, expected in (("linear", 0.55), ("phases", 0.1), ("geometric", 0.99**50)):
        config = TrainingConfig(
            qmap=False,
            steps=100,
            exploration=exploration,
            learning_starts=10,
            anneal=20,
            exploration_factor=0.99,
            last_exploration=0.1,
        )
        origin = Origin(Path("step_50.ckpt"), 50, config, "somewhere", lambda: None)
        trained = Trained(None, object(), 0.9)
        policy = TrainingPolicy(origin, trained, (4, 4), 3, np.random.default_rng(0))
        assert policy._random == policy._planned == pytest.approx(expected)


def test_the_training_s_policy_draws_and_reaches_goals_as_the_training_did() -> None:
    from qmap.config import TrainingConfig
    from qmap.evaluate.trained import Origin, Trained
    from qmap.page.drivers import TrainingPolicy

    config = TrainingConfig(
        steps=10_000, learning_starts=10, min_goal=2, max_goal=2, goal_rarity=100.0, goal_margin=1
    )
    origin = Origin(Path("step_50.ckpt"), 50, config, "somewhere", lambda: None)
    trained = Trained(object(), object(), 0.9)
    policy = TrainingPolicy(origin, trained, (4, 4), 3, np.random.default_rng(0))
    policy._random = 0.0
    q_frames = np.zeros((4, 4, 3), np.float32)
    q_frames[0, 3] = q_frames[3, 0] = 0.9  # 2 steps away
    for row, col, goal in ((0, 2, (3, 0)), (3, 0, (0, 3)), (1, 3, (3, 0))):
        # Within the margin nothing is a goal, and a goal there is reached.
        view = SimpleNamespace(coords=np.array([[row, col, 0]]), rooms=np.array([7]))
        policy.act(SimpleNamespace(view=view), q_frames, 0)
        assert policy.policy.goal == goal
    assert policy._counts.visits.rows()[:, 0].tolist() == [7, 7, 7]


def test_the_training_s_policy_knows_how_an_episode_ended() -> None:
    from qmap.config import TrainingConfig
    from qmap.evaluate.trained import Origin, Trained
    from qmap.page.drivers import TrainingPolicy

    goals = {"min_goal": 2, "max_goal": 2, "goal_rarity": 1.0, "give_up": True}
    config = TrainingConfig(steps=10_000, learning_starts=10, repeat=[9], **goals)
    origin = Origin(Path("step_50.ckpt"), 50, config, "somewhere", lambda: None)
    q_frames = np.zeros((4, 4, 3), np.float32)
    q_frames[0, 3] = 0.9  # 2 steps away and a rounding error, for which there are 4
    for terminal, completed, spent in ((False, False, 1), (True, False, 4), (True, True, 1)):
        view = SimpleNamespace(
            coords=np.array([[2, 1, 0]]), rooms=np.array([0]), completed=np.array([completed])
        )
        policy = TrainingPolicy(
            origin, Trained(object(), object(), 0.9), (4, 4), 3, np.random.default_rng(0)
        )
        policy._random = 0.0
        assert policy.act(SimpleNamespace(view=view), q_frames, 1).kind == "goal"
        policy.end_episode(SimpleNamespace(view=view, terminal=terminal))
        assert policy._counts.visits.rows().tolist() == [[0, 0, 3, spent], [0, 2, 1, 1]]
        policy._random = 1.0
        assert policy.act(SimpleNamespace(view=view), None, 0).kind == "random"
        policy._random = 0.0
        assert policy.act(SimpleNamespace(view=view), q_frames, 1).kind == "random"
        policy.end_episode(SimpleNamespace(view=view, terminal=terminal))
        assert policy.act(SimpleNamespace(view=view), q_frames, 1).kind == "goal"
