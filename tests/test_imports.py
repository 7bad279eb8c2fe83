"""Who imports whom, late imports and those for types included: docs/architecture.md in words."""

from __future__ import annotations

import ast
import functools
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
ROOMS = ("realtime", "kernels", "training", "benchmarks")
ALLOWED = {
    "kernels": set[str](),
    "training": {"realtime.atomic", "realtime.release"},
    "realtime": {"kernels", "benchmarks", "training"},  # the latter two: see INTO_COMMANDS
    "benchmarks": {"realtime", "kernels", "training"},
}
INTO_COMMANDS = {"realtime.cli.commands"}
"""What may import benchmarks and training into realtime."""


def modules() -> dict[str, Path]:
    found = (path for room in ROOMS for path in (ROOT / room).rglob("*.py"))
    return {".".join(p.relative_to(ROOT).with_suffix("").parts): p for p in found}


def imported(name: str, path: Path, known: set[str]) -> Iterator[str]:
    """Yield the modules, by name, that a module imports anywhere in it."""
    package = name.split(".")[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else []
            whole = ".".join([*base, *([node.module] if node.module else [])])
            targets = [f"{whole}.{alias.name}" for alias in node.names]
        else:
            continue
        for target in (target.removeprefix("stylecam.") for target in targets):
            parent = target.rpartition(".")[0]
            for module in (target, parent, f"{target}.__init__", f"{parent}.__init__"):
                if module in known:
                    yield module
                    break


@functools.cache
def edges() -> dict[str, set[str]]:
    found = modules()
    return {name: set(imported(name, path, set(found))) for name, path in found.items()}


def test_rooms_import_only_what_they_may() -> None:
    wrong = [
        f"{name} imports {other}"
        for name, others in edges().items()
        for other in others
        if (room := name.split(".")[0]) != (there := other.split(".")[0])
        and not {there, other} & ALLOWED[room]
    ]
    assert not wrong
    into_commands = {
        name
        for name, others in edges().items()
        if name.startswith("realtime.") and any(o.startswith(("bench", "train")) for o in others)
    }
    assert into_commands == INTO_COMMANDS


def test_nothing_imports_the_command() -> None:
    users = {
        name
        for name, others in edges().items()
        if any(o.startswith("realtime.cli.") for o in others)
    }
    assert {name for name in users if not name.startswith("realtime.cli.")} == set()


def test_only_gpu_engines_use_kernels() -> None:
    users = {name for name, others in edges().items() if any(o.startswith("kern") for o in others)}
    assert {n for n in users if n.startswith("realtime.")} <= {
        "realtime.engines.gpu",
        "realtime.engines.checks",
    }


def test_no_module_imports_itself_by_way_of_others() -> None:
    """A folder below a room counts as one module: its `__init__` knows what is in it."""

    def whole(name: str) -> str:
        return ".".join(name.split(".")[:2])

    graph: dict[str, set[str]] = {}
    for name, others in edges().items():
        graph.setdefault(whole(name), set()).update(map(whole, others))

    def reached(start: str) -> set[str]:
        seen, waiting = set[str](), [*graph[start] - {start}]
        while waiting:
            if (name := waiting.pop()) not in seen:
                seen.add(name)
                waiting += graph[name] - {name}
        return seen

    assert len(graph) > 100
    assert not [name for name in graph if name in reached(name)]


def test_every_package_is_shipped() -> None:
    """A folder that pyproject.toml leaves out is missed only where stylecam was installed."""
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    packages = [name for name in modules() if name.endswith(".__init__")]
    there = {f"stylecam.{name.removesuffix('.__init__')}" for name in packages}
    assert set(listed["setuptools"]["packages"]) == there
