"""Who may import whom: the contract stands alone, plugins see the contract only, and the data side needs no torch."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OURS = ("harness", "methods", "baselines", "tests")
PLUGINS = sorted([*ROOT.glob("baselines/**/*.py"), *ROOT.glob("methods/**/*.py")])
EXCEPTIONS = {
    "baselines/videomae.py": ("methods.mu_mae",),  # VideoMAE's pre-training is Mu-MAE's without sensors
    "methods/mu_mae/heads.py": ("baselines",),  # Mu-MAE calls its classifier model-agnostic: any head of the table
}
"""Plugins that build on others, and on which."""
TENSORS = ("harness.data.task.clip_source", "harness.data.task.augmentation")  # where stored clips become tensors
NO_TORCH = ("harness.data", "harness.data.episodes", "harness.report", "harness.report.statistics", "harness.records")


def imported(path: Path) -> set[str]:
    """Modules of ours that a file imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            names.add(node.module or "")
    return {name for name in names if name.split(".")[0] in OURS}


def modules(package: str) -> list[str]:
    """A module, or every module of a package."""
    place = ROOT / package.replace(".", "/")
    if place.with_suffix(".py").is_file():
        return [package]
    found = [path.relative_to(ROOT).with_suffix("") for path in sorted(place.rglob("*.py"))]
    return [".".join(path.parts).removesuffix(".__init__") for path in found]


def test_the_contract_imports_nothing_of_ours() -> None:
    assert imported(ROOT / "harness" / "api.py") == set()


@pytest.mark.parametrize("path", PLUGINS, ids=lambda path: str(path.relative_to(ROOT)))
def test_plugins_import_the_contract_and_encoders_only(path: Path) -> None:
    place = path.relative_to(ROOT)
    allowed = ("harness.api", "harness.encoders", ".".join(place.parent.parts), *EXCEPTIONS.get(place.as_posix(), ()))
    strangers = {name for name in imported(path) if not f"{name}.".startswith(tuple(f"{each}." for each in allowed))}
    assert strangers == set()


def test_every_exception_is_used() -> None:
    for path, packages in EXCEPTIONS.items():
        for package in packages:
            assert any(f"{name}.".startswith(f"{package}.") for name in imported(ROOT / path)), f"{path}: {package}"


def test_nothing_in_the_harness_imports_tests_or_a_plugin() -> None:
    for path in sorted(ROOT.glob("harness/**/*.py")):
        assert not [name for name in imported(path) if not name.startswith("harness")], path


def test_data_episodes_statistics_and_reports_need_no_torch() -> None:
    wanted = [name for package in NO_TORCH for name in modules(package) if name not in TENSORS]
    assert {"harness.data.prepare", "harness.data.episodes.suites", "harness.report.statistics"} <= set(wanted)
    code = f"""
import importlib, sys
for name in {wanted!r}:
    importlib.import_module(name)
    heavy = {{"torch", "timm", "decord", "av", "matplotlib"}} & set(sys.modules)
    if heavy:
        sys.exit(f"{{name}} imports {{heavy}}")
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
