"""Foxglove Run, this project's own free platformer; its source is in `FoxgloveRun-Snes/`.

The variables are those of `FoxgloveRun-Snes/data.json`.
"""

from __future__ import annotations

from qmap.envs.game import Game, Recording

FOXGLOVE_RUN = Game(
    key="foxglove",
    title="Foxglove Run",
    folder="FoxgloveRun-Snes",
    state="foxglove_level_{level}.state",
    levels={
        f"{world}.{level}": {"start_world": world, "start_level": level}
        for world, level in ((1, 1), (1, 2), (2, 1), (2, 2))
    },
    actions={
        "JUMP+LEFT": ("B", "LEFT"),
        "JUMP": ("B",),
        "JUMP+RIGHT": ("B", "RIGHT"),
        "LEFT": ("LEFT",),
        "NOOP": (),
        "RIGHT": ("RIGHT",),
    },
    row={"player_row": 1},
    column={"player_column": 1},
    window={"window_column": 1},
    room={},
    score={"score": 1},
    # Dying and life over.
    dead={"engine_state": (1, 3)},
    completed={"engine_state": (2,)},
    between={},
    recording=Recording(
        to_title=(((), 60),),
        to_level=((("START",), 4),),
        playing={"mode": (1,), "engine_state": (0,)},
        still_frames=30,
    ),
    without_rom="no ROM of Foxglove Run at {path}: restore it from the repository, or build it "
    "from the source beside it",
)
