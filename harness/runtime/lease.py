"""Leases: files by which processes that share a folder, on one machine or many, keep out of each other's way.

A holder refreshes its lease; one that gives no sign of life for ``DURATION`` has lost it, and one that died on this
machine loses it at once.
"""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import SoftFileLease, Timeout

from mmact_oneshot.harness.runtime.errors import HarnessError
from mmact_oneshot.harness.runtime.progress import Silent, Watcher

DURATION = 60.0  # seconds


class Held(Exception):
    """Another process holds a lease."""


@contextmanager
def lease(path: Path, what: str, watcher: Watcher | None = None, *, wait: bool = True) -> Iterator[None]:
    """Hold a lease.

    Args:
        path: of the lease's file; it is gone once the lease is released.
        what: is done under it, for a reader.
        watcher: is told who is waited for.
        wait: for as long as another process holds it.

    Raises:
        Held: another process holds it, and it is not waited for.
        HarnessError: the folder cannot be written to.
    """
    held = SoftFileLease(path, lease_duration=DURATION, thread_local=False)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        held.acquire(timeout=0)
    except Timeout as error:
        if not wait:
            raise Held(what) from error
        (watcher or Silent()).note(f"  waiting: {what} is being done by {holder(path)}")
        held.acquire(poll_interval=0.5)
    except OSError as error:
        error.filename = error.filename or str(path)
        if error.errno not in {errno.EROFS, errno.EACCES, errno.EPERM}:
            raise
        raise HarnessError("cannot be written to.", where=path.parent, remedy="Choose another folder.") from error
    try:
        yield
    finally:
        held.release()


def holder(path: Path) -> str:
    """Who holds a lease, since when, and what to do if it is known to be gone; "nobody" where there is none."""
    with suppress(OSError):
        silent = max(0.0, time.time() - path.stat().st_mtime)
        owner = SoftFileLease(path, lease_duration=DURATION).owner
        if owner is not None:
            here = " (this machine)" if owner.hostname.partition("?")[0] == socket.gethostname() else ""
            return (
                f"process {owner.pid} on {owner.hostname}{here}, last sign of life {silent:.0f} s ago; one that is "
                f"gone loses its lease after {DURATION:.0f} s ({path})"
            )
    return "nobody"
