"""What every training can be told, whatever it trains on; games have more in `qmap.game_options`.

Beside them: the groups that all options are in, and what leaves options without effect.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

from qmap.utils.command_line import option, options_of, words_of
from qmap.world_options import GROUP

GROUPS = ("what to learn", GROUP, "exploration", "Q-map", "DQN", "replay", "run", "machine")
of_learning = partial(option, group=GROUPS[0])
of_exploration = partial(option, group=GROUPS[2])
of_q_map = partial(option, group=GROUPS[3])
of_dqn = partial(option, group=GROUPS[4])
of_replay = partial(option, group=GROUPS[5])
of_run = partial(option, group=GROUPS[6])
of_machine = partial(option, group=GROUPS[7])


def of_recipe(recipes: Mapping[str, Mapping[str, Any]]) -> str:
    """Declare the option that chooses among the `RECIPES` of a program."""
    return of_learning(
        "published",
        "which values the options begin with; what is typed wins, --no-NAME and --NAME none too. "
        + "; ".join(f"{name}: {as_typed(values)}" for name, values in recipes.items() if values),
        choices=tuple(recipes),
    )


def as_typed(values: Mapping[str, Any]) -> str:
    """Return what is typed for options to have these values."""
    return " ".join(word for name, value in values.items() for word in words_of(name, value))


# What leaves options without effect, by the attribute that they need; else it is the flag that
# turns this attribute off.
WITHOUT = {
    "learns": "--no-dqn and --no-qmap",
    "acts_at_random": "a DQN or a Q-map",
    "keeps_actions": "actions that are kept for one step",
    "uses_targets": "no target network in use",
    "prioritizes": "--alpha 0",
    "copies": "--soft-target",
    "normalizes": "--model value-iteration",
    "has_dense_layers": "a --model of any size, which has no dense layers",
    "is_retro": "an --env that is not retro:GAME",
    "anneals": "a schedule of exploration that has no phases",
    "decays": "a schedule of exploration that is not geometric",
    "bootstraps": "--rule best-reward",
    "on_grid": "an --env other than grid",
    "has_levels": "an --env that has no levels",
    "goal_margin": "--goal-margin 0",
    "goal_rarity": "--goal-rarity 0",
    "terminal_share": "--terminal-share 0",
    "has_folder": "an --env that is neither retro:GAME nor a game with levels",
}


@dataclass(frozen=True)
class RunOptions:
    """What every training can be told: how the run is kept."""

    # Of runs that began before an option existed, where they had not its default.
    EARLIER: ClassVar[dict[str, Any]] = {}

    # Run.
    seed: int = of_run(0, "seed of all random numbers", minimum=0, maximum=2**31 - 1)
    path: str = of_run("qmap_results", "folder of the results", metavar="DIR")
    load: str | None = of_run(
        None,
        "checkpoint to start from, or the name of an agent that ships",
        needs=["learns"],
        metavar="CKPT",
    )
    resume: str | None = of_run(
        None, "folder of a run to continue", may_differ=True, metavar="RUN_DIR"
    )
    render: bool = of_run(
        False, "show what the agent sees and believes in a window", may_differ=True
    )
    tensorboard: bool = of_run(
        False,
        "write the logs as TensorBoard events too (to look at them: pip install tensorboard)",
        may_differ=True,
    )
    save_every: int = of_run(50_000, "steps between snapshots for --resume", minimum=1)
    keep: int = of_run(
        3,
        "checkpoints for --load that are kept, the newest ones; 0 keeps all",
        may_differ=True,
        minimum=0,
    )

    def check(self) -> None:
        """Refuse options that do not fit together.

        Raises:
            UserError: they do not.
        """

    def remarks(self, typed: Collection[str]) -> Iterator[str]:
        """Say which options do nothing, a line each.

        Args:
            typed: names of the options that the user typed; nobody is told of defaults.
        """
        known = options_of(type(self))
        idle: dict[str, list[str]] = {}
        for name in typed:
            for need in known[name].needs:
                # A training that never lacks it has no such attribute.
                if not getattr(self, need, True):
                    why = WITHOUT.get(need) or known[need].flag
                    idle.setdefault(why, []).append(known[name].words(getattr(self, name))[0])
                    break
        for why, flags in idle.items():
            yield f"{', '.join(flags)} {'does' if len(flags) == 1 else 'do'} nothing with {why}"


@dataclass(frozen=True)
class NetworkOptions(RunOptions):
    """What a training of networks can be told: what is kept of them, and where they compute."""

    # Run.
    keep_moments: bool = of_run(
        False,
        "checkpoints for --load hold the optimizer's moments too, and are larger",
        may_differ=True,
        needs=["learns"],
    )
    # Machine.
    deterministic: bool = of_machine(
        False, "make equal runs equal bit for bit, more slowly", needs=["learns"]
    )
    precision: str = of_machine(
        "float32",
        "what the convolutions multiply in; bfloat16 is faster where the machine has it",
        needs=["learns"],
        choices=("float32", "bfloat16"),
    )
    device: str = of_machine(
        "auto",
        "where the networks run",
        may_differ=True,
        needs=["learns"],
        choices=("auto", "cpu", "gpu"),
    )


@dataclass(frozen=True)
class QLearningOptions(NetworkOptions):
    """What every training of networks by Q-learning can be told."""

    # What to learn.
    double: bool = of_learning(True, "no double Q-learning", needs=["learns"])
    # Q-map.
    double_order: str = of_q_map(
        "reference",
        "who picks the next action in the Q-map: the target network (reference) or the online one",
        needs=["qmap", "double"],
        choices=("reference", "usual"),
    )


@dataclass(frozen=True)
class QMapOptions(QLearningOptions):
    """What the trainings of the published experiments can be told of how the Q-map learns."""

    # Named sets of values that take the place of defaults; what is typed on top wins.
    RECIPES: ClassVar[dict[str, dict[str, Any]]]

    # What to learn.
    hidden: int | None = of_learning(
        None,
        "units of each dense layer in the middle of the networks; fewer make smaller checkpoints "
        "(default: as the network's name says, 1,024 as published)",
        needs=["learns", "has_dense_layers"],
        minimum=1,
        maximum=2**16,
    )
    # Q-map.
    unknown_columns: str = of_q_map(
        "keep",
        "targets of cells that the next window did not show: old values, or left out of the loss",
        needs=["qmap"],
        choices=("keep", "ignore"),
    )
    center_frames: bool = of_q_map(
        False,
        "the Q-map sees frames less the mean frame, pixel by pixel, divided by 32",
        needs=["qmap"],
    )
    output: str = of_q_map(
        "linear",
        "of the Q-map: linear with squared errors, or a sigmoid that starts low with cross-entropy",
        needs=["qmap"],
        choices=("linear", "sigmoid"),
    )
    small_start: bool = of_q_map(
        False,
        "start with Q-values a tenth as large as Glorot's weights make them; those are unlearned "
        "first, so learning takes off earlier",
        needs=["qmap"],
    )
    soft_target: float = of_q_map(
        0.0,
        "instead of copies, move the Q-map's target network by this share towards the online one "
        "an update (every 4th, 4 times as far); 0.01 with --double-order usual stops the wandering "
        "of the values",
        needs=["qmap", "double"],
        minimum=0,
        maximum=1,
    )
