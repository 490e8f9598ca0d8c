"""The whole wiring, from top to bottom: networks, learners, memory, behaviour, agent."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from qmap.agents.agent import Agent
from qmap.agents.dqn import DQNLearner
from qmap.agents.goal_counts import GoalCounts
from qmap.agents.goal_policy import GoalPolicy
from qmap.agents.means import Means
from qmap.agents.policy import Policy
from qmap.agents.priorities import Priorities
from qmap.agents.published import dqn_maker, q_frames_maker
from qmap.agents.q_map import QMapLearner
from qmap.agents.replay import Replay
from qmap.baselines.make_baselines import make_baselines
from qmap.config import TrainingConfig
from qmap.envs.vector import Envs
from qmap.experiment import Experiment
from qmap.utils import streams
from qmap.utils.errors import UserError
from qmap.utils.memory import check_slots


def make_agent_for(config: TrainingConfig, experiment: Experiment, envs: Envs) -> Agent:
    """Make the agent that the options describe, for a world; `UserError` as `make_agent`."""
    return make_agent(
        config,
        experiment.dqn,
        envs.frame_shape,
        envs.coords_shape,
        envs.n_actions,
        make_baselines(config, envs.action_names),
    )


def make_agent(
    config: TrainingConfig,
    dqn_network: str,
    frame_shape: tuple[int, int, int],
    coords_shape: tuple[int, int],
    n_actions: int,
    baselines: Sequence[Policy] = (),
) -> Agent:
    """Make the agent that the options describe.

    Args:
        config: what was asked for.
        dqn_network: name of the task's network, see `qmap.agents.published.DQN`.
        frame_shape: (height, width, channels) of a frame.
        coords_shape: (rows, cols) of the on-screen goal grid.
        n_actions: number of actions.
        baselines: who acts in each copy of the world, if not the published policy.

    Raises:
        UserError: the goal grid is not what the Q-frame network gives for such frames, or there
            is not enough memory for the replay.
    """
    height, width, channels = frame_shape
    observation_shape = (height, width, channels * config.stack)
    q_map = dqn = None
    with streams.lent(config.seed, "networks"):
        if config.qmap:
            q_map = make_q_map(config, observation_shape, channels, n_actions)
            check_grid(q_map, observation_shape, coords_shape, config.envs)
        if config.dqn:
            dqn = make_dqn(config, dqn_network, observation_shape, n_actions)
    learners = [learner for learner in (dqn, q_map) if learner is not None]

    # Without a learner nothing is ever sampled: only the history of a stack is kept.
    history = (config.stack - 1) * config.skip
    capacity = config.replay if learners else (history + 2) * config.envs
    replay = make_replay(
        config, capacity, frame_shape, coords_shape, [each.name for each in learners]
    )

    acting, means = streams.generator(config.seed, "acting"), Means()
    goal_counts = GoalCounts(config.goal_rarity) if config.qmap and config.goal_rarity else None
    policies = baselines or [
        make_goal_policy(config, coords_shape, n_actions, acting, means, goal_counts)
        for _ in range(config.envs)
    ]
    return Agent(
        config,
        replay=replay,
        policies=policies,
        q_map=q_map,
        dqn=dqn,
        acting=acting,
        sampling=streams.generator(config.seed, "sampling"),
        means=means,
        goal_counts=goal_counts,
    )


def make_goal_policy(
    config: TrainingConfig,
    coords_shape: tuple[int, int],
    n_actions: int,
    generator: np.random.Generator,
    means: Means,
    counts: GoalCounts | None,
) -> GoalPolicy:
    """Make what chooses the goals of an environment; see `GoalPolicy`."""
    return GoalPolicy(
        coords_shape,
        n_actions,
        gamma=config.qmap_gamma,
        min_steps=config.min_goal,
        max_steps=config.max_goal,
        greedy_bias=config.greedy_bias,
        timer_bonus=config.timer_bonus,
        generator=generator,
        means=means,
        margin=config.goal_margin,
        gives_up=config.give_up,
        counts=counts,
        returns=config.return_first,
        repeat=config.fewest_and_most_repeats,
    )


def make_q_map(
    config: TrainingConfig,
    observation_shape: tuple[int, int, int],
    frame_channels: int,
    n_actions: int,
) -> QMapLearner:
    """Make the learner of goals."""
    return QMapLearner(
        q_frames_maker(
            config.model,
            observation_shape,
            n_actions,
            center=config.center_frames,
            sigmoid=config.output == "sigmoid",
            small_start=config.small_start,
            frame_channels=frame_channels * config.difference_frames,
            hidden=config.hidden,
        ),
        learning_rate=config.qmap_lr,
        gamma=config.qmap_gamma,
        clip_norm=config.qmap_clip,
        double_order=config.double_order if config.double else None,
        unknown_columns=config.unknown_columns,
        margin=config.goal_margin if config.learn_margin else 0,
    )


def make_dqn(
    config: TrainingConfig,
    network: str,
    observation_shape: tuple[int, int, int],
    n_actions: int,
) -> DQNLearner:
    """Make the learner of the task, with the world's `network` unless another was asked for."""
    return DQNLearner(
        dqn_maker(
            network if config.dqn_model == "published" else config.dqn_model,
            observation_shape,
            n_actions,
            config.dueling,
            config.hidden,
        ),
        learning_rate=config.dqn_lr,
        gamma=config.dqn_gamma,
        clip_norm=config.dqn_clip,
        double_q=config.double and config.target_network,
        target_network=config.target_network,
        loss=config.dqn_loss,
    )


def make_replay(
    config: TrainingConfig,
    capacity: int,
    frame_shape: tuple[int, int, int],
    coords_shape: tuple[int, int],
    learners: list[str],
) -> Replay:
    """Make the memory, with a set of priorities for each learner.

    Raises:
        UserError: this process may not take so much memory.
    """
    check_slots(
        "--replay",
        capacity,
        min(capacity, config.last_step),
        Replay.slot_bytes(frame_shape, len(learners)),
    )
    try:
        return Replay(
            capacity,
            frame_shape,
            coords_shape,
            stack=config.stack,
            skip=config.skip,
            n_envs=config.envs,
            priorities={
                name: Priorities(capacity, config.alpha, config.epsilon) for name in learners
            },
        )
    except MemoryError as error:
        raise UserError(
            f"there is not enough memory for a replay of {capacity:,} frames: {error}; "
            "give a smaller --replay"
        ) from error


def check_grid(
    q_map: QMapLearner,
    observation_shape: tuple[int, int, int],
    coords_shape: tuple[int, int],
    n_envs: int,
) -> None:
    """Refuse a goal grid that the Q-frame network does not give for such observations.

    Raises:
        UserError: it does not.
    """
    empty = np.zeros((n_envs, *observation_shape), np.uint8)
    found = tuple(q_map.q_frames(empty).shape[1:3])
    if found != coords_shape:
        height, width = observation_shape[:2]
        raise UserError(
            f"frames of {height} x {width} pixels give Q-frames of {found[0]} x {found[1]} cells, "
            f"but coords_shape is {coords_shape}; expected half the frame, in multiples of 4: "
            "qmap.envs.wrappers.GoalGrid makes such frames of any grid"
        )
