"""A worker that is told to end lets its step stop between two steps of the optimiser, which keeps its state and frees
its lease."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from types import FrameType
from typing import Any

from distributed import WorkerPlugin

from mmact_oneshot.harness.runtime.step_clock import ENDING

PATIENCE = 3.0  # seconds, for one step of an optimiser
BUSY = threading.Lock()
"""Held while a step of a run is done in this process."""


class EndsItsStep(WorkerPlugin):  # type: ignore[misc]
    """Before a worker closes, and on SIGTERM."""

    name = "ends-its-step"

    def setup(self, worker: Any) -> None:
        if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
            signal.signal(signal.SIGTERM, _terminate)

    async def teardown(self, worker: Any) -> None:
        ENDING.set()
        until = time.monotonic() + PATIENCE
        while BUSY.locked() and time.monotonic() < until:
            await asyncio.sleep(0.02)


def _terminate(number: int, frame: FrameType | None) -> None:
    ENDING.set()

    def leave() -> None:
        if BUSY.acquire(timeout=PATIENCE):
            time.sleep(0.1)  # for what the driver is told
        os._exit(128 + number)

    threading.Thread(target=leave, daemon=True).start()
