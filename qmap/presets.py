"""Deep Q-networks as others trained them on such games: `--preset NAME`.

Only what differs from the defaults stands here; config.json holds all values. Where a write-up
says nothing, this project's own value stays: a step of 4 frames, convolutions with padding, Adam
as TensorFlow 1 computes it. Whatever is typed wins.
"""

from __future__ import annotations

from typing import Any

# One stream, no priorities, no clipping.
PLAIN: dict[str, Any] = {
    "qmap": False,
    "dueling": False,
    "alpha": 0.0,
    "dqn_clip": 1e9,
    "dqn_model": "nature",
    "stack": 4,
    "skip": 1,
}
# The first two bootstrap from the network that learns, and explore in three phases: observe
# (--learning-starts), anneal, static.
KERAS: dict[str, Any] = {
    **PLAIN,
    "double": False,
    "target_network": False,
    "dqn_loss": "mse",
    "exploration": "phases",
    "first_exploration": 0.1,
    "last_exploration": 0.0001,
    "train_every": 1,
}
PRESETS: dict[str, dict[str, Any]] = {
    # G. Bake, "Mario Learning", garybake.com/mario-learning.html, 2018: Super Mario Land.
    "mario-land": {
        **KERAS,
        "learning_starts": 50,
        "anneal": 3_000,
        "replay": 50_000,
        "dqn_lr": 1e-6,
        "game_reward": 0.0,
        "right_reward": 5.0,
        "death_reward": -100.0,
    },
    # T. Sokol, days 38 to 53 of the OpenAI Retro Contest, medium.com/@tristansokol, 2018: Sonic,
    # whose screen of 224 x 320 becomes 84 x 120.
    "sonic-edges": {
        **KERAS,
        "crop": [56, 0, 80, 0],
        "resize": [0.5],
        "edges": [100.0, 200.0],
        "learning_starts": 200_000,
        "anneal": 200_000,
        "replay": 100_000,
    },
    # Y. Feng, S. Subramanian, H. Wang, S. Guo, "Train a Mario-playing RL Agent",
    # pytorch.org/tutorials/intermediate/mario_rl_tutorial.html, 2020: Super Mario Bros. on the NES.
    "mario-ddqn": {
        **PLAIN,
        "frame_size": [84, 84],
        "actions": "RIGHT;RIGHT+JUMP",
        "dqn_gamma": 0.9,
        "dqn_lr": 2.5e-4,
        "replay": 100_000,
        "learning_starts": 100_000,
        "train_every": 3,
        "target_every": 10_000,
        "exploration": "geometric",
        "first_exploration": 1.0,
        "last_exploration": 0.1,
        "exploration_factor": 0.99999975,
    },
}
