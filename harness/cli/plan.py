"""What a run would do, for `oneshot run --dry-run`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from harness.report.words import MISSING

if TYPE_CHECKING:
    from harness.benchmark.cost.estimate import Cost
    from harness.benchmark.plan import Job
    from harness.benchmark.run import Benchmark
    from harness.config.budgets import Budget


def show_plan(benchmark: Benchmark, console: Console) -> None:
    """Rows with what is still to be done, and the expected hours, disk and test accesses."""
    from harness.benchmark.cost.estimate import estimate
    from harness.training.conditions import PAPER_REGIMEN

    task, settings = benchmark.task, benchmark.settings
    table = Table("row", "sees", "encoders", "start", "seeds", "to score")
    table.title = f"preset {settings.preset}, {settings.recipe} recipe"
    for column in table.columns[1:]:
        column.no_wrap = True  # a long name folds, the rest stays readable
    rows: dict[tuple[str, ...], list[Job]] = {}
    for job in benchmark.jobs:
        paper = " (paper)" if job.regimen == PAPER_REGIMEN else ""
        kind = "transformer, " if job.settings.encoder == "transformer" else ""
        told = job.start.name if kind or job.start.protocol else MISSING
        key = (job.name, job.row.modality_label, f"{kind}{job.regime}{paper}", told)
        rows.setdefault(key, []).append(job)
    accesses, rates = 0, dict[str, list[str]]()
    for (name, sees, regime, start), jobs in rows.items():
        todo = sum(len(benchmark.todo(job)) for job in jobs)
        accesses += todo
        seeds = MISSING if jobs[0].budget is None else " ".join(str(job.seed) for job in jobs)
        table.add_row(name, sees, regime, start, seeds, str(todo) if todo else "done")
        if jobs[0].budget is not None:
            rates.setdefault(_rate(jobs[0].budget), []).append(f"{name}, {sees}, {regime}")
    console.print(table)
    for rate, titles in rates.items():
        which = titles[0] if len(titles) == 1 else f"{len(titles)} rows ({titles[0]} to {titles[-1]})"
        console.print(f"learning rate of {which}: {rate}", soft_wrap=True)
    for suite in ("val", *settings.suites):
        built = task.suite(suite)
        console.print(f"suite {suite}: {built.spec.episodes:,} episodes, digest {built.digest[:16]}")
    cost = estimate(benchmark)
    console.print(f"clips: {len(task.clips):,} in the clip list, {len(task.store.clips):,} found")
    ready = (
        "prepared" if cost.prepared else f"to be prepared, about {cost.disk_bytes / 1e9:.1f} GB in {task.store.folder}"
    )
    console.print(f"store: {ready}", soft_wrap=True)
    console.print(expectation(cost, benchmark), soft_wrap=True)
    if cost.trials:
        console.print(f"searches of learning rates: {cost.trials} trainings, one seed each, the best of a row kept")
    console.print(f"test accesses: {accesses}")


def expectation(cost: Cost, benchmark: Benchmark) -> str:
    """Time and memory that a run will take."""
    memory = f"; at most {cost.memory / 1e9:.1f} GB of memory for a step ({cost.hungriest})" if cost.memory else ""
    return (
        f"encoders: about {_duration(cost.hours)} on {benchmark.device.torch.type} "
        f"({cost.clips:,} clips through the encoders; {cost.rates} measured just now){memory}"
    )


def _duration(hours: float) -> str:
    """Minutes below two hours."""
    return f"{hours:.1f} hours" if hours >= 2 else f"{hours * 60:.0f} minutes"


def _rate(budget: Budget) -> str:
    """The learning rate of a training, or those that are tried once for all seeds of its row."""
    if not budget.search:
        return f"{budget.learning_rate:g}"
    return f"{', '.join(f'{rate:g}' for rate in budget.search)}, the best on validation with one seed"
