"""Processes that decode, for as long as the one that asks for them lives."""

from __future__ import annotations

import os
import signal
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context, parent_process
from threading import Thread


def decoding_pool(workers: int) -> Executor:
    """Worker processes; one thread where the system has no shared memory (no /dev/shm) for what they need."""
    try:
        return ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_begin)
    except OSError:
        return ThreadPoolExecutor(1)


def _begin() -> None:
    """Ctrl-C is for the parent, which lets running shards end and drops the rest. Where it was killed, so is this."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = parent_process()
    assert parent is not None

    def follow() -> None:
        parent.join()
        os._exit(1)

    Thread(target=follow, daemon=True).start()
