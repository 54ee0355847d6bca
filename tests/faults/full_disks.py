"""A disk that becomes full at each kind of write, is still full in the next attempt, and then has room."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.faults.file_systems import fill, small
from tests.faults.place import Place
from tests.faults.processes import Process
from tests.faults.trials import Trial, cut_off, refusal, success

TRAINING, RECORDS = "mmact_oneshot.harness.training", "mmact_oneshot.harness.records"
WRITES = {
    "lease": ("mmact_oneshot.harness.runtime.lease", "SoftFileLease.acquire"),
    "suite": (f"{RECORDS}.folder", "RecordFolder.write_episodes"),
    "state of a training": (f"{TRAINING}.checkpoint", "torch.save"),
    "weights": (f"{TRAINING}.checkpoint", "save_file"),
    "learning curve": (f"{TRAINING}.tensorboard_log", "ScalarLog.__call__"),
    "picture": (f"{TRAINING}.reconstruction", "_write"),
    "record": (f"{RECORDS}.folder", "RecordFolder.write"),
    "predictions": (f"{RECORDS}.folder", "RecordFolder.write_predictions"),
    "log": (f"{RECORDS}.access", "AccessLog.append"),
    "report": ("mmact_oneshot.harness.report", "_write"),
}
"""Kind of write -> what does it; the disk is full from its first call on."""
ROOM = 24.0  # MB, more than a run or a store needs
TOLD = ("the disk is full", "free some space")


def full_in_run(place: Place, count: int) -> Iterator[Trial]:
    for kind, (module, name) in list(WRITES.items())[: count or None]:
        with small(place.new(f"full {kind}"), ROOM) as disk:
            out = disk / "out"
            filled = functools.partial(_fill_before, module, name, disk)
            first = place.run(out, patch=filled)
            wrong = _thrice(place, first, lambda: place.run(out), disk, out)  # noqa: B023
            yield f"disk full at: {kind}", wrong


def full_in_prepare(place: Place, count: int) -> Iterator[Trial]:
    """Full while a worker writes the first part, and full from the start."""
    for number, moment in enumerate((_a_part_begun, lambda store: True)):
        with small(place.new(f"full store {number}"), ROOM) as disk:
            store = disk / "store"
            store.mkdir()
            process = place.prepare(store)
            process.until(lambda: moment(store))  # noqa: B023
            wrong = _thrice(place, process, lambda: place.prepare(store), disk)  # noqa: B023
            yield f"disk full in prepare, {number}", wrong + place.lost_in_store(store)


def full_by_size(place: Place, count: int) -> Iterator[Trial]:
    """A disk with room for a part of a run, whatever is written when it ends."""
    used = sum(path.stat().st_size for path in place.undisturbed.rglob("*")) / 1e6
    for number in range(count):
        with small(place.new(f"full size {number}"), ROOM) as disk:
            pages = int(1e6 * used * (number + 0.5) / count / 4096)
            fill(disk, pages)
            out = disk / "out"
            wrong = _thrice(place, place.run(out), lambda: place.run(out), disk, out)  # noqa: B023
            yield f"disk full after {pages * 4} KiB of a run", wrong


def _thrice(
    place: Place, first: Process, again: Callable[[], Process], disk: Path, out: Path | None = None
) -> list[str]:
    """The disk is full in the first attempt, and in the second, and has room in the third."""
    first.wait()
    ballast = fill(disk)
    wrong = refusal(first, *TOLD) + [f"{path.name} was left" for path in disk.rglob("*.tmp")]
    repeated = None if out is None else cut_off(out)
    wrong += [f"in the next attempt: {each}" for each in refusal(again(), *TOLD)]
    wrong += [f"{path.name} was left by the second" for path in disk.rglob("*.tmp")]
    if repeated is not None and out is not None:
        repeated |= cut_off(out)
    ballast.unlink()
    wrong += success(again())
    return wrong + ([] if out is None else place.lost_in_run(out, repeated))


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


def _a_part_begun(store: Path) -> bool:
    return any(store.glob("*/shards/*"))
