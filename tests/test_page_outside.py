"""The page shows what is in the results: no link, no name and no message leads out of them."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from asgi import Page

pytest.importorskip("starlette", reason="starlette is not installed: pip install -e '.[test]'")

from made_runs import get, look_at_everything, make_run, reader_of

from qmap.page.compare import Comparison
from qmap.page.results import Results
from qmap.page.run_pictures import Maps, NewestPictures
from qmap.page.run_reader import Readers
from qmap.page.server import make_app
from qmap.page.watch import stop
from qmap.sweep.measures import CELLS
from qmap.utils.errors import UserError
from qmap.utils.image_file import write_image
from qmap.utils.newest_picture import PICTURE
from qmap.utils.visits import Visits

SECRET = "a secret that is 1,2,3"


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Path]:
    """A folder beside the results that nobody may read, in the form of every file of a run."""
    run = make_run(tmp_path / "outside")
    config = {"program": "qmap.secret", "options": {"secret": SECRET}}
    (run / "config.json").write_text(json.dumps(config))
    (run / "score.csv").write_text("steps,undiscounted return\n123456,654321\n")
    for folder in ("visits", "coords", "images", "videos"):
        (run / folder).mkdir()
    visits = Visits()
    visits.add(np.zeros(77777, int), np.arange(77777) % 271, np.arange(77777) // 271)
    visits.save(run / "visits" / "step_7.npy")
    visits.save(run / "coords" / "step_7.npy")
    white = np.full((8, 8, 3), 255, np.uint8)
    write_image(run / "images" / "step_7_a.png", white)
    write_image(run / "images" / "room_0.png", white)
    np.save(run / PICTURE, white)
    (run / "videos" / "episode-000001_step-0000009_score-654321.mp4").write_bytes(b"654321")
    return run


LINKED = ["config.json", "score.csv", PICTURE, "visits", "visits/step_7.npy", "coords/step_7.npy"]
LINKED += ["images", "images/step_7_a.png", "images/room_0.png", "videos", "exploration.csv"]


@pytest.mark.parametrize("name", LINKED)
def test_links_out_of_the_results_are_not_followed(
    tmp_path: Path, outside: Path, name: str
) -> None:
    results = tmp_path / "results"
    run = make_run(results)
    there = outside / ("score.csv" if name == "exploration.csv" else name)
    if (run / name).is_file():
        (run / name).unlink()
    (run / name).parent.mkdir(exist_ok=True)
    (run / name).symlink_to(there)
    if name == "config.json":
        assert Comparison(Readers(Results.of(results))).table()[0]["problem"]
        return
    said = " ".join(look_at_everything(results, run))
    for secret in ("654321", "123456", SECRET, "episode-000001"):
        assert secret not in said
    reader = reader_of(results, run)
    assert NewestPictures().of(reader)[0] is None
    assert not reader.videos()
    if not name.startswith("images"):
        with pytest.raises(UserError, match="no map"):
            Maps().draw(reader, "7")
    scores = Comparison(Readers(Results.of(results))).table()[0]["scores"]
    assert CELLS not in scores


def test_a_room_s_picture_from_outside_is_not_under_the_map(tmp_path: Path, outside: Path) -> None:
    results = tmp_path / "results"
    run = make_run(results)
    (run / "images").mkdir()
    (run / "visits").mkdir()
    shutil.copy(outside / "visits" / "step_7.npy", run / "visits")
    reader = reader_of(results, run)
    plain = Maps().draw(reader, "7")
    (run / "images" / "room_0.png").symlink_to(outside / "images" / "room_0.png")
    assert Maps().draw(reader, "7") == plain
    (run / "images" / "room_0.png").unlink()
    shutil.copy(outside / "images" / "room_0.png", run / "images")
    assert Maps().draw(reader, "7") != plain, "its own is"


PIECES = ["..", ".", "", "/", "//", "\\", "\0", "%2e%2e", "%2f", "%00", "~", "maze", "q-map+dqn"]
PIECES += ["outside", "seed-0_2026-01-01_00-00-00", "etc", "passwd", "config.json", "run", "\ud800"]
PIECES += ["é", "C:", "a" * 300, "link", "7", "1e9", "\n", "\u202e"]


def names(count: int) -> Iterator[str]:
    """Names of places that may be anywhere."""
    random = np.random.default_rng(0)
    for _ in range(count):
        pieces = random.choice(PIECES, random.integers(1, 7)).tolist()
        yield ("/" if random.random() < 0.7 else "").join(pieces)


def test_thousands_of_names_lead_nowhere_else(tmp_path: Path) -> None:
    results = tmp_path / "results"
    run = make_run(results)
    make_run(tmp_path / "outside")
    (results / "link").symlink_to(tmp_path / "outside")
    readers = Readers(Results.of(results))
    found = 0
    ways = ["maze/q-map+dqn/seed-0_2026-01-01_00-00-00", "maze/.././maze/q-map+dqn//" + run.name]
    for name in (*ways, *names(5000)):
        try:
            reader = readers.of(name)
        except UserError:
            with pytest.raises(UserError, match="no such run here"):
                stop(readers, name)
        else:
            found += 1
            assert reader.folder == run
    assert found >= len(ways)


def test_whatever_is_asked_is_answered(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    (run / "visits").mkdir()
    Visits().save(run / "visits" / "step_7.npy")
    name = run.relative_to(tmp_path).as_posix()
    app = make_app(Results.of(tmp_path))
    assert get(app, "/watch/visits", run=name, step="7").status == 200
    for text in names(60):
        for path, query in (
            ("/watch/config", {"run": text}),
            ("/watch/visits", {"run": text, "step": "7"}),
            ("/watch/visits", {"run": name, "step": text}),
            ("/compare/curves", {"runs": text, "log": text, "way": "runs"}),
            ("/compare/curves", {"runs": "", "log": "", "way": text}),
        ):
            answer = get(app, path, **query)
            assert answer.status in (200, 404)
            assert answer.status == 200 or b"\n" not in answer.body


def test_a_page_that_asks_for_anything_is_answered_in_one_line(tmp_path: Path) -> None:
    make_run(tmp_path)
    app = make_app(Results.of(tmp_path))

    async def talk() -> None:
        async with Page(app, "/watch/socket") as page:
            for text in names(100):
                await page.send({"do": "watch", "run": text})
                await page.send({"do": "stop", "run": text})
                assert "\n" not in await page.wait_for("problem")
            for message in ({"do": "watch"}, {"do": "stop", "run": 5}, {"do": "go", "run": ""}):
                await page.send(message)
                assert (await page.wait_for("problem")).startswith("not understood")
            # It goes on as if nothing had been.
            await page.send({"do": "watch", "run": "maze/q-map+dqn/seed-0_2026-01-01_00-00-00"})
            assert (await page.wait_for("state"))["step"] == 200

    asyncio.run(talk())
