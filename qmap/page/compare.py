"""Compare: all runs of the results in a table, and the curves of those that are chosen."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from qmap.page.figures import figures
from qmap.page.results import Results
from qmap.page.run_reader import Readers, RunReader
from qmap.page.tab import Tab
from qmap.sweep.measures import CELLS, ERRORS, RETURN, values_of_logs
from qmap.utils.errors import UserError
from qmap.utils.panels import MARKS
from qmap.utils.plot import short_names
from qmap.utils.plot_options import PlotOptions
from qmap.utils.run_logs import Agents, Logs
from qmap.utils.visits import load_rows

MOST_RUNS = 400  # whose curves are drawn at once
WAYS = {
    "interval": PlotOptions(interval=95.0),
    "deviation": PlotOptions(),
    "iqm": PlotOptions(iqm=True),
    "runs": PlotOptions(averaged=False),
}


def make(results: Results) -> Tab:
    """Make the tab."""
    comparison = Comparison(Readers(results))

    def table(request: Request) -> Response:
        return JSONResponse(comparison.table())

    def curves(request: Request) -> Response:
        asked = request.query_params
        runs = [each for each in asked.get("runs", "").split(",") if each]
        return JSONResponse(comparison.curves(runs, asked.get("log", ""), asked.get("way", "")))

    return Tab([Route("/compare/table", table), Route("/compare/curves", curves)])


class Comparison:
    """The runs of the results side by side.

    Args:
        readers: of the runs.
    """

    def __init__(self, readers: Readers) -> None:
        self.readers = readers

    def table(self) -> list[dict[str, Any]]:
        """Return how every run is doing and what it has come to, the newest first."""
        rows = []
        for reader in self.readers.all():
            with suppress(UserError, OSError):  # it has vanished meanwhile
                rows.append({**reader.state(), "id": _id(reader.name), "scores": _scores(reader)})
        # Agents are called what the legend of the curves calls them.
        for environment in {row["environment"] for row in rows}:
            mates = [row for row in rows if row["environment"] == environment]
            names = short_names(sorted({row["agent"] for row in mates}))
            for row in mates:
                row["label"] = names[row["agent"]].replace("\n", " ")
        return rows

    def curves(self, ids: Sequence[str], log: str, way: str) -> dict[str, Any]:
        """Return the figures of a log, one for each environment of some runs.

        Args:
            ids: of the runs, as the table has them.
            log: its name; another one is taken if no run has it.
            way: how several runs are drawn in one line, one of `WAYS`.

        Returns:
            "logs", the names of all logs there are; "log", the one that is drawn; "figures", each
            with its "environment".

        Raises:
            UserError: something that no page of this project asks for.
        """
        if way not in WAYS or len(ids) > MOST_RUNS:
            raise UserError(f"expected at most {MOST_RUNS} runs, drawn by {', '.join(WAYS)}")
        wanted = set(ids)
        chosen = [reader for reader in self.readers.all() if _id(reader.name) in wanted]
        logs = _read(sorted(chosen, key=lambda reader: reader.name))
        names = {name for by_name in logs.values() for name in by_name if name not in MARKS}
        first = [name for name in (RETURN[0], ERRORS) if name in names]
        ordered = first + sorted(names - set(first))
        if log not in names:
            log = ordered[0] if ordered else ""
        drawn = []
        for environment, by_name in logs.items():
            of_log = {name: by_name[name] for name in (log, *MARKS) if name in by_name}
            for figure in figures(of_log, WAYS[way]):
                drawn.append({"environment": environment, **figure})
        return {"logs": ordered, "log": log, "figures": drawn}


def _read(readers: Sequence[RunReader]) -> Logs:
    """Return the logs of runs, as `qmap.utils.run_logs.read_logs` does."""
    logs: dict[str, dict[str, Agents]] = defaultdict(lambda: defaultdict(dict))
    for reader in readers:
        with suppress(UserError, OSError):
            state, tables = reader.state(), reader.tables()
            by_name = logs[state["environment"]]
            for name, table in tables.items():
                if len(table):
                    by_name[name].setdefault(state["agent"], {})[reader.name] = table
                    if name == "unfinished":
                        # "score" comes before it.
                        of_agent = by_name["score"].setdefault(state["agent"], {})
                        of_agent.setdefault(reader.name, table[:0])
    return logs


def _scores(reader: RunReader) -> dict[str, float]:
    """Return what a sweep's summary measures in the run."""
    values = values_of_logs(reader.tables(RETURN[0], ERRORS))
    scores = {measure.name: value for measure, value in values}
    coords = reader.visits("coords")
    if coords:
        with suppress(UserError):
            scores[CELLS[1]] = float(len(load_rows(coords[max(coords)])))
    return scores


def _id(name: str) -> str:
    """Return a short name of a run, of which many fit into an address."""
    return hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()[:10]
