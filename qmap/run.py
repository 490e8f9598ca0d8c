"""One run, whoever trains: its folder and lock, logs, snapshots and checkpoints, and what is said.

A training opens a `Run`, makes its parts, attaches them, and steps through `Run.steps`:

    with Run(config, program, title) as run:
        agent = make_agent(...)
        run.load_weights(agent.start_from)
        run.open("montezuma", "q-map+dqn")
        run.attach("agent", agent)
        run.resume()
        log = run.log("score", COLUMNS)
        for _ in run.steps(last, "step"):
            ...
            run.advance(1)

Nothing is written before `open`, so that what can be refused is refused without a trace.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from qmap import shipped
from qmap.agents.schedules import crossings
from qmap.earlier_runs import as_of_today, is_earlier
from qmap.run_options import NetworkOptions, RunOptions
from qmap.utils import checkpoint, snapshots, streams
from qmap.utils.csv_logger import CSVLogger
from qmap.utils.errors import UserError
from qmap.utils.interrupt import Interrupt
from qmap.utils.newest_picture import NewestPicture
from qmap.utils.run_folder import RunFolder
from qmap.utils.terminal import Warnings, progress_bar, say
from qmap.utils.window import LiveWindow

FORMAT = 2


class Part(Protocol):
    """What the rest of a run depends on."""

    def state(self) -> dict[str, Any]:
        """Return all of it, as `checkpoint.save` takes it."""

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from what `state` returned."""


