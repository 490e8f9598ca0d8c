"""A training from a demonstration: rollouts, updates, and what is written down of them."""

from __future__ import annotations

import time

import numpy as np

from qmap.agents.means import Means
from qmap.demonstration.actions_file import write_actions
from qmap.demonstration.config import DEMONSTRATION, DemonstrationConfig
from qmap.demonstration.network import RecurrentPolicy
from qmap.demonstration.ppo import PPO, Losses
from qmap.demonstration.rollout import Rollout
from qmap.demonstration.rollouts import Rollouts
from qmap.demonstration.starts import PARTS, Starts
from qmap.demonstration.trail import Trail
from qmap.demonstration.watching import Watching
from qmap.envs.vector import Envs
from qmap.experiment import Experiment
from qmap.logs import COMPLETED, SCORE
from qmap.run import Run
from qmap.utils import streams
from qmap.utils.picture import Picture
from qmap.utils.terminal import say
from qmap.utils.video import VideoRecorder

AGENT = "demonstration"
LOG_EVERY = 5  # updates
STARTS = (
    "steps",
    "start",
    "success from the start",
    *(f"success from part {part} of {PARTS}" for part in range(1, PARTS + 1)),
)
LEARNING = (
    "steps",
    "policy loss",
    "value loss",
    "entropy",
    "clipped steps",
    "steps per second",
)


def train(
    config: DemonstrationConfig,
    world: Experiment,
    trail: Trail,
    program: str,
) -> int:
    """Train until the configured number of steps, or until interrupted.

    Args:
        config: what was asked for.
        world: where.
        trail: the demonstration.
        program: the program that is running.

    Returns:
        The exit status: 0, or 128 plus the number of the signal that interrupted the run.

    Raises:
        UserError: something that the user gave cannot be used.
    """
    with Run(config, program, f"Q-map: {world.name}, from a demonstration") as run:
        seeds = [streams.number(config.seed, "environments", env) for env in range(config.envs)]
        envs = run.closing(
            Envs(world.make_env, config.envs, seeds=seeds, timeout=config.env_timeout)
        )
        ppo = make_ppo(config, envs, trail)
        run.load_weights(lambda loaded: ppo.restore_weights(loaded[ppo.name]))
        if run.interrupted:
            return run.status
        run.open(world.name, AGENT)
        if not config.resume:
            write_actions(run.folder.path / DEMONSTRATION, world.name, trail.steps)
        run.weights = lambda moments: {
            ppo.name: ppo.weights(moments),
            "of": f"{world.name}, {AGENT}",
        }
        training = Training(run, config, envs, ppo, trail)
        for _ in run.steps(config.steps, "step", config.stop_at):
            training.step()
    return run.status


def make_ppo(config: DemonstrationConfig, envs: Envs, trail: Trail) -> PPO:
    """Make the policy, which knows how the demonstration looks on average, and what learns it."""
    height, width, channels = envs.frame_shape
    network = RecurrentPolicy(
        (height, width, channels * config.stack),
        envs.n_actions,
        config.units,
        streams.number(config.seed, "networks"),
    )
    network.center.observe(np.tile(trail.frames.mean(axis=0), config.stack)[None])
    return PPO(
        network,
        learning_rate=config.lr,
        clip=config.clip,
        entropy_weight=config.entropy,
        value_weight=config.value,
        clip_norm=config.clip_norm,
    )


