"""The run that is meant where none is named."""

from __future__ import annotations

from pathlib import Path

RUNS = Path("runs")


def only_run() -> Path:
    """The one run below ``runs``.

    Raises:
        HarnessError: there is none, or more than one.
    """
    from mmact_oneshot.harness.runtime.errors import HarnessError

    found = sorted(path.parent for path in RUNS.glob("*/records"))
    if len(found) != 1:
        known = f"Name one of: {', '.join(map(str, found))}." if found else "`oneshot run` makes one."
        raise HarnessError(f"{len(found)} runs here.", where=RUNS, remedy=known)
    return found[0]
