"""Environments, registered with Gymnasium; each game's module is loaded by `gymnasium.make`."""

from gymnasium import register

register(id="qmap/Montezuma-v0", entry_point="qmap.envs.montezuma:MontezumaEnv")
register(id="qmap/Mario-v0", entry_point="qmap.envs.mario:MarioEnv")
register(id="qmap/GridWorld-v0", entry_point="qmap.envs.gridworld:GridWorldEnv")
register(id="qmap/Maze-v0", entry_point="qmap.envs.maze:MazeEnv")
register(id="qmap/Sokoban-v0", entry_point="qmap.envs.sokoban:SokobanEnv")
register(
    id="qmap/DiagonalGrid-v0",
    entry_point="qmap.envs.diagonal_grid:DiagonalGridEnv",
    # A greedy player may walk into the border for ever.
    max_episode_steps=1000,
)

RETRO = "retro:"  # what the name of a game of stable-retro begins with
LARGEST_FRAME = 1024  # rows and columns of what an agent sees
