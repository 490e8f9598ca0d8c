"""Everything a training on a game can be told, in flat lists: each option stands here once.

What it shares with who plays by a table stands in `qmap.game_options`, with all other trainings in
`qmap.run_options`, what becomes of the screen in `qmap.world_options`. Beside them: which values do
not fit together, and which do nothing. `qmap.parse_config` reads them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from qmap.agents.published import GAMES
from qmap.baselines.kept_actions import load_kept_actions
from qmap.game_options import GameOptions
from qmap.presets import PRESETS
from qmap.run_options import (
    QMapOptions,
    of_dqn,
    of_exploration,
    of_learning,
    of_q_map,
    of_recipe,
    of_replay,
)
from qmap.utils.errors import UserError

# Seen to work best on Foxglove Run and Montezuma's Revenge alike (docs/seeing.md,
# docs/exploration.md).
TUNED = {
    "double_order": "usual",
    "center_frames": True,
    "output": "sigmoid",
    "soft_target": 0.01,
    "model": "skip",
    "difference_frames": True,
    "hidden": 192,
    "goal_rarity": 2.0,
    "goal_margin": 1,
}
# Visits more places on Foxglove Run, and arrives less often at the one that is asked for
# (docs/other_goals.md, "First return, then explore").
EXPLORER = {
    **TUNED,
    "learn_margin": True,
    "give_up": True,
    "return_first": True,
    "terminal_share": 0.25,
    "terminal_steps": 10,
}


@dataclass(frozen=True)
class TrainingConfig(GameOptions, QMapOptions):
    """Everything a training on a game can be told; the defaults are those of the Q-map
    paper.
    """

    RECIPES: ClassVar[dict[str, dict[str, Any]]] = {
        "published": {},
        "tuned": TUNED,
        "explorer": EXPLORER,
    }

    # What to learn.
    recipe: str = of_recipe(RECIPES)
    dqn: bool = of_learning(True, "do not learn the task: explore with the Q-map alone")
    qmap: bool = of_learning(True, "do not learn the Q-map: a DQN that explores epsilon-greedily")
    # Exploration.
    exploration: str = of_exploration(
        "linear",
        "how the share of exploring steps falls: over the whole run; in phases, after "
        "--learning-starts over --anneal steps; or geometrically",
        needs=["dqn"],
        choices=("linear", "phases", "geometric"),
    )
    first_exploration: float = of_exploration(
        1.0, "share of exploring steps at first", needs=["dqn"], minimum=0, maximum=1
    )
    last_exploration: float = of_exploration(
        0.05, "and at the end", needs=["dqn"], minimum=0, maximum=1
    )
    anneal: int = of_exploration(
        1_000_000, "steps of the phase in which it falls", needs=["dqn", "anneals"], minimum=1
    )
    exploration_factor: float = of_exploration(
        0.999999,
        "what a step multiplies it with, if it falls geometrically",
        needs=["dqn", "decays"],
        above=0,
        maximum=1,
    )
    first_random: float = of_exploration(
        0.1,
        "share of random steps at first, once goals are in use",
        needs=["qmap"],
        minimum=0,
        maximum=1,
    )
    last_random: float = of_exploration(
        0.05, "and at the end", needs=["qmap"], minimum=0, maximum=1
    )
    goal_starts: int | None = of_exploration(
        None,
        "steps before goals are chosen; until then an exploring step is random (default: twice "
        "--learning-starts, as published)",
        needs=["qmap"],
        minimum=0,
    )
    min_goal: int = of_exploration(
        15, "goals are at least this many steps away", needs=["qmap"], minimum=1
    )
    max_goal: int = of_exploration(30, "and at most this many", needs=["qmap"], minimum=1)
    greedy_bias: float = of_exploration(
        0.5,
        "probability to prefer goals in the DQN's direction",
        needs=["qmap", "dqn"],
        minimum=0,
        maximum=1,
    )
    timer_bonus: float = of_exploration(
        0.5, "share of extra steps allowed to reach a goal", needs=["qmap"], minimum=0
    )
    goal_rarity: float = of_exploration(
        0.0,
        "draw goals with weights of (1 + steps spent in a cell, or in vain on the way to it) ** "
        "-POWER; 0 draws them evenly",
        needs=["qmap"],
        minimum=0,
        maximum=100,
        metavar="POWER",
    )
    goal_margin: int = of_exploration(
        0,
        "a goal is reached at most N rows and columns away from it",
        needs=["qmap"],
        minimum=0,
        maximum=100,
    )
    return_first: bool = of_exploration(
        False,
        "the goals of an episode first lead to a column in which few steps were spent",
        needs=["qmap", "goal_rarity"],
    )
    give_up: bool = of_exploration(
        False,
        "drop a goal for another as soon as it is believed farther away than its time allows; a "
        "death on the way counts as all of it",
        needs=["qmap"],
    )
    repeat: list[int] = of_exploration(
        [1],
        "steps that a random action is kept; of two numbers, anything from one to the other",
        nargs="+",
        minimum=1,
    )
    # Exploration without a DQN and a Q-map: what these have to be better than.
    repeat_like: str | None = of_exploration(
        None,
        "keep random actions for as long as this run kept its own",
        needs=["acts_at_random"],
        metavar="RUN_DIR",
    )
    single: float = of_exploration(
        0.0,
        "share of steps, while an action is kept, with a random one of their own",
        needs=["acts_at_random", "keeps_actions"],
        minimum=0,
        maximum=1,
    )
    jerk: bool = of_exploration(
        False,
        "run right with jumps, back off, replay the best: the Retro Contest's baseline",
        needs=["acts_at_random"],
    )
    # Q-map.
    model: str = of_q_map(
        "convdeconv",
        "the Q-map's network: that of the paper, or the same with skip connections",
        needs=["qmap"],
        choices=GAMES,
    )
    difference_frames: bool = of_q_map(
        False,
        "the Q-map sees the newest frame and the differences between frames, in place of the stack",
        needs=["qmap"],
    )
    learn_margin: bool = of_q_map(
        False,
        "the Q-map, too, learns that a goal is reached within --goal-margin of it",
        needs=["qmap", "goal_margin"],
    )
    terminal_share: float = of_q_map(
        0.0,
        "share of each of the Q-map's batches that is drawn evenly from the steps that ended an "
        "episode, which are few by priority alone; in a run from its beginning it was not seen to "
        "make the Q-map foresee deaths (docs/other_goals.md)",
        needs=["qmap"],
        minimum=0,
        maximum=1,
    )
    terminal_steps: int = of_q_map(
        1,
        "that share is drawn from the last N steps before such an end",
        needs=["qmap", "terminal_share"],
        minimum=1,
        maximum=100,
    )
    qmap_lr: float = of_q_map(3e-4, "learning rate of the Q-map", needs=["qmap"], above=0)
    qmap_gamma: float = of_q_map(
        0.9, "discount factor of the distances", needs=["qmap"], above=0, below=1
    )
    qmap_clip: float = of_q_map(
        1000.0, "norm to which each gradient of the Q-map is clipped", needs=["qmap"], above=0
    )
    # DQN. The discount factor is also that of the logged returns, whoever acts.
    preset: str | None = of_dqn(
        None,
        "a DQN as others trained it, alone: which values take the place of the defaults "
        "(docs/neighbours.md)",
        needs=["dqn"],
        choices=tuple(PRESETS),
    )
    dqn_lr: float = of_dqn(1e-4, "learning rate of the DQN", needs=["dqn"], above=0)
    dqn_gamma: float = of_dqn(0.99, "discount factor of the task", above=0, below=1)
    dqn_clip: float = of_dqn(1000.0, "the same norm for the DQN", needs=["dqn"], above=0)
    dqn_model: str = of_dqn(
        "published",
        "the DQN's network: that of the paper for the game, or that of Mnih et al. 2015",
        needs=["dqn"],
        choices=("published", "nature"),
    )
    dqn_loss: str = of_dqn("huber", "of the DQN's errors", needs=["dqn"], choices=("huber", "mse"))
    dueling: bool = of_dqn(True, "a DQN with a single stream", needs=["dqn"])
    target_network: bool = of_dqn(
        True, "a DQN that learns from its own values, and is not double", needs=["dqn"]
    )
    # Replay, and when the learners train on it.
    replay: int = of_replay(500_000, "frames that the replay holds", needs=["learns"], minimum=100)
    learning_starts: int = of_replay(
        1_000, "steps before training starts", needs=["learns"], minimum=1
    )
    train_every: int = of_replay(
        4, "steps from one training of both learners to the next", needs=["learns"], minimum=1
    )
    target_every: int = of_replay(
        1_000,
        "steps between copies to the target networks",
        needs=["learns", "uses_targets", "copies"],
        minimum=1,
    )
    batch: int = of_replay(32, "transitions in a training batch", needs=["learns"], minimum=1)
    n_steps: int = of_replay(1, "steps in a transition", needs=["learns"], minimum=1, maximum=100)
    alpha: float = of_replay(
        0.6, "prioritization: 0 none, 1 full", needs=["learns"], minimum=0, maximum=1
    )
    epsilon: float = of_replay(
        1e-6, "added to the errors for the priorities", needs=["learns", "prioritizes"], above=0
    )
    beta: float = of_replay(
        0.4,
        "first importance exponent, rising to 1",
        needs=["learns", "prioritizes"],
        minimum=0,
        maximum=1,
    )
    stack: int = of_replay(3, "frames in an observation", minimum=1, maximum=16)
    skip: int = of_replay(2, "steps between two frames of an observation", minimum=1, maximum=16)

    @property
    def learns(self) -> bool:
        """Whether anything is learned; else the agent is random."""
        return self.dqn or self.qmap

    @property
    def acts_at_random(self) -> bool:
        """Whether nothing is learned."""
        return not self.learns

    @property
    def keeps_actions(self) -> bool:
        """Whether a random action is kept for longer than a step."""
        return self.repeat != [1] or self.repeat_like is not None

    @property
    def goals_begin_at(self) -> int:
        """The step from which on goals are chosen."""
        return 2 * self.learning_starts if self.goal_starts is None else self.goal_starts

    @property
    def fewest_and_most_repeats(self) -> tuple[int, int]:
        """For how many steps a random action is kept."""
        return self.repeat[0], self.repeat[-1]

    @property
    def uses_targets(self) -> bool:
        """Whether a target network is ever asked: the Q-map asks it in double Q-learning alone."""
        return (self.dqn and self.target_network) or (self.qmap and self.double)

    @property
    def copies(self) -> bool:
        """Whether a target network is a copy of its online network; the DQN's always is."""
        return (self.dqn and self.target_network) or not self.soft_target

    @property
    def anneals(self) -> bool:
        """Whether exploration has a phase in which it falls."""
        return self.exploration == "phases"

    @property
    def decays(self) -> bool:
        """Whether exploration falls geometrically."""
        return self.exploration == "geometric"

    @property
    def prioritizes(self) -> bool:
        """Whether some transitions are drawn more often than others."""
        return self.alpha > 0

    @property
    def agent_name(self) -> str:
        """Name of the agent in the results: "q-map+dqn", "mario-land", "random", "jerk"..."""
        if self.preset is not None:
            return self.preset
        if self.learns:
            return "+".join(["q-map"] * self.qmap + ["dqn"] * self.dqn)
        if self.jerk:
            return "jerk"
        if self.repeat_like is not None:
            return "repeat-like"
        return "-".join(["repeat", *map(str, self.repeat)]) if self.keeps_actions else "random"

    @property
    def ends_in_a_batch(self) -> int:
        """How many transitions of each of the Q-map's batches are drawn from those that ended an
        episode.
        """
        return round(self.terminal_share * self.batch)

    @property
    def task_gamma(self) -> float:
        """Discount factor of the returns that are logged."""
        return self.dqn_gamma

    def check(self) -> None:
        """Refuse options that do not fit together; see `RunOptions.check`."""
        super().check()
        self.check_world(needs_grid=self.qmap)
        if self.min_goal > self.max_goal:
            raise UserError(f"--min-goal {self.min_goal} is above --max-goal {self.max_goal}")
        if len(self.repeat) > 2 or self.repeat != sorted(self.repeat):
            raise UserError(
                f"--repeat {' '.join(map(str, self.repeat))}: expected a number of steps, or the "
                "fewest and the most"
            )
        if self.jerk + (self.repeat != [1]) + (self.repeat_like is not None) > 1:
            raise UserError("--jerk, --repeat and --repeat-like exclude each other: keep one")
        if self.repeat_like is not None:
            load_kept_actions(Path(self.repeat_like))
        needed = (self.stack - 1) * self.skip + 2
        if self.learns and self.replay // self.envs < needed:
            raise UserError(
                f"--replay {self.replay} is too small: expected at least {needed * self.envs} "
                f"for --stack {self.stack}, --skip {self.skip} and --envs {self.envs}"
            )

    def remarks(self, typed: Collection[str]) -> Iterator[str]:
        """Say which options do nothing; see `RunOptions.remarks`."""
        yield from super().remarks(typed)
        starts, end = self.learning_starts, self.last_step
        if not self.learns:
            yield "with --no-dqn and --no-qmap the agent learns nothing"
        elif starts > end:
            yield f"nothing is learned: --learning-starts {starts:,} is beyond the end at {end:,}"
        elif self.qmap and self.goals_begin_at >= end:
            option = "twice --learning-starts" if self.goal_starts is None else "--goal-starts"
            yield (
                f"no goals are chosen: that begins at step {self.goals_begin_at:,}, {option}, and "
                f"the run ends at {end:,}"
            )
        if self.qmap and self.terminal_share and not self.ends_in_a_batch:
            yield (
                f"--terminal-share {self.terminal_share:g} does nothing: of --batch {self.batch} "
                "it is not one transition"
            )
