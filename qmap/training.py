"""The training loop that the games share, and everything a run leaves behind."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
import time
from typing import Any

import numpy as np
from gymnasium.vector import VectorEnv
from tqdm import tqdm

from qmap.agents.agent import Agent
from qmap.agents.learner import all_finite
from qmap.config import TrainingConfig
from qmap.envs.vector import close_vector, make_vector, masked
from qmap.experiment import Experiment
from qmap.make_agent import agent_name, make_agent
from qmap.maps import Maps
from qmap.recording import Bests, Episode, Recording
from qmap.start import new_folder, start
from qmap.utils import checkpoint, snapshots
from qmap.utils.csv_logger import CSVLogger
from qmap.utils.errors import UserError
from qmap.utils.interrupt import Interrupt
from qmap.utils.picture import Picture
from qmap.utils.progress import progress_bar
from qmap.utils.run_folder import RunFolder
from qmap.utils.tolerance import Tolerance
from qmap.utils.video import VideoRecorder
from qmap.utils.window import LiveWindow

SCORE_COLUMNS = ("steps", "undiscounted_return", "discounted_return", "episode_length")
EXPLORATION_COLUMNS = (
    "steps",
    "planned_exploration",
    "current_exploration",
    "random_actions",
    "goal_actions",
    "greedy_actions",
)
EXPLORATION_EVERY = 100


def train(config: TrainingConfig, experiment: Experiment, program: str) -> int:
    """Train until the configured number of steps, or until interrupted.

    Returns:
        The exit status: 0, or 128 plus the number of the signal that interrupted the run.

    Raises:
        UserError: something that the user gave cannot be used.
    """
    if config.min_goal > config.max_goal:
        raise UserError(f"--min-goal {config.min_goal} is above --max-goal {config.max_goal}")
    needed = (config.stack - 1) * config.skip + 2
    if config.replay // config.envs < needed:
        raise UserError(
            f"--replay {config.replay} is too small: expected at least {needed * config.envs} "
            f"for --stack {config.stack}, --skip {config.skip} and --envs {config.envs}"
        )
    with contextlib.ExitStack() as stack:
        interrupt = stack.enter_context(Interrupt())
        # What can be refused comes first: nothing is written before it is all there.
        window = LiveWindow(f"Q-map: {experiment.name}") if config.render else None
        folder, loaded = start(config, program, stack)
        envs = make_vector(experiment.make_env, config.envs)
        stack.callback(close_vector, envs)
        agent = make_agent(
            config,
            experiment,
            envs.single_observation_space.shape,
            tuple(envs.get_attr("coords_shape")[0]),
            int(envs.single_action_space.n),
        )
        if loaded is not None:
            with checkpoint.fitting(config.load, "agent", "networks, observations and actions"):
                agent.restore_weights(loaded)
        if interrupt.signal is not None:
            return interrupt.status
        if folder is None:
            folder = new_folder(config, program, experiment.name, agent_name(config), stack)
        training = Training(config, experiment, envs, agent, folder, window)
        stack.callback(training.close)
        try:
            return training.run(interrupt)
        except (EOFError, ConnectionError) as error:
            if config.envs == 1:
                raise
            raise UserError(
                f"the process of an environment died at step {agent.step:,}, for want of memory "
                f"maybe; go on with: {folder.resume_command}"
            ) from error


class Training:
    """A run: the agent in its environments, the logs, the videos and the snapshots.

    Args:
        config: what was asked for; with `resume`, the run goes on from its last snapshot.
        experiment: the game.
        envs: copies of it, see `make_vector`.
        agent: who acts and learns.
        folder: where the results go.
        window: shows every step live, None for no window.

    Raises:
        UserError: a file cannot be written, or there is no snapshot to go on from.
    """

    def __init__(
        self,
        config: TrainingConfig,
        experiment: Experiment,
        envs: VectorEnv,
        agent: Agent,
        folder: RunFolder,
        window: LiveWindow | None,
    ) -> None:
        self.config = config
        self.envs = envs
        self.agent = agent
        self.folder = folder
        self.bests = Bests()
        self.last_score = 0.0
        self.episodes = [Episode(number) for number in range(1, config.envs + 1)]
        self._tolerate = Tolerance()
        self.maps = Maps(self._tolerate)
        self._saved_step = -1
        # Only the first environment's screen is recorded: the others need not send theirs.
        watched = config.videos or window is not None
        envs.set_attr("recording", [watched and env == 0 for env in range(config.envs)])
        if not config.resume or not self._restore():
            self._start()
        self.screen: np.ndarray = envs.call("screen")[0]
        if config.resume:
            self.maps.restore_pictures(folder, self.screen.shape[1])
        self.recording = self._make_recording(experiment, window)
        resume_at = self._saved_step if config.resume else None
        self.score_log = CSVLogger(folder.path / "score.csv", SCORE_COLUMNS, resume_at)
        self.exploration_log = CSVLogger(
            folder.path / "exploration.csv", EXPLORATION_COLUMNS, resume_at
        )

    def run(self, interrupt: Interrupt) -> int:
        """Train until the last step or a signal; return the exit status."""
        agent, config = self.agent, self.config
        if config.resume and agent.step >= config.last_step:
            print(
                f"{self.folder.path} is finished: all of its {config.last_step:,} steps are done; "
                "--load starts a new run from its last checkpoint",
                file=sys.stderr,
            )
        else:
            print(f"results: {self.folder.path}, from step {agent.step:,}", file=sys.stderr)
        self.recording.start(self.episodes[0])
        with progress_bar(config.last_step, agent.step, "step") as bar:
            while agent.step < config.last_step and interrupt.signal is None:
                try:
                    self._step()
                except FloatingPointError as error:
                    raise self._diverged(str(error)) from error
                bar.update(config.envs)
                if agent.due(EXPLORATION_EVERY):
                    bar.set_postfix_str(self._progress(), refresh=False)
                    self._log_exploration()
                if agent.due(config.save_every):
                    self._save_snapshot()
                if agent.due(config.checkpoint_every):
                    self._save_checkpoint()
                    self.maps.save(self.folder, agent.step)
            bar.set_postfix_str(self._progress())
            self._save_snapshot()
            self._save_checkpoint()
            self.maps.save(self.folder, agent.step)
        if interrupt.signal is not None:
            print(
                f"stopped at step {agent.step:,}; go on with: {self.folder.resume_command}",
                file=sys.stderr,
            )
        return interrupt.status

    def close(self) -> None:
        """Finish the videos and close the files."""
        self.recording.close()
        self.score_log.close()
        self.exploration_log.close()

    def _start(self) -> None:
        seeds = [self.config.seed + env for env in range(self.config.envs)]
        frames, infos = self.envs.reset(seed=seeds)
        self._begin_episodes(np.ones(self.config.envs, bool), frames, infos)

    def _step(self) -> None:
        actions = self.agent.act()
        self.recording.add(self.episodes[0], self.screen, int(actions[0]))
        frames, rewards, terminals, truncations, infos = self.envs.step(actions)
        everywhere = np.ones(len(actions), bool)
        coords = masked(infos, "coords", everywhere)
        self.agent.observe(actions, rewards, terminals, frames, coords)
        self._look(infos, everywhere)
        for env, (episode, reward) in enumerate(zip(self.episodes, rewards, strict=True)):
            episode.add(float(reward), self.config.dqn_gamma)
            if "distance" in infos:
                episode.distance = int(infos["distance"][env])
        self.agent.train()
        ended = terminals | truncations
        if ended.any():
            self._end_episodes(ended)
            frames, infos = self.envs.reset(options={"reset_mask": ended})
            self._begin_episodes(ended, frames, infos)
            if ended[0]:
                self.recording.start(self.episodes[0])

    def _begin_episodes(self, mask: np.ndarray, frames: np.ndarray, infos: dict[str, Any]) -> None:
        self.agent.start(np.flatnonzero(mask), frames[mask], masked(infos, "coords", mask))
        self._look(infos, mask)

    def _end_episodes(self, ended: np.ndarray) -> None:
        for env in np.flatnonzero(ended):
            episode = self.episodes[env]
            self.score_log.write(
                self.agent.step,
                episode.undiscounted_return,
                episode.discounted_return,
                episode.length,
            )
            if env == 0:
                self.recording.end(episode, self.bests, self.agent.step)
            self.bests.update(episode)
            self.last_score = episode.undiscounted_return
            self._next_episode(env)

    def _next_episode(self, env: int) -> None:
        self.episodes[env] = Episode(max(episode.number for episode in self.episodes) + 1)

    def _look(self, infos: dict[str, Any], mask: np.ndarray) -> None:
        """Note where the characters are and what the first environment's screen shows."""
        rooms = masked(infos, "room", mask)
        coords = masked(infos, "coords", mask)
        self.maps.add(rooms, masked(infos, "position", mask), coords)
        if mask[0]:
            room, window = int(rooms[0]), int(coords[0, 2])
            if "screen" in infos:
                self.screen = infos["screen"][0]
            elif self.maps.wants_screen(room, window):
                self.screen = self.envs.call("screen")[0]
            self.maps.see(room, window, self.screen)

    def _make_recording(self, experiment: Experiment, window: LiveWindow | None) -> Recording:
        agent, config = self.agent, self.config
        picture = Picture(
            agent.replay.coords_shape,
            self.screen.shape,
            q_map=agent.q_map is not None,
            frame_channels=self.envs.single_observation_space.shape[-1],
            gamma=config.qmap_gamma,
        )
        videos = None
        if config.videos:
            with self._tolerate("videos"):
                videos = VideoRecorder(self.folder.subfolder("videos"), picture.draw, patience=2.0)
        return Recording(
            agent,
            picture,
            videos,
            window,
            action_names=tuple(self.envs.get_attr("action_names")[0]),
            every=experiment.video_every,
            highlight=experiment.highlight,
        )

    def _log_exploration(self) -> None:
        balance = self.agent.balance
        self.exploration_log.write(
            self.agent.step,
            self.agent.planned_exploration,
            balance.exploring,
            balance.random,
            balance.goal,
            balance.greedy,
        )

    def _progress(self) -> str:
        best = self.bests.undiscounted_return or 0.0
        parts = [
            f"episode {max(episode.number for episode in self.episodes)}",
            f"last {self.last_score:g}",
            f"best {best:g}",
            f"exploring {self.agent.balance.exploring:.0%}",
        ]
        return ", ".join(parts)

    def _save_checkpoint(self) -> None:
        """Write the networks for `--load`."""
        path = self.folder.subfolder("tensorflow") / f"step_{self.agent.step}.ckpt"
        checkpoint.save(path, "checkpoint", self.agent.weights())

    def _save_snapshot(self) -> None:
        """Write all that `--resume` needs, if there is anything new."""
        step = self.agent.step
        if step == self._saved_step:
            return
        started = time.monotonic()
        state = self._state()
        for name, weights in state["agent"]["weights"].items():
            if not all_finite(weights):
                raise self._diverged(f"weights of {name} are not finite")
        # A row that the snapshot counts on must not be lost, even if the power fails.
        self.score_log.sync()
        self.exploration_log.sync()
        size = snapshots.save(self.folder.subfolder("snapshots"), step, state)
        self._saved_step = step
        seconds = time.monotonic() - started
        tqdm.write(
            f"snapshot of step {step:,}: {size / 1e6:,.0f} MB in {seconds:.1f} s", file=sys.stderr
        )

    def _diverged(self, why: str) -> UserError:
        return UserError(
            f"training diverged at step {self.agent.step:,}: {why}; the last snapshot is from "
            "before that, a lower learning rate may help"
        )

    def _state(self) -> dict[str, Any]:
        """Everything that the rest of the run depends on."""
        states = self.envs.call("save_slot")
        return {
            "agent": self.agent.state(),
            "envs": {f"{env:02d}": state for env, state in enumerate(states)},
            "episodes": [dataclasses.asdict(episode) for episode in self.episodes],
            "bests": dataclasses.asdict(self.bests),
            "last_score": self.last_score,
            "maps": self.maps.state(),
        }

    def _restore(self) -> bool:
        """Go on from the last snapshot; return False if the run died before its first one."""
        state = snapshots.load_latest(self.folder.path / "snapshots")
        if state is None:
            return False
        try:
            self.agent.restore(state["agent"])
            self.bests = Bests(**state["bests"])
            self.last_score = float(state["last_score"])
            self.episodes = [Episode(**episode) for episode in state["episodes"]]
            self.maps.restore(state["maps"])
            self._restore_envs(list(state["envs"].values()))
        except UserError:
            raise
        except Exception as error:  # whatever is not as expected in a file that is whole
            raise UserError(
                f"the snapshot in {self.folder.path} is of another version ({error!r}); start a "
                "new run"
            ) from error
        self._saved_step = self.agent.step
        return True

    def _restore_envs(self, states: list[dict[str, Any] | None]) -> None:
        # An environment must be reset once before it can be given a state.
        seeds = [self.config.seed + env for env in range(self.config.envs)]
        frames, infos = self.envs.reset(seed=seeds)
        anew = ~np.array(self.envs.call("restore_slot", states))
        if anew.any():
            print(
                "warning: the environment has no save_state and restore_state, it starts a new "
                "episode",
                file=sys.stderr,
            )
            for env in np.flatnonzero(anew):
                self._next_episode(env)
            self._begin_episodes(anew, frames, infos)
