"""Folders of runs, compared file by file."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any


def records_of(out: Path) -> dict[str, Any]:
    """Every file of the records, but for what is volatile; the log of test accesses without dates and order."""

    def lasting(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: lasting(each) for name, each in value.items() if name not in ("volatile", "date")}
        return [lasting(each) for each in value] if isinstance(value, list) else value

    found: dict[str, Any] = {}
    for path in sorted((out / "records").rglob("*")):
        name = str(path.relative_to(out))
        if path.suffix == ".json":
            found[name] = lasting(json.loads(path.read_text()))
        elif path.suffix == ".jsonl":
            found[name] = sorted(str(lasting(json.loads(line))) for line in path.read_text().splitlines())
        elif path.is_file():
            found[name] = path.read_bytes()
    return found


def lasting_files(out: Path) -> dict[str, Any]:
    """The records but for the log, and the weights of rows and pre-trainings; those of warm starts have their times."""
    found = {name: content for name, content in records_of(out).items() if not name.endswith(".jsonl")}
    for kind in ("checkpoints", "pretraining"):
        found |= {f"{kind}/{path.name}": path.read_bytes() for path in (out / kind).glob("*.safetensors")}
    return found


def files_of(folder: Path) -> dict[str, bytes]:
    """Content of every file by its name below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def accesses(out: Path) -> Counter[tuple[str, str]]:
    """How often each training was scored on each suite, by the log."""
    log = out / "records" / "test_access.jsonl"
    lines = log.read_bytes().split(b"\n")[:-1] if log.is_file() else []  # an unfinished last line is no access
    return Counter((entry["training"], entry["suite"]) for entry in map(json.loads, lines))
