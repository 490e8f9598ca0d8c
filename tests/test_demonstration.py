"""Demonstrations: their files, exact replay, start points, and who plays them."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from corridor import COINS
from hypothesis import given, settings
from hypothesis import strategies as st

from qmap import record_demonstration
from qmap.demonstration import actions_file
from qmap.demonstration.actions_file import Demonstration, Step, Tape, read_actions, write_actions
from qmap.demonstration.keyboard import Keys, play
from qmap.demonstration.starts import Starts
from qmap.demonstration.trail import Trail, action_numbers, replay
from qmap.demonstration.worlds import find_world
from qmap.envs.vector import Envs
from qmap.experiment import Episode
from qmap.utils.errors import UserError

CORRIDOR = str(Path(__file__).parent / "corridor.py")
RIGHT = ["RIGHT"] * 10


def demonstration(actions: list[str], world: str | None = None) -> Demonstration:
    return Demonstration(world, tuple(map(Step, actions)), Path("demo.actions"))


def replayed(actions: list[str] = RIGHT, env: str = CORRIDOR) -> Trail:
    return replay(demonstration(actions), find_world(env), 60.0)


@settings(deadline=None, max_examples=20)
@given(
    st.lists(
        st.builds(
            Step,
            st.sampled_from(["LEFT", "JUMP+RIGHT", "3", "NO OP"]),
            st.none() | st.floats(-1e6, 1e6, width=32),
            st.none() | st.integers(0, 2**32 - 1).map("{:08x}".format),
        ),
        min_size=1,
    )
)
def test_a_file_of_actions_says_what_was_written(
    tmp_path_factory: pytest.TempPathFactory, steps: list[Step]
) -> None:
    path = tmp_path_factory.mktemp("files") / "demo.actions"
    write_actions(path, "some_world", steps)
    read = read_actions(path)
    assert read.world == "some_world"
    assert [(step.action, step.screen) for step in read.steps] == [
        (step.action, step.screen) for step in steps
    ]
    for found, step in zip(read.steps, steps, strict=True):
        assert found.reward == (None if step.reward is None else pytest.approx(step.reward))


def test_a_file_of_actions_may_be_typed_by_hand(tmp_path: Path) -> None:
    path = tmp_path / "typed.actions"
    path.write_text("# two and two\n\nLEFT\nRIGHT*2 \n1\n")
    assert [step.action for step in read_actions(path).steps] == ["LEFT", "RIGHT", "RIGHT", "1"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot read .*: No such file"),
        (b"", "has no actions; expected one a line"),
        (b"# nothing\n", "has no actions"),
        (b"\xff\xfe", "is not a file of actions"),
        (b"LEFT\nLEFT\tmuch\n", "line 2: expected an action"),
        (b"LEFT\t1\tdeadbeef\t5\n", "line 1: expected an action"),
        (b"LEFT\t1\tscreen\n", "line 1: expected an action"),
    ],
)
def test_another_file_is_refused_in_one_line(
    content: bytes | None, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "demo.actions"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=message) as error:
        read_actions(path)
    assert "\n" not in str(error.value)


def test_a_replayed_demonstration_ends_with_its_last_reward() -> None:
    trail = replayed([*RIGHT[:7], "LEFT", "NOOP"])
    assert len(trail) == 7
    assert trail.returns.tolist() == [0, 0, 0, 2, 2, 2, 2, 4]
    assert trail.coords[:, 1].tolist() == [1, 2, 3, 4, 5, 6, 7]
    assert [step.reward for step in trail.steps] == [0, 0, 2, 0, 0, 0, 2]


def test_every_step_of_it_can_be_begun_from() -> None:
    trail = replayed()
    envs = Envs(find_world(CORRIDOR).make_env, 1, seeds=[5], timeout=60.0)
    envs.reset()
    for start in (7, 0, 3):
        envs.jump({0: trail.state(start)})
        for step in range(start, len(trail)):
            view, rewards, *_ = envs.step(trail.actions[step : step + 1])
            assert rewards[0] == trail.rewards[step]
            if step + 1 < len(trail):
                assert np.array_equal(view.frames[0], trail.frames[step + 1])
    envs.close()


@pytest.mark.parametrize(
    ("actions", "env", "message"),
    [
        (["RIGHT", "UP"], "", "demo.actions does not replay: action 2 is 'UP', expected one of L"),
        (["LEFT", "RIGHT"], "", r"action 1 \(LEFT\) ends the episode, expected 2 actions"),
        (["RIGHT", "LEFT"], "", "gets no reward in its 2 actions"),
        (RIGHT, ":stateless", "has no save_state and restore_state"),
        (
            [*RIGHT[:3], *["LEFT", "RIGHT"] * 4, *RIGHT[:7]],
            ":forgetful",
            "does not go on exactly from a saved state: action 5 differs",
        ),
    ],
)
def test_what_does_not_replay_is_refused_in_one_line(
    actions: list[str], env: str, message: str
) -> None:
    with pytest.raises(UserError, match=message) as error:
        replayed(actions, CORRIDOR + env)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("number", "step", "message"),
    [
        (4, Step("RIGHT", 2.0), r"action 4 \(RIGHT\) gets 0, expected 2"),
        (3, Step("RIGHT", None, "00000000"), r"action 3 \(RIGHT\) sees another screen"),
    ],
)
def test_rewards_and_screens_of_the_file_are_compared(
    number: int, step: Step, message: str
) -> None:
    steps = list(demonstration(RIGHT).steps)
    steps[number - 1] = step
    with pytest.raises(UserError, match=message):
        replay(Demonstration(None, tuple(steps), Path("demo")), find_world(CORRIDOR), 60.0)


def test_actions_are_known_by_their_buttons_in_any_order() -> None:
    names = ("LEFT", "NOOP", "JUMP+RIGHT", "B+A", "A+B", "1+2")
    typed = ["RIGHT+JUMP", "JUMP+RIGHT", "A+B", "B+A", "0", "2+1"]
    assert action_numbers(demonstration(typed), names) == [2, 2, 4, 3, 0, 5]
    with pytest.raises(UserError, match="action 1 is 'RIGHT', expected one of LEFT, NOOP, JUMP"):
        action_numbers(demonstration(["RIGHT"]), names)


def test_an_action_that_could_be_two_is_refused() -> None:
    names = ("A+B+C", "NOOP", "C+B+A")
    with pytest.raises(UserError, match=r"2 is 'B\+A\+C', which is A\+B\+C or C\+B\+A; give its n"):
        action_numbers(demonstration(["NOOP", "B+A+C"]), names)
    with pytest.raises(UserError, match="1 is 'A', which is A or A; give its number: 0 or 1"):
        action_numbers(demonstration(["A"]), ("A", "A"))
    assert action_numbers(demonstration(["1", "0"]), ("A", "A")) == [1, 0]


def test_a_demonstration_of_another_world_is_refused() -> None:
    with pytest.raises(UserError, match="is a demonstration of montezuma, expected one of corri"):
        replay(demonstration(RIGHT, "montezuma"), find_world(CORRIDOR), 60.0)


def test_a_rollout_is_behind_when_it_lacks_what_the_demonstration_had_before_the_lag() -> None:
    trail = replayed()
    for start, step, lag in itertools.product(range(10), range(1, 16), range(0, 6)):
        had = sum(trail.rewards[start : max(start + step - lag, start)])
        for score in (0.0, 2.0, 4.0):
            assert trail.behind(start, step, score, lag) == (score < had)
            assert trail.matched(start, score) == (score >= sum(trail.rewards[start:]))


@settings(deadline=None, max_examples=200)
@given(st.lists(st.integers(-3, 3), min_size=1, max_size=12))
def test_a_demonstration_gets_something_from_each_of_its_steps_on(rewards: list[int]) -> None:
    trail = trail_of(rewards)
    left = [sum(rewards[start:]) for start in range(len(rewards))]
    if min(left) > 0:
        trail.check_gains()
        return
    first = next(number for number, gain in enumerate(left, 1) if gain <= 0)
    said = f"gets {left[first - 1]} from action {first} on"
    with pytest.raises(UserError, match=said) as error:
        trail.check_gains()
    assert "\n" not in str(error.value)
    cut = re.search(r"end it after action (\d+), where", str(error.value))
    scores = [sum(rewards[:stop]) for stop in range(len(rewards) + 1)]
    assert (cut is None) == (max(scores) == 0)
    if cut is not None:
        trail_of(rewards[: int(cut[1])]).check_gains()
        assert scores[int(cut[1])] == max(scores)


def trail_of(rewards: list[int]) -> Trail:
    """A demonstration of these rewards alone."""
    nothing = np.zeros(len(rewards))
    return Trail(nothing, nothing, nothing, np.array(rewards, float), (), [], (1, 1, 3))


def starts_with(**options: Any) -> Starts:
    defaults = {"spread": 8, "own": 1.0, "threshold": 0.2, "rollouts": 10, "back": 3}
    return Starts(40, 5, **{**defaults, **options}, generator=np.random.default_rng(0))


def test_start_points_are_spread_over_the_steps_that_follow_the_start() -> None:
    starts = starts_with()
    starts.start = 20
    assert [starts.draw(copy) for copy in range(5)] == [20, 20, 20, 24, 28]
    starts.start = 36
    assert [starts.draw(copy) for copy in range(5)] == [36, 36, 36, 39, 39]


def test_a_copy_begins_at_its_own_start_point_with_a_probability() -> None:
    starts = starts_with(own=0.8)
    starts.start = 20
    drawn = [starts.draw(4) for _ in range(4000)]
    assert set(drawn) == set(range(20, 40))
    # Of the fifth that is drawn from all twenty that are left, one in twenty is its own again.
    assert np.mean(np.array(drawn) == 28) == pytest.approx(0.8 + 0.2 / 20, abs=0.02)


def test_the_start_moves_back_when_a_fifth_of_the_newest_rollouts_from_it_succeed() -> None:
    starts = starts_with()
    for _ in range(30):
        starts.end(39, False)
        starts.end(38, True)
    starts.end(39, True)
    assert starts.start == 39
    for _ in range(9):
        starts.end(39, False)
    starts.end(39, False)  # the success is forgotten
    starts.end(39, True)
    assert starts.start == 39
    starts.end(39, True)
    assert starts.start == 36


def test_a_few_rollouts_from_the_start_decide_nothing() -> None:
    starts = starts_with()
    for _ in range(9):
        starts.end(39, True)
    assert starts.start == 39
    starts.end(39, False)
    # Four fifths and a half: four times as far.
    assert starts.start == 39 - 4 * 3
    for _ in range(9):
        starts.end(27, True)  # those from the start before are forgotten
    starts.end(39, True)
    assert starts.start == 27


@given(st.integers(1, 30), st.integers(0, 30), st.sampled_from((0.1, 0.2, 0.3, 0.7, 1.0)))
def test_the_start_moves_back_once_for_each_threshold_and_not_before_the_beginning(
    rollouts: int, successes: int, threshold: float
) -> None:
    successes = min(successes, rollouts)
    starts = starts_with(rollouts=rollouts, threshold=threshold)
    for number in range(rollouts):
        starts.end(39, number >= rollouts - successes)
    moves = sum(successes * 10 >= round(10 * threshold) * rollouts * n for n in range(1, 11))
    assert starts.start == max(39 - 3 * moves, 0)


def test_successes_are_told_by_parts_of_the_demonstration() -> None:
    starts = starts_with()
    for start, success in ((39, True), (39, False), (38, True), (0, False)):
        starts.end(start, success)
    assert starts.take() == [0.5, 0.0, *[None] * 8, pytest.approx(2 / 3)]
    assert starts.take() == [None] * 11


def test_starts_go_on_from_their_state() -> None:
    one, other = starts_with(own=0.5), starts_with(own=0.5)
    one.end(39, True)
    one.draw(0)
    other.restore(one.state())
    for each in (one, other):
        each.end(39, True)
    assert (one.start, [one.draw(1) for _ in range(20)]) == (
        other.start,
        [other.draw(1) for _ in range(20)],
    )


def test_an_episode_on_tape_can_be_replayed(tmp_path: Path) -> None:
    envs = Envs(find_world(CORRIDOR).make_env, 1, seeds=[0], timeout=60.0)
    envs.recording = True
    view, episode, tape = envs.reset(), Episode(1), Tape(tmp_path, "corridor")
    tape.start()
    for action in [2, 1, 2, 2, 0, 2, *[2] * 7]:
        tape.add(episode, view.screen, envs.action_names[action])
        view, rewards, *_ = envs.step(np.array([action]))
        episode.add(float(rewards[0]), 0.99)
    envs.close()
    tape.end(episode, "episode")
    trail = replay(read_actions(tmp_path / "episode.mp4"), find_world(CORRIDOR), 60.0)
    assert len(trail) == 13
    assert trail.returns[-1] == 2 * len(COINS)


def test_an_episode_of_which_the_beginning_was_missed_is_not_written(tmp_path: Path) -> None:
    tape = Tape(tmp_path, "corridor")
    tape.start()
    tape.add(Episode(1, length=5), np.zeros((2, 2, 3), np.uint8), "LEFT")
    tape.end(Episode(1, length=6), "episode")
    assert not list(tmp_path.iterdir())


def test_an_episode_that_never_ends_fills_no_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actions_file, "LONGEST", 3)
    tape = Tape(tmp_path, "corridor")
    tape.start()
    for length in range(5):
        tape.add(Episode(1, length=length), np.zeros((2, 2, 3), np.uint8), "LEFT")
    assert len(tape._steps) == len(tape._returns) == 3
    tape.end(Episode(1, length=5), "episode")
    assert not list(tmp_path.iterdir())


def test_keys_are_told_from_the_names_of_actions() -> None:
    keys = Keys(("JUMP+LEFT", "JUMP", "JUMP+RIGHT", "LEFT", "NOOP", "RIGHT"))
    assert keys.key_of == {"JUMP": "space", "LEFT": "left", "RIGHT": "right"}
    held = [set(), {"left"}, {"left", "space"}, {"space"}, {"space", "right", "q"}, {"q"}]
    assert [keys.action(each) for each in held] == [4, 3, 0, 1, 2, 4]
    keys = Keys(("LEFTFIRE", "UP", "RIGHTFIRE", "LEFT", "NOOP", "RIGHT", "DOWN"))
    assert [keys.action(each) for each in ({"left", "space"}, {"space"}, {"down"})] == [0, 4, 6]
    keys = Keys(("0", "1", "A+B"))
    assert keys.idle is None
    assert [keys.action(each) for each in ({"1"}, {"a", "b"}, {"left"})] == [1, 2, None]


class Player:
    """A window whose keys are a script: what goes down, and is held, at each picture."""

    def __init__(self, script: list[set[str]]) -> None:
        self.script: Iterator[set[str]] = iter(script)
        self.held: set[str] = set()
        self.closed = False
        self.pictures: list[np.ndarray] = []

    def show(self, picture: np.ndarray) -> None:
        self.pictures.append(picture)
        self.held = next(self.script)

    def take_pressed(self) -> list[str]:
        return sorted(self.held)

    def close(self) -> None:
        self.closed = True


def played(script: list[set[str]]) -> tuple[list[Step], Player]:
    envs = Envs(find_world(CORRIDOR).make_env, 1, seeds=[0], timeout=60.0)
    player = Player(script)
    try:
        return play(envs, player, 0.0, sleep=lambda seconds: None), player
    finally:
        envs.close()


def test_what_was_played_with_the_keyboard_is_recorded() -> None:
    steps, player = played([{"right"}, {"right"}, set(), {"right"}, {"return"}])
    assert [step.action for step in steps] == ["RIGHT", "RIGHT", "NOOP", "RIGHT"]
    assert [step.reward for step in steps] == [0, 0, 0, 2]
    assert len(player.pictures) == 5


def test_going_back_takes_steps_back_and_ends_the_end() -> None:
    script = [*[{"right"}] * 2, *[set()] * 13, {"left"}, {"left"}, {"left"}]
    # The pit is reached with the third step to the left; one picture more waits there.
    steps, _ = played([*script, {"right"}, {"backspace"}, {"right"}, {"right"}, {"return"}])
    assert [step.action for step in steps] == ["RIGHT", "RIGHT", "NOOP", "RIGHT", "RIGHT"]
    assert [step.reward for step in steps] == [0, 0, 0, 2, 0]


@pytest.mark.parametrize(
    ("script", "message"),
    [([{"return"}], "nothing was played"), ([{"right"}, {"escape"}], "nothing was saved")],
)
def test_nothing_is_recorded_of_nothing(script: list[set[str]], message: str) -> None:
    with pytest.raises(UserError, match=message):
        played(script)


def test_a_recorded_demonstration_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    window = Player([*[{"right"}] * 10, {"return"}])
    monkeypatch.setattr(record_demonstration, "LiveWindow", lambda *args, **kwargs: window)
    output = tmp_path / "played.actions"
    flags = ["--env", CORRIDOR, "--output", str(output), "--pace", "1000"]
    record_demonstration.main(flags)
    assert "10 actions, score 6" in capsys.readouterr().out
    read = read_actions(output)
    assert read.world == "corridor"
    assert all(step.reward is not None and step.screen for step in read.steps)
    with pytest.raises(UserError, match="exists already"):
        record_demonstration.main(flags)
    again = tmp_path / "again.actions"
    flags = ["--env", CORRIDOR, "--demo", str(output), "--output", str(again)]
    record_demonstration.main(flags)
    assert again.read_text() == output.read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again.actions", "played.actions"]


@pytest.mark.parametrize(
    ("env", "said"),
    [(":forgetful", "does not go on exactly from a saved state"), ("", "gets no reward in its 2")],
)
def test_what_was_played_and_does_not_replay_is_kept(
    env: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [{"right"}, {"left"}] if not env else 3 * [{"right"}] + 4 * [{"left"}, {"right"}]
    monkeypatch.setattr(
        record_demonstration, "LiveWindow", lambda *args, **kwargs: Player([*keys, {"return"}])
    )
    flags = ["--env", CORRIDOR + env, "--output", str(tmp_path / "my.actions"), "--pace", "1000"]
    for name in ("my_as_played.actions", "my_as_played_2.actions"):
        with pytest.raises(UserError, match=f"{said}.*; what was played is in .*/{name}") as error:
            record_demonstration.main(flags)
        assert "\n" not in str(error.value)
        read = read_actions(tmp_path / name)
        assert [{step.action.lower()} for step in read.steps] == keys
    assert not (tmp_path / "my.actions").exists()


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("nowhere/my.actions", "cannot write .*nowhere/my.actions: No such file or directory"),
        ("/proc/my.actions", "cannot write /proc/my.actions"),
        (f"{300 * 'x'}.actions", "cannot write .*: File name too long"),
        ("my.txt", "expected a name that ends in .actions"),
    ],
)
def test_where_nothing_can_be_written_nothing_is_played(
    output: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record_demonstration, "LiveWindow", None)
    with pytest.raises(UserError, match=said):
        record_demonstration.main(["--env", CORRIDOR, "--output", str(tmp_path / output)])
    assert not list(tmp_path.iterdir())


def test_a_demonstration_is_recorded_with_the_options_of_its_world(tmp_path: Path) -> None:
    typed, output = tmp_path / "typed.actions", tmp_path / "recorded.actions"
    flags = ["--env", "retro:FoxgloveRun-Snes", "--state", "foxglove_level_1_2"]
    flags += ["--actions", "NOOP;RIGHT+JUMP;RIGHT", "--frame-size", "20", "30"]
    typed.write_text("JUMP+RIGHT*30\n")
    record_demonstration.main([*flags, "--demo", str(typed), "--output", str(output)])
    read = read_actions(output)
    assert read.world == "FoxgloveRun-Snes_foxglove_level_1_2"
    assert {step.action for step in read.steps} == {"RIGHT+JUMP"}
    trail = replay(
        read, find_world(flags[1], state=flags[3], actions="RIGHT+JUMP", frame_size=[10, 12]), 60.0
    )
    assert trail.frames.shape[1:] == (10, 12, 1)
    with pytest.raises(UserError, match="is a demonstration of FoxgloveRun-Snes_foxglove_level_1"):
        replay(read, find_world(flags[1], state="foxglove_level_1_1"), 60.0)


@pytest.mark.parametrize(
    ("env", "name"),
    [("montezuma", "montezuma"), ("foxglove:1.2", "foxglove_1.2"), (CORRIDOR, "corridor")],
)
def test_worlds_have_the_names_of_their_results(env: str, name: str) -> None:
    assert find_world(env).name == name


@pytest.mark.parametrize(
    ("env", "options", "message"),
    [
        ("foxglove:9.9", {}, "has no level"),
        ("none.py", {}, "there is no file none.py"),
        ("super_mario:1.1", {"rom": "none.sfc"}, "no ROM at none.sfc; --rom gives the file"),
        ("foxglove", {"game_dir": "nowhere"}, "nowhere is not the folder of Foxglove Run"),
        ("retro:FoxgloveRun-Snes", {"state": "1"}, "has no state '1'"),
        ("montezuma", {"crop": [1]}, "--crop 1: expected 4 numbers"),
        (CORRIDOR, {"state": "1"}, "--state 1 does nothing with an --env that is not retro:GAME"),
        ("montezuma", {"game_dir": "x"}, "--game-dir x does nothing with an --env that is neither"),
        ("foxglove", {"row": "y"}, "--row y does nothing with an --env that is not retro:GAME"),
        ("montezuma", {"rom": "x"}, "--rom x does nothing with an --env that has no levels"),
    ],
)
def test_worlds_that_are_not_there_or_have_no_such_option_are_refused(
    env: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message) as error:
        find_world(env, **options)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("env", "options", "actions", "shape"),
    [
        ("montezuma", {"actions": "NOOP;UP", "color": True}, ("NOOP", "UP"), (56, 40, 3)),
        ("foxglove:1.1", {"actions": "RIGHT", "resize": [0.5]}, ("RIGHT",), (112, 128, 1)),
        (CORRIDOR, {"crop": [1, 2, 3, 4]}, ("LEFT", "NOOP", "RIGHT"), (5, 17, 1)),
    ],
)
def test_every_world_is_seen_and_acted_in_as_its_options_say(
    env: str, options: dict[str, Any], actions: tuple[str, ...], shape: tuple[int, ...]
) -> None:
    made = find_world(env, **options).make_env()
    try:
        assert made.get_wrapper_attr("action_names") == actions
        assert made.reset()[0].shape == shape
    finally:
        made.close()


def test_an_atari_world_shows_the_maximum_of_two_pictures() -> None:
    env = find_world("montezuma").make_env()
    plain = find_world("montezuma").make_env(max_of_two=False)
    ale = plain.unwrapped._ale
    env.reset()
    plain.reset()
    for action in (5, 5, 2, 6, 6):
        pictures = []
        # The same emulator, frame by frame, in the place of the plain world's own step.
        for _ in range(4):
            ale.act(plain.unwrapped._buttons[action])
            pictures.append(ale.getScreenGrayscale())
        expected = plain.unwrapped._screen(np.maximum(*pictures[-2:]), None)
        assert np.array_equal(env.step(action)[0], expected)
    env.close()
    plain.close()


def test_the_demonstration_that_is_shipped_finishes_its_level() -> None:
    path = Path(__file__).parents[1] / "examples" / "foxglove_1.1.actions"
    trail = replay(read_actions(path), find_world("foxglove:1.1"), 60.0)
    assert len(trail) == 350
    assert trail.rewards[-1] > 50  # the bonus for the level
