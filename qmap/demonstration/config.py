"""Everything the training from a demonstration can be told, in a flat list."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from qmap.demonstration.worlds import find_world
from qmap.named_worlds import NAMES, NamedWorldOptions
from qmap.run_options import NetworkOptions, of_learning, of_machine, of_run
from qmap.utils.command_line import option
from qmap.utils.errors import UserError

# What a run calls its copy of the demonstration.
DEMONSTRATION = "demonstration.actions"

of_starts = partial(option, group="start points")
of_policy = partial(option, group="policy and PPO")


@dataclass(frozen=True)
class DemonstrationConfig(NetworkOptions, NamedWorldOptions):
    """What the training can be told; the defaults follow Salimans and Chen (2018).

    Where they do not, docs/demonstration.md says so. Counts of steps are in steps of the
    environments, all of them together, unless said otherwise.
    """

    # What to learn.
    demo: str | None = of_learning(
        None, "the demonstration: a file of actions, or a video beside one", metavar="FILE"
    )
    steps: int = of_learning(20_000_000, "agent steps to train for", minimum=1)
    # Start points.
    spread: int = of_starts(
        80, "steps (of 4 frames) over which the copies' start points are spread", minimum=0
    )
    own: float = of_starts(
        0.8,
        "probability that a copy begins at its own start point, not anywhere from the start on",
        minimum=0,
        maximum=1,
    )
    threshold: float = of_starts(
        0.2,
        "share of rollouts from the start that have to score as well as the demonstration for it "
        "to move back",
        above=0,
        maximum=1,
    )
    rollouts: int = of_starts(100, "newest rollouts from the start that are looked at", minimum=1)
    back: int = of_starts(4, "steps that the start moves back for each threshold", minimum=1)
    lag: int = of_starts(
        50,
        "a rollout ends when it has less than the demonstration had so many steps earlier",
        minimum=0,
    )
    deficit: float = of_starts(
        0.0,
        "points by which a rollout may score less than the demonstration and do as well: what that "
        "collects by the way need not be",
        minimum=0,
    )
    warm_up: int = of_starts(
        32, "steps before a start from which the policy's memory is computed", minimum=1
    )
    # Policy and PPO.
    stack: int = of_policy(4, "frames in an observation", minimum=1, maximum=16)
    units: int = of_policy(
        256, "numbers that the recurrent unit remembers", minimum=1, maximum=2**13
    )
    horizon: int = of_policy(128, "steps of each copy between two updates", minimum=1)
    sequence: int = of_policy(
        32, "steps in a row from which is learned what to remember; divides --horizon", minimum=1
    )
    epochs: int = of_policy(4, "passes over these steps", minimum=1)
    minibatches: int = of_policy(4, "parts of a pass, each of some of the sequences", minimum=1)
    lr: float = of_policy(1e-4, "learning rate", above=0)
    gamma: float = of_policy(0.999, "discount factor", above=0, below=1)
    trace: float = of_policy(
        0.95, "lambda of the generalized advantage estimates", minimum=0, maximum=1
    )
    clip: float = of_policy(
        0.1, "change of an action's probability that is followed", above=0, below=1
    )
    entropy: float = of_policy(1e-4, "weight of the entropy", minimum=0)
    value: float = of_policy(0.5, "weight of the squared error of the values", minimum=0)
    clip_norm: float = of_policy(0.5, "norm to which each gradient is clipped", above=0)
    signs: bool = of_policy(
        True,
        "learn from the rewards as shares of the demonstration's largest, not from their signs",
    )
    # Run.
    stop_at: int | None = of_run(None, "stop after so many steps", may_differ=True, minimum=1)
    videos: bool = of_run(True, "record no videos", may_differ=True)
    checkpoint_every: int = of_run(500_000, "steps between checkpoints for --load", minimum=1)
    # Machine.
    envs: int = of_machine(8, "copies of the world, in a process each if more than one", minimum=1)
    env_timeout: float = of_machine(
        60.0, "seconds that an environment may take for anything it does", may_differ=True, above=0
    )

    @property
    def last_step(self) -> int:
        """The step after which the run ends."""
        return self.steps if self.stop_at is None else min(self.stop_at, self.steps)

    @property
    def sequences(self) -> int:
        """Of how many sequences the steps between two updates are."""
        return self.envs * self.horizon // self.sequence

    @property
    def demonstration(self) -> Path:
        """Where the demonstration is: a run has a copy of its own."""
        return Path(self.demo) if self.resume is None else Path(self.resume) / DEMONSTRATION

    def check(self) -> None:
        """Refuse what is missing or does not fit together; see `NetworkOptions.check`."""
        super().check()
        if not self.env:
            raise UserError(f"--env is missing: expected {NAMES}")
        if not self.demo:
            raise UserError(
                "--demo is missing: expected a file of actions, which "
                "python -m qmap.record_demonstration makes"
            )
        if self.horizon % self.sequence:
            raise UserError(
                f"--sequence {self.sequence} does not divide --horizon {self.horizon}: the steps "
                "of a copy are cut into sequences"
            )
        if self.sequences % self.minibatches:
            raise UserError(
                f"--minibatches {self.minibatches} does not divide the {self.sequences} sequences "
                f"of --sequence {self.sequence} steps in --envs {self.envs} times --horizon "
                f"{self.horizon}"
            )
        find_world(**self.of_named_world)
