"""What a sweep's file means, and that nothing wrong in it gets as far as a run."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import exploration
from qmap.config import TrainingConfig
from qmap.parse_config import parse
from qmap.run_options import RunOptions
from qmap.sweep.__main__ import main
from qmap.sweep.plan import read_plan
from qmap.train_mario import MarioConfig
from qmap.utils.command_line import options_of
from qmap.utils.errors import UserError
from qmap.utils.run_folder import RunFolder

HEAD = 'program = "fake_training"\npath = "results"\n'
ROOT = Path(__file__).parent.parent


def write(tmp_path: Path, text: str, head: str = HEAD) -> Path:
    path = tmp_path / "sweep.toml"
    path.write_text(head + text)
    return path


def test_every_agent_value_and_seed_is_combined_and_first_seeds_come_first(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        "seeds = 2\n[agents.fast]\npace = 0\n[agents.slow]\npace = 1\n[vary]\nscale = [1, 2.5]\n",
    )
    jobs = read_plan(file)
    assert [job.name for job in jobs[:4]] == [
        "fast_scale=1, seed 0",
        "slow_scale=1, seed 0",
        "fast_scale=2.5, seed 0",
        "slow_scale=2.5, seed 0",
    ]
    assert [job.config.seed for job in jobs] == [0] * 4 + [1] * 4
    assert jobs[3].config.pace == 1.0
    assert jobs[3].config.scale == 2.5
    assert jobs[3].folder == Path("results/slow_scale=2.5")


def test_the_command_line_has_axes_seeds_and_the_folder_in_place_of_the_files(
    tmp_path: Path,
) -> None:
    file = write(tmp_path, "seeds = 7\n[vary]\nscale = [1, 2]\nsteps = [9]\n")
    jobs = read_plan(file, "3,5", ["scale=4", "keep-moments=true,false"], "elsewhere")
    assert [(job.config.seed, job.config.keep_moments) for job in jobs] == [
        (3, True),
        (3, False),
        (5, True),
        (5, False),
    ]
    assert {(job.config.scale, job.config.steps) for job in jobs} == {(4.0, 9)}
    assert jobs[0].folder.parent == Path("elsewhere")


def test_each_of_several_programs_has_options_of_its_own(tmp_path: Path) -> None:
    head = 'path = "results"\n[programs.train_montezuma]\n[programs.train_mario]\ngame="foxglove"\n'
    jobs = read_plan(write(tmp_path, "[options]\nstop-at = 10\n", head))
    assert [job.program for job in jobs] == ["qmap.train_montezuma", "qmap.train_mario"]
    assert [job.label for job in jobs] == ["train_montezuma", "train_mario"]
    assert [job.config.stop_at for job in jobs] == [10, 10]


def test_a_program_may_have_several_names_with_options_of_their_own(tmp_path: Path) -> None:
    head = 'path = "results"\n'
    for name, level in (("fox 1", "1.1"), ("fox.2", "2.1")):
        head += f'[programs."{name}"]\nprogram = "train_mario"\ngame="foxglove"\nlevel="{level}"\n'
    jobs = read_plan(write(tmp_path, "[agents.dqn]\nqmap = false\n", head))
    assert [job.program for job in jobs] == ["qmap.train_mario"] * 2
    assert [job.label for job in jobs] == ["fox-1_dqn", "fox.2_dqn"]
    assert [job.config.level for job in jobs] == ["1.1", "2.1"]


def test_a_recipe_stands_for_its_values_and_what_is_given_beside_it_wins(tmp_path: Path) -> None:
    text = "[options]\nrecipe = 'tuned'\ncenter_frames = false\n"
    (job,) = read_plan(write(tmp_path, text, f'program = "train_montezuma"\npath = "{tmp_path}"\n'))
    config = parse(TrainingConfig, "", "", job.command(None)[2:])
    assert config == job.config
    assert (config.model, config.output, config.center_frames) == ("skip", "sigmoid", False)
    folder = RunFolder.create(job.folder / "montezuma" / "q-map+dqn", 0, job.program)
    folder.write_config(config)
    assert job.run() == folder.path


def test_a_preset_stands_for_its_values_and_what_is_given_beside_it_wins(tmp_path: Path) -> None:
    text = "[options]\ngame = 'foxglove'\npreset = 'mario-ddqn'\ndqn_lr = 0.001\n"
    (job,) = read_plan(write(tmp_path, text, f'program = "train_mario"\npath = "{tmp_path}"\n'))
    config = parse(MarioConfig, "", "", job.command(None)[2:])
    assert config == job.config
    assert (config.preset, config.dqn_gamma, config.dqn_lr) == ("mario-ddqn", 0.9, 0.001)
    folder = RunFolder.create(job.folder / "foxglove_1.1" / "mario-ddqn", 0, job.program)
    folder.write_config(config)
    assert job.run() == folder.path


def test_a_recipe_and_a_preset_are_not_mixed(tmp_path: Path) -> None:
    text = "[options]\npreset = 'mario-ddqn'\nrecipe = 'tuned'\n"
    with pytest.raises(UserError, match="--recipe tuned and --preset mario-ddqn exclude each"):
        read_plan(write(tmp_path, text, 'program = "train_mario"\npath = "x"\n'))


def test_the_sweep_of_the_exploration_benchmark_has_its_agents_and_their_options() -> None:
    jobs = read_plan(ROOT / "sweeps/exploration.toml")
    found = {(job.parts, tuple(options_that_differ(job.config))) for job in jobs}
    expected = set()
    for world, of_world in exploration.WORLDS.items():
        for agent, of_agent in exploration.AGENTS.items():
            if agent in exploration.LIKE:  # needs the runs of another agent first
                continue
            if not exploration.can_act(agent, world):
                continue
            flags = [*of_world.options, *of_agent]
            flags += ["--steps", "100_000"] if "--jerk" in flags else []
            config = parse(importlib.import_module(of_world.program).CONFIG, "", "", flags)
            parts = (world.replace(" ", "-"), agent)
            expected.add((parts, tuple(options_that_differ(config))))
    assert found == expected
    assert {job.config.seed for job in jobs} == {0, 1, 2}
    assert {job.config.stop_at for job in jobs} == {100_000}


def options_that_differ(config: RunOptions) -> list[tuple[str, str]]:
    """Those of the world and the agent that are not the program's own."""
    of_the_run = ("path", "seed", "stop_at", "videos", "checkpoint_every", "keep", "recipe")
    return [
        (name, str(getattr(config, name)))
        for name, option in options_of(type(config)).items()
        if getattr(config, name) != option.default and name not in of_the_run
    ]


