"""All goals at once against every other way to learn them: `python -m benchmarks.all_goals`.

`--part learning` trains every learner with every seed on fresh mazes, for as many seconds each, and
looks now and then at mazes that are never trained on. All have the same encoder and optimizer and,
seed by seed, the same transitions in the same order, so that they can be compared at equal numbers
of transitions as well as at equal time; one more learns all goals with the published settings. A
run that is in the table is not repeated. `--part cost` measures an update by the number of goals,
`--part worlds` the sampling and the truth of mazes. Seconds are those of the processor, all cores
together, so that other programs do not count.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from benchmarks.machine import describe
from benchmarks.result_table import add_run, read_table, rows_of
from qmap.all_goals.learners import ALL_GOALS, LEARNERS, RELABELLING
from qmap.all_goals.models import MODELS_OF_ONE_GOAL
from qmap.utils import streams
from qmap.utils.command_line import option, parse, run
from qmap.utils.curves import student_interval
from qmap.utils.files import atomic_file

BATCH, GAMMA = 32, 0.9
PUBLISHED = "all-goals-published"
COMPARED = (*LEARNERS, PUBLISHED)
SIZES = (7, 15, 31, 63)
PAIRS = 256  # of a step and a goal: what relabelling is measured on
COLUMNS = ("model", "size", "learner", "seed", "transitions", "seconds", "error", "arrived")
PARTS = ("learning", "cost", "worlds")


@dataclass(frozen=True)
class Settings:
    """How an update learns, but for which goals.

    Attributes:
        learning_rate: Adam's.
        double_order: of double Q-learning.
        small_start: whether Q-values start a tenth as large.
        soft_target: how far the target network moves after each update; 0 for copies.
        copy_every: updates between copies.
    """

    learning_rate: float = 1e-3
    double_order: str = "usual"
    small_start: bool = True
    soft_target: float = 0.01
    copy_every: int = 1000


AS_PUBLISHED = Settings(1e-4, "reference", small_start=False, soft_target=0)


@dataclass(frozen=True)
class Options:
    """What is measured."""

    part: list[str] = option(list(PARTS), "what to measure", nargs="+", choices=PARTS)
    learners: list[str] = option(list(COMPARED), "who learns", nargs="+", choices=COMPARED)
    model: str = option("convdeconv1", "network, or its encoder", choices=MODELS_OF_ONE_GOAL)
    size: int = option(15, "size of the mazes", minimum=5)
    seeds: int = option(3, "seeds of each learner", minimum=1)
    seconds: int = option(
        600, "processor seconds of training for each run, looks not counted", minimum=1
    )
    looks: int = option(8, "looks at the test mazes, as far apart in time", minimum=1)
    mazes: int = option(20, "test mazes that are looked at", minimum=1)
    updates: int = option(20, "updates of which the cost is the median", minimum=1)
    results: str = option("qmap_results/all_goals.csv", "table of the runs", metavar="CSV")
    costs: str = option("qmap_results/all_goals_cost.csv", "table of the costs", metavar="CSV")
    picture: str | None = option(None, "also draw what was measured", metavar="PNG")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what is missing, then print the tables."""
    options = parse(Options, __doc__.splitlines()[0], arguments, "benchmarks.all_goals")
    print(", ".join(f"{name} {value}" for name, value in describe().items()))
    if "worlds" in options.part:
        print_worlds()
    if "cost" in options.part:
        print_costs(options)
    if "learning" in options.part:
        for seed in range(options.seeds):
            for learner in options.learners:
                train(options, learner, seed)
        print_learning(options)
    if options.picture:
        draw(options)


def train(options: Options, learner: str, seed: int) -> None:
    """Train, unless the table has the run already, and put what was seen into the table."""
    run_of = {"model": options.model, "size": options.size, "learner": learner, "seed": seed}
    path = Path(options.results)
    if len(rows_of(read_table(path, COLUMNS), **run_of)):
        return
    rows = list(looks(options, learner, seed))
    add_run(path, COLUMNS, run_of, rows)


def looks(options: Options, learner: str, seed: int) -> Iterator[tuple[float, ...]]:
    """Train and yield transitions, seconds of training, squared error and share of arrivals."""
    from qmap.all_goals.evaluation import evaluate
    from qmap.all_goals.worlds import draw_mazes, maze_test_set, sample

    with streams.lent(seed, "networks"):
        made = _learner(learner, options.model, options.size)
    test_set = maze_test_set(options.size, 0.1, 500).first(options.mazes)
    transitions, choices = (streams.generator(seed, name) for name in ("transitions", "sampling"))
    draw_worlds = draw_mazes(options.size, 0.1)
    settings = settings_of(learner)
    # The first update compiles; it is taken back.
    weights, other = made.weights(), streams.generator(seed, "benchmark")
    made.learn(sample(draw_worlds, other, BATCH), other)
    made.update_target(settings.soft_target or 1.0)
    made.restore_weights(weights)
    updates, seconds = 0, 0.0
    for look in range(options.looks + 1):
        until = options.seconds * look / options.looks
        while seconds < until:
            start = time.process_time()
            made.learn(sample(draw_worlds, transitions, BATCH), choices)
            updates += 1
            if settings.soft_target:
                made.update_target(settings.soft_target)
            elif updates % settings.copy_every == 0:
                made.update_target()
            seconds += time.process_time() - start
        found = evaluate(made, test_set, GAMMA)
        row = (updates * BATCH, seconds, found.mean_squared_error, found.bands[0].arrived)
        print(f"{learner}, seed {seed}: {row[0]:,} in {seconds:.0f} s: {row[2]:.4f} {row[3]:.1%}")
        yield row


