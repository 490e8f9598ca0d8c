"""Trained agents that come with the project: their names stand where a checkpoint is asked for.

`python -m qmap.shipped CKPT NAME` adds one.
"""

from __future__ import annotations

from pathlib import Path

from qmap.utils.errors import UserError
from qmap.utils.files import atomic_file, cannot
from qmap.utils.run_folder import CONFIG

AGENTS = Path(__file__).parent
RESULTS = Path("qmap_results")


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
