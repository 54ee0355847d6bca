"""Runs on toy data, as ``oneshot run`` does them, without the command line."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from harness.benchmark.plan import Plan, make_plan
from harness.benchmark.run import run_plan
from harness.benchmark.steps import Step, pending_steps
from harness.data.task.task import Task
from harness.runtime.progress import Silent, Watcher
from harness.training.workspace import Workspace
from tests.helpers.toys import CPU, toy_task

Rows = list[dict[str, Any]]


def study(rows: Rows, **fields: Any) -> dict[str, dict[str, Any]]:
    """One study named "toy" whose rows may differ in anything, frozen unless a row says otherwise."""
    return {"toy": {"question": "Does it run?", "varies": ["recipe"], "training": "frozen", "rows": rows} | fields}


def task_with(rows: Rows, **changes: Any) -> Task:
    """The toy task with these rows as its only study."""
    return toy_task(studies=study(rows), **changes)


def workspace(folder: Path, task: Task, watcher: Watcher | None = None) -> Workspace:
    """A run's workspace on the CPU."""
    return Workspace(task, folder, CPU, watcher or Silent())


def planned(place: Workspace, names: Iterable[str] | None = None) -> tuple[Plan, list[Step]]:
    """The plan of some studies, or of all, and what is left to do of it."""
    plan = make_plan(place, tuple(place.task.settings.studies) if names is None else names)
    return plan, pending_steps(place, plan)


def run(place: Workspace, names: Iterable[str] | None = None) -> Plan:
    """Do what is left of some studies, or of all."""
    plan, steps = planned(place, names)
    run_plan(place, plan, steps)
    return plan
