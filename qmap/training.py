"""The training on a game: the loop, in the order of a step."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from qmap.baselines.kept_actions import KeptActions
from qmap.envs.coordinates_watch import CoordinatesWatch
from qmap.envs.vector import Envs, View, make_envs, warn_of_losses
from qmap.experiment import Episodes, Experiment
from qmap.logs import Logs
from qmap.maps import Maps
from qmap.recording import make_recording
from qmap.run import Run
from qmap.shaping import ShapedRewards
from qmap.utils.terminal import warn

if TYPE_CHECKING:
    from qmap.agents.trainable import TrainableAgent
    from qmap.game_options import GameOptions
    from qmap.utils.run_folder import RunFolder

    # From the options, the world and its copies to who plays there.
    MakeAgent = Callable[[Any, Experiment, Envs], TrainableAgent]

EXPLORATION_EVERY = 100  # steps
LEARNING_EVERY = 100  # trainings


def train(
    config: GameOptions,
    experiment: Experiment,
    program: str,
    make_agent: MakeAgent,
    opened: Callable[[RunFolder], None] = lambda folder: None,
) -> int:
    """Train until the configured number of steps, or until interrupted.

    Args:
        config: what was asked for.
        experiment: the world.
        program: the program that is running.
        make_agent: makes who plays.
        opened: is told the run's folder before it begins.

    Returns:
        The exit status: 0, or 128 plus the number of the signal that interrupted the run.

    Raises:
        UserError: something that the user gave cannot be used.
    """
    with Run(config, program, f"Q-map: {experiment.name}") as run:
        envs = run.closing(make_envs(experiment.make_env, config))
        agent = make_agent(config, experiment, envs)
        run.load_weights(agent.start_from)
        if run.interrupted:
            return run.status
        name = config.agent_name
        run.open(experiment.name, name)
        opened(run.folder)
        origin = f"{experiment.name}, {name}"
        run.weights = lambda moments: {**agent.weights(moments), "of": origin}
        training = Training(run, config, experiment, envs, agent)
        for _ in run.steps(config.steps, "step", config.stop_at):
            training.step()
        training.logs.unfinished(training.episodes)
    return run.status


class Training:
    """The agent in its world, with all that watches them.

    Args:
        run: it is open; what is restored or begun here belongs to it.
        config: what was asked for.
        experiment: the world.
        envs: copies of it.
        agent: who acts and learns.

    Raises:
        UserError: a file cannot be written, or the snapshots cannot be used.
    """

    def __init__(
        self,
        run: Run,
        config: GameOptions,
        experiment: Experiment,
        envs: Envs,
        agent: TrainableAgent,
    ) -> None:
        self.run = run
        self.config = config
        self.envs = envs
        self.agent = agent
        self.episodes = Episodes(config.envs, config.task_gamma)
        self.watch = CoordinatesWatch()
        self.maps = Maps(run.warnings, envs.cell_shape)
        self.kept = KeptActions(config.envs)
        # Only the first copy's screen is recorded: the others need not send theirs.
        envs.recording = config.videos or run.window is not None
        run.attach("agent", agent)
        run.attach("episodes", self.episodes)
        run.attach("maps", self.maps)
        run.attach("kept", self.kept)
        self.shaped = ShapedRewards(config) if config.shapes_rewards else None
        if self.shaped is not None:
            run.attach("shaped", self.shaped)
        run.attach("envs", self)
        run.at_checkpoints = self._save_counts
        if not run.resume():
            self._begin(np.ones(config.envs, bool), envs.reset())
        self.screen = envs.screen()
        if config.resume:
            self.maps.restore_pictures(run.folder, self.screen.shape[1])
        self.logs = Logs(run, agent)
        self.recording = run.closing(
            make_recording(config, experiment, run, agent, envs, self.screen.shape)
        )
        self.recording.start(self.episodes.under_way[0])
        warn_of_losses(envs)
        run.announce(config.steps, agent.snapshot_bytes, agent.growth_bytes)

    def step(self) -> None:
        """One step of every copy: act, look, remember, learn, count, log."""
        agent, envs, episodes, logs = self.agent, self.envs, self.episodes, self.logs
        actions = agent.act()
        show = self.recording.shows()
        if show and not envs.recording:
            with self.run.saved_if_the_world_fails():
                self.screen = envs.screen()
        self.recording.add(episodes.under_way[0], self.screen, int(actions[0]), show)
        with self.run.saved_if_the_world_fails():
            step = envs.step(actions)
        view = step.view
        rewards = step.rewards if self.shaped is None else self.shaped(step)
        agent.observe(
            actions,
            rewards,
            step.terminals,
            view.frames,
            view.coords,
            view.rooms,
            view.completed,
        )
        self.kept.add(actions)
        self.run.advance(self.config.envs)
        self._look(view, first=0)
        episodes.add(step.rewards, view.distances, view.completed)
        agent.train()
        ended = step.terminals | step.truncations
        if ended.any():
            self._end_episodes(np.flatnonzero(ended))
            with self.run.saved_if_the_world_fails():
                first_view = envs.restart(ended)
            self._begin(ended, first_view)
            if ended[0]:
                self.recording.start(episodes.under_way[0])
        if self.run.due(EXPLORATION_EVERY):
            logs.exploration()
            self._show_progress()
        if self.run.due(LEARNING_EVERY * agent.settings.train_every):
            logs.learning()

    def state(self) -> dict[str, Any]:
        """Return the state of the worlds."""
        return self.envs.state()

    def restore(self, state: dict[str, Any]) -> None:
        """Go on in the worlds; an episode that could not be restored is left for a new one."""
        begun, view = self.envs.restore(state)
        for env in np.flatnonzero(begun):
            self.episodes.begin(env)
        if view is not None:
            warn(
                f"{self.envs.name} has no save_state and restore_state, or failed: it begins a new "
                "episode"
            )
            self._begin(begun, view)

    def _begin(self, begun: np.ndarray, view: View) -> None:
        """Begin an episode in each copy of the mask `begun`, whose first view this is."""
        envs = np.flatnonzero(begun)
        self.kept.end(begun)
        self.agent.start(envs, view.frames, view.coords, view.rooms)
        if self.shaped is not None:
            self.shaped.begin(begun, view.positions)
        self._look(view, first=envs[0])

    def _end_episodes(self, ended: np.ndarray) -> None:
        for env in ended:
            episode = self.episodes.under_way[env]
            self.logs.episode(episode)
            if env == 0:
                self.recording.end(episode, self.episodes.bests, self.run.step)
            self.episodes.end(env)

    def _look(self, view: View, first: int) -> None:
        """Note where the characters are and what the first copy's screen shows.

        Args:
            view: of some of the copies.
            first: number of the first of them.
        """
        self.maps.add(view.rooms, view.positions, view.coords)
        if self.agent.q_map is not None:  # nobody else needs to know where the characters are
            self.watch.add(view.coords, view.clipped)
        if (message := self.watch.message()) is not None:
            warn(message)
        if first == 0:
            room, window = int(view.rooms[0]), int(view.coords[0, 2])
            if view.screen is not None:
                self.screen = view.screen
            elif self.maps.wants_screen(room, window):
                self.screen = self.envs.screen()
            self.maps.see(room, window, self.screen)

    def _save_counts(self) -> None:
        """Write where the characters have been and how long actions were kept."""
        self.maps.save(self.run.folder, self.run.step)
        with self.run.warnings.tolerate("kept actions"):
            self.kept.save(self.run.folder.path)

    def _show_progress(self) -> None:
        self.run.show(f"{self.episodes}, exploring {self.agent.balance.exploring:.0%}")