def print_learning(options: Options) -> None:
    """Print the learners at equal transitions and at equal time, and how many all goals spare."""
    table = rows_of(read_table(Path(options.results), COLUMNS), model=options.model)
    table = rows_of(table, size=options.size)
    equal = int(rows_of(table, learner=ALL_GOALS).groupby("seed")["transitions"].max().min())
    print(f"\nmazes of {options.size} x {options.size}, {options.model}, never seen; mean of the")
    print("seeds, with two or more its interval of 95 percent: error, arrived within 15 steps")
    print(
        f"{'':19} {f'at {equal:,} transitions':44} {f'at {options.seconds} seconds':44} updates/s"
    )
    arrived = {}
    for learner in options.learners:
        runs = [each for _, each in rows_of(table, learner=learner).groupby("seed")]
        rates = [each["transitions"].max() / BATCH / each["seconds"].max() for each in runs]
        # Who is too slow for as many transitions has no value there.
        at_equal = [at(each, "transitions", equal) for each in runs]
        at_end = [at(each, "seconds", options.seconds) for each in runs]
        columns = "".join(f" {shown(values):44}" for values in (at_equal, at_end))
        print(f"{learner:19}{columns} {np.mean(rates):.2f}")
        arrived[learner] = np.mean([end[1] for end in at_end])
    ours = (ALL_GOALS, PUBLISHED)
    others = {name: share for name, share in arrived.items() if name not in ours}
    if others and ALL_GOALS in arrived:
        best = max(others, key=others.get)
        print(spared(table, best))


def at(rows: pd.DataFrame, column: str, value: float) -> tuple[float, float]:
    """Return error and arrivals of a run where a column has a value, NaN before it gets there."""
    if rows[column].max() < value * 0.99:
        return np.nan, np.nan
    return tuple(float(np.interp(value, rows[column], rows[name])) for name in ("error", "arrived"))


def spared(table: pd.DataFrame, best: str) -> str:
    """Say how many transitions all goals need for the best that another learner achieves."""
    factors = []
    for seed, ours in rows_of(table, learner=ALL_GOALS).groupby("seed"):
        theirs = rows_of(table, learner=best, seed=seed)
        if not len(theirs):
            continue
        top = theirs.loc[theirs["arrived"].idxmax()]
        reached = ours[ours["arrived"] >= top["arrived"]]
        if len(reached):
            factors.append(top["transitions"] / max(reached["transitions"].iloc[0], BATCH))
    if not factors:
        return f"all goals at once never arrive as often as the best of the others, {best}"
    values = ", ".join(f"{factor:.1f}" for factor in factors)
    return (
        f"the best of the others is {best}; for its best share of arrivals it needs {values} times "
        "the transitions (a number a seed; looks are far apart)"
    )


def shown(values: list[tuple[float, float]]) -> str:
    """Return errors and arrivals of the seeds as text: mean, and interval where there is one."""
    texts = []
    for column, form in zip(np.array(values, float).reshape(-1, 2).T, (".4f", ".1%"), strict=True):
        if not len(column) or np.isnan(column).any():
            texts.append("-")
            continue
        text = format(column.mean(), form)
        if len(column) > 1:
            low, high = student_interval(column[:, None], 95)
            text += f" [{low[0]:{form}}, {high[0]:{form}}]"
        texts.append(text)
    return ", ".join(texts)


def print_costs(options: Options) -> None:
    """Print the milliseconds of an update by the number of goals, and goals a second."""
    print(f"\n{options.model}, batches of {BATCH}; relabelling from one pass of {PAIRS} pairs")
    print(f"{'goals':>6} {'all at once':>12} {'relabelling':>14} {'ratio':>7}  goals a second")
    rows = []
    for size in SIZES:
        goals, *seconds = cost(options, size)
        rows.append((goals, *(1e3 * each for each in seconds)))
        rates = [BATCH * goals / each for each in seconds]
        print(
            f"{goals:6} {rows[-1][1]:9.1f} ms {rows[-1][2]:11,.0f} ms "
            f"{seconds[1] / seconds[0]:7.0f}  {rates[0]:,.0f} and {rates[1]:,.0f}",
            flush=True,
        )
    table = pd.DataFrame(rows, columns=["goals", "all at once", "relabelling"])
    Path(options.costs).parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(Path(options.costs)) as file:
        table.to_csv(file, index=False, float_format="%.6g", lineterminator="\n")


