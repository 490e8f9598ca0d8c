"""Measure what a trained agent can do: `python -m qmap.evaluate CKPT`.

Plays episodes with the networks of RUN/tensorflow/step_N.ckpt, which do not learn, in the world
that RUN/config.json names, or on another of its levels: for the task if there is a DQN, else from
goal to goal. Actions are sticky if they were in the run. Writes evaluation.json, episodes.csv and
with a Q-map walks.csv and evaluation.png to RUN/evaluation/step_N, of another level to
RUN/evaluation/step_N_WORLD.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import re
from collections.abc import Collection, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Any

from qmap.shipped import names, place
from qmap.utils import streams
from qmap.utils.command_line import OneLineParser, run
from qmap.utils.errors import UserError
from qmap.utils.files import atomic_file, cannot, write_json
from qmap.utils.interrupt import nothing_to_lose
from qmap.utils.quiet import quiet
from qmap.utils.terminal import progress_bar, say

MOMENTS = 3
# What there may be of an evaluation in its folder; a training's videos have other names.
FILES = re.compile(
    r"evaluation\.(json|png)|(episodes|walks)\.csv|videos/episode-\d+_score-[^_]+\.mp4"
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Evaluate as the command line says."""
    options = _parser().parse_args(arguments)
    for name, least in (
        ("episodes", 1),
        ("states", 0),
        ("max_steps", 1),
        ("seed", 0),
        ("random_start", 0),
    ):
        if getattr(options, name) < least:
            flag = f"--{name.replace('_', '-')}"
            raise UserError(f"{flag} is {getattr(options, name)}, expected at least {least}")
    if not 0 <= options.random <= 1:
        raise UserError(f"--random is {options.random}, expected a share from 0 to 1")
    # Only now is TensorFlow loaded, which takes seconds.
    with quiet(), nothing_to_lose():
        from qmap.evaluate.levels import on_level
        from qmap.evaluate.trained import find
    trained = find(place(options.checkpoint))
    origin = trained if options.level is None else on_level(trained, options.level)
    elsewhere = origin.config != trained.config
    name = f"step_{origin.step}" + f"_{origin.name}" * elsewhere
    output = options.output or origin.folder / "evaluation" / name
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot("write", output, error) from error
    print(evaluate(origin, output, options, elsewhere))
    print(output)