class Training:
    """The policy in its world, with all that watches it.

    Args:
        run: it is open; what is restored or begun here belongs to it.
        config: what was asked for.
        envs: copies of the world.
        ppo: who acts and learns.
        trail: the demonstration.

    Raises:
        UserError: a file cannot be written, or the snapshots cannot be used.
    """

    def __init__(
        self, run: Run, config: DemonstrationConfig, envs: Envs, ppo: PPO, trail: Trail
    ) -> None:
        self.run = run
        self.config = config
        self.ppo = ppo
        self.trail = trail
        self.means = Means()
        self.starts = Starts(
            len(trail),
            config.envs,
            spread=config.spread,
            own=config.own,
            threshold=config.threshold,
            rollouts=config.rollouts,
            back=config.back,
            generator=streams.generator(config.seed, "acting", 1),
        )
        self.rollouts = Rollouts(
            envs,
            trail,
            self.starts,
            ppo,
            streams.generator(config.seed, "acting"),
            stack=config.stack,
            gamma=config.gamma,
            trace=config.trace,
            signs=config.signs,
            lag=config.lag,
            deficit=config.deficit,
            warm_up=config.warm_up,
            watching=self._watching(envs),
        )
        self._sampling = streams.generator(config.seed, "sampling")
        envs.recording = self.rollouts.watching.looks
        # The weights first: rollouts that have to begin anew are remembered with them.
        run.attach("learning", self)
        for name in ("starts", "rollouts", "means"):
            run.attach(name, getattr(self, name))
        if not run.resume():
            self.rollouts.begin()
        self._starts_log = run.log("demonstration", STARTS)
        self._learning_log = run.log("learning", LEARNING)
        self._score_log = run.log("score", SCORE)
        self._completed_log = run.log("completed", COMPLETED)
        self._clock = (run.step, time.monotonic())
        run.announce(config.steps)
        say(
            f"the demonstration scores {trail.returns[-1]:g} in {len(trail):,} steps; the start is "
            f"before step {self.starts.start + 1:,}"
        )

    def step(self) -> None:
        """Some steps of every copy, the updates from them, and what is written down of both."""
        config = self.config
        with self.run.saved_if_the_world_fails():
            done, ended = self.rollouts.collect(config.horizon)
        sequences = done.cut(config.sequence)
        for _ in range(config.epochs):
            order = self._sampling.permutation(config.sequences)
            for part in np.split(order, config.minibatches):
                self._count(self.ppo.train(sequences.of(part)))
        self.run.advance(config.horizon * config.envs)
        for rollout in ended:
            self._log_rollout(rollout)
        if self.run.due(LOG_EVERY * config.horizon * config.envs):
            self._log()

    def state(self) -> dict[str, object]:
        """Return what was learned, and what the order of learning depends on."""
        return {
            "weights": self.ppo.weights(),
            "sampling": self._sampling.bit_generator.state,
        }

    def restore(self, state: dict[str, object]) -> None:
        """Continue from what `state` returned."""
        self.ppo.restore_weights(state["weights"])
        self._sampling.bit_generator.state = state["sampling"]

    def _watching(self, envs: Envs) -> Watching:
        picture = Picture(
            envs.coords_shape,
            self.trail.screen_shape,
            q_map=False,
            frame_channels=envs.frame_shape[-1],
            on_grid=self.config.shows_places,
        )
        videos = None
        if self.config.videos:
            with self.run.warnings.tolerate("videos"):
                videos = VideoRecorder(
                    self.run.folder.subfolder("videos"), picture.draw, patience=2.0
                )
        return self.run.closing(Watching(picture, videos, self.run.window, envs.action_names))

    def _count(self, losses: Losses) -> None:
        for name, value in zip(LEARNING[1:-1], losses, strict=True):
            self.means.add(name, value)

    def _log_rollout(self, rollout: Rollout) -> None:
        """Write a rollout from the beginning: an episode as of any agent."""
        if rollout.start > 0:
            return
        returns = (rollout.undiscounted_return, rollout.discounted_return)
        self._score_log.write(self.run.step, *returns, rollout.length)
        if rollout.completed:
            self._completed_log.write(self.run.step, rollout.undiscounted_return)

    def _log(self) -> None:
        start, shares = self.starts.start, self.starts.take()
        self._starts_log.write(self.run.step, start, *shares)
        (step, then), self._clock = self._clock, (self.run.step, time.monotonic())
        speed = (self.run.step - step) / (self._clock[1] - then)
        means = [self.means.take(name) for name in LEARNING[1:-1]]
        self._learning_log.write(self.run.step, *means, speed)
        share = "" if shares[0] is None else f", {shares[0]:.0%} as well as it from there"
        self.run.show(f"start {start:,} of {len(self.trail):,}{share}")
