"""The run that is meant where none is named."""

from __future__ import annotations

from pathlib import Path

RUNS = Path("runs")


def latest_run() -> Path:
    """The run below ``runs`` that was worked on last; which one, is said where there are several.

    Raises:
        HarnessError: there is none.
    """
    from mmact_oneshot.harness.cli.console import errors
    from mmact_oneshot.harness.runtime.errors import HarnessError

    found = sorted(RUNS.glob("*/records"), key=lambda path: max(each.stat().st_mtime for each in path.rglob("*")))
    if not found:
        raise HarnessError("no run here.", where=RUNS, remedy="`oneshot run` makes one; or name the folder of one.")
    if len(found) > 1:
        errors.print(f"{found[-1].parent}: the latest of {len(found)} runs", style="dim")
    return found[-1].parent