def cost(options: Options, size: int) -> tuple[int, float, float]:
    """Return goals of a screen, seconds of an update at once, and those of relabelling.

    Relabelling is a sum over pairs of a step and a goal: the time of a few is taken times their
    number, without the step of the optimizer.
    """
    from qmap.all_goals.goal_learner import with_goals
    from qmap.all_goals.worlds import draw_mazes, sample
    from qmap.envs.walks import Walks

    generator = streams.generator(0, "benchmark")
    walks = sample(draw_mazes(size, 0.1), generator, BATCH)
    side = walks.observations.shape[1]
    ours = _learner(ALL_GOALS, options.model, size)
    theirs = _learner(RELABELLING, options.model, size)
    steps = generator.integers(BATCH, size=PAIRS)
    cells = generator.integers(side, size=(PAIRS, 2))
    pairs = with_goals(Walks(*(each[steps] for each in walks)), cells)
    at_once = _median(lambda: ours.learn(walks, generator), options.updates)
    one_pass = _median(lambda: theirs.gradients(pairs)[1].numpy(), options.updates)
    return side**2, at_once, one_pass * BATCH * side**2 / PAIRS


def print_worlds() -> None:
    """Print what a batch of fresh mazes costs, and the truth of a test set."""
    from qmap.all_goals.worlds import draw_boards, draw_mazes, sample
    from qmap.envs.maze_paths import distances_after

    generator = streams.generator(0, "benchmark")
    kinds = {f"mazes of {size} x {size}": draw_mazes(size, 0.1) for size in SIZES}
    kinds["boards of 10 x 10 with 2 boxes"] = draw_boards(10, 2, "character")
    for name, draw_worlds in kinds.items():
        seconds = _median(lambda worlds=draw_worlds: sample(worlds, generator, BATCH), 50)
        print(f"a batch of {BATCH} {name}: {1e3 * seconds:.2f} ms")
    mazes = draw_mazes(15, 0.1)(generator, 500).everywhere()
    start = time.process_time()
    distances_after(mazes)
    print(
        f"the truth of 500 mazes of 15 x 15, from all {len(mazes):,} free cells: "
        f"{time.process_time() - start:.1f} s"
    )


def draw(options: Options) -> None:
    """Draw the curves of the learners and the cost of an update by the number of goals."""
    has_costs = Path(options.costs).is_file()
    panels = 3 if has_costs else 2
    figure = Figure(figsize=(4.4 * panels, 4.3), layout="constrained")
    by_samples, by_time, *by_goals = figure.subplots(1, panels)
    table = rows_of(read_table(Path(options.results), COLUMNS), model=options.model)
    table = rows_of(table, size=options.size)
    for number, learner in enumerate(options.learners):
        runs = [each for _, each in rows_of(table, learner=learner).groupby("seed")]
        for axes, column in ((by_samples, "transitions"), (by_time, "seconds")):
            for label, each in zip([learner, *[None] * len(runs)], runs, strict=False):
                style = {"color": f"C{number}", "marker": "o", "markersize": 3, "label": label}
                axes.plot(each[column], each["arrived"], **style)
    by_samples.set(xlabel="transitions", ylabel="arrived at goals within 15 steps")
    by_time.set(xlabel="processor seconds of training")
    figure.legend(*by_time.get_legend_handles_labels(), loc="outside lower center", ncols=7)
    if has_costs:
        costs = pd.read_csv(options.costs)
        for name in ("all at once", "relabelling"):
            by_goals[0].loglog(costs["goals"], costs[name], "o-", label=name)
        by_goals[0].legend(frameon=False)
        by_goals[0].set(xlabel="goals", ylabel=f"milliseconds of an update of {BATCH}")
    with atomic_file(Path(options.picture)) as file:
        figure.savefig(file, format="png", dpi=110)


def settings_of(learner: str) -> Settings:
    """Return the settings of a learner: all have the same, but for the published ones."""
    return AS_PUBLISHED if learner == PUBLISHED else Settings()


def _learner(learner: str, model: str, size: int):  # noqa: ANN202
    from qmap.all_goals.learners import make_learner
    from qmap.envs.walks import ACTION_NAMES, screen_size

    settings = settings_of(learner)
    return make_learner(
        ALL_GOALS if learner == PUBLISHED else learner,
        model,
        (screen_size(size), screen_size(size), 3),
        len(ACTION_NAMES),
        small_start=settings.small_start,
        learning_rate=settings.learning_rate,
        gamma=GAMMA,
        clip_norm=1000.0,
        double_order=settings.double_order,
    )


def _median(work: Callable[[], object], repetitions: int) -> float:
    work()
    times = []
    for _ in range(repetitions):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return statistics.median(times)


if __name__ == "__main__":
    run(main)
