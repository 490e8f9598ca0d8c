"""Super Mario All-Stars (SNES, 1993), first game: Super Mario Bros. The player brings the ROM.

The variables are those of `SuperMarioAllStars-Snes/data.json`.
"""

from __future__ import annotations

from qmap.envs.game import NOT_ZERO, Game, Recording

# The area that each level starts in, as its index in the world and its pointer.
_AREAS = {
    1: ((0, 0x25), (2, 0xC0), (3, 0x26), (4, 0x60)),
    2: ((0, 0x28), (2, 0x01), (3, 0x27), (4, 0x62)),
    3: ((0, 0x24), (1, 0x35), (2, 0x20), (3, 0x63)),
    4: ((0, 0x22), (2, 0x41), (3, 0x2C), (4, 0x61)),
    5: ((0, 0x2A), (1, 0x31), (2, 0x26), (3, 0x62)),
    6: ((0, 0x2E), (1, 0x23), (2, 0x2D), (3, 0x60)),
    7: ((0, 0x33), (2, 0x01), (3, 0x27), (4, 0x64)),
    8: ((0, 0x30), (1, 0x32), (2, 0x21), (3, 0x65)),
}

SUPER_MARIO_ALL_STARS = Game(
    key="super_mario",
    title="Super Mario All-Stars",
    folder="SuperMarioAllStars-Snes",
    state="mario_level_{level}.state",
    levels={
        f"{world}.{level}": {
            "world": world - 1,
            "level": level - 1,
            "area_index": index,
            "area_pointer": pointer,
        }
        for world, areas in _AREAS.items()
        for level, (index, pointer) in enumerate(areas, start=1)
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
    column={"player_column": 1, "player_column_page": 256},
    window={"window_column": 1},
    # In play it names the area that the next pipe leads to, often from the first frame on.
    room={"area_pointer": 1},
    score={"score_tens": 10},
    # Dying and life lost. The variable run_over tells less: it locks the scrolling, which the game
    # does at a warp zone and in the last room of a castle, too, where the run goes on.
    dead={"engine_state": (6, 11)},
    # Sliding down the flagpole and walking to the castle; a castle's own end has no flag.
    completed={"engine_state": (4, 5), "mode": (2,)},
    # Climbing a vine, entering a pipe on its side or from above, an area being loaded (when place
    # and engine state are 0) and the player coming out of a pipe or falling into the area.
    between={"engine_state": (0, 1, 2, 3, 7), "task": (0, 1, 2)},
    recording=Recording(
        to_title=(
            ((), 600),
            (("START",), 4),
            ((), 180),
            (("START",), 4),
            ((), 90),
            (("START",), 4),
            ((), 90),
            (("START",), 4),
            ((), 300),
        ),
        to_level=((("START",), 4), ((), 60)),
        playing={"mode": (1,), "task": (3,), "timer": NOT_ZERO, "engine_state": (8,)},
        # The fade-in takes as long, and neither a fall nor the slow sinking in water begins with as
        # many frames in the same row (6 at most).
        still_frames=30,
    ),
    without_rom="Super Mario All-Stars needs its ROM, which cannot be shipped: put yours at "
    "{path}, or give it as --rom FILE, and record the starts of its levels (python -m "
    "qmap.envs.record_levels); the free game, foxglove, needs none",
)
