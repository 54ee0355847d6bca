"""One trial of each kind of fault that takes seconds; ``python -m tests.faults`` does all, at many moments."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow  # some twenty processes

QUICK = (
    "run killed",
    "report killed",
    "disk full, by size",
    "disk full, prepare",
    "read-only",
    "no /dev/shm",
    "stale lease",
    "forced",
)
"""The others wait for minutes, start many processes, or differ from these in the moment alone."""


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What was tried and survived, by kind: from a process of its own, which may start others by ``fork``."""
    out = tmp_path_factory.mktemp("faults") / "outcomes.json"
    only = [part for kind in QUICK for part in ("--only", kind)]
    command = [sys.executable, "-m", "tests.faults", "--moments", "1", "--quick", *only, "--out", str(out)]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False, timeout=600)
    assert out.is_file(), done.stdout[-2000:] + done.stderr[-2000:]
    found: dict[str, Any] = json.loads(out.read_text())
    return found


@pytest.mark.parametrize("kind", QUICK)
def test_a_run_survives(kind: str, outcomes: dict[str, Any]) -> None:
    outcome = outcomes[kind]
    if outcome["impossible"]:
        pytest.skip(outcome["impossible"])
    assert outcome["tried"] == 1
    assert outcome["wrong"] == {}
