"""Signals that end a run: Ctrl-C (SIGINT), and SIGTERM, which batch systems send before they kill."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import active_children
from multiprocessing.process import BaseProcess
from types import FrameType
from typing import NoReturn


class Terminated(KeyboardInterrupt):
    """SIGTERM, raised where Ctrl-C would be, so that it ends a run as cleanly."""


@contextmanager
def terminable() -> Iterator[None]:
    """Raise Terminated on SIGTERM. Not beside the main thread, and not under ``torchrun``, whose processes wait for
    each other in calls that no exception interrupts."""
    if threading.current_thread() is not threading.main_thread() or int(os.environ.get("WORLD_SIZE", "1")) > 1:
        yield
        return
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def interrupts_kept_from_children() -> Iterator[None]:
    """Processes that are started meanwhile never see Ctrl-C, which a terminal sends to all of them: the one that
    started them ends them. Here it comes once this is over."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def children_ended() -> Iterator[None]:
    """End the processes that were started meanwhile where an interrupt comes, whatever they are at."""
    before = set(active_children())
    try:
        yield
    except KeyboardInterrupt:
        for child in set(active_children()) - before:
            _end(child)
        raise


def _end(child: BaseProcess) -> None:
    child.terminate()
    child.join(2)
    if child.is_alive():
        child.kill()


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    raise Terminated
