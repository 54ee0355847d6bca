"""Two hundred small rows in one process: memory, open files, threads and temporary files on the way.

    python -m tests.endurance --rows 200

Prints a line at each of ``MARKS`` rows. What a run holds on to for longer than it should grows from line to line.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch

from mmact_oneshot.harness.runtime.progress import Silent
from tests.helpers.toy_runs import Rows, run, task_with, workspace

MARKS = (20, 60, 100, 200)
ROWS: Rows = [
    {"method": "protonet", "modalities": ["video", "sensors"]},
    {"method": "protonet", "modalities": ["video", "sensors"], "training": "end_to_end"},
    {"method": "mu_mae", "modalities": ["video", "sensors"]},
    {"method": "trx", "modalities": ["sensors"]},
]
"""One of each kind of training; every seed has encoders and a pre-training of its own."""


@dataclass(frozen=True)
class Held:
    """What the process holds after so many rows."""

    rows: int
    resident_mb: float
    files: int
    threads: int
    native_threads: int
    temporary: int
    seconds: float


class Gauge(Silent):
    """Measures the process when a row begins, once so many are done. Linux alone says what it asks.

    Args:
        marks: numbers of rows.
        temporary: folder of temporary files.
    """

    def __init__(self, marks: Iterable[int], temporary: Path) -> None:
        self.marks, self.temporary, self.found = set(marks), temporary, list[Held]()
        self._started = time.monotonic()

    def note(self, text: str) -> None:
        row = re.match(r"(\d+)/\d+ ", text)
        if row:
            self.at(int(row[1]) - 1)

    def at(self, rows: int) -> None:
        """So many rows are done."""
        if rows not in self.marks:
            return
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        self.found.append(
            Held(
                rows,
                round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, 1),
                len(list(Path("/proc/self/fd").iterdir())) - 1,  # without the one that lists them
                threading.active_count(),
                len(list(Path("/proc/self/task").iterdir())),
                len(list(self.temporary.iterdir())),
                round(time.monotonic() - self._started, 1),
            )
        )


def endure(rows: int, marks: Iterable[int], folder: Path, table: Rows = ROWS) -> list[Held]:
    """Run so many rows on toy data, in this process; what it held at the marks.

    Args:
        folder: of the run, and of the temporary files meanwhile.
        table: its rows, each with as many seeds as it takes.
    """
    temporary = folder / "temporary"
    temporary.mkdir(parents=True)
    before, tempfile.tempdir = tempfile.tempdir, str(temporary)
    gauge = Gauge(marks, temporary)
    try:
        seeds = list(range(-(-rows // len(table))))
        pretraining = {"epochs": 1, "batch": 16, "checkpoints": 1, "picture": False}
        run(workspace(folder / "run", task_with(table, seeds=seeds, pretraining=pretraining), gauge))
        gauge.at(len(seeds) * len(table))
    finally:
        tempfile.tempdir = before
    return gauge.found


def main() -> None:
    """Print what is held."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=MARKS[-1])
    rows = parser.parse_args().rows
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        found = endure(rows, {*(mark for mark in MARKS if mark < rows), rows}, Path(folder))
    lines = ["| rows | resident, MB | open files | threads | of them Python's | temporary files | seconds |"]
    lines.append("|---" * 7 + "|")
    lines += [
        f"| {held.rows} | {held.resident_mb} | {held.files} | {held.native_threads} | {held.threads} | "
        f"{held.temporary} | {held.seconds} |"
        for held in found
    ]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
