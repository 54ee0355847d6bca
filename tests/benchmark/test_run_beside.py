"""Two runs in one folder at the same time: what one does, the other leaves to it."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from mmact_oneshot.harness.benchmark import step_runner
from mmact_oneshot.harness.benchmark.step_lease import step_lease
from mmact_oneshot.harness.benchmark.steps import RowStep, SearchStep, WarmStartStep
from mmact_oneshot.harness.records import TrainingRecord
from mmact_oneshot.harness.runtime.progress import Silent
from tests.helpers.toy_runs import lasting, planned, run, task_with, workspace

ROWS = [{"method": name, "modalities": ["sensors"]} for name in ("protonet", "matching_net", "random")]


class Beside(Silent):
    """Another run: holds leases, and lets them go once it is waited for."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.leases = folder, ExitStack()
        self.done_before: list[list[str]] = []

    def note(self, text: str) -> None:
        if "waiting:" in text:
            place = workspace(self.folder, task_with(ROWS))
            self.done_before.append(sorted(record.method for record in place.records.all(TrainingRecord)))
            self.leases.close()


def test_what_another_run_does_is_left_to_it_and_the_rest_is_done_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside = Beside(tmp_path / "run")
    place = workspace(beside.folder, task_with(ROWS), beside)
    _, steps = planned(place)
    rows = [step for step in steps if isinstance(step, RowStep)]
    assert [step.job.row.method for step in rows] == ["protonet", "matching_net", "random"]
    freed: list[BaseException] = []
    monkeypatch.setattr(step_runner, "free", freed.append)
    with beside.leases:
        beside.leases.enter_context(step_lease(place, rows[0]))
        run(place)
    assert freed == [], "a step that was not begun holds no memory, and emptying torch's cache takes time"
    assert beside.done_before == [["matching_net", "random"]]
    alone = workspace(tmp_path / "alone", task_with(ROWS))
    run(alone)
    assert lasting(beside.folder) == lasting(alone.folder)


def test_a_step_waits_with_what_it_needs(tmp_path: Path) -> None:
    beside = Beside(tmp_path / "run")
    place = workspace(beside.folder, task_with(ROWS), beside)
    _, steps = planned(place)
    (warm_start,) = (step for step in steps if isinstance(step, WarmStartStep))
    assert any(isinstance(step, SearchStep) or warm_start.id in step.needs for step in steps)
    with beside.leases:
        beside.leases.enter_context(step_lease(place, warm_start))
        run(place)
    assert beside.done_before == [["random"]], "nothing else does without the shared encoder"
