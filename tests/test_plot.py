"""Plots: one figure per environment and log, right on the average, readable, and in time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_logs import SCORE, make_log, make_results

from qmap.utils import curves, plot
from qmap.utils.errors import UserError
from qmap.utils.run_logs import read_logs


def options(**changes: object) -> plot.PlotOptions:
    return plot.PlotOptions(**changes)


def test_there_is_one_pdf_for_each_environment_and_log(tmp_path: Path) -> None:
    make_results(tmp_path, exploration=True)
    make_log(
        tmp_path, "grid/conv/seed-0", "steps,level_1,level_2\n0,1,2\n", "ground_truth_loss.csv"
    )
    plot.main(["--path", str(tmp_path)])
    made = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.pdf"))
    assert made == [
        "grid/ground_truth_loss.pdf",
        "montezuma/exploration.pdf",
        "montezuma/score.pdf",
    ]
    assert (tmp_path / "montezuma" / "score.pdf").read_bytes().startswith(b"%PDF")


def test_agents_have_a_line_each_in_every_panel_and_the_legend(tmp_path: Path) -> None:
    make_results(tmp_path)
    logs, _ = read_logs(tmp_path)
    figure = plot.draw_figure("montezuma", "score", logs["montezuma"]["score"], options())
    assert [axis.get_title(loc="left") for axis in figure.axes] == [
        "Undiscounted return",
        "Discounted return",
        "Episode length (agent steps)",
    ]
    # The mean of runs of different lengths goes on thinly.
    assert [len(axis.lines) for axis in figure.axes] == [3, 3, 3]
    # Standard deviation and extremes, of the agent that has several runs.
    assert [len(axis.collections) for axis in figure.axes] == [2, 2, 2]
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == [
        "dqn (1 run)",
        "q-map+dqn (3 runs, 1 at the end)",
        "extremes",
        "standard deviation",
        "not all of the runs",
    ]


@pytest.mark.parametrize(
    ("changes", "lines", "bands"),
    [
        ({"averaged": False}, 4, 0),
        ({"std": False}, 3, 1),
        ({"extrema": False}, 3, 1),
        ({"std": False, "extrema": False}, 3, 0),
        ({"interval": 95.0}, 3, 1),
        ({"iqm": True}, 3, 1),
    ],
)
def test_flags_leave_out_means_and_bands(
    tmp_path: Path, changes: dict[str, bool], lines: int, bands: int
) -> None:
    make_results(tmp_path)
    logs, _ = read_logs(tmp_path)
    figure = plot.draw_figure("m", "score", logs["montezuma"]["score"], options(**changes))
    assert len(figure.axes[0].lines) == lines
    assert len(figure.axes[0].collections) == bands


def test_the_planned_exploration_is_dashed_beside_the_current_one(tmp_path: Path) -> None:
    make_results(tmp_path, exploration=True)
    logs, _ = read_logs(tmp_path)
    figure = plot.draw_figure("m", "exploration", logs["montezuma"]["exploration"], options())
    assert len(figure.axes) == 4
    assert len(figure.axes[0].lines) == 4
    dashed = [line for line in figure.axes[0].lines if line.is_dashed()]
    assert all(np.nanmax(line.get_ydata()) == 1 for line in dashed)
    assert len(dashed) == 2


def frame(steps: list[float], values: list[float]) -> pd.DataFrame:
    return pd.DataFrame({"steps": steps, "x": values}, dtype=float)


def test_the_mean_is_over_the_runs_that_got_so_far() -> None:
    logs = [frame([0, 100, 200], [1, 1, 1]), frame([0, 100], [3, 3])]
    steps = np.arange(0, 201, 10.0)
    values = curves.common_curves(logs, "x", steps, 1)
    np.testing.assert_array_equal(values[0], np.ones(21))
    np.testing.assert_array_equal(values[1], np.where(steps < 110, 3, np.nan))


@given(
    st.lists(st.floats(-100, 100), min_size=1, max_size=30),
    st.integers(1, 12),
)
@settings(max_examples=60, deadline=None)
def test_smoothing_is_the_mean_of_the_last_rows(values: list[float], window: int) -> None:
    steps = np.arange(len(values) + 2, dtype=float)
    smooth = curves.common_curves([frame(list(range(len(values))), values)], "x", steps, window)
    expected = [np.mean(values[max(i - window + 1, 0) : i + 1]) for i in range(len(values))]
    np.testing.assert_allclose(smooth[0, : len(values)], expected, atol=1e-9)


def test_only_without_and_max_step_select(tmp_path: Path) -> None:
    make_results(tmp_path)
    chosen = options(only=["q-map"], without=["seed-2"])
    logs, left_out = read_logs(tmp_path, chosen.wants)
    assert {agent: len(runs) for agent, runs in logs["montezuma"]["score"].items()} == {
        "q-map+dqn": 2
    }
    assert left_out == ["montezuma/dqn/seed-0", "montezuma/q-map+dqn/seed-2"]
    logs, _ = read_logs(tmp_path, max_step=1000)
    assert all(log["steps"].max() <= 1000 for log in logs["montezuma"]["score"]["dqn"].values())


def test_the_published_spelling_is_understood(tmp_path: Path) -> None:
    make_results(tmp_path)
    plot.main(["--path", str(tmp_path), "--witout", "q-map", "seed-0"])
    assert not list(tmp_path.rglob("*.pdf"))


@pytest.mark.parametrize(
    "flags",
    [
        ["--window", "7"],
        ["--max-step", "500", "--freq", "1"],
        ["--mini", "-1", "--maxi", "3"],
        ["--logscale"],
        ["--logscale", "--mini", "0.1"],
        ["--no-averaged", "--no-std", "--no-extrema"],
        ["--interval", "95"],
        ["--iqm", "--interval", "90"],
        ["--format", "png"],
    ],
)
def test_every_flag_draws(tmp_path: Path, flags: list[str]) -> None:
    make_results(tmp_path)
    plot.main(["--path", str(tmp_path), *flags])
    assert len(list((tmp_path / "montezuma").glob("score.p[dn][fg]"))) == 1


def test_a_legend_says_only_what_agents_do_not_have_in_common() -> None:
    names = plot.short_names(["mlp1_lr-0.1_no-norm_keep", "mlp1_lr-0.2_keep", "mlp1_keep", "mlp1_"])
    assert list(names.values()) == ["lr-0.1 no-norm keep", "lr-0.2 keep", "keep", "mlp1"]
    assert plot.short_names(["dqn", "q-map+dqn"]) == {"dqn": "dqn", "q-map+dqn": "q-map+dqn"}


@pytest.mark.parametrize(
    "agents",
    [
        ["_".join(f"setting-{number}" for number in range(12))],
        ["_".join(f"{letter}-{number}" for number in range(8)) for letter in "abc"],
        ["_".join(f"{letter}-{number}" for number in range(30)) for letter in "abc"],
    ],
    ids=["one", "three", "very long"],
)
def test_a_legend_stays_within_the_figure(tmp_path: Path, agents: list[str]) -> None:
    for agent in agents:
        make_log(tmp_path, f"grid/{agent}/seed-0", f"{SCORE}\n100,1,1,10\n200,2,2,20\n")
    logs, _ = read_logs(tmp_path)
    figure = plot.draw_figure("grid", "score", logs["grid"]["score"], options())
    figure.draw_without_rendering()
    legend = figure.legends[0].get_window_extent()
    assert legend.x0 >= figure.bbox.x0
    assert legend.x1 <= figure.bbox.x1


def test_a_long_legend_takes_nothing_from_the_panels(tmp_path: Path) -> None:
    heights = []
    for count in (1, 6, 24):
        for agent in range(count):
            make_log(tmp_path, f"grid{count}/agent-{agent}/seed-0", f"{SCORE}\n100,1,1,10\n")
        logs, _ = read_logs(tmp_path)
        runs = logs[f"grid{count}"]["score"]
        figure = plot.draw_figure("grid", "score", runs, options(averaged=True))
        figure.draw_without_rendering()
        heights.append(figure.axes[0].get_window_extent().height)
    assert min(heights) > 0.9 * heights[0]


def test_an_agent_has_one_color_in_figures_of_several_choices(tmp_path: Path) -> None:
    agents = [f"agent-{number}" for number in range(10)]
    for agent in agents:
        make_log(tmp_path, f"grid/{agent}/seed-0", "steps,error\n0,1\n5,2\n", "learning.csv")
    runs = read_logs(tmp_path)[0]["grid"]["learning"]

    def colors(chosen: list[str]) -> dict[str, str]:
        each = {agent: runs[agent] for agent in chosen}
        figure = plot.draw_figure("grid", "learning", each, options(), order=agents)
        lines = figure.axes[0].get_lines()
        return dict(zip(chosen, (line.get_color() for line in lines), strict=True))

    of_all = colors(agents)
    assert len(set(of_all.values())) == 10
    assert colors(agents[4:7]) == {agent: of_all[agent] for agent in agents[4:7]}


def test_logarithmic_axes_are_labelled_with_plain_numbers(tmp_path: Path) -> None:
    make_log(tmp_path, "e/a/r", "steps,x\n1,0.002\n50,0\n90,5\n")
    logs, _ = read_logs(tmp_path)
    figure = plot.draw_figure("e", "score", logs["e"]["score"], options(logscale=True))
    figure.draw_without_rendering()
    axis = figure.axes[0]
    assert axis.get_yscale() == "log"
    labels = {text.get_text() for text in axis.get_yticklabels()}
    assert {"0.01", "0.1", "1"} <= labels


def test_names_are_text_and_not_formulas(tmp_path: Path) -> None:
    for agent in ("_hidden", "$x^", "a\\b"):
        make_log(tmp_path, f"$e_$/{agent}/r", "steps,$y$\n1,2\n5,3\n")
    plot.main(["--path", str(tmp_path)])
    logs, _ = read_logs(tmp_path)
    figure = plot.draw_figure("$e_$", "score", logs["$e_$"]["score"], options())
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert sorted(labels) == ["$x^ (1 run)", "a\\b (1 run)", "hidden (1 run)"]


def test_a_figure_is_replaced_in_one_move(tmp_path: Path) -> None:
    make_results(tmp_path)
    plot.main(["--path", str(tmp_path)])
    before = (tmp_path / "montezuma" / "score.pdf").stat().st_ino
    plot.main(["--path", str(tmp_path)])
    assert (tmp_path / "montezuma" / "score.pdf").stat().st_ino != before
    assert not [name for name in os.listdir(tmp_path / "montezuma") if name.endswith(".part")]


@pytest.mark.parametrize(
    "flags",
    [
        ["--mini", "2", "--maxi", "1"],
        ["--logscale", "--mini", "0"],
        ["--path", "nowhere"],
        ["--iqm", "--no-averaged"],
    ],
)
def test_what_cannot_be_meant_is_one_line(tmp_path: Path, flags: list[str]) -> None:
    with pytest.raises(UserError) as caught:
        plot.main(["--path", str(tmp_path), *flags])
    assert len(str(caught.value).splitlines()) == 1


def test_the_program_exits_with_2_on_mistakes_and_0_when_there_is_nothing_yet(
    tmp_path: Path,
) -> None:
    for flags, status in (([], 0), (["--window", "0"], 2), (["--path", "nowhere"], 2)):
        done = subprocess.run(
            [sys.executable, "-m", "qmap.utils.plot", "--path", str(tmp_path), *flags],
            capture_output=True,
            text=True,
            timeout=60,
            cwd=Path(__file__).parent.parent,
        )
        assert done.returncode == status
        assert len((done.stdout + done.stderr).splitlines()) == 1


def runs_of(ends: list[int], value: float = 1.0) -> dict[str, pd.DataFrame]:
    return {
        f"seed-{seed}_now": pd.DataFrame(
            {
                "steps": np.arange(0.0, end + 1, 100),
                "undiscounted return": value + seed,
            }
        )
        for seed, end in enumerate(ends)
    }


def labels_of(figure: plot.Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_a_mean_is_thin_where_not_all_runs_are_left() -> None:
    figure = plot.draw_figure("e", "score", {"dqn": runs_of([1000, 1000, 500])}, options())
    thick, thin = figure.axes[0].lines
    assert thin.get_linewidth() < thick.get_linewidth()
    steps, values = thick.get_data()
    assert 500 <= steps[np.isfinite(values)].max() <= 510
    steps, values = thin.get_data()
    assert steps[np.isfinite(values)].min() >= 490
    assert values[steps == 800] == pytest.approx(1.5)
    assert labels_of(figure)[0] == "dqn (3 runs, 2 at the end)"
    for band in figure.axes[0].collections:
        assert band.get_datalim(figure.axes[0].transData).x1 <= 510


def test_runs_of_equal_length_have_one_line() -> None:
    figure = plot.draw_figure("e", "score", {"dqn": runs_of([1000, 1000, 1000])}, options())
    assert len(figure.axes[0].lines) == 1
    assert labels_of(figure)[0] == "dqn (3 runs)"


def test_seeds_have_shades_and_names_of_their_own() -> None:
    agents = {"dqn": runs_of([500] * 3), "random": runs_of([500])}
    figure = plot.draw_figure("e", "score", agents, options(averaged=False))
    assert len({line.get_color() for line in figure.axes[0].lines}) == 4
    assert labels_of(figure) == ["dqn, seed-0", "dqn, seed-1", "dqn, seed-2", "random, seed-0"]


def test_completed_levels_are_ticks_on_the_line() -> None:
    completed = pd.DataFrame({"steps": [200.0, 700.0], "undiscounted return": [9.0, 9.0]})
    marks = {"completed": {"dqn": {"seed-1_now": completed}}}
    for changes, height in (({}, 1.5), ({"averaged": False}, 2.0)):
        agents = {"dqn": runs_of([1000, 1000])}
        figure = plot.draw_figure("e", "score", agents, options(**changes), marks)
        (ticks,) = [line for line in figure.axes[0].lines if line.get_marker() == "|"]
        np.testing.assert_allclose(ticks.get_xdata(), [200, 700])
        np.testing.assert_allclose(ticks.get_ydata(), height)
        assert "completed the level" in labels_of(figure)


def test_unfinished_episodes_are_hollow_and_in_no_mean(tmp_path: Path) -> None:
    make_log(tmp_path, "e/dqn/seed-0", f"{SCORE}\n100,1,1,100\n200,1,1,100\n")
    make_log(tmp_path, "e/dqn/seed-0", f"{SCORE}\n900,50,5,700\n", "unfinished.csv")
    make_log(tmp_path, "e/random/seed-0", f"{SCORE}\n800,7,5,800\n", "unfinished.csv")
    plot.main(["--path", str(tmp_path)])
    assert [path.name for path in (tmp_path / "e").glob("*.pdf")] == ["score.pdf"]
    by_name = read_logs(tmp_path)[0]["e"]
    marks = {"unfinished": by_name["unfinished"]}
    figure = plot.draw_figure("e", "score", by_name["score"], options(), marks)
    hollow = [line for line in figure.axes[0].lines if line.get_markerfacecolor() == "white"]
    assert sorted(float(line.get_ydata()[0]) for line in hollow) == [7, 50]
    (mean,) = [line for line in figure.axes[0].lines if line not in hollow]
    assert np.nanmax(mean.get_ydata()) == 1
    assert labels_of(figure)[:2] == ["dqn (1 run)", "random (no finished episode)"]


def test_published_headers_and_those_of_earlier_runs_are_one_column(tmp_path: Path) -> None:
    make_log(tmp_path, "e/dqn/seed-0", f"{SCORE}\n100,1,1,100\n")
    make_log(tmp_path, "e/dqn/seed-1", SCORE.replace("_", " ") + "\n100,3,1,100\n")
    figure = plot.draw_figure("e", "score", read_logs(tmp_path)[0]["e"]["score"], options())
    assert len(figure.axes) == 3
    assert np.nanmax(figure.axes[0].lines[0].get_ydata()) == 2


def test_all_that_was_learned_has_a_panel_and_empty_cells_are_passed_over(tmp_path: Path) -> None:
    columns = "steps,dqn loss,q-map loss,goals reached,believed steps,taken steps,sight of row"
    rows = "100,0.5,0.1,,,,1\n200,0.4,0.1,0.5,20,25,2\n300,0.3,0.1,,,,3\n400,0.3,,1,20,25,4\n"
    make_log(tmp_path, "e/q-map+dqn/seed-0", f"{columns}\n{rows}", "learning.csv")
    logs = read_logs(tmp_path)[0]["e"]["learning"]
    figure = plot.draw_figure("e", "learning", logs, options(window=1))
    titles = [axis.get_title(loc="left") for axis in figure.axes]
    assert titles == [
        "Loss of the DQN",
        "Loss of the Q-map",
        "Goals reached in time (share)",
        "Steps to a goal",
        "Sight of row",
    ]
    steps, reached = figure.axes[2].lines[0].get_data()
    assert reached[steps == 300] == pytest.approx(0.75)
    taken, believed = figure.axes[3].lines
    assert np.nanmax(taken.get_ydata()) == 25
    assert np.nanmax(believed.get_ydata()) == 20
    assert believed.is_dashed()


def test_a_single_point_can_be_seen_in_the_dashed_line_too(tmp_path: Path) -> None:
    rows = "steps,believed steps,taken steps\n100,,\n200,20,25\n"
    make_log(tmp_path, "e/q-map/seed-0", rows, "learning.csv")
    logs = read_logs(tmp_path)[0]["e"]["learning"]
    (axis,) = plot.draw_figure("e", "learning", logs, options(window=1)).axes
    assert [line.get_marker() for line in axis.lines] == ["o", "o"]


def test_a_companion_without_its_column_has_a_panel_of_its_own(tmp_path: Path) -> None:
    make_log(tmp_path, "e/a/r", "steps,planned_exploration\n1,1\n9,0.5\n", "exploration.csv")
    logs = read_logs(tmp_path)[0]["e"]["exploration"]
    figure = plot.draw_figure("e", "exploration", logs, options())
    assert len(figure.axes[0].lines) == 1


def test_iqm_says_in_one_line_which_agents_have_too_few_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_results(tmp_path, exploration=True)
    for seed in range(5):
        make_log(tmp_path, f"montezuma/random/seed-{seed}", f"{SCORE}\n100,1,1,100\n")
    plot.main(["--path", str(tmp_path), "--iqm"])
    (said,) = capsys.readouterr().err.splitlines()
    assert "montezuma/dqn has 1, montezuma/q-map+dqn has 3" in said
    assert "random" not in said


def test_the_help_has_words_for_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        plot.main(["--help"])
    said = capsys.readouterr().out
    assert said.startswith("usage: python -m qmap.utils.plot ")
    for field in plot.PlotOptions.__dataclass_fields__.values():
        assert len(field.metadata["help"]) > 8
    for flag in ("--witout", "--no-averaged", "--interval PERCENT", "--iqm"):
        assert flag in said
