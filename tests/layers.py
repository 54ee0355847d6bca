"""The packages of the project in layers, each importing from those below it alone: ``python -m tests.layers``."""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parents[1]
DISTRIBUTION = "mmact_oneshot."  # the installed package, whose folders stand in the root of a checkout
FOLDERS = ("harness", "methods", "baselines", "mmact_oneshot")
OURS = (*FOLDERS, "tests")
WRITTEN_BY_USERS = ("methods.template", "harness.cli.templates.")
"""Modules that import as a user's own do, from the public names."""
Graph = Mapping[str, frozenset[str]]


@cache
def modules(package: str) -> tuple[str, ...]:
    """A module, or every module of a package."""
    place = ROOT / package.replace(".", "/")
    if place.with_suffix(".py").is_file():
        return (package,)
    found = [path.relative_to(ROOT).with_suffix("") for path in sorted(place.rglob("*.py"))]
    names = (".".join(path.parts).removesuffix(".__init__") for path in found)
    return tuple(name for name in names if not name.startswith(WRITTEN_BY_USERS))


def file_of(module: str) -> Path:
    place = ROOT / module.replace(".", "/")
    return place / "__init__.py" if place.is_dir() else place.with_suffix(".py")


@cache
def imports(module: str) -> frozenset[str]:
    """Modules of ours that a module imports, wherever in it, as the folders name them: ``harness.api``."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file_of(module).read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.removeprefix(DISTRIBUTION) for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} has a relative import"
            origin = str(node.module).removeprefix(DISTRIBUTION)
            for alias in node.names:
                inner = f"{origin}.{alias.name}"
                names.add(inner if _is_module(inner) else origin)
    return frozenset(name for name in names if name.split(".")[0] in OURS) - {module}


def package_of(module: str) -> str:
    """``config`` of ``harness.config.specs``; ``methods`` and ``baselines`` are one package."""
    top, *inner = module.split(".")
    if top != "harness":
        return "methods" if top == "baselines" else top
    return inner[0] if inner else top


def module_graph(*tops: str) -> Graph:
    """Module -> the modules that it imports."""
    return {module: imports(module) for top in tops for module in modules(top)}


def package_graph() -> Graph:
    """Package -> the packages that it imports."""
    found: dict[str, set[str]] = defaultdict(set)
    for module, imported in module_graph(*FOLDERS).items():
        found[package_of(module)] |= {package_of(name) for name in imported}
    return {package: frozenset(others - {package}) for package, others in found.items() if package != "harness"}


def layers(graph: Graph) -> list[list[str]]:
    """Packages by height: those that import nothing first.

    Raises:
        graphlib.CycleError: some import each other.
    """
    sorter = TopologicalSorter(graph)
    sorter.prepare()
    found = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready())
        found.append(ready)
        sorter.done(*ready)
    return found


def picture(graph: Graph) -> str:
    """The layers as text, the highest first, with what each package imports."""
    lines = []
    for height, packages in reversed(list(enumerate(layers(graph)))):
        for package in packages:
            below = ", ".join(sorted(graph.get(package, ()))) or "nothing"
            lines.append(f"{height}  {package:<12} imports {below}")
    return "\n".join(lines)


def _is_module(name: str) -> bool:
    place = ROOT / name.replace(".", "/")
    return place.with_suffix(".py").is_file() or (place / "__init__.py").is_file()


if __name__ == "__main__":
    sys.stdout.write(picture(package_graph()) + "\n")
