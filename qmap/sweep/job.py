"""One run of a sweep: what is typed for it, and what there is of it on the disk."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from qmap.run_options import RunOptions
from qmap.utils.command_line import options_of
from qmap.utils.errors import UserError
from qmap.utils.run_folder import finished_at, read_config

# Where a run is, and who started it, make no other run of it.
NOT_OF_THE_RUN = ("path", "resume", "render")


@dataclass(frozen=True)
class Job:
    """A program and all its options.

    Attributes:
        parts: what the job shares with those that differ in the seed alone: the names of its
            program and agent, the values of the axes.
        program: the module that is run, "qmap.train_mario" for one.
        config: its options; `path` is a folder for this label alone.
    """

    parts: tuple[str, ...]
    program: str
    config: RunOptions

    @property
    def label(self) -> str:
        """The parts in one word, the name of the job's folder."""
        return "_".join(self.parts)

    @property
    def name(self) -> str:
        """What a message calls the job."""
        return f"{self.label}, seed {self.config.seed}"

    @property
    def folder(self) -> Path:
        """Where runs of this label are, as ENV/AGENT/RUN."""
        return Path(self.config.path)

    @property
    def output(self) -> Path:
        """What the job's processes print, one after the other."""
        return self.folder / f"seed-{self.config.seed}.txt"

    @property
    def last_step(self) -> int:
        """The step at which the run ends."""
        return getattr(self.config, "last_step", self.config.steps)

    def run(self) -> Path | None:
        """Return the folder of the run, the newest if there are several; None before it begins."""
        pattern = f"*/*/seed-{self.config.seed}_*/config.json"
        runs = [path.parent for path in self.folder.glob(pattern) if self._is_of(path.parent)]
        return max(runs, key=lambda run: (finished_at(run) or 0, run.name), default=None)

    def finished(self) -> bool:
        """Whether nothing is left to do."""
        run = self.run()
        return run is not None and (finished_at(run) or 0) >= self.last_step

    def command(self, run: Path | None, path: Path | None = None) -> list[str]:
        """Return what is typed after `python`.

        Args:
            run: the run to continue, None to begin one.
            path: the folder of the results, if not that of the configuration.
        """
        words = ["-m", self.program]
        known = options_of(type(self.config))
        if run is None:
            config = dataclasses.replace(self.config, path=str(path or self.folder))
        else:
            words += ["--resume", str(run)]
            config = self.config
            known = {name: each for name, each in known.items() if each.may_differ}
            stored = read_config(run, self.program)
            if stored.get("stop_at") is not None and config.stop_at is None:
                # Leaving the option out would mean to stop where the run stopped before.
                config = dataclasses.replace(config, stop_at=config.steps)
        for name, option in known.items():
            if (value := getattr(config, name)) != option.default and name != "resume":
                words += option.words(value)
        return words

    def _is_of(self, run: Path) -> bool:
        """Tell whether a run has the job's options, as far as a resumed run must have them."""
        try:
            stored = read_config(run, self.program)
        except UserError:
            return False
        known = options_of(type(self.config))
        return all(
            stored.get(name, option.default) == getattr(self.config, name)
            for name, option in known.items()
            if not option.may_differ and name not in NOT_OF_THE_RUN
        )
