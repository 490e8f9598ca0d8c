"""How an agent sees a world and acts in it: options that all programs share which play games.

Loads without OpenCV, because the options are checked on every command line.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from qmap.utils.command_line import option
from qmap.utils.errors import UserError

if TYPE_CHECKING:
    import gymnasium

    from qmap.envs.pipeline import Pipeline

GROUP = "world and screen"
of_world = partial(option, group=GROUP)
MakeEnv = Callable[[], "gymnasium.Env"]


@dataclass(frozen=True)
class WorldOptions:
    """What becomes of a world's actions and screens; if nothing, its own frames are seen."""

    actions: str | None = of_world(
        None, 'actions to choose from: "LEFT;RIGHT;RIGHT+B"; all if not given', metavar="LIST"
    )
    color: bool = of_world(False, "see the screen in color")
    crop: list[int] = of_world(
        [], "pixels off the screen: top, bottom, left, right", minimum=0, nargs="+"
    )
    resize: list[float] = of_world(
        [], "factors of the screen's height and width, or one for both", above=0, nargs="+"
    )
    frame_size: list[int] = of_world(
        [], "height and width of a frame, in place of --resize", minimum=1, maximum=1024, nargs="+"
    )
    edges: list[float] = of_world(
        [], "see Canny edges: low and high threshold", minimum=0, nargs="+"
    )

    @property
    def keeps_grid(self) -> bool:
        """Whether the goal grid of the world lies over the frames as it does over the screen."""
        return not (self.crop or self.resize or self.frame_size)

    def pipeline(self) -> Pipeline | None:
        """Return what becomes of a screen, None if nothing does.

        Raises:
            UserError: the options do not fit together.
        """
        if not (self.color or self.crop or self.resize or self.frame_size or self.edges):
            return None
        for name, values, expected in (
            ("crop", self.crop, "4 numbers: pixels off the top, bottom, left and right"),
            ("frame-size", self.frame_size, "2 numbers: height and width"),
            ("edges", self.edges, "2 numbers: low and high threshold, low first"),
        ):
            if values and len(values) != int(expected[0]):
                raise UserError(f"--{name} {_words(values)}: expected {expected}")
        if len(self.resize) > 2:
            raise UserError(f"--resize {_words(self.resize)}: expected 1 or 2 factors")
        if self.resize and self.frame_size:
            raise UserError("--resize and --frame-size exclude each other: keep one")
        if self.color and self.edges:
            raise UserError("--color and --edges exclude each other: edges have no color")
        if self.edges != sorted(self.edges):
            raise UserError(f"--edges {_words(self.edges)}: expected the low threshold first")
        from qmap.envs.pipeline import Pipeline

        return Pipeline(
            self.color,
            tuple(self.crop) or None,
            (self.resize[0], self.resize[-1]) if self.resize else None,
            tuple(self.frame_size) or None,
            tuple(self.edges) or None,
        )

    def check_world(self, needs_grid: bool) -> None:
        """Refuse options that do not fit together.

        Args:
            needs_grid: whether the goal grid has to lie over the frames, as a Q-map needs it.

        Raises:
            UserError: they do not.
        """
        self.pipeline()
        if needs_grid and not self.keeps_grid:
            raise UserError(
                "--crop, --resize and --frame-size move the screen away from the goal grid that a "
                "Q-map needs: leave them out, or add --no-qmap"
            )
        self.chosen_actions()

    def chosen_actions(self) -> tuple[str, ...]:
        """Return the names of the actions to choose from, none for all of the world's.

        Raises:
            UserError: they are not written as expected.
        """
        if self.actions is None:
            return ()
        from qmap.envs.chosen_actions import split_actions

        return split_actions(self.actions)

    def adapted(self, make_env: MakeEnv) -> MakeEnv:
        """Return what makes the same world with these actions and frames."""
        actions, pipeline = self.chosen_actions(), self.pipeline()
        if not actions and pipeline is None:
            return make_env
        return partial(_adapted, make_env, actions, pipeline)


def _adapted(
    make_env: MakeEnv, actions: tuple[str, ...], pipeline: Pipeline | None
) -> gymnasium.Env:
    from qmap.envs.chosen_actions import ChosenActions
    from qmap.envs.pipeline import PipelineFrames

    env = make_env()
    try:
        if actions:
            env = ChosenActions(env, actions)
        return env if pipeline is None else PipelineFrames(env, pipeline)
    except BaseException:
        # The process's one emulator may be in it.
        env.close()
        raise


def _words(values: list[float]) -> str:
    return " ".join(f"{value:g}" for value in values)
