"""Who acts where nothing is learned, as the options say."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from qmap.agents.policy import Policy
from qmap.baselines.jerk import Jerk, find_moves
from qmap.baselines.kept_actions import load_kept_actions
from qmap.baselines.repeated_actions import RepeatedActions
from qmap.config import TrainingConfig
from qmap.utils import streams


def make_baselines(config: TrainingConfig, action_names: Sequence[str]) -> list[Policy]:
    """Make a policy for each copy of the world; none where the published one acts.

    Raises:
        UserError: the world has not the actions that the baseline needs, or the run that it is to
            be like has not told how long it kept its own.
    """
    if config.learns or not (config.jerk or config.keeps_actions):
        return []
    generators = [streams.generator(config.seed, "baselines", env) for env in range(config.envs)]
    if config.jerk:
        moves, steps = find_moves(action_names), config.steps // config.envs
        return [Jerk(moves, steps, generator) for generator in generators]
    if config.repeat_like is not None:
        lengths, counts = load_kept_actions(Path(config.repeat_like)).T
    else:
        fewest, most = config.fewest_and_most_repeats
        lengths = np.arange(fewest, most + 1)
        counts = np.ones(len(lengths))
    return [
        RepeatedActions(
            len(action_names),
            lengths,
            counts / counts.sum(),
            single=config.single,
            # What a run kept was counted from one action to another.
            change=config.repeat_like is not None,
            generator=generator,
        )
        for generator in generators
    ]
