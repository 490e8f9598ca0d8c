"""All goals at once against every other way to learn them, in mazes and in Sokoban.

A file each: the worlds and their test sets (`worlds`), networks, the learners (`all_goals`,
`one_goal` with its ways to choose the goal in `own_goals`, `random_goals`, `hindsight` and `mixed`,
`relabelling`), and how good what they learned is (`evaluation`).
"""
