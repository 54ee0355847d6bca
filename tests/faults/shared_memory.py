"""A machine without ``/dev/shm``, as some containers are: there are no semaphores for processes to share."""

from __future__ import annotations

from tests.faults.file_systems import without_shared_memory
from tests.faults.place import Place
from tests.faults.trials import Trials, success


def no_shared_memory(place: Place, count: int) -> Trials:
    with without_shared_memory():
        store, out = place.new("no shm store"), place.new("no shm run")
        yield "prepare", success(place.prepare(store)) + place.lost_in_store(store)
        yield "run", success(place.run(out, store=store)) + place.lost_in_run(out)
