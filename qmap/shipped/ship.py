"""Add a trained agent to those that ship, or in place of the one there.

The networks that act, in half precision, and the options they were trained with.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from qmap import shipped
from qmap.evaluate.trained import find
from qmap.utils import checkpoint
from qmap.utils.errors import UserError
from qmap.utils.run_folder import CONFIG

LARGEST = 8 * 2**20  # bytes of a checkpoint


def ship(path: Path, name: str) -> Path:
    """Add the agent of RUN/tensorflow/step_N.ckpt to those that ship; return its checkpoint.

    Raises:
        UserError: there is no such checkpoint, or it is larger than what may ship.
    """
    find(path)
    told = json.loads((path.parent.parent / CONFIG).read_text(encoding="utf-8"))
    tree = acting(checkpoint.load(path, "checkpoint"))
    for options in (told["options"], tree.get("config", {})):
        # Where it lay on the machine that trained it is nobody's business.
        options |= {"path": str(shipped.RESULTS), "load": None, "resume": None}
    folder = shipped.AGENTS / name
    target = folder / "tensorflow" / path.name
    with tempfile.TemporaryDirectory() as scratch:
        small = Path(scratch) / path.name
        if (size := checkpoint.save(small, "checkpoint", tree)) > LARGEST:
            raise UserError(
                f"the networks of {path} take {size / 2**20:.1f} MiB, expected at most "
                f"{LARGEST / 2**20:.0f}: train smaller ones, see --hidden"
            )
        shutil.rmtree(folder, ignore_errors=True)
        target.parent.mkdir(parents=True)
        (folder / CONFIG).write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
        shutil.move(small, target)
    return target


def acting(tree: dict[str, Any]) -> dict[str, Any]:
    """Return what of a checkpoint acts: the online networks, with kernels in half precision.

    A run that is trained on from it begins with target networks that are equal to these.
    """
    learners = {
        name: {"online": {place: halved(array) for place, array in learner["online"].items()}}
        for name, learner in tree.items()
        if isinstance(learner, dict) and "online" in learner
    }
    return {**tree, **learners}


def halved(array: np.ndarray) -> np.ndarray:
    """Return a matrix or kernel of float32 as float16, anything else as it is."""
    fits = array.dtype == np.float32 and array.ndim >= 2
    return array.astype(np.float16) if fits and np.abs(array).max() < 2**15 else array
