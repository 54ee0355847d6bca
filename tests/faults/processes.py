"""``oneshot`` in processes that begin with its libraries loaded: started, killed, waited for, and what they said."""

from __future__ import annotations

import atexit
import os
import runpy
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import torch

PATIENCE = 120.0  # seconds that no process of these sizes needs
Patch = Callable[[], object]


@dataclass
class Process:
    """A process that is or was running, in a session of its own.

    Attributes:
        log: file of what it prints.
        code: exit code once it has ended; negative for a signal.
    """

    pid: int
    log: Path
    started: float = field(default_factory=time.monotonic)
    code: int | None = None

    @property
    def printed(self) -> str:
        return self.log.read_text("utf-8", "replace")

    def over(self) -> bool:
        """Whether it has ended by now."""
        if self.code is None:
            found, status = os.waitpid(self.pid, os.WNOHANG)
            if found:
                self.code = os.waitstatus_to_exitcode(status)
        return self.code is not None

    def wait(self, seconds: float = PATIENCE) -> int:
        """Exit code.

        Raises:
            TimeoutError: it did not end; it is killed.
        """
        until = time.monotonic() + seconds
        while not self.over():
            if time.monotonic() > until:
                self.kill()
                raise TimeoutError(f"did not end within {seconds:.0f} s: {self.printed[-400:]}")
            time.sleep(0.003)
        assert self.code is not None
        return self.code

    def kill(self) -> bool:
        """SIGKILL to the process alone; whether it was still running."""
        if self.over():
            return False
        os.kill(self.pid, signal.SIGKILL)
        return self.wait() == -signal.SIGKILL

    def stop(self) -> None:
        """Have a process stand still until it may go on."""
        os.kill(self.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def until(self, met: Callable[[], bool]) -> bool:
        """Wait for something; False where the process ended before it."""
        while not self.over():
            if met():
                return True
            time.sleep(0.002)
        return False

    def outlived_by(self, seconds: float = 5.0) -> list[int]:
        """Processes of its session that still run, some seconds after its end."""
        until = time.monotonic() + seconds
        while (left := in_session(self.pid)) and time.monotonic() < until:
            time.sleep(0.02)
        return left


def start(arguments: Sequence[object], log: Path, folder: Path, patch: Patch | None = None) -> Process:
    """``oneshot ARGUMENTS``, as ``python -m mmact_oneshot`` runs it.

    Args:
        folder: for temporary files.
        patch: is called in the new process before anything else.
    """

    def command() -> None:
        sys.argv = ["oneshot", *(str(each) for each in arguments)]
        runpy.run_module("mmact_oneshot", run_name="__main__", alter_sys=True)

    return start_function(command, log, folder, patch)


def start_function(function: Callable[[], object], log: Path, folder: Path, patch: Patch | None = None) -> Process:
    """A function in a process of its own."""
    log.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
    log.touch()
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return Process(pid, log)
    code = 1
    try:
        os.setsid()
        _print_to(log)
        os.environ["TMPDIR"] = str(folder)
        torch.set_num_threads(1)  # tensors are so small that threads only wait for each other
        if patch is not None:
            patch()
        function()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def in_session(session: int) -> list[int]:
    """Living processes of a session."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, own = stat.read_text().rpartition(")")[2].split()[:4]
        except OSError:  # it has ended meanwhile
            continue
        if int(own) == session and state != "Z":
            found.append(int(stat.parent.name))
    return found


def children(pid: int) -> list[int]:
    """Processes that one has started and that run."""
    with suppress(OSError):  # it has ended meanwhile
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def _print_to(log: Path) -> None:
    stream = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(stream, 1)
    os.dup2(stream, 2)
