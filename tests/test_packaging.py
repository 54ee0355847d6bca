"""What an installed copy holds: every package, and every file beside the modules."""

from __future__ import annotations

import tomllib
from fnmatch import fnmatchcase
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PACKAGES = ("harness", "methods", "baselines")
DATA: dict[str, list[str]] = PROJECT["tool"]["setuptools"]["package-data"]


def beside_modules(package: str) -> list[str]:
    """Files of a package that are no modules, below it."""
    folder = ROOT / package
    files = [path for path in folder.rglob("*") if path.is_file() and path.suffix not in {".py", ".pyc"}]
    return sorted(path.relative_to(folder).as_posix() for path in files)


@pytest.mark.parametrize("package", PACKAGES)
def test_every_folder_of_modules_is_a_package(package: str) -> None:
    assert f"{package}*" in PROJECT["tool"]["setuptools"]["packages"]["find"]["include"]
    folders = {path.parent for path in (ROOT / package).rglob("*.py")}
    assert [str(folder) for folder in folders if not (folder / "__init__.py").is_file()] == []


@pytest.mark.parametrize("package", PACKAGES)
def test_every_other_file_is_packaged_and_every_pattern_names_one(package: str) -> None:
    files, patterns = beside_modules(package), DATA.get(package, [])
    assert [file for file in files if not any(fnmatchcase(file, pattern) for pattern in patterns)] == []
    assert [pattern for pattern in patterns if not any(fnmatchcase(file, pattern) for file in files)] == []


def test_the_command_is_there() -> None:
    module, _, name = PROJECT["project"]["scripts"]["oneshot"].partition(":")
    assert callable(getattr(import_module(module), name))
