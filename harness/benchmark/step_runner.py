"""One step of a run, whoever asks for it: done by one process at a time, and not at all where it is done."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass

from mmact_oneshot.harness.api import NotApplicable
from mmact_oneshot.harness.benchmark.plan import Plan
from mmact_oneshot.harness.benchmark.row import RowRunner
from mmact_oneshot.harness.benchmark.step_lease import step_lease
from mmact_oneshot.harness.benchmark.steps import (
    PretrainingStep,
    RowStep,
    SearchStep,
    Step,
    WarmStartStep,
    is_done,
    missing_before,
)
from mmact_oneshot.harness.runtime import ranks
from mmact_oneshot.harness.runtime.device import forget_peak_memory
from mmact_oneshot.harness.runtime.errors import ContractError, DivergedError, OutOfMemory
from mmact_oneshot.harness.runtime.lease import Held
from mmact_oneshot.harness.runtime.memory import first_line, free, give_back, ran_out_of_memory
from mmact_oneshot.harness.training.feature_cache import FeatureCache
from mmact_oneshot.harness.training.frozen_features import FrozenFeatures
from mmact_oneshot.harness.training.method_training import MethodTraining
from mmact_oneshot.harness.training.pretraining import run_pretraining
from mmact_oneshot.harness.training.rate_search import RateSearch
from mmact_oneshot.harness.training.warm_start import run_warm_start
from mmact_oneshot.harness.training.workspace import Workspace


class _SetAside(Exception):
    """What a step needs is not there any more."""


@dataclass(frozen=True)
class StepRunner:
    """Does the steps of a plan; features of frozen encoders are held from one step to the next."""

    training: MethodTraining

    @classmethod
    def of(cls, workspace: Workspace, plan: Plan, cache: FeatureCache | None = None) -> StepRunner:
        return cls(MethodTraining(workspace, FrozenFeatures(workspace, plan.outputs(workspace.common), cache)))

    def do(self, step: Step, reasons: Iterable[str] = (), *, title: str = "", wait: bool = True) -> str:
        """Do a step, unless it is done by then.

        What it held when it failed is free once the error is raised.

        Args:
            reasons: why steps that it needs have no result; empty strings where they have one.
            title: is told to the watcher once the step begins.
            wait: for another process that does it.

        Returns:
            Why there is no result: a method that does not apply, breaks its contract or diverged. A row's reason is
            recorded in place of its figures. Empty where the step is done.

        Raises:
            Held: another process does it, and is not waited for.
            OutOfMemory: with the setting to lower. Like OutOfTime, it is of the machine and belongs in no record.
            OutOfTime: the step took longer than the workspace's clock allows; its state is kept.
        """
        reasons = tuple(reasons)
        try:
            while True:
                with suppress(_SetAside):
                    return self._done(step, reasons, title, wait)
                for need in self._missing(step, reasons):
                    reasons += (self._done(need, reasons),)
        except Held:  # nothing was begun
            raise
        except Exception as error:
            free(error)
            if not ran_out_of_memory(error) or isinstance(error, OutOfMemory):
                raise
            raise OutOfMemory(f"out of memory: {first_line(error)}.", remedy=_remedy(step)) from error

    def _done(self, step: Step, reasons: tuple[str, ...], title: str = "", wait: bool = True) -> str:
        workspace = self.training.workspace
        with self._alone(step, wait):
            workspace.clock.start()
            if ranks.from_first(lambda: is_done(workspace, step)):
                return ""
            if self._missing(step, reasons):
                raise _SetAside  # what was set aside is done again under leases of its own, not inside this one
            if title:
                workspace.watcher.note(title)
            reason = next(filter(None, reasons), "")
            if not reason:
                try:
                    forget_peak_memory(workspace.device)
                    self._do(step)
                except (NotApplicable, DivergedError, ContractError) as error:
                    reason = str(error)
                if workspace.device.accelerator:
                    give_back()  # for others: what twelve runs on one GPU had once used came to all of its memory
            if reason and isinstance(step, RowStep):
                job = step.job
                ranks.from_first(lambda: RowRunner(self.training).skip(job, reason))
            return reason

    def _missing(self, step: Step, reasons: tuple[str, ...]) -> list[Step]:
        """Steps whose results another run has set aside; none where one is known to have no result."""
        return [] if any(reasons) else ranks.from_first(lambda: missing_before(self.training.workspace, step))

    @contextmanager
    def _alone(self, step: Step, wait: bool) -> Iterator[None]:
        """No other run does the step meanwhile; ranks of one training have one lease."""
        with ExitStack() as held:

            def hold() -> None:
                held.enter_context(step_lease(self.training.workspace, step, wait=wait))

            ranks.from_first(hold)
            yield

    def _do(self, step: Step) -> None:
        if isinstance(step, SearchStep | RowStep) and step.job.training != "end_to_end":
            ranks.from_first(lambda: self._do_here(step))  # frozen encoders: little is left to share
        else:
            self._do_here(step)

    def _do_here(self, step: Step) -> None:
        workspace = self.training.workspace
        match step:
            case PretrainingStep():
                run_pretraining(workspace, step.pretraining, step.seed)
            case WarmStartStep():
                run_warm_start(workspace, step.key)
            case SearchStep():
                RateSearch(self.training).run(step.job)
            case RowStep():
                RowRunner(self.training).run(step.job)


def _remedy(step: Step) -> str:
    """For what the halving of micro-batches does not mend."""
    if isinstance(step, PretrainingStep):
        return "Lower pretraining.batch, which makes it another pre-training, or use a device with more memory."
    return "Run less beside it, lower batch (which changes no result), or use a machine with more memory."
