"""How TensorFlow computes: which device, how many threads, what precision, repeatable or not."""

from __future__ import annotations

import os

import keras
import tensorflow as tf


def set_up(*, deterministic: bool = False) -> None:
    """Set TensorFlow's threads, before anything else is computed.

    The networks are small and each training step has several passes that do not depend on each
    other. Running these side by side, each operation on its own core, wastes less than splitting
    every small operation over all cores.

    Args:
        deterministic: make repeated runs equal bit for bit.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    tf.config.threading.set_inter_op_parallelism_threads(2)
    tf.config.threading.set_intra_op_parallelism_threads(max(1, (cores or 1) // 2))
    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)
    if deterministic:
        tf.config.experimental.enable_op_determinism()
    keras.config.disable_traceback_filtering()
