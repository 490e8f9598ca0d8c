"""A real Ray cluster for tests: a head and workers, each a process of its own on this machine."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent

# A secret of these tests alone, for all nodes and whoever joins them from this process.
os.environ.update(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=secrets.token_hex(16))


class Cluster:
    """A head without cores for jobs, and workers with as many as is said."""

    def __init__(self) -> None:
        # Ray's sockets are in there, and their paths must be short.
        self.folder = tempfile.mkdtemp(prefix="ray-", dir="/tmp")
        self.nodes: list[subprocess.Popen[bytes]] = []
        self.address = "127.0.0.1:0"
        self._start("--head", "--port=0", "--include-dashboard=false", cores=0)
        self.address = re.search(r"--address='([^']+)'", self.output.read_text())[1]

    @property
    def output(self) -> Path:
        return Path(self.folder, "output.txt")

    def add(self, cores: int) -> subprocess.Popen[bytes]:
        """Add a worker."""
        return self._start(f"--address={self.address}", cores=cores)

    def _start(self, *flags: str, cores: int) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", *flags]
        command += [f"--num-cpus={cores}", "--num-gpus=0", f"--object-store-memory={100 << 20}"]
        if "--head" in flags:
            command += [f"--temp-dir={self.folder}"]
        paths = f"{HERE}:{HERE.parent}:{os.environ.get('PYTHONPATH', '')}"
        environment = {**os.environ, "PYTHONPATH": paths, "RAY_USAGE_STATS_ENABLED": "0"}
        # Else tests wait for everything else that the machine does.
        environment["RAY_worker_niceness"] = "0"
        with open(self.output, "ab") as file:
            node = subprocess.Popen(
                command, stdout=file, stderr=file, env=environment, start_new_session=True
            )
        self.nodes.append(node)
        # One after the other: nodes on one machine take each other's names when they begin at once.
        while self.output.read_text().count("Ray runtime started") < len(self.nodes):
            assert node.poll() is None, self.output.read_text()
            time.sleep(0.1)
        return node

    def kill(self, node: subprocess.Popen[bytes]) -> None:
        """End all processes of a node at once, as if its machine were gone."""
        os.killpg(node.pid, signal.SIGKILL)
        node.wait()

    def close(self) -> None:
        for node in self.nodes:
            if node.poll() is None:
                self.kill(node)
        shutil.rmtree(self.folder, ignore_errors=True)
