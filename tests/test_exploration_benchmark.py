"""What the comparison of agents takes from runs and from its table; the runs take minutes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks import exploration
from benchmarks.exploration import AGENTS, COLUMNS, WORLDS, Options, can_act, draw, explored, main
from qmap.parse_config import parse
from qmap.utils.command_line import typed
from qmap.utils.errors import UserError
from qmap.utils.image_file import read_image

LEVEL = "foxglove_1.1"


@pytest.fixture(autouse=True)
def _no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exploration.subprocess, "run", lambda *_, **__: pytest.fail("acts"))


def options_for(tmp_path: Path, **changes: object) -> Options:
    table = str(tmp_path / "t.csv")
    return Options(**{"steps": 10_000, "path": str(tmp_path), "results": table, **changes})


def write_run(
    tmp_path: Path,
    agent: str,
    seed: int,
    visits: dict[int, list[tuple[int, int, int, int]]],
    world: str = LEVEL,
    **logs: str,
) -> Path:
    """A run of an agent by hand: its visits by steps, and its logs."""
    folder = tmp_path / agent / world / "somebody" / f"seed-{seed}_now"
    (folder / "coords").mkdir(parents=True)
    for steps, rows in visits.items():
        np.save(folder / "coords" / f"step_{steps}.npy", np.array(rows, np.int64))
    for name, text in logs.items():
        (folder / f"{name}.csv").write_text(text)
    return folder


VISITS = {5_000: [(0, 3, 8, 1)], 10_000: [(0, 3, 8, 1), (0, 4, 30, 2), (1, 4, 2, 2)]}
SCORE = "steps,undiscounted return,discounted return,episode length\n"


def test_a_run_is_measured_at_every_moment_of_which_it_has_visits(tmp_path: Path) -> None:
    write_run(
        tmp_path,
        "dqn",
        1,
        {**VISITS, 15_000: [(0, 0, 99, 1)] * 9},
        score=f"{SCORE}4000,3,1,4000\n9000,7,1,5000\n14000,50,1,5000\n",
        completed="steps,undiscounted return\n9000,7\n14000,50\n",
        kept_actions="steps,actions\n1,30\n5,10\n",
        learning="steps,goals reached\n5000,\n10000,0.25\n15000,1\n",
        exploration="steps,goal actions,greedy actions\n5000,0.5,0\n10000,0.7,0.2\n15000,1,1\n",
    )
    rows = explored(options_for(tmp_path), LEVEL, "dqn", 1)
    assert rows["steps"].tolist() == [5_000, 10_000]
    assert rows["distinct cells"].tolist() == [1, 3]
    assert rows["rooms"].tolist() == [1, 2]
    assert rows["farthest column"].tolist() == [8, 30]
    assert rows["best return"].tolist() == [3, 7]
    assert rows["won episodes"].tolist() == [0, 1]
    assert rows["deepest row"].isna().all()
    last = rows.iloc[-1]
    assert last[["steps kept", "goals reached", "goal actions"]].tolist() == [2, 0.25, 0.6]
    assert last["greedy actions"] == pytest.approx(0.1)
    assert rows.iloc[0, -4:].isna().all()


def test_the_pyramid_has_four_floors_and_the_key_is_worth_a_hundred(tmp_path: Path) -> None:
    visits = {10_000: [(2, 27, 0, 1), (7, 5, 0, 1), (8, 1, 0, 1), (23, 2, 0, 1), (15, 1, 0, 1)]}
    score, unfinished = f"{SCORE}50,0,0,50\n9000,100,0,50\n", f"{SCORE}10000,400,1,900\n"
    write_run(tmp_path, "jerk", 0, visits, "montezuma", score=score, unfinished=unfinished)
    (row,) = explored(options_for(tmp_path), "montezuma", "jerk", 0).to_dict("records")
    assert row["deepest row"] == 3 * 28 + 2
    assert (row["won episodes"], row["best return"], row["rooms"]) == (2, 400, 5)
    floors = {room: np.searchsorted(WORLDS["montezuma"].first_rooms, room, "right") for room in
              (0, 1, 2, 3, 7, 8, 14, 15, 23)}  # fmt: skip
    assert list(floors.values()) == [0, 0, 0, 1, 1, 2, 2, 3, 3]


def test_what_a_run_found_stays_in_the_table_without_the_run(tmp_path: Path) -> None:
    folder = write_run(tmp_path, "random", 0, VISITS)
    before = explored(options_for(tmp_path), LEVEL, "random", 0)
    for file in (folder / "coords").iterdir():
        file.unlink()
    pd.testing.assert_frame_equal(explored(options_for(tmp_path), LEVEL, "random", 0), before)
    shorter = explored(options_for(tmp_path, steps=5_000), LEVEL, "random", 0)
    assert shorter["distinct cells"].tolist() == [1]
    missing = explored(options_for(tmp_path, steps=15_000, only_there=True), LEVEL, "random", 0)
    assert missing.empty


def test_the_table_has_means_with_intervals_beside_the_best_control_and_what_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for agent, counts in {"random": (2, 4, 6), "jerk": (1, 1, 1), "q-map+dqn": (8, 4)}.items():
        for seed, count in enumerate(counts):
            write_run(tmp_path, agent, seed, {10_000: [(0, row, 5, 1) for row in range(count)]})
    command = ["--worlds", LEVEL, "--steps", "10000", "--path", str(tmp_path), "--only-there"]
    command += ["--agents", "random", "repeat-4", "jerk", "q-map+dqn", "--results"]
    main([*command, str(tmp_path / "t.csv"), "--pictures", str(tmp_path)])
    out = capsys.readouterr().out
    # t of 2 degrees of freedom is 4.303, times a deviation of 2, by the root of 3.
    assert "| random | 1.00 | 4 ± 5 (2, 4, 6) | 1 ± 0 (1, 1, 1) | 5 ± 0 (5, 5, 5) |" in out
    assert "| jerk | 0.25 | 1 ± 0 (1, 1, 1) |" in out
    assert "| q-map+dqn | 1.50 | 6 ± 25 (8, 4) |" in out
    assert "missing: repeat-4 (3 of 3 seeds), q-map+dqn (1 of 3 seeds)" in out
    assert "deepest row" not in out
    assert read_image(tmp_path / f"{LEVEL}.png", "L", (4000, 4000)).pixels.std() > 10


def test_a_picture_ticks_where_episodes_were_won(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = pd.DataFrame(
        {"seed": [0, 0, 0, 1, 1], "steps": [5, 10, 15, 5, 10], "best return": [1, 2, 3, 4, 5.0]}
        | {"won episodes": [1, 1, 3, 0, None]}
    )
    drawn = []
    monkeypatch.setattr("benchmarks.exploration.draw_curves", lambda *given: drawn.append(given))
    options = Options(pictures=str(tmp_path), drawn="best return")
    draw(options, LEVEL, {"jerk": rows, "random": rows[:0]})
    path, _, _, curves, _, order, marks = drawn[0]
    assert path == tmp_path / f"{LEVEL}_best_return.png"
    assert set(order) == set(AGENTS), "an agent has one color in all pictures"
    assert {name: run["best return"].tolist() for name, run in curves["jerk"].items()} == {
        "seed-0": [1, 2, 3],
        "seed-1": [4, 5],
    }
    ticks = {name: run["steps"].tolist() for name, run in marks["completed"]["jerk"].items()}
    assert ticks == {"seed-0": [5, 15], "seed-1": []}


def test_agents_with_two_actions_are_held_against_those_with_two(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cells = {"random": 4, "q-map+dqn": 6, "random-right": 8, "q-map+dqn-right": 2}
    for agent, count in cells.items():
        write_run(tmp_path, agent, 0, {10_000: [(0, row, 5, 1) for row in range(count)]})
    command = ["--worlds", LEVEL, "--steps", "10000", "--path", str(tmp_path), "--only-there"]
    main([*command, "--results", str(tmp_path / "t.csv"), "--seeds", "1"])
    rows = [line.split(" | ") for line in capsys.readouterr().out.splitlines()]
    shares = {row[0].removeprefix("| "): row[1] for row in rows if len(row) > 2}
    expected = {"random": "1.00", "q-map+dqn": "1.50", "random-right": "1.00"}
    assert {**expected, "q-map+dqn-right": "0.25"}.items() <= shares.items()


def test_one_pass_makes_the_control_that_needs_the_run_of_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = []

    def run(command: list[str], **_: object) -> object:
        agent = Path(command[command.index("--path") + 1]).name
        made.append(agent)
        write_run(tmp_path, agent, 0, VISITS)
        return type("Done", (), {"returncode": 0})

    monkeypatch.setattr(exploration.subprocess, "run", run)
    command = ["--worlds", LEVEL, "--steps", "10000", "--path", str(tmp_path), "--seeds", "1"]
    main([*command, "--results", str(tmp_path / "t.csv")])
    assert sorted(made) == sorted(AGENTS)
    out = capsys.readouterr().out
    assert "missing" not in out
    rows = [line.split(" | ")[0].removeprefix("| ") for line in out.splitlines() if " | " in line]
    assert rows[1:] == list(AGENTS), "the table has them in the order that was asked for"


def test_a_table_that_is_not_there_is_refused_if_there_are_no_runs_to_fill_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["--worlds", LEVEL, "--steps", "10000", "--path", str(tmp_path), "--only-there"]
    command += ["--results", str(tmp_path / "mistyped.csv"), "--agents", "dqn", "random"]
    with pytest.raises(UserError, match=r"^there is no table .*mistyped\.csv: leave .* make it$"):
        main(command)
    assert capsys.readouterr().out == ""
    write_run(tmp_path, "dqn", 1, VISITS)
    main(command)
    assert "missing: dqn (2 of 3 seeds), random (3 of 3 seeds)" in capsys.readouterr().out


def commands(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that are run from now on; each fails."""
    found: list[list[str]] = []

    def run(command: list[str], **_: object) -> object:
        found.append(command[1:])
        return type("Done", (), {"returncode": 1})

    monkeypatch.setattr(exploration.subprocess, "run", run)
    return found


