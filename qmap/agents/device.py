"""How TensorFlow computes: which device, how many threads, what precision, repeatable or not."""

from __future__ import annotations

import contextlib
from pathlib import Path

import keras
import tensorflow as tf

from qmap.utils.cores import cores
from qmap.utils.errors import UserError
from qmap.utils.quiet import quiet
from qmap.utils.terminal import say

DEVICES = ("auto", "cpu", "gpu")
PRECISIONS = ("float32", "bfloat16")

# From this compute capability on (Ampere), NVIDIA's cores multiply bfloat16.
GPU_WITH_BFLOAT16 = (8, 0)
CPU_WITH_BFLOAT16 = {"avx512_bf16", "amx_bf16"}


def set_up(
    *, deterministic: bool = False, device: str = "auto", precision: str = "float32"
) -> None:
    """Set TensorFlow's device, threads and precision, before anything else is computed.

    The networks are small and each training step has several passes that do not depend on each
    other. Running these side by side, each operation on its own core, wastes less than splitting
    every small operation over all cores. Trainings that share a machine are told how many of its
    cores are theirs, see `qmap.utils.cores`.

    Args:
        deterministic: make repeated runs equal bit for bit.
        device: "cpu", "gpu", or "auto" for a GPU if there is one.
        precision: "bfloat16" lets convolutions made from now on multiply in it, with weights,
            dense layers, losses and optimizer in float32; a machine whose processor cannot
            goes on in float32, and says so.

    Raises:
        UserError: a GPU is asked for, and there is none.
    """
    threads = cores()
    # A process that has computed before, a notebook for one, keeps the threads that it has.
    with contextlib.suppress(RuntimeError):
        tf.config.threading.set_inter_op_parallelism_threads(min(2, threads))
        tf.config.threading.set_intra_op_parallelism_threads(max(1, threads // 2))
    with quiet():
        gpus = tf.config.list_physical_devices("GPU")
    if device == "gpu" and not gpus:
        raise UserError("TensorFlow finds no GPU; expected one for --device gpu, or --device cpu")
    if device == "cpu":
        tf.config.set_visible_devices([], "GPU")
        gpus = []
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)
    if deterministic:
        tf.config.experimental.enable_op_determinism()
    if precision == "bfloat16" and not _has_bfloat16(gpus):
        where = "GPU" if gpus else "processor"
        say(f"this {where} does not multiply in bfloat16: going on in float32")
        precision = "float32"
    keras.config.set_dtype_policy("mixed_bfloat16" if precision == "bfloat16" else "float32")
    keras.config.disable_traceback_filtering()


def _has_bfloat16(gpus: list[tf.config.PhysicalDevice]) -> bool:
    if gpus:
        details = (tf.config.experimental.get_device_details(gpu) for gpu in gpus)
        return all(each.get("compute_capability", (0, 0)) >= GPU_WITH_BFLOAT16 for each in details)
    cpuinfo = Path("/proc/cpuinfo")
    return cpuinfo.is_file() and not CPU_WITH_BFLOAT16.isdisjoint(cpuinfo.read_text().split())
