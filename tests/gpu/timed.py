"""A command with a time limit, in a process group of its own: its children end with it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

GRACE = 20.0  # seconds between Ctrl-C and the end: a run writes what is done


@dataclass(frozen=True)
class Outcome:
    """What became of a command: "done", "out of time" or "failed (its exit code)", and after how many seconds."""

    status: str
    seconds: float


def timed(command: Sequence[str], log: Path, limit: float, output: Path | None = None) -> Outcome:
    """Run a command until its time is over; then as Ctrl-C would, and a little later for good.

    Args:
        log: gets what it prints, after what is there.
        limit: seconds.
        output: gets what it prints to its standard output, where this is to be apart.
    """
    started = time.monotonic()
    if limit <= 0:
        return Outcome("out of time", 0.0)
    with log.open("ab") as errors, (output or log).open("wb" if output else "ab") as printed:
        process = subprocess.Popen(command, stdout=printed, stderr=errors, start_new_session=True)
        try:
            code = process.wait(limit)
            status = f"failed ({code})" if code else "done"
        except subprocess.TimeoutExpired:
            status = "out of time"
        finally:
            _end(process)
    return Outcome(status, round(time.monotonic() - started, 1))


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the whole group, also where Ctrl-C ends us."""
    for number, patience in ((signal.SIGINT, GRACE), (signal.SIGKILL, None)):
        if process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            with suppress(subprocess.TimeoutExpired):
                process.wait(patience)
