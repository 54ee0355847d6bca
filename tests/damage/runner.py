"""One damaged file, read in a process of its own under limits of time and memory; what came of it is judged."""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SECONDS = 60.0
BYTES = 2 << 30
BAD_INPUT = 2

EQUAL, ERROR, UNSEEN = "accepted: equal result", "one error", "accepted: plausible value"
FAILURES = ("traceback", "crash", "hang", "memory", "silence", "error without file")


@dataclass(frozen=True)
class Reading:
    """What reading a file gave.

    Attributes:
        content: all that was read, as a digest or in words: equal where the same was read.
        notes: [kind of defect, path, detail] of all that was repaired or left out, as the user is told.
    """

    content: str
    notes: list[list[str]] = field(default_factory=list)


@dataclass(frozen=True)
class Finished:
    """How a process ended: exit code (negative: a signal), what it printed, and what it read."""

    code: int
    output: str
    reading: Reading | None
    seconds: float
    peak: int  # bytes
    stopped: str = ""  # "hang" or "memory" where it was killed for it


@dataclass(frozen=True)
class Outcome:
    """The judgement: one of EQUAL, ERROR, UNSEEN and FAILURES, or "rule NAME"; and the line that shows it."""

    what: str
    detail: str

    @property
    def failed(self) -> bool:
        return self.what in FAILURES


def run_limited(read: Callable[[], Reading], folder: Path, seconds: float = SECONDS, peak: int = BYTES) -> Finished:
    """Call ``read`` in a forked process, which has imported all that it needs, and wait for its end.

    Args:
        folder: for what it prints and what it read.
        seconds, peak: beyond which it is killed. Memory is what is resident: much more is mapped by libraries.
    """
    printed, result = folder / "printed", folder / "result"
    result.unlink(missing_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    started = time.monotonic()
    process = os.fork()
    if process == 0:
        _child(read, printed, result)
    stopped, status, usage = "", 0, None
    while usage is None:
        pid, status, found = os.wait4(process, os.WNOHANG)
        if pid:
            usage = found
            break
        if time.monotonic() - started > seconds:
            stopped = "hang"
        elif _resident(process) > peak:
            stopped = "memory"
        if stopped:
            try:
                os.killpg(process, signal.SIGKILL)
            except ProcessLookupError:  # it has not made a group of its own yet
                os.kill(process, signal.SIGKILL)
            _, status, usage = os.wait4(process, 0)
        time.sleep(0.01)
    found_peak = usage.ru_maxrss * 1024
    if not stopped and found_peak > peak:
        stopped = "memory"
    reading = Reading(**json.loads(result.read_text())) if result.is_file() else None
    output = printed.read_text("utf-8", errors="replace") if printed.is_file() else ""
    took = time.monotonic() - started
    return Finished(os.waitstatus_to_exitcode(status), output, reading, took, found_peak, stopped)


def judge(undamaged: Reading, finished: Finished, names: tuple[str, ...], raw: bool) -> Outcome:
    """What became of a damaged file.

    Args:
        undamaged: what is read where nothing is damaged.
        names: of the file; an error must have one of them.
        raw: whether the file is a recording, which has no checksum: other values that could have been measured are
            taken for measured.
    """
    last = finished.output.strip().splitlines()[-1:] or [""]
    if finished.stopped:
        return Outcome(finished.stopped, f"{finished.seconds:.1f} s, {finished.peak >> 20} MB; {last[0]}")
    if "Traceback (most recent call last)" in finished.output:
        return Outcome("traceback", last[0])
    if finished.code < 0:
        return Outcome("crash", signal.Signals(-finished.code).name)
    if finished.code == BAD_INPUT:
        errors = [line for line in finished.output.splitlines() if line.startswith("error:")]
        named = len(errors) == 1 and any(name in finished.output for name in names)
        return Outcome(ERROR if named else "error without file", (errors or last)[0])
    if finished.reading is None:
        return Outcome("crash", f"exit code {finished.code} without a result; {last[0]}")
    known = set(map(tuple, undamaged.notes))
    notes = [note for note in finished.reading.notes if tuple(note) not in known]
    told = [note for note in notes if not note[1] or any(name in note[1] for name in names)]
    if told:
        return Outcome(f"rule {told[0][0]}", "; ".join(": ".join(note) for note in told)[:300])
    if finished.reading.content == undamaged.content:
        return Outcome(EQUAL, "")
    return Outcome(UNSEEN if raw else "silence", finished.reading.content[:80])


def _child(read: Callable[[], Reading], printed: Path, result: Path) -> None:
    """The forked process: ends here."""
    code = 1
    try:
        os.setpgid(0, 0)
        output = os.open(printed, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(output, 1)
        os.dup2(output, 2)
        sys.stdout = os.fdopen(1, "w", encoding="utf-8", errors="replace")  # a test runner put others in their place
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", errors="replace")
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        code = _exit_code(read, result)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _exit_code(read: Callable[[], Reading], result: Path) -> int:
    import typer

    try:
        reading = read()
    except typer.Exit as end:
        return end.exit_code
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
        return 1
    content: dict[str, Any] = {"content": reading.content, "notes": reading.notes}
    result.write_text(json.dumps(content))
    return 0


def _resident(process: int) -> int:
    """Bytes that a process has in memory; 0 where it has ended."""
    try:
        pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return 0
    return pages * resource.getpagesize()
