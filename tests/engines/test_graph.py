"""How often a step is tried whose workers die, or that raises; and what workers hold from one run to the next."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from distributed import KilledWorker

from mmact_oneshot.harness.benchmark.request import Request
from mmact_oneshot.harness.benchmark.steps import Step
from mmact_oneshot.harness.engines import clusters, graph
from mmact_oneshot.harness.engines import run as engines_run
from mmact_oneshot.harness.engines.clusters import ClusterOptions
from mmact_oneshot.harness.engines.worker import Order
from mmact_oneshot.harness.runtime.errors import OutOfTime
from tests.helpers.toy_runs import planned, task_with, workspace

DEATH = KilledWorker("a step", cast(Any, SimpleNamespace(address="tcp://127.0.0.1:1")), 0)
ROWS = [{"method": "protonet", "modalities": ["sensors"]}]


class Tried:
    """A graph of which one step is handed over again and again, to no workers."""

    def __init__(self, folder: Path) -> None:
        place = workspace(folder, task_with(ROWS))
        _, (self.step, *_) = planned(place)
        client: Any = SimpleNamespace(submit=lambda *_, key, **__: key)
        progress: Any = SimpleNamespace(note=str, done=str)
        self.graph = graph._Graph(client, cast(Any, None), place, [self.step], progress)

    def again(self, error: Exception, mark: object = None) -> bool:
        """Whether the step is to be done again after an error; ``mark``: how far it has come then."""
        step: Step = self.step
        self.graph._waiting.pop(step.id, None)
        self.graph._submitted(step)
        with pytest.MonkeyPatch.context() as patch:
            if mark is not None:
                patch.setattr(graph, "progress_mark", lambda *_: mark)
            future = SimpleNamespace(key=f"{step.id} (run, 1)", status="error", exception=lambda timeout: error)
            self.graph._received(cast(Any, future))
        return step.id in self.graph._waiting


def test_a_step_that_raises_is_tried_once_more(tmp_path: Path) -> None:
    tried = Tried(tmp_path)
    assert [tried.again(ValueError("no")) for _ in range(2)] == [True, False]
    assert list((tmp_path / "failures").iterdir())


def test_two_deaths_may_be_of_workers_on_which_a_step_only_waited_and_the_third_is_its_own(tmp_path: Path) -> None:
    tried = Tried(tmp_path)
    assert [tried.again(DEATH) for _ in range(3)] == [True, True, False]


def test_deaths_of_a_step_that_comes_further_do_not_count(tmp_path: Path) -> None:
    tried = Tried(tmp_path)
    assert all(tried.again(DEATH, mark=place) for place in range(5))


def test_a_step_that_is_out_of_time_is_not_tried_again(tmp_path: Path) -> None:
    assert not Tried(tmp_path).again(OutOfTime("out of time"))


def test_workers_that_outlive_a_run_open_the_next_one_anew(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With `--force` the same command means other weights: what a worker holds of the first is of no more use."""
    orders: list[Order] = []
    monkeypatch.setattr(engines_run, "open_client", lambda *_: nullcontext(SimpleNamespace(dashboard_link="")))
    monkeypatch.setattr(engines_run, "run_on_cluster", lambda client, order, *_: orders.append(order))
    options = ClusterOptions("dask", scheduler="tcp://127.0.0.1:1")
    place = workspace(tmp_path, task_with([{"method": "random", "modalities": ["video"]}], precision="float32"))
    plan, steps = planned(place)
    for _ in range(2):
        engines_run.run_with_engine(options, Request(data=tmp_path), place, plan, steps)
    first, second = map(repr, orders)
    assert first != second
    assert replace(orders[0], invocation="") == replace(orders[1], invocation="")


def test_workers_get_the_gpus_that_the_user_has_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine that others use, CUDA_VISIBLE_DEVICES says which these are."""
    found: list[str] = []

    def note(workers: dict[int, Any], *_: object, **__: object) -> None:
        found.extend(worker["options"]["env"].get("CUDA_VISIBLE_DEVICES", "") for worker in workers.values())

    monkeypatch.setattr(clusters, "SpecCluster", note)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,GPU-3a")
    clusters._local(3)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    clusters._local(2)
    assert found == ["2", "GPU-3a", "2", "0", "1"]
