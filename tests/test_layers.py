"""Nothing flows back: each package imports from the layers below it alone, and what needs no torch loads none."""

from __future__ import annotations

import re
import subprocess
import sys
from graphlib import CycleError

import pytest

from tests.layers import FOLDERS, ROOT, imports, layers, module_graph, modules, package_graph, picture

ALLOWED = {
    "api": (),
    "runtime": (),
    "records": ("runtime",),
    "plugins": ("api", "runtime"),
    "config": ("runtime",),
    "data": ("api", "config", "plugins", "runtime"),
    "encoders": ("api", "config", "plugins", "runtime"),
    "methods": ("api", "encoders", "runtime"),
    "evaluation": ("api", "config", "data", "records", "runtime"),
    "training": ("api", "config", "data", "encoders", "evaluation", "plugins", "records", "runtime"),
    "benchmark": ("api", "config", "data", "encoders", "evaluation", "plugins", "records", "runtime", "training"),
    "report": ("config", "data", "plugins", "records", "runtime"),
    "engines": ("benchmark", "runtime", "training"),
    "cli": (
        "benchmark", "config", "data", "encoders", "engines", "evaluation", "plugins", "records", "report", "runtime",
        "training",
    ),
    "mmact_oneshot": (
        "api", "benchmark", "cli", "config", "data", "encoders", "plugins", "records", "report", "runtime",
    ),
}  # fmt: skip
"""What each package may import. Training scores validation episodes, so evaluation lies below it."""
PLUGINS = sorted((*modules("baselines"), *modules("methods")))
EXCEPTIONS = {
    "baselines.videomae": ("methods.mu_mae",),  # VideoMAE's pre-training is Mu-MAE's without sensors
    "methods.mu_mae.autoencoder": ("harness.runtime.ranks",),  # means over the clips of a step that several share
    "methods.mu_mae.heads": ("baselines",),  # Mu-MAE calls its classifier model-agnostic: any head of the table
}
"""Plugins that build on others, and on which."""
NO_TORCH = (
    "mmact_oneshot.runs",
    "harness.config",
    "harness.data",
    "harness.evaluation.external",
    "harness.evaluation.predictions_file",
    "harness.plugins",
    "harness.records",
    "harness.report",
)
TENSORS = (
    "harness.plugins.methods",  # the contract
    "harness.data.task.clip_source",  # where stored clips become tensors
    "harness.data.task.augmentation",
    "harness.data.task.transfer",
)
"""Modules below ``NO_TORCH`` that work with tensors."""


def below(names: frozenset[str], packages: tuple[str, ...]) -> set[str]:
    return {name for name in names if f"{name}.".startswith(tuple(f"{package}." for package in packages))}


def test_the_packages_are_in_layers() -> None:
    graph = package_graph()
    sys.stdout.write(f"\n{picture(graph)}\n")  # pytest -s shows it
    height = {package: number for number, layer in enumerate(layers(graph)) for package in layer}
    assert all(height[package] > height[other] for package, others in graph.items() for other in others)


def test_each_package_imports_what_it_may_and_nothing_is_allowed_in_vain() -> None:
    assert {package: set(others) for package, others in package_graph().items()} == {
        package: set(others) for package, others in ALLOWED.items()
    }


def test_no_modules_import_each_other() -> None:
    assert layers(module_graph(*FOLDERS))


def test_a_cycle_is_found() -> None:
    with pytest.raises(CycleError):
        layers({"a": frozenset({"b"}), "b": frozenset({"c"}), "c": frozenset({"a"})})


def test_the_contract_imports_nothing_of_ours() -> None:
    assert imports("harness.api") == frozenset()


def test_every_import_is_of_the_one_installed_name() -> None:
    """``import harness`` would load a second copy in a checkout, and nothing elsewhere."""
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line}"
        for folder in ("harness", "methods", "baselines", "mmact_oneshot", "tests", "docs", "results")
        for path in sorted((ROOT / folder).rglob("*.py"))
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if re.match(r"\s*(from|import) (harness|methods|baselines)\b", line)
    ]
    assert found == []


def test_nothing_in_the_harness_imports_tests_or_a_plugin() -> None:
    for module in modules("harness"):
        assert not [name for name in imports(module) if not name.startswith("harness")], module


@pytest.mark.parametrize("plugin", PLUGINS)
def test_plugins_import_the_contract_and_encoders_only(plugin: str) -> None:
    own = plugin if "." not in plugin else plugin.rpartition(".")[0]
    allowed = ("harness.api", "harness.encoders", own, *EXCEPTIONS.get(plugin, ()))
    assert imports(plugin) - below(imports(plugin), allowed) == set()


def test_every_exception_is_used() -> None:
    for plugin, packages in EXCEPTIONS.items():
        for package in packages:
            assert below(imports(plugin), (package,)), f"{plugin}: {package}"


def test_settings_data_records_and_reports_need_no_torch() -> None:
    wanted = [name for package in NO_TORCH for name in modules(package) if name not in TENSORS]
    known = {"harness.data.prepare", "harness.data.episodes.suites", "harness.report.statistics", "harness.records"}
    assert known <= set(wanted)
    code = f"""
import importlib, sys
for name in {wanted!r}:
    importlib.import_module('mmact_oneshot.' + name.removeprefix('mmact_oneshot.'))
    heavy = {{"torch", "timm", "decord", "av", "matplotlib"}} & set(sys.modules)
    if heavy:
        sys.exit(f"{{name}} imports {{heavy}}")
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
