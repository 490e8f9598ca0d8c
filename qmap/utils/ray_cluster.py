"""Connecting to a Ray cluster, an optional dependency: `pip install 'qmap[ray]'`."""

from __future__ import annotations

import os
import random
import re
import signal
import socket
import threading
from types import ModuleType

from qmap.utils.cores import cores
from qmap.utils.errors import UserError

AUTO = "auto"
PATIENCE = 5.0  # seconds for an address to answer


def connect(address: str) -> ModuleType:
    """Join a cluster, and return Ray.

    Args:
        address: HOST:PORT of the head node, or "auto" for the cluster that this machine belongs
            to; if there is none, one of this machine alone is started, and ends with this process.

    Raises:
        UserError: Ray is not installed, or nothing answers there.
    """
    try:
        # Must be set before the import. No questions about statistics.
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        # What is asked after the end must fail, and not start another cluster.
        os.environ["RAY_ENABLE_AUTO_CONNECT"] = "0"
        # Tries of most of a minute each, where something answers that is no cluster or not ours.
        os.environ.setdefault("RAY_NUM_REDIS_GET_RETRIES", "2")
        import ray
    except ImportError:
        raise UserError(
            "Ray is not installed; expected it for --ray: pip install 'qmap[ray]'"
        ) from None
    if ray.is_initialized():
        return ray
    if address != AUTO:
        _check(address)
    before, luck = signal.getsignal(signal.SIGTERM), random.getstate()
    try:
        _join(ray, address)
    except Exception as error:  # another version or token on the cluster, for one
        raise UserError(
            f"--ray {address}: {_reason(error)}; expected a cluster with the Ray and the "
            "RAY_AUTH_TOKEN of this machine"
        ) from error
    finally:
        # Ray draws from Python's own generator, and so do the networks for their first weights.
        random.setstate(luck)
        if threading.current_thread() is threading.main_thread():
            # Ray would end the program where it stands; a run saves itself first.
            signal.signal(signal.SIGTERM, before)
    return ray


def _join(ray: ModuleType, address: str) -> None:
    quiet = {"logging_level": "error", "log_to_driver": False}
    try:
        ray.init(address=address, **quiet)
    except ConnectionError:
        if address != AUTO:
            raise
        # By default all that Ray runs gives way to every other program of the machine.
        os.environ.setdefault("RAY_worker_niceness", "0")
        # Processes of Ray's are started by exec, never by a fork that goes on with TensorFlow.
        ray.init(address="local", num_cpus=cores(), include_dashboard=False, **quiet)


def _check(address: str) -> None:
    """Ask whether anything answers: Ray itself would try for minutes."""
    match = re.fullmatch(r"\[?([^\[\]/]+?)\]?:(\d{1,5})", address)
    if match is None:
        raise UserError(f"--ray {address}: expected HOST:PORT of the head node, or auto")
    try:
        socket.create_connection((match[1], int(match[2])), timeout=PATIENCE).close()
    except (OSError, OverflowError, UnicodeError) as error:
        raise UserError(
            f"--ray {address} does not answer ({_reason(error)}); expected HOST:PORT of a head "
            "node, as `ray start --head` tells"
        ) from error


def _reason(error: BaseException) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(text.split())[:200]
