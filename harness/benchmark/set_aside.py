"""What is recorded is moved aside: of a plan by ``--force``, so that the run finds nothing done; of a row that was
trained again and came out otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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
    RecordFolder,
    SearchRecord,
    SkippedRecord,
    TrainingRecord,
)
from mmact_oneshot.harness.training.initialisation import Pretrained
from mmact_oneshot.harness.training.job import TrainingJob
from mmact_oneshot.harness.training.workspace import Workspace

FOLDER = "replaced"
Names = tuple[Path, str, str]
"""A folder, the start of a file's name, and a pattern of its end."""


def set_aside(workspace: Workspace, plan: Plan) -> tuple[Path, list[Path]]:
    """Move all records and weights of a plan's jobs into a new folder ``replaced/N``, under the same names.

    Evaluations go on all suites: none is left that was made with weights that are gone. The log of test accesses, the
    suites, and rows that are no part of the plan stay where they are. A step that another process is doing is waited
    for.

    Returns:
        The new folder, and the files that were moved, as they were called below the run's folder.
    """
    with ExitStack() as held:
        for _, step in sorted(all_steps(workspace, plan).items()):  # in one order, so that two of these do not block
            held.enter_context(step_lease(workspace, step))
        return _moved(workspace, _files(workspace, plan))


def set_results_aside(workspace: Workspace, job: TrainingJob) -> tuple[Path, list[Path]]:
    """Move a job's training record and all that was scored with it; returns what :func:`set_aside` returns."""
    return _moved(workspace, _found(_results(workspace.records, job)))


def _moved(workspace: Workspace, files: Iterable[Path]) -> tuple[Path, list[Path]]:
    """The files in a new folder, which is removed again where there are none."""
    target, moved = _new_folder(workspace.folder / FOLDER), list[Path]()
    for path in dict.fromkeys(files):
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
    found: list[Names] = []
    for job in plan.jobs:
        found += [
            *_results(records, job),
            (records.path(SkippedRecord, job.id).parent, job.id, ".*"),
            (workspace.weights("checkpoints", job.id).parent, job.id, ".*"),
        ]
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
    yield from _found(found)


def _results(records: RecordFolder, job: TrainingJob) -> list[Names]:
    """Of a training: its record, and what was scored with it on any suite, of the plan or not."""
    return [
        (records.path(TrainingRecord, job.id).parent, job.id, ".json"),
        (records.path(EvaluationRecord, job.id).parent, job.id, ".*.json"),
        (records.predictions, job.id, ".*.npz"),
    ]


def _found(wanted: Iterable[Names]) -> Iterator[Path]:
    for folder, start, end in wanted:
        yield from sorted(folder.glob(f"{escape(start)}{end}"))
