"""The run: every pending step of a plan, in order. What is recorded is not done again; what was cut off continues."""

from __future__ import annotations

from collections.abc import Sequence

from mmact_oneshot.harness.benchmark.failures import Failures
from mmact_oneshot.harness.benchmark.plan import Plan
from mmact_oneshot.harness.benchmark.step_runner import StepRunner
from mmact_oneshot.harness.benchmark.steps import RowStep, Step
from mmact_oneshot.harness.benchmark.study_record import record_studies
from mmact_oneshot.harness.data.episodes.suites import novel_suites
from mmact_oneshot.harness.evaluation.suite_record import record_suite
from mmact_oneshot.harness.runtime import ranks
from mmact_oneshot.harness.runtime.errors import HarnessError
from mmact_oneshot.harness.runtime.lease import lease
from mmact_oneshot.harness.training.workspace import Workspace


def begin_run(workspace: Workspace, plan: Plan) -> None:
    """Record the studies and the suites.

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
    with lease(workspace.folder / "locks" / "records.lock", "recording the studies", workspace.watcher):
        for name in suites:
            record_suite(task, name, workspace.records)
        record_studies(workspace, plan)


def run_plan(workspace: Workspace, plan: Plan, steps: Sequence[Step]) -> None:
    """Record the studies and the suites, then do the steps, one after another in this process and its ranks.

    Args:
        steps: see :func:`mmact_oneshot.harness.benchmark.steps.pending_steps`.

    Raises:
        HarnessError: see :func:`begin_run`; or, once all other steps are done, that some could not be.
    """
    ranks.from_first(lambda: begin_run(workspace, plan))
    runner, failures = StepRunner.of(workspace, plan), Failures(workspace)
    reasons: dict[str, str] = {}
    rows = [step.id for step in steps if isinstance(step, RowStep)]
    for step in steps:
        if isinstance(step, RowStep):
            workspace.watcher.note(f"{rows.index(step.id) + 1}/{len(rows)} {step.job.id}")
        if failures.hit(step):
            continue
        try:
            reasons[step.id] = runner.do(step, [reasons.get(need, "") for need in step.needs])
        except OSError:  # the machine's, not the step's: the next one would meet it too
            raise
        except Exception as error:
            if ranks.count() > 1:  # the other ranks may be in the middle of the step
                raise
            failures.add(step, error)
        else:
            failures.forget(step)
    failures.raise_if_any()
