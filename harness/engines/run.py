"""`oneshot run --engine`: the workers are started, the run is handed to them, and they are let go."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import torch

from mmact_oneshot.harness.benchmark.plan import Plan
from mmact_oneshot.harness.benchmark.request import Request
from mmact_oneshot.harness.benchmark.run import begin_run
from mmact_oneshot.harness.benchmark.steps import Step
from mmact_oneshot.harness.engines.clusters import ClusterOptions, open_client
from mmact_oneshot.harness.engines.graph import run_on_cluster
from mmact_oneshot.harness.engines.worker import Order
from mmact_oneshot.harness.runtime.errors import HarnessError
from mmact_oneshot.harness.training.workspace import Workspace


def run_with_engine(
    wanted: ClusterOptions, request: Request, workspace: Workspace, plan: Plan, steps: Sequence[Step]
) -> None:
    """Have the steps of a plan done by the workers of a cluster.

    Raises:
        HarnessError: see :func:`mmact_oneshot.harness.engines.clusters.open_client` and
            :func:`mmact_oneshot.harness.engines.graph.run_on_cluster`; or a precision that depends on the worker.
    """
    elsewhere = wanted.engine != "local"
    if elsewhere and request.device == "auto" and workspace.task.settings.precision == "auto":
        raise HarnessError(
            f"with engine {wanted.engine} the precision must be named: auto depends on the machine, and the workers "
            "may have GPUs that this one lacks.",
            remedy="--set precision=bfloat16 for workers with GPUs, --set precision=float32 or --device cpu without.",
        )
    if not steps:  # workers would have nothing to do; the studies may be new all the same
        begin_run(workspace, plan)
        return
    shared = not (elsewhere or torch.cuda.is_available() or "OMP_NUM_THREADS" in os.environ)
    order = Order(
        replace(request, out=workspace.folder.resolve()),
        Path.cwd(),
        threads=max(1, (os.cpu_count() or 1) // wanted.count) if shared else 0,
        cache_bytes=wanted.cache_bytes,
        invocation=uuid4().hex,
    )
    with open_client(wanted, workspace.folder.resolve() / "keys") as client:
        workspace.watcher.note(f"workers: at most {wanted.count}, see {client.dashboard_link}")
        run_on_cluster(client, order, workspace, plan, steps)
