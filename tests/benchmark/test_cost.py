"""The cost of a run, worked out from the very steps that it does: clips, trials, memory, disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmact_oneshot.harness.benchmark.cost import estimate as estimate_module
from mmact_oneshot.harness.benchmark.cost.estimate import estimate_cost, memory_demands, require_memory
from mmact_oneshot.harness.benchmark.cost.rates import Rates
from mmact_oneshot.harness.benchmark.cost.work import trials, work_of
from mmact_oneshot.harness.data.store import Store
from mmact_oneshot.harness.data.task.clip_source import ClipSource, LoadedClips
from mmact_oneshot.harness.evaluation import evaluate
from mmact_oneshot.harness.records import RecordFolder, TrainingRecord
from mmact_oneshot.harness.runtime.errors import HarnessError
from mmact_oneshot.harness.training.workspace import Workspace
from tests.helpers.toy_runs import planned, run, task_with, workspace
from tests.helpers.toys import toy_settings, toy_store

BOTH = ["video", "sensors"]
END_TO_END = {"method": "protonet", "modalities": ["sensors"], "training": "end_to_end"}
ROWS: list[dict[str, Any]] = [
    {"method": "protonet", "modalities": BOTH},
    {"method": "trx", "modalities": ["sensors"]},
    END_TO_END,
    {"method": "videomae", "modalities": ["video"], "training": "end_to_end"},
    {"method": "random", "modalities": BOTH},
]
BUDGET = toy_settings().frozen.model_dump() | {"search": [0.003, 0.02]}
PRETRAINING = {"epochs": 2, "batch": 16, "checkpoints": 2, "picture": False}


@pytest.fixture(scope="module")
def store() -> Store:
    return toy_store()


def place(store: Store, out: Path, **changes: Any) -> Workspace:
    rows = changes.pop("rows", ROWS)
    return workspace(out, task_with(rows, store, **{"pretraining": PRETRAINING, **changes}))


class Reading:
    """Counts the clips that are loaded: augmented ones, which are trained on, and others."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.trained = self.encoded = 0
        load = ClipSource.load

        def counting(source: ClipSource, rows: np.ndarray, step: tuple[int, int] | None = None) -> LoadedClips:
            if step is not None:
                self.trained += len(rows)
            elif len(rows) > 1:  # a single clip is one whose operations are counted
                self.encoded += len(rows)
            return load(source, rows, step)

        monkeypatch.setattr(ClipSource, "load", counting)
        monkeypatch.setattr(evaluate, "require_alone", lambda *_: None)  # the few clips it reads are in no estimate


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rows", "changes"),
    [
        (ROWS[:4], {}),
        (ROWS[:4], {"ablate": "modalities", "seeds": [0, 1]}),
        ([END_TO_END], {"end_to_end": BUDGET, "seeds": [3]}),
        ([END_TO_END], {"end_to_end": BUDGET, "suites": ["test", "test-paper"]}),
        ([{"method": "mu_mae", "modalities": BOTH, "settings": {"sensor_vectors": "shared"}}], {}),
    ],
    ids=["four rows", "two seeds", "search of another seed", "search and paper", "own encoder, frozen"],
)
def test_the_clips_of_the_estimate_are_those_that_the_run_reads(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: list[dict[str, Any]], changes: dict[str, Any]
) -> None:
    here = place(store, tmp_path, rows=rows, **changes)
    work = work_of(here, planned(here)[1])
    reading = Reading(monkeypatch)
    run(here)
    assert sum(each.trained for each in work) == reading.trained
    assert sum(each.encoded for each in work) == reading.encoded
    assert work_of(here, planned(here)[1]) == [], "nothing is left to be paid for"


