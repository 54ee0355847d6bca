"""The run: every pending step of a plan, in order. What is recorded is not done again; what was cut off continues."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mmact_oneshot.harness.benchmark.failures import Failures
from mmact_oneshot.harness.benchmark.plan import Plan
from mmact_oneshot.harness.benchmark.step_runner import StepRunner
from mmact_oneshot.harness.benchmark.steps import RowStep, Step
from mmact_oneshot.harness.benchmark.study_record import record_studies
from mmact_oneshot.harness.data.episodes.suites import novel_suites
from mmact_oneshot.harness.evaluation.suite_record import record_suite
from mmact_oneshot.harness.runtime import ranks
from mmact_oneshot.harness.runtime.errors import HarnessError
from mmact_oneshot.harness.runtime.lease import Held, lease
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

    Steps that another process does in the same folder are left to it; what is not done at the end is waited for.

    Args:
        steps: see :func:`mmact_oneshot.harness.benchmark.steps.pending_steps`.

    Raises:
        HarnessError: see :func:`begin_run`; or, once all other steps are done, that some could not be.
    """
    ranks.from_first(lambda: begin_run(workspace, plan))
    runner, failures = StepRunner.of(workspace, plan), Failures(workspace)
    rows = [step.id for step in steps if isinstance(step, RowStep)]
    reasons: dict[str, str] = {}

    def do(step: Step, wait: bool) -> None:
        if failures.hit(step):
            return
        title = f"{rows.index(step.id) + 1}/{len(rows)} {step.job.id}" if isinstance(step, RowStep) else ""
        try:
            needed = [reasons.get(need, "") for need in step.needs]
            reasons[step.id] = runner.do(step, needed, title=title, wait=wait)
        except Held:
            raise
        except OSError:  # the machine's, not the step's: the next one would meet it too
            raise
        except Exception as error:
            if ranks.count() > 1:  # the other ranks may be in the middle of the step
                raise
            failures.add(step, error)
        else:
            failures.forget(step)

    left = list(steps)
    while left:
        held = _those_held(left, lambda step: do(step, wait=False))
        if held == left:
            do(held.pop(0), wait=True)
        left = held
    failures.raise_if_any()


def _those_held(steps: Sequence[Step], do: Callable[[Step], None]) -> list[Step]:
    """Do the steps that can be done now. The others: those that another process does, and what needs one of them."""
    held: dict[str, Step] = {}
    for step in steps:
        try:
            if any(need in held for need in step.needs):
                raise Held
            do(step)
        except Held:
            held[step.id] = step
    return list(held.values())
