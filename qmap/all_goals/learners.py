"""The learners of the comparison, by name; only what they update differs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qmap.agents.published import q_frames_maker
from qmap.all_goals import hindsight, mixed, own_goals, random_goals
from qmap.all_goals.models import MODELS_OF_ONE_GOAL, goal_network_maker
from qmap.utils.errors import UserError

if TYPE_CHECKING:
    from qmap.all_goals.all_goals import AllGoals
    from qmap.all_goals.goal_learner import GoalLearner

ALL_GOALS, RELABELLING = "all-goals", "relabelling"
ONE_GOAL = {
    "own-goals": own_goals.choose,
    "random-goals": random_goals.choose,
    "hindsight": hindsight.choose,
    "mixed": mixed.choose,
}
LEARNERS = (ALL_GOALS, *ONE_GOAL, RELABELLING)


def make_learner(
    learner: str,
    model: str,
    observation_shape: tuple[int, int, int],
    n_actions: int,
    *,
    small_start: bool,
    **options: Any,
) -> AllGoals | GoalLearner:
    """Make networks and learner.

    Args:
        learner: one of `LEARNERS`.
        model: the network, see `qmap.all_goals.models`.
        observation_shape: (height, width, channels).
        n_actions: number of actions.
        small_start: see `qmap.agents.published.q_frames_maker`.
        options: of the learner: `learning_rate`, `gamma`, `clip_norm`, `double_order`.

    Raises:
        UserError: the model does not go with the learner.
    """
    check_learner(learner, model)
    # The names are needed to check the command line, before TensorFlow is loaded.
    from qmap.all_goals.all_goals import AllGoals
    from qmap.all_goals.one_goal import OneGoal
    from qmap.all_goals.relabelling import Relabelling

    maker = q_frames_maker if learner == ALL_GOALS else goal_network_maker
    make_network = maker(model, observation_shape, n_actions, small_start=small_start)
    if learner == ALL_GOALS:
        return AllGoals(make_network, **options)
    if learner == RELABELLING:
        return Relabelling(make_network, **options)
    return OneGoal(make_network, ONE_GOAL[learner], **options)


def check_learner(learner: str, model: str) -> None:
    """Refuse a model that does not go with a learner.

    Raises:
        UserError: it does not.
    """
    if learner != ALL_GOALS and model not in MODELS_OF_ONE_GOAL:
        raise UserError(
            f"--learner {learner} has no model {model}; expected one of "
            f"{', '.join(MODELS_OF_ONE_GOAL)}, whose encoder takes a goal too"
        )