def test_a_run_that_is_too_short_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = commands(monkeypatch)
    folder = write_run(tmp_path, "dqn", 0, VISITS)
    with pytest.raises(UserError, match="dqn in foxglove_1.1 with seed 0 failed"):
        explored(options_for(tmp_path, steps=15_000), LEVEL, "dqn", 0)
    expected = ["-m", "qmap.train_mario", "--stop-at", "15000", "--resume", str(folder)]
    assert found == [expected]


def test_repeats_like_those_of_the_q_map_need_its_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = commands(monkeypatch)
    assert explored(options_for(tmp_path), LEVEL, "repeat-like-q-map", 2).empty
    folder = write_run(tmp_path, "q-map+dqn", 2, VISITS)
    with pytest.raises(UserError, match="failed"):
        explored(options_for(tmp_path), LEVEL, "repeat-like-q-map", 2)
    (command,) = found
    assert command[command.index("--repeat-like") + 1] == str(folder)


@pytest.mark.parametrize(
    ("world", "agent"),
    [(world, agent) for world in WORLDS for agent in AGENTS if can_act(agent, world)],
)
def test_every_agent_in_every_world_is_a_command_that_its_program_takes(
    world: str, agent: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from qmap.config import TrainingConfig
    from qmap.train_mario import MarioConfig

    found = commands(monkeypatch)
    like = exploration.LIKE.get(agent, "q-map+dqn")
    model = write_run(tmp_path, like, 0, VISITS, world, kept_actions="a,b\n1,1\n")
    options = options_for(tmp_path, steps=10_000 + 5_000 * (agent == "q-map+dqn"))
    if agent == "q-map+dqn":
        for file in (model / "coords").iterdir():
            file.unlink()
    with pytest.raises(UserError, match="failed"):
        explored(options, world, agent, 0)
    (command,) = found
    kind = MarioConfig if world != "montezuma" else TrainingConfig
    given = typed(kind, "", command[2:])
    config = parse(kind, "qmap.train_it", "", command[2:])
    assert config.last_step == options.steps
    assert list(config.remarks(given)) == (
        [] if config.learns else ["with --no-dqn and --no-qmap the agent learns nothing"]
    )


def test_agents_with_two_actions_are_of_the_worlds_that_have_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "t.csv").write_text(f"{','.join(COLUMNS)}\n")
    command = ["--steps", "10000", "--path", str(tmp_path), "--only-there", "--results"]
    command += [str(tmp_path / "t.csv"), "--agents", "random", "random-right", "--worlds"]
    main([*command, "montezuma", LEVEL])
    montezuma, level = capsys.readouterr().out.split(f"{LEVEL}, ")
    assert "missing: random (3 of 3 seeds)\n\nwithout such actions: random-right\n" in montezuma
    assert "missing: random (3 of 3 seeds), random-right (3 of 3 seeds)" in level
    assert "without" not in level


def test_the_tables_that_are_shipped_are_printed_without_a_run(
    capsys: pytest.CaptureFixture[str],
) -> None:
    results = Path(exploration.__file__).parent / "results" / "exploration.csv"
    main(["--results", str(results), "--only-there", "--steps", "30000", "--path", "nowhere"])
    out = capsys.readouterr().out
    assert "| repeat-2-8 | " in out
