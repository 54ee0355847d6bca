"""A disk that becomes full at each kind of write, is still full in the next attempt, and then has room."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.faults.file_systems import fill, small
from tests.faults.place import PRETRAINED, ROWS, Place
from tests.faults.processes import Process
from tests.faults.trials import Trials, cut_off, refusal, success

TRAINING, RECORDS = "mmact_oneshot.harness.training", "mmact_oneshot.harness.records"
WRITES = {
    "lease": ("mmact_oneshot.harness.runtime.lease", "SoftFileLease.acquire"),
    "suite": (f"{RECORDS}.folder", "RecordFolder.write_episodes"),
    "state of a training": (f"{TRAINING}.checkpoint", "torch.save"),
    "weights": (f"{TRAINING}.checkpoint", "save"),
    "learning curve": (f"{TRAINING}.tensorboard_log", "ScalarLog.__call__"),
    "picture": (f"{TRAINING}.reconstruction", "_write"),
    "record": (f"{RECORDS}.folder", "RecordFolder.write"),
    "predictions": (f"{RECORDS}.folder", "RecordFolder.write_predictions"),
    "log": (f"{RECORDS}.access", "AccessLog.append"),
    "report": ("mmact_oneshot.harness.report", "_write"),
}
"""Kind of write -> what does it; the disk is full from its first call on."""
TOLD_BY_PREPARE = ("the disk is full", "parts are done and kept", "free some space", "the same command continues")
TOLD_EARLY = ("are needed", "are free", "free some space")
ROOM = 24.0  # MB, more than a run or a store needs
TOLD = ("no space left on device", "free some space")


def full_in_run(place: Place, count: int) -> Trials:
    for kind, (module, name) in list(WRITES.items())[: count or None]:
        rows, whole = (PRETRAINED, place.pretrained) if kind == "picture" else (ROWS, place.undisturbed)
        with small(place.new(f"full {kind}"), ROOM) as disk:
            out = disk / "out"
            filled = functools.partial(_fill_before, module, name, disk)
            first = place.run(out, patch=filled, rows=rows)
            wrong = _in_run(place, first, lambda: place.run(out, rows=rows), disk, whole)  # noqa: B023
            yield f"disk full at: {kind}", wrong


def full_in_prepare(place: Place, count: int) -> Trials:
    """Full while a worker writes the first part, and full from the start."""
    for kind, told in (("while a part is written", TOLD_BY_PREPARE), ("from the start", TOLD_EARLY)):
        with small(place.new(f"full store {kind}"), ROOM) as disk:
            store = disk / "store"
            store.mkdir()
            if told is TOLD_EARLY:
                fill(disk, pages=8)  # for folders and the lease
            process = place.prepare(store)
            if told is TOLD_BY_PREPARE:
                process.until(lambda: any(store.glob("*/shards/*")))  # noqa: B023
                fill(disk)
            wrong = refusal(process, *told)
            wrong += _again(lambda: place.prepare(store), disk, ("free some space",))  # noqa: B023
            yield f"disk full in prepare {kind}", wrong + place.lost_in_store(store)


def full_by_size(place: Place, count: int) -> Trials:
    """A disk with room for a part of a run, whatever is written when it ends."""
    used = sum(path.stat().st_size for path in place.undisturbed.rglob("*")) / 1e6
    for number in range(count):
        with small(place.new(f"full size {number}"), ROOM) as disk:
            pages = int(1e6 * used * (number + 0.5) / count / 4096)
            fill(disk, pages)
            out = disk / "out"
            wrong = _in_run(place, place.run(out), lambda: place.run(out), disk)  # noqa: B023
            yield f"disk full after {pages * 4} KiB of a run", wrong


def _in_run(
    place: Place, first: Process, again: Callable[[], Process], disk: Path, undisturbed: Path | None = None
) -> list[str]:
    """The disk is full in the first attempt, and in the second, and has room in the third."""
    out = disk / "out"
    wrong = refusal(first, *TOLD) + [f"{path.name} was left" for path in disk.rglob("*.tmp")]
    repeated = cut_off(out)

    def counted() -> Process:
        nonlocal repeated
        repeated |= cut_off(out)
        return again()

    wrong += _again(counted, disk, TOLD)
    return wrong + place.lost_in_run(out, repeated, undisturbed)


def _again(again: Callable[[], Process], disk: Path, told: Sequence[str]) -> list[str]:
    """An attempt while the disk is full to the last page, and one when it has room."""
    ballast = fill(disk)
    wrong = [f"in the next attempt: {each}" for each in refusal(again(), *told)]
    wrong += [f"{path.name} was left by the next attempt" for path in disk.rglob("*.tmp")]
    ballast.unlink()
    return wrong + success(again())


def _fill_before(module: str, name: str, disk: Path) -> None:
    """Have a disk filled, but for one page, before a function of a module does its work for the first time."""
    holder: Any = importlib.import_module(module)
    *path, last = name.split(".")
    for each in path:
        holder = getattr(holder, each)
    original = getattr(holder, last)

    def filling(*args: Any, **options: Any) -> Any:
        if not (disk / "ballast").exists():
            fill(disk, pages=1)
        return original(*args, **options)

    setattr(holder, last, filling)
