"""Q-map: one network's Q-values towards every goal of a grid laid over the screen, and its games.

Importing the package registers its environments with Gymnasium (`qmap/Montezuma-v0`,
`qmap/Mario-v0`, `qmap/GridWorld-v0`); games and TensorFlow are loaded when they are first used.
"""

from qmap import envs

__all__ = ["__version__", "envs"]

__version__ = "1.0.0"
