"""The lease of a step: whoever holds it is the only one that does the step, or moves what it left."""

from __future__ import annotations

from contextlib import AbstractContextManager

from mmact_oneshot.harness.benchmark.steps import Step
from mmact_oneshot.harness.runtime.lease import lease
from mmact_oneshot.harness.training.workspace import Workspace


def step_lease(workspace: Workspace, step: Step, *, wait: bool = True) -> AbstractContextManager[None]:
    """Hold the lease of a step; see :func:`mmact_oneshot.harness.runtime.lease.lease`."""
    file = workspace.folder / "locks" / f"{step.id.replace('/', '-')}.lock"
    return lease(file, step.id, workspace.watcher, wait=wait)
