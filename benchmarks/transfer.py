"""What a trained agent sees on levels it was not trained on: `python -m benchmarks.transfer`.

Its networks do not learn. On frames of random play of each level, with sticky actions if it was
trained with them, its sight is measured with the mean frame that it was trained with, and with that
of the level, as `python -m qmap.evaluate --level` and the page take it: the share of frames whose
brightest cell is within 2 cells of the character; within 2 cells of it or of where it is going in
the next 4 steps; and the first for the mean picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.result_table import shown
from benchmarks.seeing import APART, FRAMES, SHARES, Frames, Play
from qmap.agents import device
from qmap.agents.replay import Replay
from qmap.envs.vector import Envs
from qmap.evaluate.levels import center, levels, on_level
from qmap.evaluate.player import Player
from qmap.evaluate.trained import Origin, find, load
from qmap.shipped import place
from qmap.utils import streams
from qmap.utils.command_line import option, parse, run
from qmap.utils.errors import UserError

MEANS = ("trained with", "of the level")


@dataclass(frozen=True)
class Options:
    """Whose sight is measured, and where."""

    checkpoint: str = option(
        "foxglove", "RUN/tensorflow/step_N.ckpt, or an agent that ships", metavar="CKPT"
    )
    levels: list[str] = option(
        ["1.1", "1.2", "2.1", "2.2"], "the levels", nargs="+", metavar="LEVEL"
    )
    seeds: int = option(3, "seeds of the random play", minimum=1)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table.

    Raises:
        UserError: the checkpoint is none, has no Q-map that centers frames, or no such level.
    """
    options = parse(Options, __doc__.splitlines()[0], arguments, "benchmarks.transfer")
    origin = find(place(options.checkpoint))
    device.set_up(precision=origin.config.precision)
    _, trained_on = levels(origin)
    others = [on_level(origin, level) for level in options.levels]
    print(f"{origin.name}, step {origin.step:,}, percent of {FRAMES} frames of random play\n")
    print(f"| level | mean frame | {' | '.join(SHARES)} |", f"|{'---|' * 5}", sep="\n")
    for level, other in zip(options.levels, others, strict=True):
        shares = 100 * np.array([sights(other, seed) for seed in range(options.seeds)])
        for index, mean in enumerate(MEANS):
            name = f"{level}, trained on" if level == trained_on else level
            cells = [shown(share.round()) for share in shares[:, index].T]
            print(f"| {name} | {mean} | {' | '.join(cells)} |", flush=True)


def sights(origin: Origin, seed: int) -> list[tuple[float, float, float]]:
    """Return `SHARES` of frames of random play with each of the mean frames `MEANS`.

    Raises:
        UserError: there is no Q-map that centers frames in the checkpoint.
    """
    envs = Envs(
        origin.make_trained_env, 1, seeds=[streams.number(seed, "environments")], timeout=60.0
    )
    try:
        envs.reset()
        trained = load(origin, envs)
        q_map = trained.q_map
        if q_map is None or not q_map.centers:
            raise UserError(
                f"{origin.path} has no Q-map that centers frames; expected a run with "
                "--center-frames or --recipe tuned"
            )
        shapes = (envs.frame_shape, envs.coords_shape)
        play = Play(envs, APART * FRAMES, streams.generator(seed, "benchmark"))
        replay = Replay(play.room, *shapes, stack=trained.stack, skip=trained.skip)
        frames = Frames.of(play, replay)
        before = frames.sight(q_map)
        player = Player(envs, trained.stack, trained.skip)
        center(trained, player, streams.generator(seed, "centering"))
        return [before, frames.sight(q_map)]
    finally:
        envs.close()


if __name__ == "__main__":
    run(main)
