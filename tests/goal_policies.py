"""A goal policy of a small screen, and hand-made Q-frames for it."""

from __future__ import annotations

from typing import Any

import numpy as np

from qmap.agents.goal_policy import GoalPolicy
from qmap.agents.means import Means
from qmap.agents.policy import Needs

ROWS, COLS, N_ACTIONS = 4, 6, 3
GAMMA = 0.9


def policy_with(seed: int = 0, **changes: Any) -> GoalPolicy:
    """A policy whose goals are 3 to 5 steps away."""
    arguments = {
        "gamma": GAMMA,
        "min_steps": 3,
        "max_steps": 5,
        "greedy_bias": 0.0,
        "timer_bonus": 0.5,
    }
    luck = {"generator": np.random.default_rng(seed), "means": Means()}
    return GoalPolicy((ROWS, COLS), N_ACTIONS, **{**arguments, **changes}, **luck)


def frames(steps: dict[tuple[int, int, int], int]) -> np.ndarray:
    """Q-frames in which (row, col, action) is so many steps away, everything else very far."""
    q_frames = np.full((ROWS, COLS, N_ACTIONS), 1e-3, np.float32)
    for place, distance in steps.items():
        q_frames[place] = GAMMA ** (distance - 1)
    return q_frames


def plan(
    policy: GoalPolicy, *, coords: tuple[int, int, int] = (0, 0, 0), **changes: float
) -> Needs:
    """Plan a step that is for a goal unless told otherwise."""
    arguments = {"random_proba": 0.0, "goal_proba": 1.0, "use_q_map": True, "use_dqn": False}
    return policy.plan(np.array(coords), **{**arguments, **changes})


def step(
    policy: GoalPolicy,
    q_frames: np.ndarray,
    *,
    coords: tuple[int, int, int] = (0, 0, 0),
    greedy: int | None = None,
    random_proba: float = 0.0,
    goal_proba: float = 1.0,
    use_q_map: bool = True,
    room: int = 0,
) -> int:
    """Plan and act, giving the policy what it asks for and nothing else."""
    needs = plan(
        policy,
        coords=coords,
        random_proba=random_proba,
        goal_proba=goal_proba,
        use_q_map=use_q_map,
        use_dqn=greedy is not None,
        room=room,
    )
    return policy.act(q_frames if needs.q_frames else None, greedy if needs.greedy_action else None)
