"""``--force``: what is recorded of a plan is moved aside, so that the run finds nothing done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, suppress
from glob import escape
from itertools import count
from pathlib import Path

from mmact_oneshot.harness.benchmark.plan import Plan
from mmact_oneshot.harness.benchmark.step_lease import step_lease
from mmact_oneshot.harness.benchmark.steps import all_steps
from mmact_oneshot.harness.records import (
    EvaluationRecord,
    PretrainingRecord,
    SearchRecord,
    SkippedRecord,
    TrainingRecord,
)
from mmact_oneshot.harness.training.initialisation import Pretrained
from mmact_oneshot.harness.training.workspace import Workspace

FOLDER = "replaced"


def set_aside(workspace: Workspace, plan: Plan) -> tuple[Path, list[Path]]:
    """Move all records and weights of a plan's jobs into a new folder ``replaced/N``, under the same names.

    The log of test accesses, the suites, and rows that are no part of the plan stay where they are. A step that
    another process is doing is waited for.

    Returns:
        The new folder, and the files that were moved, as they were called below the run's folder.
    """
    moved = []
    with ExitStack() as held:
        for _, step in sorted(all_steps(workspace, plan).items()):  # in one order, so that two of these do not block
            held.enter_context(step_lease(workspace, step))
        target = _new_folder(workspace.folder / FOLDER)
        for path in dict.fromkeys(_files(workspace, plan)):
            name = path.relative_to(workspace.folder)
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            path.replace(target / name)
            moved.append(name)
        if not moved:
            target.rmdir()
    return target, moved


def _new_folder(parent: Path) -> Path:
    """The first of ``1``, ``2``, ... that is not there, made."""
    parent.mkdir(parents=True, exist_ok=True)
    for number in count(1):
        with suppress(FileExistsError):
            (parent / str(number)).mkdir()
            break
    return parent / str(number)


def _files(workspace: Workspace, plan: Plan) -> Iterator[Path]:
    """The files of all jobs that are there."""
    records, searched = workspace.records, [job.search for job in plan.jobs if job.search]
    found: list[tuple[Path, str, str]] = []  # folder, start of a name, and a pattern of its end
    for job in plan.jobs:
        found += [
            (records.path(TrainingRecord, job.id).parent, job.id, ".*"),
            (records.path(SkippedRecord, job.id).parent, job.id, ".*"),
            (workspace.weights("checkpoints", job.id).parent, job.id, ".*"),
        ]
        for suite in job.suites:
            identity = f"{job.id}.{suite}"
            found.append((records.path(EvaluationRecord, identity).parent, identity, ".json"))
            found.append((records.predictions, identity, ".npz"))
    for job in searched:
        found.append((records.path(SearchRecord, job.row_id).parent, job.row_id, ".*"))
        found.append((workspace.weights("checkpoints", "any").parent, f"search-{job.row_id}", "-*"))
    for job in (*plan.jobs, *searched):
        for key in job.encoder_keys(workspace.common).values():
            found.append((workspace.weights("encoders", key.id).parent, key.id, ".*"))
        if isinstance(job.initialisation, Pretrained):
            identity = job.initialisation.id(job.seed)
            found.append((records.path(PretrainingRecord, identity).parent, identity, ".*"))
            found.append((workspace.weights("pretraining", identity).parent, identity, ".*"))
    for folder, start, end in found:
        yield from sorted(folder.glob(f"{escape(start)}{end}"))
