"""Trained agents that come with the project: their names stand where a checkpoint is asked for.

`python -m qmap.shipped CKPT NAME` adds one, or takes the place of the one there: the networks that
act, and the options they were trained with.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

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


def place(given: str) -> Path:
    """Return what was given on the command line, a name as the checkpoint of the agent that ships.

    It is unpacked first, into `qmap_results/NAME/shipped/NAME`, a run's folder like others, for
    what is measured and recorded of it is written there.

    Raises:
        UserError: it cannot be unpacked.
    """
    if given not in names() or Path(given).exists():
        return Path(given)
    (shipped,) = (AGENTS / given / "tensorflow").glob("step_*.ckpt")
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
    if (size := path.stat().st_size) > LARGEST:
        raise UserError(
            f"{path} takes {size / 2**20:.1f} MiB, expected at most {LARGEST / 2**20:.0f}: train a "
            "smaller network, without --keep-moments"
        )
    told = json.loads((path.parent.parent / CONFIG).read_text(encoding="utf-8"))
    tree = checkpoint.load(path, "checkpoint")
    for options in (told["options"], tree.get("config", {})):
        # Where it lay on the machine that trained it is nobody's business.
        options |= {"path": str(RESULTS), "load": None, "resume": None}
    folder = AGENTS / name
    shutil.rmtree(folder, ignore_errors=True)
    target = folder / "tensorflow" / path.name
    target.parent.mkdir(parents=True)
    (folder / CONFIG).write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    checkpoint.save(target, "checkpoint", tree)
    return target
