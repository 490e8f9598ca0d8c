"""The experiment in the grid world: learned Q-frames against the true ones."""
