"""Where the time goes with many copies of a game: `python -m benchmarks.scale`.

Measures the parts of a step on this machine: one copy here, copies in processes, with --ray copies
around Ray actors, the networks' passes and trainings, the bytes of an answer. From these it
computes what a step of 1, 8, 64 and 512 copies in lockstep takes, and which part the most of it.
"""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.machine import describe
from qmap.utils.command_line import option, parse, run
from qmap.utils.quiet import quiet

COPIES = (1, 8, 64, 512)
BLOCK = 10  # steps one way, before the others have their turn


@dataclass(frozen=True)
class Options:
    """What is measured, and of which cluster the time is computed."""

    game: str = option("montezuma", "the game", choices=("montezuma", "mario"))
    envs: int = option(8, "copies to measure the way to them with", choices=COPIES[1:3])
    steps: int = option(400, "steps of all copies, in blocks of 10", minimum=BLOCK)
    ray: str | None = option(None, "measure Ray too: HOST:PORT, or auto", metavar="ADDRESS")
    env_cores: int = option(16, "cores for copies, computed", minimum=1)
    gigabits: float = option(10.0, "of the network a second, computed", above=0)
    device: str = option("auto", "where the networks run", choices=("auto", "cpu", "gpu"))


@dataclass(frozen=True)
class Parts:
    """Milliseconds, unless said.

    Attributes:
        emulator: of a copy, with all its wrappers.
        message: of the learner's processor, to ask one copy and take its answer.
        answer_bytes: of one copy.
        passes: to choose the actions of so many copies.
        training: of both learners, one batch.
        train_every: steps of single copies for each.
    """

    emulator: float
    message: float
    answer_bytes: int
    passes: dict[int, float]
    training: float
    train_every: int


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, compute and print."""
    options = parse(Options, __doc__.partition("\n")[0], arguments, "benchmarks.scale")
    print(", ".join(f"{key} {value}" for key, value in describe().items()))
    with quiet():
        from benchmarks import workloads
    workload = getattr(workloads, options.game)(device=options.device)
    ways = {"here": {}, "processes": {}} | ({"Ray": {"ray": options.ray}} if options.ray else {})
    blocks = stepping(workload, options, ways)
    medians = {name: np.median(each, axis=0) for name, each in blocks.items()}
    print(f"a step of one copy here: {medians['here'][0]:.2f} ms")
    for name in list(ways)[1:]:
        wall, processor = medians[name]
        print(
            f"a step of {options.envs} copies, {name}: {wall:.2f} ms, {processor:.2f} ms of this "
            "process"
        )
    passes, training = learning(workload)
    if options.ray:
        agent = passes[options.envs] + training * options.envs / workload.config.train_every
        print(overhead(blocks["processes"][:, 0], blocks["Ray"][:, 0], agent))
    parts = Parts(
        emulator=medians["here"][0],
        message=medians[list(ways)[-1]][1] / options.envs,
        answer_bytes=answer_bytes(workload),
        passes=passes,
        training=training,
        train_every=workload.config.train_every,
    )
    print(
        f"asking a copy: {parts.message:.2f} ms and {parts.answer_bytes:,} bytes; a training of "
        f"both learners: {training:.1f} ms; a pass for " + ", ".join(
            f"{copies}: {each:.1f}" for copies, each in passes.items()
        ) + " ms"
    )  # fmt: skip
    print(*table(parts, options.env_cores, options.gigabits), sep="\n")


def table(parts: Parts, cores: int, gigabits: float) -> list[str]:
    """Return a line for each number of copies: the parts of a step of all, and their steps/s."""
    names = ("emulators", "messages", "wire", "pass", "training")
    lines = [f"{'copies':>6}" + "".join(f"{name:>11}" for name in names) + f"{'steps/s':>11}  most"]
    for copies in parts.passes:
        spent = budget(parts, copies, cores, gigabits)
        cells = "".join(f"{spent[name]:11.2f}" for name in names)
        speed = 1000 * copies / sum(spent.values())
        lines.append(f"{copies:6}{cells}{speed:11,.0f}  {max(spent, key=spent.get)}")
    return lines


def budget(parts: Parts, copies: int, cores: int, gigabits: float) -> dict[str, float]:
    """Return the milliseconds of a step of all copies in lockstep: one part after the other.

    Args:
        parts: what was measured.
        copies: of the game.
        cores: that they share.
        gigabits: that the network takes a second.
    """
    return {
        "emulators": parts.emulator * -(-copies // cores),
        "messages": parts.message * copies,
        "wire": 1000 * 8 * parts.answer_bytes * copies / (gigabits * 1e9),
        "pass": parts.passes[copies],
        "training": parts.training * copies / parts.train_every,
    }


def stepping(
    workload: Any, options: Options, ways: dict[str, dict[str, Any]]
) -> dict[str, np.ndarray]:
    """Return what a step of all copies takes each way, block by block, taking turns.

    Returns:
        Milliseconds that pass, and of this process's processor time, (blocks, 2).
    """
    from qmap.envs.vector import Envs

    blocks = {name: [] for name in ways}
    with ExitStack() as stack:
        opened = {}
        # What lives here comes last: for the others an environment is looked at here for a moment,
        # and an emulator may allow only one in a process.
        for name, way in reversed(ways.items()):
            count = 1 if name == "here" else options.envs
            envs = Envs(workload.experiment.make_env, count, seeds=range(count), timeout=600, **way)
            opened[name] = stack.enter_context(closing(envs))
            envs.reset()
        for _ in range(options.steps // BLOCK):
            for name in ways:
                blocks[name].append(step_of(opened[name], BLOCK))
    return {name: np.array(each) for name, each in blocks.items()}


def overhead(processes: np.ndarray, ray: np.ndarray, agent: float) -> str:
    """Return what Ray costs, in words.

    Args:
        processes: milliseconds of a step of all copies in processes, a number a block.
        ray: the same on Ray, in the blocks right after those.
        agent: what the pass and the trainings of such a step take.
    """
    # Neighbours saw the same machine; whatever else it does comes and goes.
    more = float(np.median(ray / processes)) - 1
    step = float(np.median(processes))
    return (
        f"Ray costs {more:.1%} of a step of the copies, and {more * step / (step + agent):.2%} of "
        "one with its pass and its trainings"
    )


def step_of(envs: Any, steps: int) -> tuple[float, float]:
    """Return the milliseconds of a step of all copies with random actions; see `stepping`."""
    generator = np.random.default_rng(0)
    started = time.perf_counter(), time.process_time()
    for _ in range(steps):
        step = envs.step(generator.integers(envs.n_actions, size=envs.n_envs))
        if (ended := step.terminals | step.truncations).any():
            envs.restart(ended)
    wall, processor = time.perf_counter() - started[0], time.process_time() - started[1]
    return 1000 * wall / steps, 1000 * processor / steps


def answer_bytes(workload: Any) -> int:
    """Return the size of a copy's answer to a step."""
    from qmap.envs.vector import _checked
    from qmap.envs.worker import Copy

    world = _checked(workload.experiment.make_env)
    copy = Copy(workload.experiment.make_env(), world, "copy")
    try:
        copy.reset(0, screen=False)
        return len(pickle.dumps((True, copy.step(0, screen=False))))
    finally:
        copy.close()


