"""The steps of a plan that are still to be done, in an order in which what a step needs comes before it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mmact_oneshot.harness.api import NotApplicable
from mmact_oneshot.harness.benchmark.plan import Plan
from mmact_oneshot.harness.evaluation.ablation import is_ablated, wanted_ablations
from mmact_oneshot.harness.evaluation.suite_record import tested_digest
from mmact_oneshot.harness.records import EvaluationRecord, SkippedRecord, TrainingRecord
from mmact_oneshot.harness.training.initialisation import Pretrained
from mmact_oneshot.harness.training.job import TrainingJob
from mmact_oneshot.harness.training.method_training import require_applicable
from mmact_oneshot.harness.training.pretraining import is_pretrained
from mmact_oneshot.harness.training.rate_search import is_searched
from mmact_oneshot.harness.training.warm_start import EncoderKey, is_warm_started
from mmact_oneshot.harness.training.workspace import Workspace


@dataclass(frozen=True)
class PretrainingStep:
    """A pre-training, for trainings with ``seed``."""

    pretraining: Pretrained
    seed: int
    needs: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        return f"pretraining/{self.pretraining.id(self.seed)}"


@dataclass(frozen=True)
class WarmStartStep:
    """The warm start of a shared encoder."""

    key: EncoderKey
    needs: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        return f"warm-start/{self.key.id}"


@dataclass(frozen=True)
class SearchStep:
    """The search of a row's learning rate, on behalf of a job."""

    job: TrainingJob
    needs: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        assert self.job.search is not None
        return f"search/{self.job.search.row_id}"


@dataclass(frozen=True)
class RowStep:
    """A row trained with one seed, and scored on the suites that it has no complete record of."""

    job: TrainingJob
    suites: tuple[str, ...]
    needs: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        return f"row/{self.job.id}"


Step = PretrainingStep | WarmStartStep | SearchStep | RowStep


def pending_steps(workspace: Workspace, plan: Plan) -> list[Step]:
    """What is left to do of a plan, each step once."""
    steps: dict[str, Step] = {}
    for job in plan.jobs:
        suites = unscored_suites(workspace, job)
        if suites:
            for step in _steps_of(workspace, job, suites):
                steps.setdefault(step.id, step)
    return list(steps.values())


def missing_before(workspace: Workspace, step: Step) -> list[Step]:
    """What a row needs and what is not there, or not any more: ``--force`` of another run may have set it aside."""
    if not isinstance(step, RowStep):
        return []
    return [each for each in _steps_of(workspace, step.job, step.suites) if not isinstance(each, RowStep)]


def pending_rows(workspace: Workspace, plan: Plan) -> list[RowStep]:
    """The rows that are left to do."""
    return [step for step in pending_steps(workspace, plan) if isinstance(step, RowStep)]


def all_steps(workspace: Workspace, plan: Plan) -> dict[str, Step]:
    """Every step that a plan can have, done or not, by id; without what each needs."""
    steps: dict[str, Step] = {}
    for job in plan.jobs:
        for each in (job, job.search) if job.search is not None else (job,):
            if isinstance(each.initialisation, Pretrained):
                pretraining = PretrainingStep(each.initialisation, each.seed)
                steps.setdefault(pretraining.id, pretraining)
            for key in each.encoder_keys(workspace.common).values():
                warm_start = WarmStartStep(key)
                steps.setdefault(warm_start.id, warm_start)
        if job.search is not None:
            search = SearchStep(job)
            steps.setdefault(search.id, search)
        row = RowStep(job, job.suites)
        steps.setdefault(row.id, row)
    return steps


def is_done(workspace: Workspace, step: Step) -> bool:
    """Whether nothing of a step is left to do, by now."""
    match step:
        case PretrainingStep():
            return is_pretrained(workspace, step.pretraining, step.seed)
        case WarmStartStep():
            return is_warm_started(workspace, step.key)
        case SearchStep():
            return is_searched(workspace, step.job)
        case RowStep():
            return not unscored_suites(workspace, step.job)


def unscored_suites(workspace: Workspace, job: TrainingJob) -> tuple[str, ...]:
    """Suites of a job that have no complete record of these very episodes yet; none where a record says why not."""
    if workspace.records.has(SkippedRecord, job.id):
        return ()
    return tuple(suite for suite in job.suites if not _is_scored(workspace, job, suite))


def _is_scored(workspace: Workspace, job: TrainingJob, suite: str) -> bool:
    """Whether a suite is recorded with its predictions, its training, and all the ablations that are wanted."""
    task, records = workspace.task, workspace.records
    identity = EvaluationRecord.identity(job.id, suite, tested_digest(task, suite))
    if not records.has(EvaluationRecord, identity) or not records.has(TrainingRecord, job.id):
        return False
    record = records.read(EvaluationRecord, identity)
    names = wanted_ablations(suite, task.settings, job.row.modalities, workspace.sensors)
    return is_ablated(record, names, task.settings.ablation_episodes) and records.has_predictions(record)


def _steps_of(workspace: Workspace, job: TrainingJob, suites: tuple[str, ...]) -> Iterator[Step]:
    """What a job needs, then the job; of one that cannot run, only the job, which records why."""
    try:
        require_applicable(workspace, job)
    except NotApplicable:
        yield RowStep(job, suites)
        return
    needs = list[str]()
    searching = job.search is not None and not is_searched(workspace, job)
    for each in (job, job.search) if searching else (job,):
        assert each is not None
        for step in _begun_from(workspace, each):
            yield step
            needs.append(step.id)
    if searching:
        search = SearchStep(job, tuple(dict.fromkeys(needs)))
        yield search
        needs.append(search.id)
    yield RowStep(job, suites, tuple(dict.fromkeys(needs)))


def _begun_from(workspace: Workspace, job: TrainingJob) -> Iterator[PretrainingStep | WarmStartStep]:
    """The pre-training and the warm starts that a training begins from and that are still to be done."""
    needs: tuple[str, ...] = ()
    if isinstance(job.initialisation, Pretrained) and not is_pretrained(workspace, job.initialisation, job.seed):
        pretraining = PretrainingStep(job.initialisation, job.seed)
        yield pretraining
        needs = (pretraining.id,)
    for key in job.encoder_keys(workspace.common).values():
        if not is_warm_started(workspace, key):
            yield WarmStartStep(key, needs if key.pretrained else ())
