"""One step of a run, whoever asks for it: done by one process at a time, and not at all where it is done."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mmact_oneshot.harness.api import NotApplicable
from mmact_oneshot.harness.benchmark.plan import Plan
from mmact_oneshot.harness.benchmark.row import RowRunner
from mmact_oneshot.harness.benchmark.steps import (
    PretrainingStep,
    RowStep,
    SearchStep,
    Step,
    WarmStartStep,
    is_done,
    unscored_suites,
)
from mmact_oneshot.harness.runtime.errors import ContractError, DivergedError
from mmact_oneshot.harness.runtime.lease import lease
from mmact_oneshot.harness.training.feature_cache import FeatureCache
from mmact_oneshot.harness.training.frozen_features import FrozenFeatures
from mmact_oneshot.harness.training.method_training import MethodTraining
from mmact_oneshot.harness.training.pretraining import run_pretraining
from mmact_oneshot.harness.training.rate_search import RateSearch
from mmact_oneshot.harness.training.warm_start import run_warm_start
from mmact_oneshot.harness.training.workspace import Workspace


@dataclass(frozen=True)
class StepRunner:
    """Does the steps of a plan; features of frozen encoders are held from one step to the next."""

    training: MethodTraining

    @classmethod
    def of(cls, workspace: Workspace, plan: Plan, cache: FeatureCache | None = None) -> StepRunner:
        return cls(MethodTraining(workspace, FrozenFeatures(workspace, plan.outputs(workspace.common), cache)))

    def do(self, step: Step, reasons: Iterable[str] = ()) -> str:
        """Do a step, unless it is done by then. Another process that does it is waited for.

        Args:
            reasons: why steps that it needs have no result; empty strings where they have one.

        Returns:
            Why there is no result: a method that does not apply, breaks its contract or diverged. A row's reason is
            recorded in place of its figures. Empty where the step is done.
        """
        workspace = self.training.workspace
        name = step.id.replace("/", "-")
        with lease(workspace.folder / "locks" / f"{name}.lock", step.id, workspace.watcher):
            if is_done(workspace, step):
                return ""
            reason = next(filter(None, reasons), "")
            if not reason:
                try:
                    self._do(step)
                except (NotApplicable, DivergedError, ContractError) as error:
                    reason = str(error)
            if reason and isinstance(step, RowStep):
                RowRunner(self.training).skip(step.job, reason)
            return reason

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
                RowRunner(self.training).run(step.job, unscored_suites(workspace, step.job))
