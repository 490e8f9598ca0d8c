"""What the error of learned Q-frames is made of: `python -m benchmarks.wandering --run RUN`.

For each checkpoint of a run in the grid world, on the columns that the run is compared on: the mean
squared error of the Q-frames, what reachable cells and what walls add to it, by how much the
Q-values of reachable cells are too high on average, and the error that the *exact* Q-frames of the
network's own policy would have. In the published order of double Q-learning a copy of the network
picks the next actions until the next copy, so this last error is the one that the learning heads
for in the meantime. With `--checkpoint-every 32000` (1,000 updates of 32) there is a checkpoint at
every copy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from qmap.envs.gridworld_level import SCREEN_COL, Level, load_level
from qmap.gridworld.config import config_of
from qmap.gridworld.evaluation import FIRST_COLUMNS, GroundTruth
from qmap.utils import checkpoint, command_line
from qmap.utils.command_line import option
from qmap.utils.errors import UserError
from qmap.utils.quiet import quiet

BATCH = 256
MARGIN = 40  # columns beyond those that are looked at, in which a policy may wander about


@dataclass(frozen=True)
class Options:
    """Which run."""

    run: str = option("", "folder of a run of qmap.train_gridworld", metavar="RUN")


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a line for each checkpoint."""
    options = command_line.parse(
        Options, __doc__.splitlines()[0], arguments, "benchmarks.wandering"
    )
    if not options.run:
        raise UserError("--run is missing: expected the folder of a run of qmap.train_gridworld")
    paths = sorted(Path(options.run).glob("tensorflow/step_*.ckpt"), key=step_of)
    if not paths:
        raise UserError(f"there is no checkpoint in {options.run!r}; expected the folder of a run")
    with quiet():
        from qmap.agents.device import set_up
        from qmap.gridworld.training import make_learner
    set_up()
    loaded = checkpoint.load(paths[0], "checkpoint")
    config = config_of(loaded, str(paths[0]))
    learner = make_learner(config)
    level = load_level(config.train_level)
    truth = GroundTruth(level, config.gamma)
    count = int((level.positions[:, 1] <= FIRST_COLUMNS + MARGIN).sum())
    print(f"{'transitions':>12}{'error':>9}{'reachable':>11}{'walls':>9}{'too high':>10}", end="")
    print(f"{'exact error of its policy':>28}")
    for path in paths:
        loaded = checkpoint.load(path, "checkpoint")
        with checkpoint.fitting(str(path), loaded):
            learner.restore_weights(loaded[learner.name])
        q_frames = np.concatenate(
            [
                learner.q_frames(level.observations(np.arange(start, min(start + BATCH, count))))
                for start in range(0, count, BATCH)
            ]
        )
        exact = exact_q_frames(level, q_frames.argmax(axis=-1), config.gamma)
        looked_at = len(truth.observations)
        errors = q_frames[:looked_at] - truth.q_frames
        squares = np.square(errors)
        reachable = truth.q_frames > 0
        print(
            f"{step_of(path):12,}"
            f"{squares.mean():9.4f}"
            f"{squares[reachable].sum() / squares.size:11.4f}"
            f"{squares[~reachable].sum() / squares.size:9.4f}"
            f"{errors[reachable].mean():+10.3f}"
            f"{np.square(exact[:looked_at] - truth.q_frames).mean():28.4f}",
            flush=True,
        )


def step_of(path: Path) -> int:
    """Return the step in the name of a checkpoint."""
    return int(path.stem.removeprefix("step_"))


def exact_q_frames(level: Level, policy: np.ndarray, gamma: float) -> np.ndarray:
    """Return the Q-frames that the all-goals update converges to while a policy picks the actions.

    Args:
        level: the level.
        policy: (n, 28, 32), the action at each of the first n places for a goal in each cell of
            the window there. Steps to later places are taken for steps to the last one.
        gamma: discount factor.

    Returns:
        (n, 28, 32, 4) float32.
    """
    n = len(policy)
    next_places = np.minimum(level.next_places[:n], n - 1)
    rows, cols = level.positions[:n].T
    shifts = cols[next_places] - cols[:, None]
    # Columns that come in from outside the next window keep the value that stood there.
    source = np.clip(np.arange(policy.shape[2]) - shifts[..., None], 0, policy.shape[2] - 1)

    q_frames = np.zeros((*policy.shape, 4), np.float32)
    values = np.zeros(policy.shape, np.float32)
    change = 1.0
    while change > 1e-4:
        for action in range(4):
            after = next_places[:, action]
            stepped = gamma * values[after]
            stepped[np.arange(n), rows[after], SCREEN_COL] = 1.0
            q_frames[..., action] = np.take_along_axis(stepped, source[:, None, action], axis=2)
        new = np.take_along_axis(q_frames, policy[..., None], axis=-1)[..., 0]
        change = float(np.abs(new - values).max())
        values = new
    return q_frames


if __name__ == "__main__":
    command_line.run(main)
