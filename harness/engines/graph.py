"""A run as a graph of steps on a Dask cluster: a step is handed over once the steps that it needs are done."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from distributed import Client, Future, KilledWorker, as_completed

from mmact_oneshot.harness.benchmark.failures import Failures
from mmact_oneshot.harness.benchmark.plan import Plan
from mmact_oneshot.harness.benchmark.run import begin_run
from mmact_oneshot.harness.benchmark.steps import Step
from mmact_oneshot.harness.engines.ending import EndsItsStep
from mmact_oneshot.harness.engines.progress import GraphProgress
from mmact_oneshot.harness.engines.worker import TOPIC, Order, do_step
from mmact_oneshot.harness.engines.workload import progress_mark
from mmact_oneshot.harness.runtime.digests import digest
from mmact_oneshot.harness.runtime.errors import Ending, OutOfTime
from mmact_oneshot.harness.training.workspace import Workspace

TRIES = 2  # of a step that raises
DEATHS = 3  # of workers with a step that has not got any further: it may only have waited there behind another


def run_on_cluster(client: Client, order: Order, workspace: Workspace, plan: Plan, steps: Sequence[Step]) -> None:
    """Record the studies and the suites, then have the workers do the steps.

    A step whose worker dies goes to another, which continues from the state that was kept. A step that raises twice,
    or that three workers die with while it gets no further, is reported, with all that need it, and the others go on;
    so is one that is out of time, at once.

    Raises:
        HarnessError: see :func:`mmact_oneshot.harness.benchmark.run.begin_run`; or, once all other steps are done, that
            some could not be.
    """
    begin_run(workspace, plan)
    logging.getLogger("distributed").setLevel(logging.ERROR)
    logging.getLogger("distributed.scheduler").setLevel(logging.CRITICAL)  # a worker that dies is told by _Graph
    with GraphProgress(workspace, steps) as progress:
        client.register_plugin(EndsItsStep())
        client.subscribe_topic(TOPIC, lambda event: progress.note(event[1]))
        _Graph(client, order, workspace, steps, progress).run()


class _Graph:
    """Steps that wait, run, and are done."""

    def __init__(
        self, client: Client, order: Order, workspace: Workspace, steps: Sequence[Step], progress: GraphProgress
    ) -> None:
        self._client, self._order, self._workspace, self._progress = client, order, workspace, progress
        self._rank = {step.id: place for place, step in enumerate(steps)}
        self._waiting = {step.id: step for step in steps}
        self._running: dict[str, Step] = {}
        self._submissions = 0
        self._reasons: dict[str, str] = {}
        self._tries: dict[str, int] = {}
        self._marks: dict[str, object] = {}
        self._failures = Failures(workspace)
        self._run = digest(str(workspace.folder.resolve()))[:8]

    def run(self) -> None:
        """Hand steps over as they become ready, until none is left."""
        finished = as_completed(self._handed_over(), raise_errors=False)
        for future in finished:
            self._received(future)
            for new in self._handed_over():
                finished.add(new)
        self._failures.raise_if_any()

    def _handed_over(self) -> list[Future]:
        """Futures of the steps that have become ready."""
        futures = []
        for step in list(self._waiting.values()):
            if self._failures.hit(step):
                del self._waiting[step.id]
                self._progress.done(step)
            elif not any(need in self._waiting or need in self._running for need in step.needs):
                del self._waiting[step.id]
                futures.append(self._submitted(step))
        return futures

    def _submitted(self, step: Step) -> Future:
        self._running[step.id] = step
        self._marks[step.id] = progress_mark(self._workspace, step)
        self._submissions += 1
        return self._client.submit(
            do_step,
            self._order,
            step.id,
            tuple(self._reasons.get(need, "") for need in step.needs),
            key=f"{step.id} ({self._run}, {self._submissions})",  # a task that failed keeps its key
            priority=-self._rank[step.id],
            pure=False,
        )

    def _received(self, future: Future) -> None:
        """Take what became of a step: done, to be tried again, or failed."""
        step = self._running.pop(str(future.key).rpartition(" (")[0])
        if future.status == "finished":
            self._reasons[step.id] = future.result()
            self._failures.forget(step)
            self._progress.done(step)
            return
        error = _error_of(future)
        ended = isinstance(error, KilledWorker | Ending)
        further = ended and progress_mark(self._workspace, step) != self._marks[step.id]
        self._tries[step.id] = self._tries.get(step.id, 0) + (not further)
        if self._tries[step.id] < (DEATHS if ended else TRIES) and not isinstance(error, OutOfTime):
            what = "a worker died" if ended else f"failed ({error})"
            self._progress.note(f"  {step.id}: {what}; it is done again from its last state")
            self._waiting[step.id] = step
            return
        self._failures.add(step, error)
        self._progress.done(step)


def _error_of(future: Future) -> Exception:
    error: Any = None
    with suppress(Exception):
        error = future.exception(timeout=30)
    return error if isinstance(error, Exception) else RuntimeError(f"the task was {future.status}")
