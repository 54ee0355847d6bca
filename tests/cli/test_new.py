"""`oneshot new`: every kind works as it is written, alone and as a package."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from importlib import resources
from pathlib import Path

import pytest

from mmact_oneshot.harness.cli.scaffold import CLASSES
from mmact_oneshot.harness.plugins.kinds import KINDS
from mmact_oneshot.harness.plugins.registry import load
from tests.helpers.scored_runs import oneshot, refused, said

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("kind", CLASSES)
def test_the_file_defines_what_it_is_called(kind: str, tmp_path: Path) -> None:
    text = said(oneshot("new", kind, "my_own", "--in", tmp_path))
    assert "written: " in text
    found = load(KINDS[kind], str(tmp_path / "my_own.py"))
    assert getattr(found, "__name__", None) == "MyOwn" or found.name == "my_own"
    assert "template" not in (tmp_path / "my_own.py").read_text("utf-8")


@pytest.mark.slow
def test_the_tests_that_are_written_pass(tmp_path: Path) -> None:
    for kind in CLASSES:
        said(oneshot("new", kind, f"my_{kind}", "--in", tmp_path))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "6 passed" in done.stdout


def test_a_package_offers_its_plugin(tmp_path: Path) -> None:
    said(oneshot("new", "method", "theirs", "--package", "--in", tmp_path))
    project = tomllib.loads((tmp_path / "theirs" / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["entry-points"] == {"mmact_oneshot.methods": {"theirs": "theirs.theirs:Theirs"}}
    assert "class Theirs(" in (tmp_path / "theirs" / "theirs" / "theirs.py").read_text("utf-8")
    assert (tmp_path / "theirs" / "tests" / "test_theirs.py").is_file()


def test_the_method_is_the_template_of_the_repository(tmp_path: Path) -> None:
    said(oneshot("new", "method", "mine", "--in", tmp_path))
    template = (resources.files("mmact_oneshot.methods") / "template.py").read_text("utf-8")
    renamed = template.replace("methods/template.py", "./mine.py").replace("CosinePrototypes", "Mine")
    assert (tmp_path / "mine.py").read_text("utf-8") == renamed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("method", "My-Method"), "'My-Method' is no name of a module"),
        (("method", "class"), "'class' is no name of a module"),
        (("method", "trx"), "there is a method 'trx'"),
        (("metric", "there"), "there.py: is already there"),
    ],
)
def test_nothing_is_overwritten(arguments: tuple[str, str], message: str, tmp_path: Path) -> None:
    (tmp_path / "there.py").write_text("kept")
    assert message in refused(oneshot("new", *arguments, "--in", tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["there.py"]
    assert (tmp_path / "there.py").read_text() == "kept"
