"""Runs on toy data, as ``oneshot run`` does them, without the command line."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mmact_oneshot.harness.benchmark.plan import Plan, make_plan
from mmact_oneshot.harness.benchmark.run import run_plan
from mmact_oneshot.harness.benchmark.steps import Step, pending_steps
from mmact_oneshot.harness.data.store import Store
from mmact_oneshot.harness.data.task.task import Task
from mmact_oneshot.harness.records import RecordFolder
from mmact_oneshot.harness.records.schema import Record
from mmact_oneshot.harness.runtime.progress import Silent, Watcher
from mmact_oneshot.harness.training.workspace import Workspace
from tests.helpers.toys import CPU, toy_task

Rows = list[dict[str, Any]]


def study(rows: Rows, name: str = "toy", **fields: Any) -> dict[str, dict[str, Any]]:
    """One study by its name, whose rows may differ in anything, frozen unless a row says otherwise."""
    return {name: {"question": "Does it run?", "varies": ["recipe"], "training": "frozen", "rows": rows, **fields}}


def task_with(rows: Rows, store: Store | None = None, **changes: Any) -> Task:
    """The toy task with these rows as its only study."""
    return toy_task(store, studies=study(rows), **changes)


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


class Titles(Silent):
    """Notes the titles of the pieces of work that begin."""

    def __init__(self) -> None:
        self.titles: list[str] = []

    def begin(self, title: str, total: int | None) -> None:
        self.titles.append(title)

    @property
    def trials(self) -> list[str]:
        return [title for title in self.titles if "learning rate" in title]

    @property
    def pretrainings(self) -> list[str]:
        return [title for title in self.titles if "pre-training" in title]


class Interrupt(Silent):
    """Ctrl-C at a step of the piece of work whose title begins so."""

    def __init__(self, title: str, step: int) -> None:
        self.title, self.step, self.current = title, step, ""

    def begin(self, title: str, total: int | None) -> None:
        self.current = title

    def advance(self, done: int, total: int | None = None, note: str = "") -> None:
        if self.current.startswith(self.title) and done >= self.step:
            raise KeyboardInterrupt


def lasting(out: Path, *, studies: bool = True) -> dict[str, Any]:
    """Everything of the records but what may differ from run to run, and the digests of the predictions.

    Args:
        studies: whether with the records of studies, in which rows and seeds of several runs come together.
    """
    found: dict[str, Any] = {}
    for path in sorted((out / "records").rglob("*.json")):
        content = json.loads(path.read_text())
        assert content.pop("volatile") is not None
        if studies or path.parent.name != "study":
            found[f"{path.parent.name}/{path.name}"] = content
    return found


def one(out: Path, kind: type[Record]) -> Record:
    """The only record of a kind."""
    (record,) = RecordFolder(out / "records").all(kind)
    return record
