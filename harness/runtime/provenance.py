"""Which code, which versions: what a reader of a record needs to run it again."""

from __future__ import annotations

import platform
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = ("torch", "timm", "kornia", "numpy", "pandas", "scipy", "decord", "eva-decord", "av", "safetensors")


def installed(package: str) -> str | None:
    """Version of an installed package, or None."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


@cache
def code_commit() -> dict[str, Any]:
    """Commit of the checkout that runs, and whether it has changes; None outside a checkout."""
    here = Path(__file__).parent
    ours = [str(here.parents[1] / name) for name in ("harness", "methods", "baselines")]

    if _git("ls-files", "--error-unmatch", Path(__file__).name) is None:
        return {"commit": None, "changed": None}  # not our checkout: an installed copy inside another project, say
    status = _git("status", "--porcelain", "--", *ours)
    return {"commit": _git("rev-parse", "HEAD"), "changed": bool(status) if status is not None else None}


def is_changed(file: Path) -> bool:
    """Whether a file differs from the commit of the checkout that runs; never outside a checkout."""
    return code_commit()["commit"] is not None and bool(_git("status", "--porcelain", "--", str(file)))


def _git(*arguments: str) -> str | None:
    """What git says in the checkout; None where it fails."""
    command = ["git", "-C", str(Path(__file__).parent), *arguments]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def provenance(hardware: dict[str, object]) -> dict[str, Any]:
    """The ``provenance`` part of a training record."""
    return {
        "version": version("mmact-oneshot"),
        **code_commit(),
        "python": platform.python_version(),
        "system": platform.system(),
        "versions": {name: found for name in PACKAGES if (found := installed(name))},
        "hardware": hardware,
    }
