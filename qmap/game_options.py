"""What every training on a game can be told, whoever plays: networks or a table."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from qmap.run_options import RunOptions, of_learning, of_machine, of_run
from qmap.world_options import WorldOptions


@dataclass(frozen=True)
class GameOptions(RunOptions, WorldOptions, ABC):
    """What every training on a game can be told, whoever plays.

    Counts are in steps of the environments, all of them together.
    """

    # What to learn.
    steps: int = of_learning(
        5_000_000, "agent steps to train for; all schedules span them", minimum=1
    )
    sticky: float = of_learning(
        0.0, "probability that a step takes the action before instead", minimum=0, below=1
    )
    game_reward: float = of_learning(
        1.0, "the task's reward is the game's own, times this", needs=["dqn"]
    )
    right_reward: float = of_learning(
        0.0, "and this for each step that moves the character to the right", needs=["dqn"]
    )
    death_reward: float = of_learning(
        0.0, "and this for an end of the episode that does not finish a level", needs=["dqn"]
    )
    # Run.
    stop_at: int | None = of_run(
        None, "stop after so many steps, in the middle of the schedules", may_differ=True, minimum=1
    )
    videos: bool = of_run(True, "record no videos", may_differ=True)
    checkpoint_every: int = of_run(100_000, "steps between checkpoints for --load", minimum=1)
    # Machine.
    envs: int = of_machine(1, "copies of the game, in a process each if more than one", minimum=1)
    ray: str | None = of_machine(
        None,
        "step the copies on a Ray cluster: HOST:PORT, or auto for the one here",
        may_differ=True,
        metavar="ADDRESS",
    )
    env_timeout: float = of_machine(
        60.0, "seconds that an environment may take for anything it does", may_differ=True, above=0
    )

    @property
    @abstractmethod
    def agent_name(self) -> str:
        """Name of the agent in the results."""

    @property
    @abstractmethod
    def task_gamma(self) -> float:
        """Discount factor of the returns that are logged."""

    @property
    def shapes_rewards(self) -> bool:
        """Whether the task has other rewards than the game's."""
        return (self.game_reward, self.right_reward, self.death_reward) != (1.0, 0.0, 0.0)

    @property
    def last_step(self) -> int:
        """The step after which the run ends."""
        return self.steps if self.stop_at is None else min(self.stop_at, self.steps)

    def remarks(self, typed: Collection[str]) -> Iterator[str]:
        """Say which options do nothing; see `RunOptions.remarks`."""
        yield from super().remarks(typed)
        if self.stop_at is not None and self.stop_at > self.steps:
            yield f"--stop-at {self.stop_at:,} does nothing: the run ends at --steps {self.steps:,}"
