"""How an agent sees a world and acts in it: options that all programs share which play games.

Loads without OpenCV, because the options are checked on every command line.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from qmap.envs import LARGEST_FRAME, RETRO
from qmap.utils.command_line import option
from qmap.utils.errors import UserError

if TYPE_CHECKING:
    import gymnasium

    from qmap.envs.pipeline import Pipeline
    from qmap.envs.retro_game import RetroGameOptions

GROUP = "world and screen"
of_world = partial(option, group=GROUP)
# Options of the world itself may be given by their names.
MakeEnv = Callable[..., "gymnasium.Env"]


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
        [],
        "height and width of a frame, in place of --resize",
        minimum=1,
        maximum=LARGEST_FRAME,
        nargs="+",
    )
    edges: list[float] = of_world(
        [], "see Canny edges: low and high threshold", minimum=0, nargs="+"
    )

    @property
    def keeps_grid(self) -> bool:
        """Whether the goal grid of the world lies over the frames as it does over the screen."""
        return not (self.crop or self.resize or self.frame_size)

    @property
    def shows_places(self) -> bool:
        """Whether pictures of the frames can show where the character is."""
        return self.keeps_grid

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


@dataclass(frozen=True)
class EnvironmentOptions(WorldOptions):
    """Any environment by its name, and what there is to say of a game of stable-retro."""

    env: str | None = of_world(
        None,
        "the environment: package:Name-v0, FILE.py[:NAME] with make(), or retro:GAME",
        metavar="ENV",
    )
    game_dir: str | None = of_world(
        None, "integration folder of a retro:GAME of your own", needs=["is_retro"], metavar="DIR"
    )
    state: str | None = of_world(
        None, "saved state that a retro:GAME starts from", needs=["is_retro"], metavar="NAME"
    )
    one_life: bool = of_world(
        False, "end an episode of a retro:GAME when a life is lost, too", needs=["is_retro"]
    )
    row: str | None = of_world(
        None,
        "variables of a retro:GAME that add up to the character's row on the screen, in pixels: "
        '"y" or "y-screen_y"',
        needs=["is_retro"],
        metavar="VAR",
    )
    col: str | None = of_world(
        None, "and to its column in the level", needs=["is_retro"], metavar="VAR"
    )
    window: str | None = of_world(
        None,
        "and to the column at which the screen starts, if it scrolls",
        needs=["is_retro"],
        metavar="VAR",
    )

    @property
    def is_retro(self) -> bool:
        """Whether the environment is a game of stable-retro."""
        return self.env is not None and self.env.startswith(RETRO)

    @property
    def shows_places(self) -> bool:
        """Whether pictures of the frames can show where the character is, if anybody knows it."""
        return super().shows_places and (not self.is_retro or self._retro_options().place().known)

    def check_environment(self, needs_place: bool) -> None:
        """Refuse an environment that is not there, before anything is loaded that takes long.

        Args:
            needs_place: whether somebody has to know where the character is.

        Raises:
            UserError: it is not there, or nobody knows that.
        """
        from qmap.envs.make_env import EXPECTED, find_file

        if not self.env:
            raise UserError(f"--env is missing: expected {EXPECTED}")
        if not self.is_retro:
            find_file(self.env)
            return
        options = self._retro_options()
        options.check()
        if needs_place and not options.place().known:
            raise UserError(
                f"nobody knows where the character of {options.game} is: give --row and --col (and "
                "--window, if the screen scrolls), or --no-qmap"
            )

    def make_env(self) -> MakeEnv:
        """Return what makes the environment, with the actions and frames that are asked for."""
        from qmap.envs.make_env import located, make_env

        if not self.is_retro:
            return self.adapted(partial(make_env, located(self.env)))
        return self.adapted(partial(make_env, self.env, **self._of_retro()))

    @property
    def results_name(self) -> str:
        """What results of the environment are filed under."""
        from qmap.envs.make_env import name_in_results

        name = name_in_results(self.env)
        return f"{name}_{self.state}" if self.state else name

    def _retro_options(self) -> RetroGameOptions:
        from qmap.envs.retro_game import RetroGameOptions

        return RetroGameOptions(self.env.removeprefix(RETRO), **self._of_retro())

    def _of_retro(self) -> dict[str, str | bool | None]:
        names = ("game_dir", "state", "one_life", "row", "col", "window", "actions")
        return {name: getattr(self, name) for name in names}


def _adapted(
    make_env: MakeEnv, actions: tuple[str, ...], pipeline: Pipeline | None, **options: Any
) -> gymnasium.Env:
    from qmap.envs.chosen_actions import ChosenActions
    from qmap.envs.pipeline import PipelineFrames

    env = make_env(**options)
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
