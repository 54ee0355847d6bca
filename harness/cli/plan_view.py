"""What `oneshot run` says before it begins: what is to be done, what it will cost, what is missing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from mmact_oneshot.harness.benchmark.cost.estimate import Cost, Demand
    from mmact_oneshot.harness.benchmark.plan import Plan
    from mmact_oneshot.harness.benchmark.steps import Step
    from mmact_oneshot.harness.config.budgets import Budget
    from mmact_oneshot.harness.data.task.task import Task
    from mmact_oneshot.harness.training.job import TrainingJob
    from mmact_oneshot.harness.training.workspace import Workspace

MISSING = "\N{EN DASH}"


def show_plan(workspace: Workspace, plan: Plan, console: Console) -> None:
    """Rows with what is still to be done, and the expected time, memory, disk and test accesses."""
    from rich.table import Table

    from mmact_oneshot.harness.benchmark.cost.estimate import estimate_cost, memory_demands
    from mmact_oneshot.harness.benchmark.steps import RowStep, pending_steps

    task, settings = workspace.task, workspace.task.settings
    steps = pending_steps(workspace, plan)
    pending = {step.job.id: len(step.suites) for step in steps if isinstance(step, RowStep)}
    for planned in plan.studies:
        table = Table("row", "modalities", "training", "initialisation", "seeds", "to score")
        table.title = f"preset {settings.preset}, study {planned.name}: {planned.study.question}"
        for column in table.columns[1:]:
            column.no_wrap = True  # a long name folds, the rest stays readable
        for jobs in planned.jobs:
            todo = sum(pending.get(job.id, 0) for job in jobs)
            table.add_row(*_cells(jobs), str(todo) if todo else "done")
        console.print(table)
    for rate, titles in _rates(plan).items():
        which = titles[0] if len(titles) == 1 else f"{len(titles)} rows ({titles[0]} to {titles[-1]})"
        console.print(f"learning rate of {which}: {rate}", soft_wrap=True)
    for suite in dict.fromkeys(["val", *(suite for job in plan.jobs for suite in job.suites)]):
        built = task.suite(suite)
        console.print(f"suite {suite}: {built.spec.episodes:,} episodes, digest {built.digest[:16]}")
    cost = estimate_cost(workspace, steps)
    console.print(f"clips: {len(task.clips):,} in the clip list, {len(task.store.clips):,} found")
    size = f"about {cost.disk_bytes / 1e9:.1f} GB in {task.store.folder}"
    console.print(f"store: {'prepared' if cost.prepared else f'to be prepared, {size}'}", soft_wrap=True)
    console.print(expectation(workspace, cost, memory_demands(workspace, steps)), soft_wrap=True)
    if cost.trials:
        console.print(f"searches of learning rates: {cost.trials} trainings, one seed each, the best of a row kept")
    console.print(f"test accesses: {sum(pending.values())}")


def show_expectation(workspace: Workspace, steps: Sequence[Step], console: Console) -> None:
    """Refuse early what cannot fit the device, and say what a run on something larger than `quick` will take."""
    from mmact_oneshot.harness.benchmark.cost.estimate import estimate_cost, memory_demands, require_memory

    demands = memory_demands(workspace, steps)
    require_memory(workspace, demands)
    if workspace.task.settings.preset != "quick" and steps:
        console.print(expectation(workspace, estimate_cost(workspace, steps), demands), soft_wrap=True)


def show_completeness(task: Task, console: Console) -> None:
    """A warning where clips or sensors are missing."""
    facts = task.completeness()
    if facts["complete"]:
        return
    usable, listed = facts["clips_usable"], facts["clips_listed"]
    missing = {name: count for name, count in facts["performances_without_sensor"].items() if count}
    console.print(
        f"Incomplete data: {usable:,} of {listed:,} clips usable; performances without a sensor: "
        f"{missing or 'none'}. `oneshot data verify` lists everything.",
        style="yellow",
        soft_wrap=True,
    )


def show_set_aside(workspace: Workspace, target: Path, moved: Sequence[Path], console: Console) -> None:
    """What ``--force`` moved, and what it left."""
    summary = (
        f"--force: {len(moved)} files moved to {target}:" if moved else "--force: nothing of this run is recorded yet."
    )
    accesses = len(workspace.records.test_accesses.read() or ())
    lines = [summary, *(f"  {name}" for name in moved), f"The log of test accesses is kept: {accesses:,} so far."]
    console.print("\n".join(lines), soft_wrap=True)


def expectation(workspace: Workspace, cost: Cost, demands: Sequence[Demand]) -> str:
    """Time and memory that a run will take."""
    rates = ", ".join(f"{label} {rate:.{2 * (rate < 10)}f} clips/s" for label, rate in cost.rates.items()) or "nothing"
    most = next(iter(demands), None)
    memory = "" if most is None else f"; at most {most.needed / 1e9:.1f} GB of memory for a step ({most.label})"
    return (
        f"encoders: about {_duration(cost.seconds)} on {workspace.device.torch.type} "
        f"({cost.clips:,} clips; {rates} measured just now){memory}"
    )


def _cells(jobs: Sequence[TrainingJob]) -> tuple[str, ...]:
    first = jobs[0]
    protocols = [job.protocol.name for job in jobs]
    paper = " + paper" if "paper" in protocols and "headline" in protocols else ""
    initialisation = first.initialisation.name if first.trained else MISSING
    seeds = " ".join(str(seed) for seed in dict.fromkeys(job.seed for job in jobs)) if first.trained else MISSING
    return first.name, first.row.modality_label, f"{first.training}{paper}", initialisation, seeds


def _rates(plan: Plan) -> dict[str, list[str]]:
    """Learning rates -> rows that have them."""
    found: dict[str, dict[str, None]] = {}
    for job in plan.jobs:
        if job.budget is not None:
            found.setdefault(_rate(job.budget), {})[job.title] = None
    return {rate: list(titles) for rate, titles in found.items()}


def _rate(budget: Budget) -> str:
    """The learning rate of a training, or those that are tried once for all seeds of its row."""
    if not budget.search:
        return f"{budget.learning_rate:g}"
    return f"{', '.join(f'{rate:g}' for rate in budget.search)}, the best on validation with one seed"


def _duration(seconds: float) -> str:
    """Minutes below two hours."""
    return f"{seconds / 3600:.1f} hours" if seconds >= 7200 else f"{seconds / 60:.0f} minutes"
