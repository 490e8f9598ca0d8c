"""A training in the grid world, and everything it leaves behind."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from tqdm import tqdm

from qmap.agents.learner import all_finite
from qmap.agents.q_map import QMapLearner
from qmap.agents.replay import Transitions
from qmap.envs.gridworld_level import ACTION_NAMES, COORDS_SHAPE, Level
from qmap.gridworld.config import GridWorldConfig, agent_name
from qmap.gridworld.evaluation import GroundTruth, evaluate, table
from qmap.gridworld.models import network_maker
from qmap.gridworld.strip import draw_strip
from qmap.start import new_folder, start
from qmap.utils import checkpoint, snapshots
from qmap.utils.csv_logger import CSVLogger
from qmap.utils.errors import UserError
from qmap.utils.files import atomic_file
from qmap.utils.image_file import write_image
from qmap.utils.interrupt import Interrupt
from qmap.utils.progress import progress_bar
from qmap.utils.run_folder import RunFolder
from qmap.utils.tolerance import Tolerance
from qmap.utils.window import LiveWindow

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
    # What can be refused comes first: nothing is written before it is all there.
    window = LiveWindow("Q-map: grid world") if config.render else None
    with contextlib.ExitStack() as stack:
        interrupt = stack.enter_context(Interrupt())
        folder, loaded = start(config, program, stack)
        learner = make_learner(config)
        if loaded is not None:
            restore(learner, loaded, config.load)
        if interrupt.signal is not None:
            return interrupt.status
        if folder is None:
            folder = new_folder(config, program, "gridworld", agent_name(config), stack)
        training = GridWorldTraining(config, train_level, test_levels, learner, folder, window)
        stack.callback(training.close)
        return training.run(interrupt)


def make_learner(config: GridWorldConfig) -> QMapLearner:
    """Make the networks and the learner."""
    maker = network_maker(
        config.model,
        OBSERVATION_SHAPE,
        len(ACTION_NAMES),
        dueling=config.dueling,
        layer_norm=config.norm,
        small_start=config.small_start,
    )
    return QMapLearner(
        maker,
        learning_rate=config.lr,
        gamma=config.gamma,
        double_q=config.double,
        double_order=config.double_order,
        unknown_columns=config.unknown_columns,
    )


def restore(learner: QMapLearner, loaded: dict[str, Any], path: str) -> None:
    """Give the learner the weights of a checkpoint.

    Raises:
        UserError: they are those of another network.
    """
    with checkpoint.fitting(path, "network", "--model, --no-dueling and --no-norm"):
        learner.restore_weights(loaded[learner.name])


@dataclass
class Progress:
    """How far a run is, and the last error on each test level."""

    updates: int = 0
    losses: dict[str, float] = field(default_factory=dict)


class GridWorldTraining:
    """A run: updates from random transitions, interrupted by looks at the truth.

    Args:
        config: what was asked for; with `resume`, the run goes on from its last snapshot.
        train_level: level of the transitions.
        test_levels: levels of the comparisons.
        learner: who learns.
        folder: where the results go.
        window: shows the strips live, None for no window.

    Raises:
        UserError: a file cannot be written, or there is no snapshot to go on from.
    """

    def __init__(
        self,
        config: GridWorldConfig,
        train_level: Level,
        test_levels: Sequence[Level],
        learner: QMapLearner,
        folder: RunFolder,
        window: LiveWindow | None,
    ) -> None:
        self.config = config
        self.train_level = train_level
        self.test_levels = test_levels
        self.learner = learner
        self.folder = folder
        self.window = window
        self.generator = np.random.default_rng(config.seed)
        self.progress = Progress()
        self.truths = [GroundTruth(level, config.gamma) for level in test_levels]
        self._tolerate = Tolerance()
        self._saved_step = -1
        if config.resume:
            self._restore()
        columns = ("steps", *(level.name for level in test_levels))
        resume_at = self._saved_step if config.resume else None
        self.log = CSVLogger(folder.path / "ground_truth_loss.csv", columns, resume_at)

    @property
    def steps(self) -> int:
        """Transitions learned from so far."""
        return self.progress.updates * self.config.batch

    def run(self, interrupt: Interrupt) -> int:
        """Train until the last update or a signal; return the exit status."""
        config, progress = self.config, self.progress
        if config.resume and progress.updates >= config.updates:
            print(
                f"{self.folder.path} is finished: all of its {config.steps:,} transitions are "
                "done; --load starts a new run from its last checkpoint",
                file=sys.stderr,
            )
        else:
            print(f"results: {self.folder.path}, from {self.steps:,} transitions", file=sys.stderr)
        with progress_bar(config.updates, progress.updates, "update") as bar:
            try:
                self._learn(interrupt, bar)
            except FloatingPointError as error:
                raise self._diverged(str(error)) from error
            self._save_snapshot()
            self._save_checkpoint()
        if interrupt.signal is None:
            self._evaluate()
        else:
            print(
                f"stopped after {self.steps:,} transitions; go on with: "
                f"{self.folder.resume_command}",
                file=sys.stderr,
            )
        return interrupt.status

    def close(self) -> None:
        """Close the files."""
        self.log.close()

    def _learn(self, interrupt: Interrupt, bar: tqdm) -> None:
        config, progress = self.config, self.progress
        if self._saved_step < 0:
            self._compare()
        while progress.updates < config.updates and interrupt.signal is None:
            self._update()
            bar.update()
            self._update_target()
            if progress.updates % config.eval_every == 0:
                self._compare()
                losses = ", ".join(f"{k} {v:.4f}" for k, v in progress.losses.items())
                bar.set_postfix_str(f"{losses}, {self.steps:,} transitions", refresh=False)
            if self._due(config.save_every):
                self._save_snapshot()
            if self._due(config.checkpoint_every):
                self._save_checkpoint()

    def _update(self) -> None:
        batch = sample_transitions(self.train_level, self.generator, self.config.batch)
        self.learner.train(batch, np.ones(self.config.batch, np.float32))
        self.progress.updates += 1

    def _update_target(self) -> None:
        if self.config.soft_target:
            self.learner.update_target(self.config.soft_target)
        elif self.progress.updates % self.config.target == 0:
            self.learner.update_target()

    def _diverged(self, why: str) -> UserError:
        return UserError(
            f"training diverged after {self.steps:,} transitions: {why}; the last snapshot is "
            "from before that, a lower --lr may help"
        )

    def _due(self, every: int) -> bool:
        """Whether the last update passed a multiple of `every` transitions."""
        return self.steps % every < self.config.batch

    def _compare(self) -> None:
        """Log the errors on the test levels and draw the strips."""
        drawn = is_drawn(self.progress.updates // self.config.eval_every)
        strips = []
        for truth in self.truths:
            loss, learned = truth.compare(self.learner.q_frames)
            name = truth.level.name
            self.progress.losses[name] = loss
            if drawn or self.window is not None:
                title = f"{name}, {self.steps:,} transitions, mean squared error {loss:.4f}"
                shown = truth.shown
                strip = draw_strip(title, truth.observations[shown], truth.q_frames[shown], learned)
                strips.append(strip)
                if drawn:
                    with self._tolerate("pictures of the Q-frames"):
                        images = self.folder.subfolder("images")
                        write_image(images / f"step_{self.steps}_{name}.png", strip)
        self.log.write(self.steps, *self.progress.losses.values())
        if self.window is not None:
            self.window.show(np.concatenate(strips))

    def _evaluate(self) -> None:
        """Compare with the truth all over the test levels; write and print the results."""
        evaluations = {
            level.name: evaluate(level, self.learner.q_frames, self.config.gamma)
            for level in self.test_levels
        }
        results = {
            "transitions": self.steps,
            "levels": {name: dataclasses.asdict(each) for name, each in evaluations.items()},
        }
        with atomic_file(self.folder.path / "evaluation.json") as file:
            file.write(json.dumps(results, indent=2).encode() + b"\n")
        print(table(evaluations))

    def _save_checkpoint(self) -> None:
        path = self.folder.subfolder("tensorflow") / f"step_{self.steps}.ckpt"
        tree = {
            self.learner.name: self.learner.weights(),
            "config": dataclasses.asdict(self.config),
        }
        checkpoint.save(path, "checkpoint", tree)

    def _save_snapshot(self) -> None:
        """Write all that `--resume` needs, if there is anything new."""
        if self.steps == self._saved_step:
            return
        state = self._state()
        if not all_finite(state["weights"]):
            raise self._diverged(f"weights of {self.learner.name} are not finite")
        # A row that the snapshot counts on must not be lost, even if the power fails.
        self.log.sync()
        snapshots.save(self.folder.subfolder("snapshots"), self.steps, state)
        self._saved_step = self.steps

    def _state(self) -> dict[str, Any]:
        """Everything that the rest of the run depends on."""
        return {
            "progress": dataclasses.asdict(self.progress),
            "generator": self.generator.bit_generator.state,
            "weights": self.learner.weights(),
        }

    def _restore(self) -> None:
        """Go on from the last snapshot, if the run did not die before its first one."""
        state = snapshots.load_latest(self.folder.path / "snapshots")
        if state is None:
            return
        try:
            self.progress = Progress(**state["progress"])
            self.generator.bit_generator.state = state["generator"]
            self.learner.restore_weights(state["weights"])
            self._saved_step = int(self.steps)
        except Exception as error:  # whatever is not as expected in a file that is whole
            raise UserError(
                f"the snapshot in {self.folder.path} is of another version ({error!r}); start a "
                "new run"
            ) from error


def sample_transitions(level: Level, generator: np.random.Generator, count: int) -> Transitions:
    """Return single steps from random free cells with random actions, without an end."""
    moves = level.sample_moves(generator, count)
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
    )


def is_drawn(comparison: int) -> bool:
    """Whether a comparison gets strips: of the first thousand all, then fewer, to save the disk.

    From the 1,000th on every 10th, from the 10,000th on every 100th, and so on.
    """
    return comparison % 10 ** max(len(str(comparison)) - 3, 0) == 0
