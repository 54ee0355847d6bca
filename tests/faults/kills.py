"""SIGKILL at moments drawn over the time that an undisturbed command takes, and a killed worker of ``prepare``."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from contextlib import suppress
from pathlib import Path

from tests.faults.place import Place
from tests.faults.processes import Process, children
from tests.faults.trials import Trials, cut_off, refusal, success

SEED = 20260


def killed_runs(place: Place, count: int) -> Trials:
    """Every fifth is killed twice: the second time while it goes on."""
    for number, moment in enumerate(_moments(place, "run", count)):
        out = place.new(f"run {number}")
        wrong = _killed(place.run(out), moment)
        repeated = cut_off(out)
        if number % 5 == 4:
            wrong += _killed(place.run(out), moment)
            repeated |= cut_off(out)
        place.strewn()  # of a killed process; what remains of it is asked below, of the one that goes on
        wrong += success(place.run(out)) + place.lost_in_run(out, repeated)
        yield f"run killed after {moment:.2f} s", wrong
        shutil.rmtree(out)


def killed_prepares(place: Place, count: int) -> Trials:
    """The store is then made as if nothing had been, and the killed process leaves no worker behind."""
    for number, moment in enumerate(_moments(place, "prepare", count)):
        store = place.new(f"prepare {number}")
        wrong = _killed(place.prepare(store), moment)
        wrong += success(place.prepare(store)) + place.lost_in_store(store)
        yield f"prepare killed after {moment:.2f} s", wrong
        shutil.rmtree(store)


def killed_reports(place: Place, count: int) -> Trials:
    for number, moment in enumerate(_moments(place, "report", count)):
        out = place.new(f"report {number}")
        shutil.copytree(place.undisturbed / "records", out / "records")
        wrong = _killed(place.report(out), moment)
        wrong += success(place.report(out))
        yield f"report killed after {moment:.2f} s", wrong + place.lost_in_report(out)
        shutil.rmtree(out)


def killed_workers(place: Place, count: int) -> Trials:
    """One worker process of ``prepare`` is killed, and then the command is repeated."""
    for number, moment in enumerate(_moments(place, "prepare", count, "worker")):
        store = place.new(f"worker {number}")
        process = place.prepare(store)
        met = process.until(lambda: len(_workers(process)) == 2)  # noqa: B023
        time.sleep(moment / 2)
        workers = _workers(process) if met and not process.over() else []
        for worker in workers[:1]:
            os.kill(worker, signal.SIGKILL)
        wrong: list[str] = []
        if process.wait() != 0:
            wrong += refusal(process, "a worker process died", "Use fewer --workers", "the same command continues")
        wrong += [f"process {each} was left" for each in process.outlived_by()]
        wrong += success(place.prepare(store)) + place.lost_in_store(store)
        yield f"worker killed {moment / 2:.2f} s after its start", wrong
        shutil.rmtree(store)


def _workers(process: Process) -> list[int]:
    """Those of ``prepare``, without the one that keeps count of shared memory."""
    found = []
    for each in children(process.pid):
        with suppress(OSError):
            if b"spawn_main" in Path(f"/proc/{each}/cmdline").read_bytes():
                found.append(each)
    return found


def _moments(place: Place, command: str, count: int, what: str = "") -> list[float]:
    """Seconds after the start, from a fixed seed."""
    drawn = random.Random(f"{SEED} {command} {what}")
    return [drawn.uniform(0, place.seconds[command]) for _ in range(count)]


def _killed(process: Process, moment: float) -> list[str]:
    """Kill a process; what it has left running."""
    time.sleep(max(0.0, process.started + moment - time.monotonic()))
    process.kill()
    return [f"process {each} outlived the one that was killed" for each in process.outlived_by()]
