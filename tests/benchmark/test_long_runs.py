"""A run of many rows: nothing piles up, and a row that fails for a reason of the machine leaves the others alone."""

from __future__ import annotations

import re
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from mmact_oneshot.harness.benchmark.run import run_plan
from mmact_oneshot.harness.records import EvaluationRecord, RecordFolder, SkippedRecord
from mmact_oneshot.harness.runtime.errors import HarnessError
from mmact_oneshot.harness.runtime.progress import Silent
from mmact_oneshot.harness.runtime.step_clock import StepClock
from mmact_oneshot.harness.training.workspace import Workspace
from tests.endurance import endure
from tests.helpers.toy_runs import lasting, planned, run, task_with, workspace
from tests.helpers.toys import CPU, toy_settings

SENSORS = {"modalities": ["sensors"]}
FAILING = """
import torch
from mmact_oneshot.harness.api import Features, FewShotMethod
from torch import Tensor

class Failing(FewShotMethod):
    def score(self, support: Features, query: Features) -> Tensor:
        STATEMENT
"""
SCORES = 'query["sensors.vector"] @ support["sensors.vector"].mean(dim=2).transpose(1, 2)'
STATEMENTS = {
    "diverging": f"return {SCORES} * float('nan')",
    "too_large": "raise MemoryError",
    "too_large_for_torch": "torch.empty(2**50)",
    "too_large_for_the_gpu": 'raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 90 GiB.")',
}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks Linux what a process holds")
def test_threads_and_files_do_not_grow_from_row_to_row(tmp_path: Path) -> None:
    table = [{"method": "protonet", **SENSORS}, {"method": "protonet", "training": "end_to_end", **SENSORS}]
    early, late = endure(12, [4, 12], tmp_path, table)
    grown = late.threads - early.threads, late.files - early.files, late.temporary - early.temporary
    assert max(grown) <= 0, grown  # one that was about to end may be counted early


def test_rows_that_cannot_end_give_their_reasons_and_the_others_go_on(tmp_path: Path) -> None:
    rows = []
    for name, statement in STATEMENTS.items():
        plugin = tmp_path / f"{name}.py"
        plugin.write_text(FAILING.replace("STATEMENT", statement))
        rows.append({"method": str(plugin), **SENSORS})
    place = workspace(tmp_path / "run", task_with([*rows, {"method": "random", **SENSORS}]))
    with pytest.raises(HarnessError, match=r"3 steps failed.*out of memory"):
        run(place)
    records = RecordFolder(tmp_path / "run" / "records")
    assert [record.method for record in records.all(SkippedRecord)] == ["diverging"]
    assert [record.training.partition("-")[0] for record in records.all(EvaluationRecord)] == ["random"]
    failures = {path.name.split("-")[1].partition(".")[0]: path for path in (tmp_path / "run" / "failures").iterdir()}
    assert len(failures) == 3
    for path in failures.values():
        assert re.search(r"OutOfMemory: out of memory with one of the episodes at a time: .* Use a", path.read_text())


class Late(StepClock):
    """A clock by which the time of a step is over after so many of the optimiser's."""

    def __init__(self, steps: int) -> None:
        super().__init__(minutes=1)
        self.steps = steps

    def start(self) -> None:
        self.asked = 0

    def _over(self) -> bool:
        self.asked += 1
        return self.asked >= self.steps


def test_a_step_that_is_out_of_time_keeps_its_state_and_goes_on_when_it_is_asked_for_again(tmp_path: Path) -> None:
    budget = toy_settings().frozen.model_dump() | {"steps": 12}
    task = task_with([{"method": "mu_mae", **SENSORS}], frozen=budget)
    run(workspace(tmp_path / "whole", task))

    out, cut_off = tmp_path / "cut off", 0
    for _ in range(20):
        place = Workspace(task, out, CPU, Silent(), Late(7))
        plan, steps = planned(place)
        if not steps:
            break
        with suppress(HarnessError):
            run_plan(place, plan, steps)
            continue
        cut_off += 1
        assert not RecordFolder(out / "records").all(SkippedRecord), "the speed of a machine is in no record"
        assert "out of time after 1 min" in next((out / "failures").iterdir()).read_text()
    assert cut_off >= 2
    assert lasting(out) == lasting(tmp_path / "whole"), "with the losses of the pre-training"
    assert not list((out / "failures").iterdir())
