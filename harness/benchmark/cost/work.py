"""How many clips pass which network in the steps of a plan."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mmact_oneshot.harness.benchmark.cost.networks import (
    Network,
    encoder_network,
    has_own_networks,
    pretraining_network,
    row_network,
)
from mmact_oneshot.harness.benchmark.steps import PretrainingStep, RowStep, SearchStep, Step, WarmStartStep
from mmact_oneshot.harness.config.budgets import Budget
from mmact_oneshot.harness.config.protocols import Protocol
from mmact_oneshot.harness.data.task.task import Task
from mmact_oneshot.harness.evaluation.ablation import wanted_ablations
from mmact_oneshot.harness.training.job import TrainingJob
from mmact_oneshot.harness.training.workspace import Workspace


@dataclass(frozen=True)
class Work:
    """Clips that pass a network forward and backward, and forward alone; how many of a step at once, and in all."""

    network: Network
    trained: int = 0
    encoded: int = 0
    at_once: int = 0
    of_step: int = 0
    setting: str = ""  # that lowers at_once


def work_of(workspace: Workspace, steps: Sequence[Step]) -> list[Work]:
    """The work of all steps. Clips pass a frozen encoder once, whatever the number of heads."""
    task, encoded = workspace.task, set[str]()
    found: list[Work] = []
    for step in steps:
        match step:
            case PretrainingStep():
                found.append(_of_pretraining(task, step))
            case WarmStartStep():
                found.append(_of_warm_start(task, step))
            case SearchStep():
                assert step.job.search is not None
                assert step.job.search.budget is not None
                found += _of_training(task, step.job.search, len(step.job.search.budget.search))
            case RowStep():
                searched = any(isinstance(other, SearchStep) and _takes(step.job, other) for other in steps)
                found += _of_training(task, step.job, 0 if searched else 1)
                found += _of_encoding(workspace, step.job, encoded)
    return found


def trials(steps: Sequence[Step]) -> int:
    """Trainings that searches of learning rates add."""
    searches = [step.job.search for step in steps if isinstance(step, SearchStep)]
    return sum(len(job.budget.search) for job in searches if job is not None and job.budget is not None)


def _of_pretraining(task: Task, step: PretrainingStep) -> Work:
    budget = step.pretraining.budget
    passes = budget.passes(len(task.role_rows(step.pretraining.classes)))
    return Work(pretraining_network(step.pretraining), passes, 0, budget.batch, budget.batch, "pretraining.batch")


def _of_warm_start(task: Task, step: WarmStartStep) -> Work:
    settings = step.key.settings
    budget = settings.warm_start
    validated = _validated(task, budget, step.key.protocol)
    each = budget.clips_per_step(settings.way, settings.shot)
    return Work(
        encoder_network(task, step.key),
        budget.clips(settings.way, settings.shot),
        validated,
        min(budget.micro_batch or each, each),
        each,
        "warm_start.micro_batch",
    )


def _of_training(task: Task, job: TrainingJob, times: int) -> Iterator[Work]:
    """The training of a row, done so many times; heads on frozen features count as nothing."""
    if job.budget is None or job.training != "end_to_end" or not times:
        return
    way, shot = job.settings.way, job.settings.shot
    each = job.budget.clips_per_step(way, shot)
    yield Work(
        row_network(task, job),
        times * job.budget.clips(way, shot),
        times * _validated(task, job.budget, job.protocol),
        min(job.budget.micro_batch or each, each),
        each,
        "end_to_end.micro_batch",
    )


def _validated(task: Task, budget: Budget, protocol: Protocol) -> int:
    """Clips that the validations of a training encode."""
    return budget.validations * len(task.role_rows("validation")) if protocol.validates else 0


def _of_encoding(workspace: Workspace, job: TrainingJob, encoded: set[str]) -> Iterator[Work]:
    """The clips that are encoded for a row's test, and where its encoders are frozen for its training."""
    task = workspace.task
    sensors, modalities = workspace.sensors, job.row.modalities
    names = [name for suite in job.suites for name in wanted_ablations(suite, task.settings, modalities, sensors)]
    novel = len(task.role_rows("novel"))
    if not job.frozen:
        if job.trained:
            yield Work(row_network(task, job), encoded=novel * (1 + len(names)))
        return
    for key in job.encoder_keys(workspace.common).values():
        if key.id not in encoded:
            encoded.add(key.id)
            ablated = [name for name in names if (name == "video") == (key.modality == "video")]
            yield Work(encoder_network(task, key), encoded=len(task.clips) + novel * len(ablated))
    if has_own_networks(job):
        yield Work(row_network(task, job, own=True), encoded=len(task.clips) + novel * len(names))


def _takes(job: TrainingJob, search: SearchStep) -> bool:
    """Whether the trial that wins a search is this very training."""
    return search.job.search is not None and job.id == search.job.search.id
