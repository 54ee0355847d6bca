"""A checkout that is not installed, run by an interpreter that has torch: what it lacks, and its own version."""

from __future__ import annotations

import os
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
_PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
_KEPT: list[TemporaryDirectory[str]] = []  # until this process ends


def lacking() -> list[str]:
    """What the extra `train` asks for and this interpreter does not have, or has too old."""
    asked = [Requirement(text) for text in (*_PROJECT["dependencies"], *_PROJECT["optional-dependencies"]["train"])]
    return [str(each) for each in asked if (each.marker is None or each.marker.evaluate()) and not _has(each)]


def declare_version() -> None:
    """Where the package is not installed, let this process and those that it starts find its version."""
    try:
        version(_PROJECT["name"])
    except PackageNotFoundError:
        _KEPT.append(TemporaryDirectory(prefix="oneshot-"))
        folder = Path(_KEPT[-1].name)
        about = folder / f"{_PROJECT['name'].replace('-', '_')}-{_PROJECT['version']}.dist-info"
        about.mkdir()
        text = f"Metadata-Version: 2.1\nName: {_PROJECT['name']}\nVersion: {_PROJECT['version']}\n"
        (about / "METADATA").write_text(text, "utf-8")
        sys.path.append(str(folder))
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), str(folder))))


def _has(asked: Requirement) -> bool:
    try:
        return asked.specifier.contains(version(asked.name), prereleases=True)
    except PackageNotFoundError:
        return False
