"""What a run would do, for `oneshot run --dry-run`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from harness.benchmark import Benchmark


def show_plan(benchmark: Benchmark, console: Console) -> None:
    """Rows with what is still to be done, and the expected hours, disk and test accesses."""
    from harness.estimate import estimate

    task, settings = benchmark.task, benchmark.settings
    table = Table("row", "modalities", "regime", "seed", "suites", "state", title=f"preset {settings.preset}")
    accesses = 0
    for job in benchmark.jobs:
        todo = benchmark.todo(job)
        accesses += len(todo)
        state = "done" if not todo else f"{len(todo)} to score"
        table.add_row(job.label, job.row.modality_label, job.regime, str(job.seed), ", ".join(job.suites), state)
    console.print(table)
    for suite in ("val", *settings.suites):
        built = task.suite(suite)
        console.print(f"suite {suite}: {built.spec.episodes:,} episodes, digest {built.digest[:16]}")
    cost = estimate(benchmark)
    console.print(f"clips: {len(task.clips):,} in the clip list, {len(task.store.clips):,} found")
    ready = (
        "prepared" if cost.prepared else f"to be prepared, about {cost.disk_bytes / 1e9:.1f} GB in {task.store.folder}"
    )
    console.print(f"store: {ready}", soft_wrap=True)
    console.print(
        f"training: about {cost.hours:.1f} hours on {benchmark.device.torch.type} "
        f"({cost.clips:,} clips through the encoders; {cost.rates} measured just now)",
        soft_wrap=True,
    )
    console.print(f"test accesses: {accesses}")
