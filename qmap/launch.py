"""Starting a training. Only here is TensorFlow loaded, which takes seconds and much memory.

Until then the command line is checked. The worker processes of `--envs` import the program that
started them, but never get here.
"""

from __future__ import annotations

from qmap.config import TrainingConfig
from qmap.experiment import Experiment
from qmap.utils.interrupt import nothing_to_lose
from qmap.utils.quiet import quiet


def train(config: TrainingConfig, experiment: Experiment, program: str) -> int:
    """Train as `qmap.training.train` does, which see."""
    with quiet(), nothing_to_lose():
        from qmap.make_agent import make_agent_for
        from qmap.training import train as train_now
    return train_now(config, experiment, program, make_agent_for)
