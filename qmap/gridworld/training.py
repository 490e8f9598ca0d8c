"""The training in the grid world: updates from random transitions, and looks at the truth."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from qmap.agents.learner import FOLLOW_EVERY, followed
from qmap.agents.published import q_frames_maker
from qmap.agents.q_map import QMapLearner
from qmap.agents.replay import Transitions
from qmap.envs.gridworld_level import ACTION_NAMES, COORDS_SHAPE, Level
from qmap.gridworld.comparison import Comparison, Comparisons
from qmap.gridworld.config import GridWorldConfig, agent_name
from qmap.gridworld.evaluation import GroundTruth, evaluate, table
from qmap.gridworld.reached import ReachedCells
from qmap.run import Run
from qmap.utils import streams
from qmap.utils.files import write_json

OBSERVATION_SHAPE = (*COORDS_SHAPE, 3)


def train(
    config: GridWorldConfig, train_level: Level, test_levels: Sequence[Level], program: str
) -> int:
    """Train until the configured number of transitions, or until interrupted.

    Returns:
        The exit status: 0, or 128 plus the number of the signal that interrupted the run.

    Raises:
        UserError: something that the user gave cannot be used.
    """
    with Run(config, program, "Q-map: grid world") as run:
        learner = make_learner(config)
        run.load_weights(lambda loaded: learner.start_from(loaded[learner.name]))
        if run.interrupted:
            return run.status
        name = agent_name(config)
        run.open("gridworld", name)
        run.weights = lambda moments: {
            learner.name: learner.weights(moments),
            "config": dataclasses.asdict(config),
            "of": f"grid world, {name}",
        }
        training = GridWorldTraining(run, config, train_level, test_levels, learner)
        for _ in run.steps(config.steps, "transition"):
            training.step()
        if not run.interrupted:
            training.evaluate()
    return run.status


def make_learner(config: GridWorldConfig) -> QMapLearner:
    """Make the networks and the learner."""
    with streams.lent(config.seed, "networks"):
        return QMapLearner(
            q_frames_maker(
                config.model,
                OBSERVATION_SHAPE,
                len(ACTION_NAMES),
                dueling=config.dueling,
                layer_norm=config.norm,
                center=config.center_frames,
                sigmoid=config.output == "sigmoid",
                small_start=config.small_start,
                hidden=config.hidden,
            ),
            learning_rate=config.lr,
            gamma=config.gamma,
            clip_norm=config.clip,
            double_order=config.double_order if config.double else None,
            unknown_columns=config.unknown_columns,
        )


class GridWorldTraining:
    """The learner in its level, with all that watches it.

    Args:
        run: it is open; what is restored or begun here belongs to it.
        config: what was asked for.
        train_level: level of the transitions.
        test_levels: levels of the comparisons.
        learner: who learns.

    Raises:
        UserError: a file cannot be written, or the snapshots cannot be used.
    """

    def __init__(
        self,
        run: Run,
        config: GridWorldConfig,
        train_level: Level,
        test_levels: Sequence[Level],
        learner: QMapLearner,
    ) -> None:
        self.run = run
        self.config = config
        self.train_level = train_level
        self.test_levels = test_levels
        self.learner = learner
        self.generator = streams.generator(config.seed, "transitions")
        self.updates = 0
        self.reached = ReachedCells(train_level) if config.unreached == "zero" else None
        self.truths = [GroundTruth(level, config.gamma) for level in test_levels]
        run.attach("learning", self)
        resumed = run.resume()
        self.comparisons = Comparisons(run, [level.name for level in test_levels])
        run.announce(config.steps)
        if not resumed:
            self._compare()

    def step(self) -> None:
        """One update, and what is due after it."""
        config, learner = self.config, self.learner
        batch = sample_transitions(self.train_level, self.generator, config.batch, self.reached)
        learner.optimizer.fall(self.run.step, config.steps, config.last_lr)
        learner.train(batch, np.ones(config.batch, np.float32))
        self.updates += 1
        self.run.advance(config.batch)
        if config.copies and self.updates % config.target == 0:
            learner.update_target()
        elif not config.copies and self.updates % FOLLOW_EVERY == 0:
            learner.update_target(followed(config.soft_target))
        if self.updates % config.eval_every == 0:
            self._compare()

    def evaluate(self) -> None:
        """Compare with the truth all over the test levels; write and print the results."""
        evaluations = {
            level.name: evaluate(level, self.learner.q_frames, self.config.gamma)
            for level in self.test_levels
        }
        results = {
            "transitions": self.run.step,
            "levels": {name: dataclasses.asdict(each) for name, each in evaluations.items()},
        }
        write_json(self.run.folder.path / "evaluation.json", results)
        print(table(evaluations))

    def state(self) -> dict[str, Any]:
        """Return what the rest of the run depends on."""
        return {
            "updates": self.updates,
            "generator": self.generator.bit_generator.state,
            "weights": self.learner.weights(),
            **({} if self.reached is None else {"reached": self.reached.state()}),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from what `state` returned."""
        # Earlier snapshots have it beside the last errors.
        self.updates = int(state.get("progress", state)["updates"])
        self.generator.bit_generator.state = state["generator"]
        self.learner.restore_weights(state["weights"])
        if self.reached is not None:
            self.reached.restore(state["reached"])

    def _compare(self) -> None:
        """Look at the errors on the test levels."""
        comparisons = []
        for truth in self.truths:
            loss, learned = truth.compare(self.learner.q_frames)
            observations, true = truth.observations[truth.shown], truth.q_frames[truth.shown]
            comparisons.append(Comparison(truth.level.name, loss, observations, true, learned))
        self.comparisons.add(self.updates // self.config.eval_every, comparisons)


def sample_transitions(
    level: Level,
    generator: np.random.Generator,
    count: int,
    reached: ReachedCells | None = None,
) -> Transitions:
    """Return single steps from random free cells with random actions, without an end.

    Args:
        level: where.
        generator: draws.
        count: number of steps.
        reached: is told where they lead to, and says what was reached; None for no account.
    """
    moves = level.sample_moves(generator, count)
    if reached is not None:
        reached.add(moves)
    return Transitions(
        observations=moves.observations,
        actions=moves.actions,
        rewards=np.zeros((count, 1), np.float32),
        next_observations=moves.next_observations,
        rows=moves.rows[:, None],
        cols=moves.cols[:, None],
        window_shifts=moves.window_shifts[:, None],
        terminals=np.zeros((count, 1), bool),
        lengths=np.ones(count, np.int32),
        reached=True if reached is None else reached.windows(moves),
    )
