"""A training in mazes or in Sokoban: updates from fresh worlds, and looks at the truth."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from qmap.all_goals.all_goals import AllGoals
from qmap.all_goals.config import AllGoalsConfig
from qmap.all_goals.evaluation import evaluate, q_frames, table, true_q_frames
from qmap.all_goals.goal_learner import GoalLearner
from qmap.all_goals.learners import make_learner
from qmap.all_goals.worlds import TestSet, sample
from qmap.envs.walks import ACTION_NAMES
from qmap.gridworld.comparison import Comparison, Comparisons
from qmap.run import Run
from qmap.utils import streams
from qmap.utils.files import write_json

STRIP_WORLDS = 12


def train(config: AllGoalsConfig, program: str, experiment: str) -> int:
    """Train until the configured number of transitions, or until interrupted.

    Args:
        config: of one of the worlds.
        program: the program that is running.
        experiment: name of the world in the results.

    Returns:
        The exit status: 0, or 128 plus the number of the signal that interrupted the run.

    Raises:
        UserError: something that the user gave cannot be used.
    """
    test_sets = config.test_sets()
    with Run(config, program, f"Q-map: {experiment}") as run:
        learner = learner_of(config)
        run.load_weights(lambda loaded: learner.start_from(loaded[learner.name]))
        if run.interrupted:
            return run.status
        run.open(experiment, config.agent_name)
        run.weights = lambda moments: {
            learner.name: learner.weights(moments),
            "config": dataclasses.asdict(config),
            "of": f"{experiment}, {config.agent_name}",
        }
        training = AllGoalsTraining(run, config, learner, test_sets)
        for _ in run.steps(config.steps, "transition"):
            training.step()
        if not run.interrupted:
            training.evaluate()
    return run.status


def learner_of(config: AllGoalsConfig) -> AllGoals | GoalLearner:
    """Make the networks and the learner."""
    with streams.lent(config.seed, "networks"):
        return make_learner(
            config.learner,
            config.model,
            (config.side, config.side, 3),
            len(ACTION_NAMES),
            small_start=config.small_start,
            learning_rate=config.lr,
            gamma=config.gamma,
            clip_norm=config.clip,
            double_order=config.double_order if config.double else None,
        )


class AllGoalsTraining:
    """The learner and its worlds, with all that watches it.

    Args:
        run: it is open; what is restored or begun here belongs to it.
        config: what was asked for.
        learner: who learns.
        test_sets: what it is compared on.

    Raises:
        UserError: a file cannot be written, or the snapshots cannot be used.
    """

    def __init__(
        self,
        run: Run,
        config: AllGoalsConfig,
        learner: AllGoals | GoalLearner,
        test_sets: list[TestSet],
    ) -> None:
        self.run = run
        self.config = config
        self.learner = learner
        self.test_sets = test_sets
        self.draw = config.draw
        # Whoever learns sees the same transitions: choosing goals has a stream of its own.
        self.generators = {
            name: streams.generator(config.seed, name) for name in ("transitions", "sampling")
        }
        self.updates = 0
        self.compared = [test_set.first(config.compared) for test_set in test_sets]
        run.attach("learning", self)
        resumed = run.resume()
        self.comparisons = Comparisons(run, [test_set.name for test_set in test_sets])
        run.announce(config.steps)
        if not resumed:
            self._compare()

    def step(self) -> None:
        """One update, and what is due after it."""
        config = self.config
        self.learner.optimizer.fall(self.run.step, config.steps, config.last_lr)
        walks = sample(self.draw, self.generators["transitions"], config.batch)
        self.learner.learn(walks, self.generators["sampling"])
        self.updates += 1
        self.run.advance(config.batch)
        if config.soft_target:
            self.learner.update_target(config.soft_target)
        elif self.updates % config.target == 0:
            self.learner.update_target()
        if self.updates % config.eval_every == 0:
            self._compare()

    def evaluate(self) -> None:
        """Compare with the truth and follow the policy on the test sets; write and print it."""
        evaluations = {
            test_set.name: evaluate(self.learner, test_set, self.config.gamma)
            for test_set in self.test_sets
        }
        results = {
            "transitions": self.run.step,
            "test_sets": {name: dataclasses.asdict(each) for name, each in evaluations.items()},
        }
        write_json(self.run.folder.path / "evaluation.json", results)
        print(table(evaluations))

    def state(self) -> dict[str, Any]:
        """Return what the rest of the run depends on."""
        return {
            "updates": self.updates,
            "generators": {
                name: generator.bit_generator.state for name, generator in self.generators.items()
            },
            "weights": self.learner.weights(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from what `state` returned."""
        self.updates = int(state["updates"])
        for name, generator in self.generators.items():
            generator.bit_generator.state = state["generators"][name]
        self.learner.restore_weights(state["weights"])

    def _compare(self) -> None:
        """Look at the errors on the test sets."""
        comparisons, shown = [], slice(STRIP_WORLDS)
        for test_set in self.compared:
            learned = q_frames(self.learner, test_set)
            true = true_q_frames(test_set, self.config.gamma)
            errors = np.square(learned - true)[test_set.counted]
            loss = float(errors.mean(dtype=np.float64))
            observations = test_set.worlds[shown].observations()
            comparisons.append(
                Comparison(test_set.name, loss, observations, true[shown], learned[shown])
            )
        self.comparisons.add(self.updates // self.config.eval_every, comparisons)
