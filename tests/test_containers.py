"""Recipes of containers, as far as they can be checked without something that builds them."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
DOCKER = (ROOT / "containers" / "Dockerfile").read_text("utf-8")
APPTAINER = (ROOT / "containers" / "apptainer.def").read_text("utf-8")
PINNED = re.search(r"^torch==(.+)$", (ROOT / "constraints.txt").read_text("utf-8"), re.MULTILINE)


def copied(recipe: str) -> set[str]:
    """Files and folders of the checkout that a recipe takes."""
    if recipe == APPTAINER:
        section = recipe.partition("%files\n")[2].partition("\n%")[0]
        return {line.split()[0] for line in section.splitlines() if line.strip()}
    lines = re.findall(r"^COPY (.+)$", recipe, re.MULTILINE)
    return {name for line in lines for name in line.split()[:-1]}


@pytest.mark.parametrize("recipe", [DOCKER, APPTAINER], ids=["docker", "apptainer"])
def test_a_recipe_takes_what_is_there_and_all_that_is_installed(recipe: str) -> None:
    found = copied(recipe)
    assert [name for name in found if not (ROOT / name).exists()] == []
    packages = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    project = PROJECT["project"]
    assert {*packages, project["readme"], *project["license-files"], "pyproject.toml", "constraints.txt"} <= found


@pytest.mark.parametrize("recipe", [DOCKER, APPTAINER], ids=["docker", "apptainer"])
def test_a_recipe_installs_the_tested_versions_on_the_tested_torch(recipe: str) -> None:
    assert PINNED
    assert f"BASE=pytorch/pytorch:{PINNED[1]}-cuda" in recipe
    (install,) = re.findall(r"pip install (.+)$", recipe, re.MULTILINE)
    assert "--no-cache-dir" in install
    assert "--constraint /tmp/constraints.txt" in install
    assert re.search(r"grep .*constraints\.txt > /tmp/constraints\.txt", recipe)
    extras = re.search(r"'\.\[([\w,]+)\]'", install)
    assert extras
    assert set(extras[1].split(",")) <= set(PROJECT["project"]["optional-dependencies"])


def test_the_image_does_not_run_as_root_and_both_run_the_command() -> None:
    users = re.findall(r"^USER (\w+)$", DOCKER, re.MULTILINE)
    assert users
    assert users[-1] not in ("root", "0")
    (command,) = PROJECT["project"]["scripts"]
    assert f'ENTRYPOINT ["{command}"]' in DOCKER
    assert f'exec {command} "$@"' in APPTAINER
