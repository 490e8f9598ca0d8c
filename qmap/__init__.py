"""Q-map: one network's Q-values towards every goal of a grid laid over the screen, and its games.

Importing the package registers its environments with Gymnasium (`qmap/Montezuma-v0`,
`qmap/Mario-v0`, `qmap/GridWorld-v0`); games and TensorFlow are loaded when they are first used.
"""

import os

from qmap import envs

# TensorFlow turns its faster convolutions on by itself only where the processor has AVX-512; with
# AVX2 alone an update of the Q-map takes two thirds of the time with them. It looks when it is
# loaded.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

__all__ = ["__version__", "envs"]

__version__ = "1.0.0"