class Run:
    """A run from its start, or from its last snapshot, to its end, a signal or an error.

    Args:
        config: what was asked for.
        program: the program that is running.
        title: of the window that `--render` opens.

    Attributes:
        step: steps done so far.
        window: shows pictures live, None for no window.
        newest_picture: shows pictures to who watches the folder, once this is open.
        warnings: each kind is said once.
        weights: returns what a checkpoint for `--load` holds; its argument says whether the
            optimizers' moments are wanted, too. To be set by the training.
        at_checkpoints: is called after each of them.

    Raises:
        UserError: on entering: the run is in use, there is nothing to load, or no such device.
    """

    def __init__(self, config: RunOptions, program: str, title: str) -> None:
        self.config = config
        self.program = program
        self.title = title
        # Whole, for a world may change the folder that relative paths start from.
        self._results = Path(config.path).absolute()
        self.step = 0
        self.window: LiveWindow | None = None
        self.warnings = Warnings()
        self.weights: Callable[[bool], dict[str, Any]] = lambda moments: {}
        self.at_checkpoints: Callable[[], None] = lambda: None
        self.folder: RunFolder
        self.newest_picture: NewestPicture
        self._loaded: dict[str, Any] | None = None
        self._parts: dict[str, Part] = {}
        self._logs: list[CSVLogger] = []
        self._saved_step: int | None = None
        self._advanced = 0
        self._at_end = False
        self._in_order = False
        self._events: Any = None
        self._stack = ExitStack()

    def __enter__(self) -> Run:
        config = self.config
        with ExitStack() as stack:
            self._interrupt = stack.enter_context(Interrupt())
            if config.render:
                self.window = LiveWindow(self.title)
                stack.callback(self.window.close)
            if config.resume:
                self.folder = RunFolder(Path(config.resume).absolute(), self.program)
                stack.callback(self.folder.release)
                stack.callback(self._finish)
            # A run that has snapshots goes on from these and no longer needs the checkpoint.
            if config.load and not (config.resume and snapshots.steps(self._snapshots)):
                self._loaded = checkpoint.load(shipped.stored(config.load), "checkpoint")
            if isinstance(config, NetworkOptions):
                set_up_networks(config)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._at_end &= error is None
        self._in_order = error is None
        self._stack.close()
        if isinstance(error, FloatingPointError):
            raise UserError(
                f"training diverged at step {self.step:,}: {error}; the last snapshot is from "
                "before that, a lower learning rate may help"
            ) from error

    @property
    def status(self) -> int:
        """The exit status: 0, or 128 plus the number of the signal that interrupted the run."""
        return self._interrupt.status

    @property
    def interrupted(self) -> bool:
        """Whether the run was asked to stop."""
        return self._interrupt.signal is not None

    @property
    def _keeps_moments(self) -> bool:
        return isinstance(self.config, NetworkOptions) and self.config.keep_moments

    @property
    def _snapshots(self) -> Path:
        return self.folder.path / "snapshots"

    def closing(self, part: Any) -> Any:
        """Return `part`, which is closed at the end of the run, before what came earlier."""
        self._stack.callback(part.close)
        return part

    def load_weights(self, restore: Callable[[dict[str, Any]], None]) -> None:
        """Give the networks of the checkpoint to `restore`, if the run starts from one.

        Raises:
            UserError: they are those of other networks.
        """
        if self._loaded is not None:
            with checkpoint.fitting(self.config.load, self._loaded):
                restore(self._loaded)

    def open(self, experiment: str, agent: str) -> None:
        """Make the folder of a new run, `path`/`experiment`/`agent`/seed-S_DATE_TIME.

        Raises:
            UserError: it cannot be written.
        """
        config = self.config
        if not config.resume:
            parent = self._results / experiment / agent
            self.folder = RunFolder.create(parent, config.seed, self.program)
            self._stack.callback(self.folder.release)
            self.folder.write_config(config)
            self._stack.callback(self._finish)
        self.newest_picture = self.closing(NewestPicture(self.folder.path))

    def attach(self, name: str, part: Part) -> None:
        """Save `part` with the run under this name, and restore it."""
        self._parts[name] = part

    def resume(self) -> bool:
        """Restore the attached parts from the last snapshot; False if this is the beginning.

        Raises:
            UserError: the snapshots cannot be used.
        """
        tree = snapshots.load_latest(self._snapshots) if self.config.resume else None
        if tree is None:
            return False
        self.step = self._saved_step = _restored(self._parts, tree, self.config, self.folder.path)
        return True

    def log(self, name: str, columns: Sequence[str]) -> CSVLogger:
        """Open NAME.csv at the step of the run; it is closed at the end.

        Raises:
            UserError: it cannot be written, or is not what `columns` says.
        """
        resume_at = None
        if self.config.resume:
            # A run that died before its first snapshot begins again: no row stays, not of step 0.
            resume_at = -1 if self._saved_step is None else self._saved_step
        if self.config.tensorboard and self._events is None:
            from qmap.utils.tensorboard import EventWriter

            self._events = self.closing(EventWriter(self.folder.path, resume_at))
        mirror = self._events.write if self._events is not None else None
        path = self.folder.path / f"{name}.csv"
        log = self.closing(CSVLogger(path, columns, resume_at, mirror))
        self._logs.append(log)
        return log

    def announce(self, last: int, snapshot_bytes: int = 0, growth_bytes: int = 0) -> None:
        """Say where the results go and how much they will take on the disk.

        Args:
            last: steps of the whole run.
            snapshot_bytes: of what a snapshot will hold beside the weights, at most.
            growth_bytes: by which the weights will grow, at most.
        """
        networks, with_moments = (
            _nbytes(self.weights(moments)) + growth_bytes for moments in (False, True)
        )
        each = with_moments if self._keeps_moments else networks
        count = -(-last // self.config.checkpoint_every)
        count = min(count, self.config.keep or count)
        videos = ", and videos" if getattr(self.config, "videos", False) else ""
        say(
            f"results: {self.folder.path}, from step {self.step:,}; on the disk up to "
            f"{2 * (with_moments + snapshot_bytes) / 1e6:,.0f} MB for --resume and "
            f"{count * each / 1e6:,.0f} MB for --load{videos}"
        )

    def steps(self, last: int, unit: str, stop_at: int | None = None) -> Iterator[None]:
        """Yield until `last` steps are done or a signal comes; save as often as was asked for.

        Each turn of the loop calls `advance`. What is due then is saved; at the end everything is.

        Args:
            last: steps of the whole run.
            unit: what a step is called.
            stop_at: an earlier end that was asked for.
        """
        end = last if stop_at is None else min(stop_at, last)
        if (why := nothing_left(self.step, last, stop_at, f"{unit}s")) is not None:
            say(f"{self.folder.path} {why}")
        with progress_bar(end, self.step, unit) as self._bar:
            while self.step < end and not self.interrupted:
                yield
                self._bar.update(self._advanced)
                if self.due(self.config.save_every):
                    self.save_snapshot()
                if self.due(self.config.checkpoint_every):
                    self._save_checkpoint()
            self.save_snapshot()
            self._save_checkpoint()
        self._at_end = not self.interrupted
        if self.interrupted:
            say(f"stopped at {unit} {self.step:,}; go on with: {self.folder.resume_command}")

    def advance(self, steps: int) -> None:
        """Count the steps that the loop has just done."""
        self.step += steps
        self._advanced = steps

    def due(self, every: int) -> bool:
        """Whether the last steps passed a multiple of `every`."""
        return crossings(every, self.step, self._advanced) > 0

    def show(self, text: str) -> None:
        """Show a text beside the bar when it is drawn next."""
        self._bar.set_postfix_str(text, refresh=False)

    def save_snapshot(self) -> None:
        """Write all that `--resume` needs, if there is anything new.

        Raises:
            FloatingPointError: weights are not finite.
            UserError: it cannot be written; what was there before stays.
        """
        if self.step == self._saved_step:
            return
        started = time.monotonic()
        parts = {name: part.state() for name, part in self._parts.items()}
        # A row that the snapshot counts on must not be lost, even if the power fails.
        for log in self._logs:
            log.sync()
        tree = {"format": FORMAT, "step": self.step, **parts}
        size = snapshots.save(self.folder.subfolder("snapshots"), self.step, tree)
        self._saved_step = self.step
        seconds = time.monotonic() - started
        say(f"snapshot of step {self.step:,}: {size / 1e6:,.0f} MB in {seconds:.1f} s")

    @contextmanager
    def saved_if_the_world_fails(self) -> Iterator[None]:
        """Save the run as it was before the step if the world fails in the block.

        Raises:
            UserError: it failed; the message says how to go on.
        """
        try:
            yield
        except (UserError, KeyboardInterrupt) as error:
            # Ctrl-C is taken over: somebody's world has raised this by itself.
            what = error if isinstance(error, UserError) else "the world raised KeyboardInterrupt"
            self.save_snapshot()
            raise UserError(
                f"{what}; the run is saved as of step {self.step:,}, when the world is mended go "
                f"on with: {self.folder.resume_command}"
            ) from error

    def _finish(self) -> None:
        """Say in the folder how the run has ended, after all files are closed."""
        if self._at_end:
            self.folder.finish(self.step)
        if self._in_order:
            self.folder.leave()

    def _save_checkpoint(self) -> None:
        """Write the networks for `--load`, remove the oldest ones, and what comes with them."""
        folder = self.folder.subfolder("tensorflow")
        tree = self.weights(self._keeps_moments)
        checkpoint.save(folder / f"step_{self.step}.ckpt", "checkpoint", tree)
        checkpoint.thin_out(folder, self.config.keep)
        self.at_checkpoints()


def nothing_left(
    done: int, steps: int, stop_at: int | None = None, unit: str = "steps"
) -> str | None:
    """Say why a run that is resumed has nothing left to do; None if it has.

    Args:
        done: steps that it has.
        steps: those of the whole run.
        stop_at: where it is asked to stop before that.
        unit: what is counted.
    """
    if done >= steps:
        return (
            f"is finished: all of its {steps:,} {unit} are done; --load starts a new run from its "
            "last checkpoint"
        )
    if stop_at is not None and done >= stop_at:
        return (
            f"has done {done:,} of its {steps:,} {unit}, and --stop-at {stop_at:,} asks for no "
            "more: give a later one"
        )
    return None


def set_up_networks(config: NetworkOptions) -> None:
    """Set up TensorFlow as the options say: only here is it loaded, for tables do without."""
    import keras

    from qmap.agents.device import set_up

    set_up(deterministic=config.deterministic, device=config.device, precision=config.precision)
    # Nothing of ours draws from this: it is for what somebody's world or a library draws.
    keras.utils.set_random_seed(streams.number(config.seed, "process"))


def _restored(parts: dict[str, Part], tree: dict[str, Any], config: RunOptions, path: Path) -> int:
    """Restore the parts from a snapshot of the run in `path`; return its step.

    Raises:
        UserError: it is of another version, or the world cannot be restored.
    """
    earlier = is_earlier(tree)
    if not earlier and tree.get("format") != FORMAT:
        raise UserError(
            f"the snapshots in {path} are of an earlier version of qmap; go on with that one, or "
            "start a new run with --load and its last checkpoint"
        )
    try:
        if earlier:
            tree = as_of_today(tree, config)
        for name, part in parts.items():
            part.restore(tree[name])
        return int(tree["step"])
    except UserError:
        raise
    except Exception as error:  # whatever is not as expected in a file that is whole
        raise UserError(
            f"the snapshot in {path} is of another version ({error!r}); start a new run"
        ) from error


def _nbytes(tree: Any) -> int:
    if isinstance(tree, dict):
        return sum(map(_nbytes, tree.values()))
    return getattr(tree, "nbytes", 0)