def learning(workload: Any) -> tuple[dict[int, float], float]:
    """Return the milliseconds of a pass for each number of copies, and of a training of both."""
    from qmap.agents.device import set_up
    from qmap.agents.replay import Transitions
    from qmap.envs.vector import _checked
    from qmap.make_agent import make_agent

    config, world = workload.config, _checked(workload.experiment.make_env)
    set_up(device=config.device)
    agent = make_agent(
        config,
        workload.experiment.dqn,
        world.frame_shape,
        world.coords_shape,
        len(world.action_names),
    )
    height, width, channels = world.frame_shape
    generator = np.random.default_rng(0)

    def observations(count: int) -> np.ndarray:
        shape = (count, height, width, channels * config.stack)
        return generator.integers(256, size=shape, dtype=np.uint8)

    count, (rows, cols) = config.batch, world.coords_shape
    batch = Transitions(
        observations=observations(count),
        actions=generator.integers(len(world.action_names), size=count, dtype=np.int32),
        rewards=np.zeros((count, 1), np.float32),
        next_observations=observations(count),
        rows=generator.integers(rows, size=(count, 1), dtype=np.int32),
        cols=generator.integers(cols, size=(count, 1), dtype=np.int32),
        window_shifts=np.zeros((count, 1), np.int32),
        terminals=np.zeros((count, 1), bool),
        lengths=np.ones(count, np.int32),
    )
    weights = np.ones(count, np.float32)
    passes = {}
    for copies in COPIES:
        seen = observations(copies)
        passes[copies] = milliseconds(
            lambda seen=seen: agent.networks.evaluate(seen, q_frames=True, greedy_actions=True)
        )
    training = milliseconds(lambda: [each.train(batch, weights) for each in agent.learners])
    return passes, training


def milliseconds(call: Callable[[], Any]) -> float:
    """Return the median time of a call, the first two left out."""
    times = []
    for _ in range(12):
        started = time.perf_counter()
        call()
        times.append(1000 * (time.perf_counter() - started))
    return float(np.median(times[2:]))


if __name__ == "__main__":
    run(main)
