"""What a run would do, for `oneshot run --dry-run`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from harness.report.words import MISSING

if TYPE_CHECKING:
    from harness.benchmark import Benchmark
    from harness.jobs import Job


def show_plan(benchmark: Benchmark, console: Console) -> None:
    """Rows with what is still to be done, and the expected hours, disk and test accesses."""
    from harness.estimate import estimate

    task, settings = benchmark.task, benchmark.settings
    columns = ("row", "modalities", "regime", "seed", "learning rate", "suites", "state")
    table = Table(*columns, title=f"preset {settings.preset}, {settings.recipe} recipe")
    accesses = 0
    for job in benchmark.jobs:
        todo = benchmark.todo(job)
        accesses += len(todo)
        state = "done" if not todo else f"{len(todo)} to score"
        table.add_row(
            job.name, job.row.modality_label, job.regime, str(job.seed), _rate(job), ", ".join(job.suites), state
        )
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
    if cost.trials:
        console.print(f"searches of learning rates: {cost.trials} trainings, one seed each, the best of a row kept")
    console.print(f"test accesses: {accesses}")


def _rate(job: Job) -> str:
    """The learning rate of a job, or those that are tried once for all seeds of its row."""
    if job.budget is None:
        return MISSING
    return " or ".join(f"{rate:g}" for rate in job.budget.search or (job.budget.learning_rate,))
