"""Everything the training in the grid world can be told, in one flat list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from qmap.agents.published import ANY_SIZE, GRID_WORLD, VALUE_ITERATION
from qmap.envs.gridworld_level import load_level
from qmap.run_options import QMapOptions, of_learning, of_q_map, of_recipe, of_run
from qmap.utils.errors import UserError


@dataclass(frozen=True)
class GridWorldConfig(QMapOptions):
    """Everything the training can be told; the defaults are those of the Q-map paper
    (section 4.1).
    """

    # docs/gridworld.md; compared as often in transitions as the published settings are.
    RECIPES: ClassVar[dict[str, dict[str, Any]]] = {
        "published": {},
        "tuned": {
            "double_order": "usual",
            "output": "sigmoid",
            "soft_target": 0.01,
            "model": VALUE_ITERATION,
            "lr": 1e-3,
            "last_lr": 1e-4,
            "batch": 8,
            "unreached": "zero",
            "eval_every": 200,
        },
    }

    # What to learn.
    recipe: str = of_recipe(RECIPES)
    train_level: str = of_learning("level1", "level: name or image file", metavar="LEVEL")
    steps: int = of_learning(100_000_000, "transitions to learn from", minimum=1)
    # Q-map. Transitions are drawn uniformly: free cells, then actions.
    model: str = of_q_map("convdeconv1", "the network", choices=GRID_WORLD)
    dueling: bool = of_q_map(True, "no dueling: a decoder for the actions alone")
    norm: bool = of_q_map(True, "no layer normalization", needs=["normalizes"])
    lr: float = of_q_map(1e-4, "learning rate at first", above=0)
    last_lr: float | None = of_q_map(
        None,
        "and at the end, to which it falls in a straight line (default: as at first)",
        above=0,
    )
    clip: float = of_q_map(1000.0, "norm to which each gradient is clipped", above=0)
    batch: int = of_q_map(32, "transitions in an update", minimum=1)
    unreached: str = of_q_map(
        "bootstrap",
        "targets of cells that no transition has led to so far: as those of any, or 0",
        choices=("bootstrap", "zero"),
    )
    gamma: float = of_q_map(0.9, "discount factor of the distances", above=0, below=1)
    target: int = of_q_map(
        1000,
        "updates between copies to the target network",
        needs=["double", "copies"],
        minimum=1,
    )
    # Run.
    test_levels: list[str] = of_run(
        ["level1", "level2", "level3"], "levels to test on", nargs="+", metavar="LEVEL"
    )
    eval_every: int = of_run(50, "updates between comparisons with the truth", minimum=1)
    checkpoint_every: int = of_run(
        10_000_000, "transitions between checkpoints for --load; there is one at the end", minimum=1
    )

    @property
    def has_dense_layers(self) -> bool:
        """Whether the network has dense layers in its middle."""
        return self.model not in ANY_SIZE

    @property
    def copies(self) -> bool:
        """Whether the target network is a copy of the online one, made now and then."""
        return self.soft_target == 0

    @property
    def normalizes(self) -> bool:
        """Whether the network has layers to normalize."""
        return self.model != VALUE_ITERATION

    @property
    def updates(self) -> int:
        """Updates of the whole run, the last one reaching `steps`."""
        return -(-self.steps // self.batch)


def config_of(loaded: dict[str, Any], path: str) -> GridWorldConfig:
    """Return the configuration with which a checkpoint was trained.

    Raises:
        UserError: the checkpoint is of something else.
    """
    try:
        return GridWorldConfig(**loaded["config"])
    except (KeyError, TypeError) as error:
        raise UserError(
            f"{path} is not of this version of the grid world ({error!r}); expected a checkpoint "
            "that qmap.train_gridworld wrote"
        ) from error


def agent_name(config: GridWorldConfig) -> str:
    """Name of the agent in the results: the model and what distinguishes its learning."""
    double = f"double-{config.double_order}" if config.double else "no-double"
    parts = [config.model]
    parts += [f"hidden-{config.hidden}"] * (config.hidden is not None)
    parts += [f"lr-{config.lr:g}" + (f"-{config.last_lr:g}" if config.last_lr else "")]
    parts += [f"{name}-{getattr(config, name):g}" for name in ("batch", "gamma", "target")]
    parts += [f"soft-{config.soft_target:g}"] * (config.soft_target > 0)
    parts += [f"no-{name}" for name in ("dueling", "norm") if not getattr(config, name)]
    parts += ["small-start"] * config.small_start
    parts += ["centered"] * config.center_frames
    parts += ["sigmoid"] * (config.output == "sigmoid")
    parts += [double, f"unknown-{config.unknown_columns}"]
    parts += ["unreached-zero"] * (config.unreached == "zero")
    parts += [load_level(config.train_level).name] * (config.train_level != "level1")
    return "_".join(parts)