def evaluate(origin: Any, output: Path, options: Any, elsewhere: bool) -> str:
    """Evaluate, write everything into `output`, and return the results as text.

    What is there of an earlier evaluation goes.

    Args:
        origin: the checkpoint and its world.
        output: a folder.
        options: of the command line.
        elsewhere: whether the level is another one than was trained on.

    Raises:
        UserError: the checkpoint does not fit, or a file cannot be written.
    """
    with quiet(), nothing_to_lose():
        from qmap.agents.device import set_up
        from qmap.envs.vector import Envs
        from qmap.evaluate import picture, report
        from qmap.evaluate.levels import center
        from qmap.evaluate.navigation import Walk, navigate
        from qmap.evaluate.play import Behavior, Samples, Sights, play, random_start
        from qmap.evaluate.player import Player
        from qmap.evaluate.trained import load, true_steps
        from qmap.evaluate.watching import Watching, video_name
        from qmap.gridworld.config import GridWorldConfig
    set_up(precision=origin.config.precision)
    generator = streams.generator(options.seed, "evaluation")
    with ExitStack() as stack:
        seeds = [streams.number(options.seed, "evaluation")]
        envs = Envs(origin.make_trained_env, 1, seeds=seeds, timeout=60.0)
        stack.callback(envs.close)
        trained = load(origin, envs)
        player = Player(envs, trained.stack, trained.skip)
        if elsewhere:
            center(trained, player, streams.generator(options.seed, "centering"))
        behavior = Behavior(trained, envs.coords_shape, envs.n_actions, options.random, generator)
        sights, samples = Sights(), Samples(options.states * (trained.q_map is not None), generator)
        watching = Watching(envs, trained, output if options.video else None, MOMENTS, generator)
        stack.callback(watching.close)
        episodes = []

        def start(episode: int) -> list[int]:
            return random_start(options.seed, episode, options.random_start, envs.n_actions)

        def on_step(*step: Any) -> None:
            samples.offer(player, len(episodes) + 1)
            watching.add(behavior, *step)

        with progress_bar(options.episodes, 0, "episode") as bar:
            for episode in play(
                player, behavior, options.episodes, options.max_steps, sights, on_step, start
            ):
                watching.end(episode)
                episodes.append(episode)
                bar.update()
        results: dict[str, Any] = {
            "checkpoint": str(origin.path),
            "world": origin.name,
            "seed": options.seed,
            "random": options.random,
            "random_start": options.random_start,
            "sticky": origin.sticky,
            "episodes": report.episodes(episodes),
            "task": report.task(episodes),
        }
        walks: list[Walk] = []
        if trained.q_map is not None:
            results["sight"] = report.sight(sights)
            results["foresight"] = report.foresight(sights, sights.best_values)
            results["foresight of the action taken"] = report.foresight(sights, sights.taken_values)
            truth, on_walks = None, Sights()
            if isinstance(origin.config, GridWorldConfig):
                truth = partial(true_steps, origin.config.train_level)
            with progress_bar(len(samples.states), 0, "state") as bar:
                for episode, state in samples.states:
                    if not player.restore(state):
                        say(f"{envs.name} has no save_state: no ways to goals are measured")
                        break
                    walks += navigate(
                        player,
                        trained.q_map,
                        sights.mean_q_frames,
                        trained.gamma,
                        generator,
                        episode,
                        on_walks,
                        truth,
                    )
                    bar.update()
            if walks:
                results["sight on walks"] = report.sight(on_walks)
                results["navigation"] = report.navigation(walks)
                results["navigation within 1 cell"] = report.navigation(walks, report.came_close)
                results["calibration"] = report.calibration(walks)
        if results["episodes"]["distinct"] == 1:
            results = report.without_intervals(results)
        if trained.q_map is not None:
            title = f"{origin.name}, step {origin.step:,}, episodes: {len(episodes)}"
            figure = picture.draw(title, results, sights, walks, watching.moments)
            with atomic_file(output / "evaluation.png") as file:
                figure.savefig(file, format="png", dpi=100)
    tables = {
        name: rows for name, rows in (("episodes.csv", episodes), ("walks.csv", walks)) if rows
    }
    pictures = ["evaluation.png"] * (trained.q_map is not None)
    videos = [f"videos/{video_name(episode)}.mp4" for episode in episodes if options.video]
    _remove_others(output, ["evaluation.json", *tables, *pictures, *videos])
    for name, rows in tables.items():
        with atomic_file(output / name) as file:
            file.write(_table([dataclasses.asdict(row) for row in rows]).encode())
    write_json(output / "evaluation.json", results)
    return report.text(results)


def _remove_others(output: Path, ours: Collection[str]) -> None:
    """Remove the files of an earlier evaluation but those that this one writes.

    Args:
        output: the folder of both.
        ours: what this one writes, as paths within it.

    Raises:
        UserError: one cannot be removed.
    """
    for path in (*output.glob("*"), *output.glob("videos/*")):
        name = path.relative_to(output).as_posix()
        if FILES.fullmatch(name) and name not in ours:
            try:
                path.unlink()
            except OSError as error:
                raise cannot("remove", path, error) from error
    with suppress(OSError):  # there is none, or something is in it
        (output / "videos").rmdir()


def _table(rows: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _parser() -> OneLineParser:
    parser = OneLineParser(
        prog="python -m qmap.evaluate", description="Measure what a trained agent can do."
    )
    parser.add_argument(
        "checkpoint",
        metavar="CKPT",
        help=f"RUN/tensorflow/step_N.ckpt of a run, or an agent that ships: {', '.join(names())}",
    )
    for flag, default, metavar, words in (
        ("--episodes", 10, "N", "episodes to play"),
        ("--max-steps", 1000, "N", "steps after which an episode is cut off"),
        ("--states", 40, "N", "states of the play from which ways to goals are tried"),
        ("--seed", 0, "S", "seed of all random numbers"),
        ("--random", 0.05, "X", "share of random steps, or all episodes may be the same"),
        ("--random-start", 0, "N", "begin each episode with up to N random steps, not counted"),
    ):
        text = f"{words} (default {default})"
        parser.add_argument(flag, metavar=metavar, type=type(default), default=default, help=text)
    parser.add_argument(
        "--level", metavar="LEVEL", help="another level than the one that was trained on"
    )
    parser.add_argument(
        "--output", metavar="DIR", type=Path, help="folder (default RUN/evaluation/step_N)"
    )
    parser.add_argument(
        "--video", action="store_true", help="write the episodes as videos, as a training does"
    )
    return parser


if __name__ == "__main__":
    run(main)
