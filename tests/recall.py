"""A task of memory, and how well the RecurrentPPO of sb3-contrib learns it: `python recall.py N`.

That is a program of its own since PyTorch and TensorFlow do not live in one process everywhere.
"""

from __future__ import annotations

import sys
from typing import Any

import gymnasium
import numpy as np

COPIES, STEPS, UNITS, LEARNING_RATE, CLIP, GAMMA, TRACE = 8, 40, 32, 1e-3, 0.2, 0.99, 0.95
EPOCHS, MINIBATCHES, ENTROPY = 4, 2, 0.01


class Recall:
    """Copies of the task: a cue is seen once, and asked for some steps later.

    The cue is a bright left or right half; in the last step of an episode action 0 or 1 says which
    it was.
    """

    DELAY = 4

    def __init__(self, copies: int, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.cue = self.rng.integers(0, 2, copies)
        self.step = 0

    def observe(self) -> np.ndarray:
        frames = np.zeros((len(self.cue), 8, 8, 1), np.uint8)
        if self.step == 0:
            for copy, cue in enumerate(self.cue):
                frames[copy, :, 4 * cue : 4 * cue + 4] = 255
        return frames

    def act(self, actions: np.ndarray) -> tuple[np.ndarray, bool]:
        last = self.step == self.DELAY
        rewards = (actions == self.cue) * float(last)
        self.step = 0 if last else self.step + 1
        if last:
            self.cue = self.rng.integers(0, 2, len(self.cue))
        return rewards, last


class Task(gymnasium.Env):
    """One copy, of which two pixels are seen."""

    observation_space = gymnasium.spaces.Box(0, 1, (2,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.task = Recall(1, int(self.np_random.integers(2**31)))
        return self.observe(), {}

    def observe(self) -> np.ndarray:
        return (self.task.observe()[0, 0, ::4, 0] / 255).astype(np.float32)

    def step(self, action: Any) -> Any:
        (reward,), last = self.task.act(np.array([int(action)]))
        return self.observe(), float(reward), last, False, {}


def recalled_by_theirs(updates: int) -> float:
    """Return the share of cues that are recalled in the last hundred episodes of training."""
    from sb3_contrib import RecurrentPPO
    from stable_baselines3.common.env_util import make_vec_env

    model = RecurrentPPO(
        "MlpLstmPolicy",
        make_vec_env(Task, n_envs=COPIES, seed=0),
        n_steps=STEPS,
        batch_size=COPIES * STEPS // MINIBATCHES,
        n_epochs=EPOCHS,
        learning_rate=LEARNING_RATE,
        clip_range=CLIP,
        gamma=GAMMA,
        gae_lambda=TRACE,
        ent_coef=ENTROPY,
        policy_kwargs={"lstm_hidden_size": UNITS},
        seed=0,
        device="cpu",
    )
    model.learn(COPIES * STEPS * updates)
    return float(np.mean([episode["r"] for episode in model.ep_info_buffer]))


if __name__ == "__main__":
    print(recalled_by_theirs(int(sys.argv[1])))
