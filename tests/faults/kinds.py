"""Every kind of fault by its name, and how often it is tried."""

from __future__ import annotations

from collections.abc import Callable

from tests.faults.clocks import clock_set_back
from tests.faults.full_disks import WRITES, full_by_size, full_in_prepare, full_in_run
from tests.faults.kills import killed_prepares, killed_reports, killed_runs, killed_workers
from tests.faults.leases import forced, held, stale_leases
from tests.faults.place import Place
from tests.faults.read_only import read_only_folders
from tests.faults.shared_memory import no_shared_memory
from tests.faults.together import together
from tests.faults.trials import Trials

Kind = Callable[[Place, int], Trials]


def _each(moments: int) -> int:
    return moments


def _fifth(moments: int) -> int:
    return max(1, moments // 5)


KINDS: dict[str, tuple[Kind, Callable[[int], int]]] = {
    "run killed": (killed_runs, _each),
    "prepare killed": (killed_prepares, _each),
    "report killed": (killed_reports, _each),
    "worker killed": (killed_workers, _fifth),
    "disk full, by write": (full_in_run, lambda moments: min(moments, len(WRITES))),
    "disk full, by size": (full_by_size, _fifth),
    "disk full, prepare": (full_in_prepare, _each),
    "read-only": (read_only_folders, _each),
    "no /dev/shm": (no_shared_memory, _each),
    "clock set back": (clock_set_back, _each),
    "stale lease": (stale_leases, _each),
    "live lease": (held, _each),
    "forced": (forced, _each),
    "together": (together, lambda moments: max(1, moments // 25)),
}
"""Kind -> its trials, and how many of them for a number of moments; those with fixed trials do not ask."""
NEED_MOUNTS = {"disk full, by write", "disk full, by size", "disk full, prepare", "read-only", "no /dev/shm"}
