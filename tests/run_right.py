"""A player for the tests that looks for a way to the right on which it lives."""

from __future__ import annotations

from qmap.envs.mario import MarioEnv

# Held for some steps each: run, jumps of three heights, and what waits for an enemy to pass.
MACROS = (
    (("RIGHT", 4),),
    (("JUMP+RIGHT", 6), ("RIGHT", 2)),
    (("JUMP+RIGHT", 3), ("RIGHT", 3)),
    (("JUMP+RIGHT", 9), ("RIGHT", 3)),
    (("JUMP", 6), ("JUMP+RIGHT", 3), ("RIGHT", 4)),
    (("NOOP", 6), ("JUMP+RIGHT", 7), ("RIGHT", 4)),
    (("LEFT", 6), ("JUMP+RIGHT", 9), ("RIGHT", 9)),
)


def way_right(env: MarioEnv, distance: int, max_steps: int = 10_000) -> list[int] | None:
    """Return the actions of an episode that gets to a column, or None if none is found in time.

    A search in depth with saved states: where a macro ends the episode or gets no farther the next
    one is tried, and where all do, it goes back to the place before.

    Args:
        env: The environment, which is reset first; afterwards it is where the search ended.
        distance: How far the episode has to get, in pixels.
        max_steps: How many agent steps the search may take.
    """
    _, info = env.reset()
    places = [(env.save_state(), list(MACROS), 0, info["qmap"]["distance"])]
    actions: list[int] = []
    while places and max_steps > 0:
        state, macros, length, reached = places[-1]
        del actions[length:]
        if not macros:
            places.pop()
            continue
        env.restore_state(state)
        over = False
        for name, steps in macros.pop(0):
            for _ in range(steps):
                if over:
                    break
                actions.append(env.action_names.index(name))
                _, _, over, _, info = env.step(actions[-1])
                max_steps -= 1
                if info["qmap"]["distance"] >= distance:
                    return actions
        farthest = info["qmap"]["distance"]
        if not over and farthest > reached:
            places.append((env.save_state(), list(MACROS), len(actions), farthest))
    return None
