"""When the agent explores and trains, apart from the agent so that it loads without TensorFlow."""

from __future__ import annotations

from dataclasses import dataclass

from qmap.utils.command_line import option


@dataclass(frozen=True)
class AgentSettings:
    """When the agent explores and trains, and how it samples; defaults of the paper's games.

    Counts are in steps of the environments, all of them together.
    """

    steps: int = option(5_000_000, "agent steps to train for; all schedules span them", minimum=1)
    learning_starts: int = option(1_000, "steps before training starts", minimum=1)
    train_every: int = option(4, "steps from one training of both learners to the next", minimum=1)
    target_every: int = option(1_000, "steps between copies to the target networks", minimum=1)
    batch: int = option(32, "transitions in a training batch", minimum=1)
    replay: int = option(500_000, "frames that the replay holds", minimum=100)
    alpha: float = option(0.6, "prioritization: 0 none, 1 full", minimum=0, maximum=1)
    epsilon: float = option(1e-6, "added to the errors for the priorities", above=0)
    beta: float = option(0.4, "first importance exponent, rising to 1", minimum=0, maximum=1)
    n_steps: int = option(1, "steps in a transition", minimum=1, maximum=100)
    stack: int = option(3, "frames in an observation", minimum=1, maximum=16)
    skip: int = option(2, "steps between two frames of an observation", minimum=1, maximum=16)
    first_exploration: float = option(
        1.0, "share of exploring steps at first", minimum=0, maximum=1
    )
    last_exploration: float = option(0.05, "and at the end", minimum=0, maximum=1)
    first_random: float = option(
        0.1, "share of random steps at first, once goals are in use", minimum=0, maximum=1
    )
    last_random: float = option(0.05, "and at the end", minimum=0, maximum=1)
    min_goal: int = option(15, "goals are at least this many steps away", minimum=1)
    max_goal: int = option(30, "and at most this many", minimum=1)
    greedy_bias: float = option(
        0.5, "probability to prefer goals in the DQN's direction", minimum=0, maximum=1
    )
    timer_bonus: float = option(0.5, "share of extra steps allowed to reach a goal", minimum=0)
