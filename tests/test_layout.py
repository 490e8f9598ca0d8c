"""The modules of the package stand on each other, and none on itself."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "qmap"


def module_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path, modules: set[str]) -> set[str]:
    """What a module takes from others, also in functions and for types alone."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= names & modules or {node.module}
    return found & modules


def test_no_module_needs_one_that_needs_it() -> None:
    paths = {module_of(path): path for path in PACKAGE.rglob("*.py")}
    assert {"qmap.run", "qmap.envs"} <= paths.keys()
    needs = {module: imports(path, paths.keys()) for module, path in paths.items()}
    assert {"qmap.run", "qmap.agents.trainable"} <= needs["qmap.logs"]
    TopologicalSorter(needs).prepare()  # raises a CycleError that names the modules
