"""One registry for every kind: files with neighbours, installed packages, listings, and digests of sources."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from mmact_oneshot.harness.plugins import registry
from mmact_oneshot.harness.plugins.kinds import ENCODER, FIGURE, KINDS, LAYOUT, METHOD, METRIC, SPLIT, Kind
from mmact_oneshot.harness.runtime.errors import HarnessError

METHOD_FILE = """
from mmact_oneshot.harness.api import FewShotMethod
from layers import WIDTH

class Mine(FewShotMethod):
    width = WIDTH
"""
METRIC_FILE = """
from mmact_oneshot.harness.report.metrics.macro_f1 import macro_f1
from mmact_oneshot.harness.report.results.metric import Answers, metric

@metric("Never right, %")
def never_right(answers: Answers) -> float:
    \"\"\"Share of the episodes without a right answer.\"\"\"
    return float((~answers.correct.any(axis=1)).mean())
"""


def plugin(folder: Path, width: int) -> str:
    """A method with a module beside it."""
    folder.mkdir(exist_ok=True)
    (folder / "layers.py").write_text(f"WIDTH = {width}\n")
    (folder / "mine.py").write_text(METHOD_FILE)
    return str(folder / "mine.py")


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[EntryPoint]]:
    """Entry points of installed packages: those that a test puts into the list."""
    points: list[EntryPoint] = []

    def found(group: str, **match: str) -> list[EntryPoint]:
        return [each for each in points if each.group == group and match.get("name", each.name) == each.name]

    monkeypatch.setattr(registry, "entry_points", found)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield points
    for name in [name for name in sys.modules if name.startswith("their_")]:
        del sys.modules[name]


def test_a_file_imports_what_lies_beside_it_whatever_other_plugins_have_beside_them(tmp_path: Path) -> None:
    one, two = plugin(tmp_path / "one", 1), plugin(tmp_path / "two", 2)
    assert [registry.load(METHOD, name).width for name in (one, two, one)] == [1, 2, 1]
    assert str(tmp_path / "one") not in sys.path


def test_the_source_of_a_file_covers_the_modules_beside_it(tmp_path: Path) -> None:
    one, two = plugin(tmp_path / "one", 1), plugin(tmp_path / "two", 2)
    again = plugin(tmp_path / "again", 1)
    (tmp_path / "again" / "unused.py").write_text("")
    assert registry.source(METHOD, one) != registry.source(METHOD, two), "they differ in layers.py alone"
    assert registry.source(METHOD, one) == registry.source(METHOD, again), "the folder and unused files do not count"
    assert registry.source(METHOD, "trx") == "built-in"


def test_the_source_of_a_package_covers_all_of_it(tmp_path: Path, packages: list[EntryPoint]) -> None:
    package = tmp_path / "their_package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "other.py").write_text("VALUE = 1\n")
    (package / "head.py").write_text(METHOD_FILE.replace("from layers import WIDTH", "WIDTH = 3"))
    packages.append(EntryPoint("theirs", "their_package.head:Mine", METHOD.group))
    before = registry.source(METHOD, "theirs")
    (package / "other.py").write_text("VALUE = 2\n")
    assert registry.source(METHOD, "theirs") != before


def test_a_metric_of_a_file_is_the_one_it_defines_and_none_that_it_imports(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(METRIC_FILE)
    found = registry.load(METRIC, str(path))
    assert (found.name, found.title) == ("never_right", "Never right, %")


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_every_kind_lists_ours_and_those_of_packages(kind: Kind, packages: list[EntryPoint]) -> None:
    packages.append(EntryPoint("theirs", "their_missing:thing", kind.group))
    listed = {each.name: each for each in registry.listing(kind)}
    assert set(listed) == {*kind.built_in, "theirs"}
    assert all(each.found is not None and kind.fits(each.found) for name, each in listed.items() if name != "theirs")
    assert listed["theirs"].found is None
    assert "does not import (ModuleNotFoundError: No module named 'their_missing')" in listed["theirs"].error


@pytest.mark.parametrize("kind", [METHOD, LAYOUT, METRIC, FIGURE], ids=lambda kind: kind.name)
def test_a_clash_names_both_and_leaves_the_others_alone(kind: Kind, packages: list[EntryPoint]) -> None:
    name, other = list(kind.built_in)[:2]
    packages.append(EntryPoint(name, "their_module:thing", kind.group))
    with pytest.raises(HarnessError, match=f"2 {kind.plural} are called '{name}': built-in; their_module:thing"):
        registry.load(kind, name)
    assert registry.load(kind, other) is not None


@pytest.mark.parametrize("kind", [METHOD, ENCODER, LAYOUT, METRIC, FIGURE], ids=lambda kind: kind.name)
def test_a_file_without_a_plugin_says_how_one_begins(kind: Kind, tmp_path: Path) -> None:
    path = tmp_path / "empty.py"
    path.write_text("import torch\n")
    with pytest.raises(HarnessError, match=f"defines 0 {kind.plural}, expected one.*oneshot new {kind.name} NAME"):
        registry.load(kind, str(path))


def test_a_split_of_a_package_is_found_by_name(tmp_path: Path, packages: list[EntryPoint]) -> None:
    from mmact_oneshot.harness.data.splits import load_split

    (tmp_path / "their_split.py").write_text(
        "from mmact_oneshot.harness.data.splits import parse_split\n"
        "lists = {'name': 'theirs', 'base': ['a'], 'validation': ['b'], 'novel': ['c']}\n"
        "split = parse_split(lists, 'their_split')\n"
    )
    packages.append(EntryPoint("theirs", "their_split:split", SPLIT.group))
    assert load_split("theirs").novel == ("c",)
    with pytest.raises(HarnessError, match="Did you mean 'theirs'"):
        load_split("theirz")
