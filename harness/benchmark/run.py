"""The run: every pending step of a plan, in order. What is recorded is not done again; what was cut off continues."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from mmact_oneshot.harness.api import NotApplicable
from mmact_oneshot.harness.benchmark.plan import Plan
from mmact_oneshot.harness.benchmark.row import RowRunner
from mmact_oneshot.harness.benchmark.steps import PretrainingStep, RowStep, SearchStep, Step, WarmStartStep
from mmact_oneshot.harness.benchmark.study_record import record_studies
from mmact_oneshot.harness.data.episodes.suites import novel_suites
from mmact_oneshot.harness.evaluation.suite_record import record_suite
from mmact_oneshot.harness.runtime.errors import ContractError, DivergedError, HarnessError
from mmact_oneshot.harness.training.frozen_features import FrozenFeatures
from mmact_oneshot.harness.training.method_training import MethodTraining
from mmact_oneshot.harness.training.pretraining import run_pretraining
from mmact_oneshot.harness.training.rate_search import RateSearch
from mmact_oneshot.harness.training.warm_start import run_warm_start
from mmact_oneshot.harness.training.workspace import Workspace


def run_plan(workspace: Workspace, plan: Plan, steps: Sequence[Step]) -> None:
    """Record the studies and the suites, then do the steps.

    Args:
        steps: see :func:`mmact_oneshot.harness.benchmark.steps.pending_steps`.

    Raises:
        HarnessError: a suite that cannot be drawn or tested on, or data without usable clips: before any training.
    """
    task = workspace.task
    task.require_usable()
    suites = dict.fromkeys(suite for job in plan.jobs for suite in job.suites)
    for name in suites:
        if task.suite(name).spec.role != "novel":
            known = ", ".join(novel_suites())
            raise HarnessError(f"suite {name!r} is for selection, not for a test.", remedy=f"Known: {known}.")
    for name in suites:
        record_suite(task, name, workspace.records)
    record_studies(workspace, plan)
    training = MethodTraining(workspace, FrozenFeatures(workspace, plan.outputs(workspace.common)))
    run = _Run(training)
    rows = [step for step in steps if isinstance(step, RowStep)]
    for step in steps:
        if isinstance(step, RowStep):
            workspace.watcher.note(f"{rows.index(step) + 1}/{len(rows)} {step.job.id}")
        run.do(step)


@dataclass(frozen=True)
class _Run:
    """Steps of one run, and why some failed."""

    training: MethodTraining
    failed: dict[str, str] = field(default_factory=dict)

    def do(self, step: Step) -> None:
        """One step. A row that cannot be trained or scored is recorded with the reason, and the others go on."""
        reason = next((self.failed[need] for need in step.needs if need in self.failed), "")
        if not reason:
            try:
                self._do(step)
            except (NotApplicable, DivergedError, ContractError) as error:
                reason = str(error)
        if reason:
            self.failed[step.id] = reason
            if isinstance(step, RowStep):
                RowRunner(self.training).skip(step.job, reason)

    def _do(self, step: Step) -> None:
        workspace = self.training.workspace
        match step:
            case PretrainingStep():
                run_pretraining(workspace, step.pretraining, step.seed)
            case WarmStartStep():
                run_warm_start(workspace, step.key)
            case SearchStep():
                RateSearch(self.training).run(step.job)
            case RowStep():
                RowRunner(self.training).run(step.job, step.suites)
