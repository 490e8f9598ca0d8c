"""Steps per second of the trainings: `python -m benchmarks.throughput`.

At the published settings or those of another recipe. Prints where the time goes and, beside it, the
floor: the same networks, optimizer updates and emulator alone, in the same rhythm in the same
process. Floor / actual is 1 for a training in which nothing else takes any time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.machine import describe
from qmap.config import TrainingConfig
from qmap.gridworld.config import GridWorldConfig
from qmap.utils import command_line
from qmap.utils.command_line import option
from qmap.utils.errors import UserError
from qmap.utils.files import write_json
from qmap.utils.quiet import quiet

WORKLOADS = ("montezuma", "mario", "gridworld", "replay")


@dataclass(frozen=True)
class BenchmarkConfig:
    """What to measure and how long."""

    workload: list[str] = option(
        list(WORKLOADS[:3]), "what to measure", choices=WORKLOADS, nargs="+"
    )
    steps: int = option(
        1000,
        "agent steps to measure, in blocks of 100: at least one; of the grid world a fourth of "
        "them in updates",
        minimum=100,
    )
    warmup: int = option(100, "steps before that, at least 8", minimum=8)
    recipe: str = option(
        "published",
        "whose settings are measured; the grid world has no explorer",
        choices=tuple(TrainingConfig.RECIPES),
    )
    dqn: bool = option(True, "without the task learner")
    qmap: bool = option(True, "without the Q-map")
    envs: int = option(1, "copies of the game", minimum=1)
    stored: int = option(2000, "transitions in the replay, at least", minimum=0, maximum=500_000)
    videos: bool = option(False, "also measure what recording an episode costs")
    precision: str = option(
        "float32", "what the convolutions multiply in", choices=("float32", "bfloat16")
    )
    device: str = option("auto", "where the networks run", choices=("auto", "cpu", "gpu"))
    json: str | None = option(None, "file for the figures", metavar="FILE")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what the command line says, print tables, write the JSON file."""
    program = "benchmarks.throughput"
    config = command_line.parse(BenchmarkConfig, __doc__.partition("\n")[0], arguments, program)
    if config.json is not None and not Path(config.json).parent.is_dir():
        raise UserError(f"there is no folder {Path(config.json).parent} for --json")
    results: dict[str, Any] = {"machine": describe()}
    print(", ".join(f"{key} {value}" for key, value in results["machine"].items()))
    for name in config.workload:
        try:
            results[name] = asdict(_measure(name, config))
        except UserError as error:
            print(f"\n{name}: skipped, {error}")
        else:
            print(f"\n{name}", *_lines(results[name]), sep="\n")
    if config.json is not None:
        write_json(config.json, results)
    return 0


def _measure(name: str, config: BenchmarkConfig) -> Any:
    # Loaded only now: worker processes import this module too, and need no TensorFlow.
    with quiet():
        from benchmarks import games, gridworld, replay, workloads
    computing = {"precision": config.precision, "device": config.device}
    if name == "gridworld":
        if config.recipe not in GridWorldConfig.RECIPES:
            raise UserError(f"it has no --recipe {config.recipe}")
        options = GridWorldConfig(**GridWorldConfig.RECIPES[config.recipe], **computing)
        return gridworld.measure(options, updates=config.steps // 4, warmup=config.warmup // 4)
    if name == "replay":
        return replay.measure(capacity=500_000)
    workload = getattr(workloads, name)(
        dqn=config.dqn,
        qmap=config.qmap,
        envs=config.envs,
        videos=config.videos,
        # As in the middle of a run: at its start, a DQN alone would not act at all.
        first_exploration=0.525,
        first_random=0.075,
        **computing,
        **TrainingConfig.RECIPES[config.recipe],
    )
    return games.measure(
        workload.config,
        workload.experiment,
        workload.bare_emulator,
        steps=config.steps,
        warmup=config.warmup,
        stored=config.stored,
    )


def _lines(figures: dict[str, Any]) -> Iterator[str]:
    """The figures as lines of a table: the parts of a step first, then the rest."""
    ms, floor = figures.get("ms", {}), figures.get("floor_ms", {})
    if ms:
        yield f"  {'ms':24}{'actual':>10}{'floor':>10}{'floor / actual':>16}"
    for part in sorted(ms, key=ms.get, reverse=True):
        line = f"  {part:24}{ms[part]:10.2f}"
        if part in floor:
            line += f"{floor[part]:10.2f}{floor[part] / ms[part]:16.2f}"
        yield line
    for name, value in figures.items():
        if name.endswith("_bytes"):
            yield f"  {name.removesuffix('_bytes').replace('_', ' '):24}{value / 1e6:10,.0f} MB"
        elif name == "update_ms":
            alone = ", ".join(f"{learner} {each:.1f}" for learner, each in value.items())
            yield f"  {'ms of an update alone':24}{alone:>10}"
        elif isinstance(value, int | float):
            yield f"  {name.replace('_', ' '):24}{value:10,.2f}"


if __name__ == "__main__":
    command_line.run(main)
