"""Demonstrations: their files, exact replay, tapes, and the worlds that they are of."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from corridor import COINS
from hypothesis import given, settings
from hypothesis import strategies as st

from qmap.demonstration import actions_file
from qmap.demonstration.actions_file import Demonstration, Step, Tape, read_actions, write_actions
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
            st.none() | st.floats(allow_nan=False, allow_infinity=False),
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
    assert list(read.steps) == steps


def test_rewards_are_written_as_short_as_they_can_be(tmp_path: Path) -> None:
    path = tmp_path / "demo.actions"
    write_actions(path, "w", [Step("A", reward) for reward in (0.0, 1.0, -2.0, 0.1, 1234567.8912)])
    assert path.read_text() == "# world: w\nA\t0\nA\t1\nA\t-2\nA\t0.1\nA\t1234567.8912\n"


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


def test_a_large_reward_of_many_digits_replays_from_its_own_file(tmp_path: Path) -> None:
    path, world = tmp_path / "rich.actions", find_world(f"{CORRIDOR}:rich")
    write_actions(path, world.name, replay(demonstration(RIGHT), world, 60.0).steps)
    assert replay(read_actions(path), world, 60.0).returns[-1] == 3 * 1234567.8912
    text = path.read_text()
    path.write_text(text.replace("1234567.8912", "1234567.89"))  # as earlier versions wrote it
    replay(read_actions(path), world, 60.0)
    path.write_text(text.replace("1234567.8912", "1234567.5"))
    with pytest.raises(UserError, match=r"gets 1234567\.89, expected 1234567\.5"):
        replay(read_actions(path), world, 60.0)


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


@given(st.lists(st.integers(-999, 9999).map(lambda cents: cents / 100), min_size=1))
def test_rewards_on_tape_have_no_digits_of_the_sum_that_they_are_taken_from(
    tmp_path_factory: pytest.TempPathFactory, rewards: list[float]
) -> None:
    episode, tape = Episode(1), Tape(tmp_path_factory.mktemp("tape"), "somewhere")
    tape.start()
    for reward in rewards:
        tape.add(episode, np.zeros((2, 2, 3), np.uint8), "LEFT")
        episode.add(reward, 0.99)
    path = tape.end(episode, "episode")
    assert [step.reward for step in read_actions(path).steps] == rewards


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
        ("foxglove", {"one_life": True}, "--one-life does nothing with an --env that is not retro"),
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