def test_agents_are_of_some_programs_if_their_table_says_so(tmp_path: Path) -> None:
    head = 'path = "results"\n[programs.train_montezuma]\n[programs.fox]\nprogram="train_mario"\n'
    head += 'game="foxglove"\n'
    agents = '[agents.dqn]\nqmap = false\n[agents.right]\nactions = "RIGHT"\nprograms = {}\n'
    jobs = read_plan(write(tmp_path, agents.format(["fox"]), head))
    assert [job.label for job in jobs] == ["train_montezuma_dqn", "fox_dqn", "fox_right"]
    for wrong in ('["train_mario"]', '"fox"', "[]", "[1]", "[[]]"):
        with pytest.raises(UserError, match="expected a list of some of train_montezuma, fox$"):
            read_plan(write(tmp_path, agents.format(wrong), head))


def test_what_is_typed_for_a_job_makes_its_configuration(tmp_path: Path) -> None:
    text = "[options]\nshape = [1, 2]\nwords = 'two words'\ndouble = false\nstop_at = 3\n"
    (job,) = read_plan(write(tmp_path, text))
    assert job.command(None) == [
        "-m",
        "fake_training",
        *("--path", "results/fake_training", "--no-double", "--stop-at", "3"),
        *("--words", "two words", "--shape", "1", "2"),
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[options]\nstep = 3\n", "there is no option 'step'; expected 'steps' maybe"),
        ("[options]\nno-double = true\n", "expected 'double = false' maybe"),
        ("[options]\nsteps = 0\n", "steps is 0, expected a whole number at least 1"),
        ("[options]\nsteps = true\n", "steps is True, expected a whole number"),
        ("[options]\nsteps = 'many'\n", "steps is 'many', expected a whole number"),
        ("[options]\nshape = 3\n", "shape is 3, expected a list"),
        ("[options]\ndouble = 'no'\n", "double is 'no', expected true or false"),
        ("[options]\nseed = 3\n", "seeds are given by `seeds`"),
        ("[vary]\nseed = [3]\n", "seeds are given by `seeds`"),
        ("[options]\nresume = 'x'\n", "a sweep resumes its runs by itself"),
        ("[options]\nrender = true\n", "no window"),
        ("[vary]\nsteps = [1, 1]\n", "describes 'fake_training_steps=1, seed 0' twice"),
        ("[vary]\nsteps = 3\n", "vary: steps is 3; expected a list"),
        ("[vary]\nsteps = [3, 0]\n", "steps=0: steps is 0"),
        ("seeds = 0\n", "seeds 0: expected how many"),
        ("seeds = ['a']\n", "expected how many"),
        ("seeds = -1\n", "expected how many"),
        ("agents = 3\n", r"expected tables \[agents.NAME\]"),
        ("options = 3\n", r"expected a table \[options\]"),
        ("agent = 3\n", "has 'agent'; expected program"),
        ("seeds = \n", "is not a TOML file"),
    ],
)
def test_what_is_wrong_in_the_file_is_one_line(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(UserError, match=words) as error:
        read_plan(write(tmp_path, text))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("head", "words"),
    [
        ('program = "train_tetris"\npath = "x"\n', "no program 'train_tetris'.*train_mario"),
        ('program = "json"\npath = "x"\n', "no program 'json'"),
        ('program = ""\npath = "x"\n', "no program ''"),
        ('program = 3\npath = "x"\n', "no program 3"),
        ('path = "x"\n', "expected either program"),
        ('program = "fake_training"\n', "has no path"),
        ('program = "fake_training"\npath = 3\n', "has no path"),
    ],
)
def test_a_sweep_needs_a_program_and_a_folder(tmp_path: Path, head: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        read_plan(write(tmp_path, "", head))


@pytest.mark.parametrize("vary", ["steps", "steps=", "=3"])
def test_an_axis_without_option_or_values_is_refused(tmp_path: Path, vary: str) -> None:
    with pytest.raises(UserError, match="expected OPTION=a,b,c"):
        read_plan(write(tmp_path, ""), vary=[vary])


@pytest.mark.parametrize("seeds", ["0", "x", "1,x", "-2", ","])
def test_seeds_that_are_none_are_refused(tmp_path: Path, seeds: str) -> None:
    with pytest.raises(UserError, match="--seeds"):
        read_plan(write(tmp_path, ""), seeds)


def test_options_that_do_not_fit_together_are_refused_by_their_program(tmp_path: Path) -> None:
    head = 'program = "train_montezuma"\npath = "x"\n'
    with pytest.raises(UserError, match="min_goal=40: --min-goal 40 is above --max-goal 30"):
        read_plan(write(tmp_path, "[vary]\nmin_goal = [1, 40]\n", head))


def test_the_list_is_printed_and_nothing_is_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write(tmp_path, "seeds = 2\n[options]\nwords = 'a b'\n")
    assert main([str(file), "--path", str(tmp_path / "r"), "--print"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == f"python -m fake_training --path {tmp_path}/r/fake_training --words 'a b'"
    assert "--seed 1" in second
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize(
    "path", sorted((ROOT / "sweeps").glob("*.toml")), ids=lambda path: path.name
)
def test_the_files_that_come_with_the_project_can_be_run(path: Path) -> None:
    assert read_plan(path)


def test_a_wrong_file_is_refused_before_tensorflow_is_loaded(tmp_path: Path) -> None:
    head = 'program = "train_montezuma"\npath = "x"\n'
    file = write(tmp_path, "[options]\nsteps = 0\n", head)
    code = (
        "import sys\nfrom qmap.sweep.__main__ import main\n"
        "from qmap.utils.errors import UserError\n"
        f"try: main([{str(file)!r}])\n"
        "except UserError: sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)\n"
        "sys.exit(3)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
