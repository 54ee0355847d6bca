"""What an installed copy holds, and that it gets along with a user's own folders and with other packages."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
import zipfile
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mmact_oneshot.harness.cli.main import app

ROOT = Path(__file__).parents[1]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
FOLDERS = ("harness", "methods", "baselines")
FILES = {folder: f"mmact_oneshot/{folder}" for folder in FOLDERS} | {"mmact_oneshot": "mmact_oneshot"}


def kept(path: Path) -> bool:
    return path.is_file() and "__pycache__" not in path.parts


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout, built by the backend itself: no network, no environment of its own."""
    folder = tmp_path_factory.mktemp("wheel")
    code = f"from hatchling.build import build_wheel; build_wheel({str(folder)!r})"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True)
    (found,) = folder.glob("*.whl")
    return found


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_folder_of_modules_is_a_package(folder: str) -> None:
    folders = {path.parent for path in (ROOT / folder).rglob("*.py")}
    assert [str(each) for each in folders if not (each / "__init__.py").is_file()] == []


def test_the_wheel_has_every_file_under_one_import_name_and_nothing_else(wheel: Path) -> None:
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    wanted = {
        f"{inside}/{path.relative_to(ROOT / folder).as_posix()}"
        for folder, inside in FILES.items()
        for path in (ROOT / folder).rglob("*")
        if kept(path)
    }
    assert names == wanted
    assert "mmact_oneshot/py.typed" in names


def test_installed_it_works_beside_a_folder_and_a_package_of_the_same_names(wheel: Path, tmp_path: Path) -> None:
    """A user's ``methods/``, and packages called ``baselines`` and ``harness``, are neither loaded nor in the way."""
    site, project = tmp_path / "site", tmp_path / "project"
    zipfile.ZipFile(wheel).extractall(site)
    for package in (site / "baselines", site / "harness", project / "methods", project / "harness"):
        package.mkdir(parents=True)
        (package / "__init__.py").write_text("raise RuntimeError('a package of somebody else was loaded')\n")
    code = (
        "import mmact_oneshot\n"
        f"assert mmact_oneshot.__file__.startswith({str(site)!r}), mmact_oneshot.__file__\n"
        "from mmact_oneshot.harness.cli.main import app\n"
        "from typer.testing import CliRunner\n"
        "done = CliRunner().invoke(app, ['methods'])\n"
        "assert done.exit_code == 0 and 'protonet' in done.output and 'mu_mae' in done.output, done.output\n"
        "import sys\n"
        "assert not {'methods', 'baselines', 'harness'} & set(sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=project,
        env=os.environ | {"PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_command_is_there() -> None:
    module, _, name = PROJECT["project"]["scripts"]["oneshot"].partition(":")
    assert callable(getattr(import_module(module), name))


def test_without_the_packages_that_train_the_command_says_how_to_get_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)  # as if it were not installed
    monkeypatch.delitem(sys.modules, "mmact_oneshot.harness.plugins.methods", raising=False)
    monkeypatch.delitem(sys.modules, "mmact_oneshot.harness.api", raising=False)
    done = CliRunner().invoke(app, ["methods"])
    assert done.exit_code == 2
    assert "torch is not installed. Install what trains: pip install 'mmact-oneshot[train]'" in done.stderr
