"""A clock that was set back: everything that is there is from the future, and so is what other processes write."""

from __future__ import annotations

import os
import time
from pathlib import Path

from tests.faults.place import Place
from tests.faults.trials import Trials, cut_off, success

DAYS = 3 * 86400.0


def clock_set_back(place: Place, count: int) -> Trials:
    out = place.new("clock run")
    process = place.run(out)
    process.until(lambda: any(out.glob("checkpoints/*.state")))
    process.kill()
    repeated = cut_off(out)
    place.strewn()
    _age(out, DAYS)
    wrong = success(place.run(out, patch=_earlier)) + place.lost_in_run(out, repeated)
    yield "a run that was killed goes on before it began", wrong

    out = place.new("clock two")
    processes = [place.run(out), place.run(out, patch=_earlier), place.run(out, patch=_later)]
    wrong = [each for process in processes for each in success(process)] + place.lost_in_run(out)
    yield "three processes of three days in one folder", wrong

    store = place.new("clock store")
    process = place.prepare(store)
    process.until(lambda: any(store.glob("*/shards/*")))
    process.kill()
    _age(store, DAYS)
    yield "a store that was cut off", success(place.prepare(store, patch=_earlier)) + place.lost_in_store(store)


def _age(folder: Path, seconds: float) -> None:
    """Move the times of all files into the future."""
    for path in folder.rglob("*"):
        times = path.stat()
        os.utime(path, (times.st_atime + seconds, times.st_mtime + seconds))


def _earlier() -> None:
    _shift(-DAYS)


def _later() -> None:
    _shift(DAYS)


def _shift(seconds: float) -> None:
    now = time.time
    time.time = lambda: now() + seconds
