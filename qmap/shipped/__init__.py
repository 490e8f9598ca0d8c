"""Trained agents that come with the project: their names stand where a checkpoint is asked for.

`python -m qmap.shipped CKPT NAME` adds one, or takes the place of the one there: the networks that
act, in half precision, and the options they were trained with.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from qmap.utils import checkpoint
from qmap.utils.errors import UserError
from qmap.utils.files import atomic_file, cannot
from qmap.utils.run_folder import CONFIG

AGENTS = Path(__file__).parent
RESULTS = Path("qmap_results")
LARGEST = 8 * 2**20  # bytes of a checkpoint


def names() -> list[str]:
    """Return the names of the agents that ship."""
    return sorted(path.parent.name for path in AGENTS.glob(f"*/{CONFIG}"))


def stored(given: str) -> Path:
    """Return what was given on the command line, a name as the checkpoint of the agent that ships.

    What is there under that name, in the working directory, goes first.

    Raises:
        UserError: it is a plain word that names nothing.
    """
    path = Path(given)
    if path.exists():
        return path
    if given not in names():
        if path.name == given and not path.suffix:
            raise UserError(
                f"there is no {given}; expected a path, or an agent that ships: "
                f"{', '.join(names())}"
            )
        return path
    (shipped,) = (AGENTS / given / "tensorflow").glob("step_*.ckpt")
    return shipped


def place(given: str) -> Path:
    """Return what was given on the command line, as `stored`, where more can be written beside it.

    An agent that ships is unpacked into `qmap_results/NAME/shipped/NAME`, a run's folder like
    others, for what is measured and recorded of it is written there.

    Raises:
        UserError: it is a plain word that names nothing, or the agent cannot be unpacked.
    """
    shipped = stored(given)
    if shipped == Path(given):
        return shipped
    run = RESULTS / given / "shipped" / given
    target = run / "tensorflow" / shipped.name
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot("write", run, error) from error
    # Each time, for those of an earlier version may lie there.
    for source, copy in ((AGENTS / given / CONFIG, run / CONFIG), (shipped, target)):
        with atomic_file(copy) as file:
            file.write(source.read_bytes())
    return target


def ship(path: Path, name: str) -> Path:
    """Add the agent of RUN/tensorflow/step_N.ckpt to those that ship; return its checkpoint.

    Raises:
        UserError: there is no such checkpoint, or it is larger than what may ship.
    """
    # Loads what trains, and so not until it is asked for.
    from qmap.evaluate.trained import find

    find(path)
    told = json.loads((path.parent.parent / CONFIG).read_text(encoding="utf-8"))
    tree = acting(checkpoint.load(path, "checkpoint"))
    for options in (told["options"], tree.get("config", {})):
        # Where it lay on the machine that trained it is nobody's business.
        options |= {"path": str(RESULTS), "load": None, "resume": None}
    folder = AGENTS / name
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