def test_trials_and_seconds_follow_from_the_steps(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured: list[str] = []

    def rates(network: Any, *_: Any) -> Rates:
        measured.append(network.key)
        return Rates(trained=10.0, encoded=100.0)

    monkeypatch.setattr(estimate_module, "measure_rates", rates)
    here = place(store, tmp_path, frozen=BUDGET, end_to_end=BUDGET)
    _, steps = planned(here)
    cost, work = estimate_cost(here, steps), work_of(here, steps)
    assert cost.trials == trials(steps) == 4 * 2
    assert cost.seconds == pytest.approx(sum(each.trained / 10 + each.encoded / 100 for each in work))
    assert cost.clips == sum(each.trained + each.encoded for each in work)
    assert len(measured) == len(set(measured)), "each network is timed once"
    assert set(cost.rates) == {each.network.label for each in work}
    assert cost.disk_bytes > 0
    assert not cost.prepared


def test_a_complete_run_costs_nothing_more(store: Store, tmp_path: Path) -> None:
    here = place(store, tmp_path, rows=[ROWS[4]])
    run(here)
    cost = estimate_cost(here, planned(here)[1])
    assert (cost.seconds, cost.clips, cost.trials, cost.rates) == (0, 0, 0, {})


def test_what_does_not_fit_into_memory_is_refused_with_a_remedy(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = place(store, tmp_path)
    demands = memory_demands(here, planned(here)[1])
    assert {each.label for each in demands} == {
        "videomae pre-training", "video encoder", "sensors encoder", "encoders of sensors", "videomae on video",
    }  # fmt: skip
    assert [each.needed for each in demands] == sorted((each.needed for each in demands), reverse=True)
    assert all(each.needed > 0 for each in demands)
    require_memory(here, demands)
    for label, remedy in (
        ("videomae pre-training", r"Set pretraining\.batch below 16 clips\.$"),
        ("video encoder", r"Set warm_start\.micro_batch below 20 clips: the gradients stay the same"),
        ("videomae on video", r"Set end_to_end\.micro_batch below 20 clips: the gradients stay the same"),
    ):
        (demand,) = [each for each in demands if each.label == label]
        monkeypatch.setattr(estimate_module, "free_bytes", lambda device, needed=demand.needed: needed)
        with pytest.raises(HarnessError, match=rf"{label}: a training step needs about .* GB.*{remedy}"):
            require_memory(here, [demand])
        monkeypatch.setattr(estimate_module, "free_bytes", lambda device: None)
        require_memory(here, [demand])  # a device that does not say


def test_smaller_micro_batches_need_less_memory(store: Store, tmp_path: Path) -> None:
    def needed(micro_batch: int) -> int:
        budget = toy_settings().end_to_end.model_dump() | {"micro_batch": micro_batch}
        here = place(store, tmp_path, rows=[END_TO_END], end_to_end=budget)
        return {each.label: each.needed for each in memory_demands(here, planned(here)[1])}["encoders of sensors"]

    assert needed(5) < needed(10) < needed(0) == needed(20)


PLUGIN = """
from mmact_oneshot.harness.api import Clips, Features, FewShotMethod, Needs
from torch import Tensor, nn
import torch

class ReadsValues(FewShotMethod):
    needs = Needs(outputs=(), modalities=("sensors",))
    def __init__(self, setup) -> None:
        super().__init__(setup)
        self.scale = nn.Parameter(torch.ones(()))
    def encode(self, clips: Clips) -> Features:
        assert clips.video is None, "it is none of the row's modalities"
        assert bool(clips.present["sensors"].any()), "reads a value"
        return {"vector": torch.stack(list(clips.sensors.values()), dim=1).flatten(1) * self.scale}
    def score(self, support: Features, query: Features) -> Tensor:
        return -torch.cdist(query["vector"], support["vector"].mean(dim=2))
"""


def test_a_plugin_that_reads_values_is_not_stopped_by_the_check_of_memory(store: Store, tmp_path: Path) -> None:
    plugin = tmp_path / "reads_values.py"
    plugin.write_text(PLUGIN)
    here = place(store, tmp_path / "out", rows=[{"method": str(plugin), "modalities": ["sensors"]}])
    demands = memory_demands(here, planned(here)[1])
    assert [each.needed for each in demands] == [0], "unknown: nothing is refused"
    require_memory(here, demands)
    run(here)
    assert len(RecordFolder(tmp_path / "out" / "records").all(TrainingRecord)) == 1
