"""The steps of a plan: what a step needs comes before it, what rows share is done once, what is done is left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from mmact_oneshot.harness.benchmark.run import run_plan
from mmact_oneshot.harness.benchmark.step_runner import StepRunner
from mmact_oneshot.harness.benchmark.steps import PretrainingStep, RowStep, SearchStep, Step, WarmStartStep
from mmact_oneshot.harness.data.store import Store
from mmact_oneshot.harness.encoders.build import state_digest
from mmact_oneshot.harness.records import RecordFolder, SkippedRecord, TrainingRecord
from mmact_oneshot.harness.runtime.errors import DivergedError
from mmact_oneshot.harness.training.warm_start import EncoderKey, warm_started_encoder
from mmact_oneshot.harness.training.workspace import Workspace
from tests.helpers.toy_runs import Titles, planned, run, task_with, workspace
from tests.helpers.toys import toy_settings, toy_store

BOTH = ["video", "sensors"]
ROWS: list[dict[str, Any]] = [
    {"method": "protonet", "modalities": BOTH},
    {"method": "trx", "modalities": ["sensors"]},
    {"method": "protonet", "modalities": ["video"], "encoder": "transformer", "initialisation": "videomae"},
    {"method": "videomae", "modalities": ["video"], "training": "end_to_end"},
    {"method": "random", "modalities": BOTH},
    {"method": "sensor_nn", "modalities": ["video"]},
]
SEARCHED = toy_settings().frozen.model_dump() | {"search": [0.003, 0.02]}


@pytest.fixture(scope="module")
def store() -> Store:
    return toy_store()


def place(store: Store, out: Path, **changes: Any) -> Workspace:
    rows = changes.pop("rows", ROWS)
    return workspace(out, task_with(rows, store, **{"frozen": SEARCHED, **changes}))


def kinds(steps: list[Step]) -> list[str]:
    return [step.id.split("/")[0] for step in steps]


def test_the_steps_of_a_run_in_their_order(store: Store, tmp_path: Path) -> None:
    _, steps = planned(place(store, tmp_path))
    assert kinds(steps) == [
        "warm-start", "warm-start", "search", "row",  # protonet on video and sensors
        "search", "row",  # TRX, on the same encoder of sensors
        "pretraining", "warm-start", "search", "row",  # protonet on a pre-trained transformer
        "row",  # VideoMAE, from the same pre-training
        "row", "row",  # the controls
    ]  # fmt: skip
    assert [step.job.label for step in steps if isinstance(step, RowStep)] == [row["method"] for row in ROWS]
    assert [step.key.modality for step in steps if isinstance(step, WarmStartStep)] == ["video", "sensors", "video"]


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [[0], [3, 0, 5]])
def test_what_a_step_needs_comes_before_it(store: Store, tmp_path: Path, seeds: list[int]) -> None:
    _, steps = planned(place(store, tmp_path, seeds=seeds, suites=["test", "test-paper"]))
    ids = [step.id for step in steps]
    assert len(set(ids)) == len(ids), "each step once"
    for number, step in enumerate(steps):
        assert set(step.needs) <= set(ids[:number])
    needed = {need for step in steps for need in step.needs}
    assert {step.id for step in steps if not isinstance(step, RowStep)} <= needed, "no step is done for nothing"


def test_rows_name_all_that_they_begin_from(store: Store, tmp_path: Path) -> None:
    _, steps = planned(place(store, tmp_path))
    needs = {(s.job.label, s.job.row.modality_label): [n.split("/")[0] for n in s.needs] for s in steps
             if isinstance(s, RowStep)}  # fmt: skip
    assert needs == {
        ("protonet", "both"): ["warm-start", "warm-start", "search"],
        ("trx", "sensors"): ["warm-start", "search"],
        ("protonet", "video"): ["pretraining", "warm-start", "search"],
        ("videomae", "video"): ["pretraining"],
        ("random", "both"): [],
        ("sensor_nn", "video"): [],
    }
    (warm,) = (step for step in steps if isinstance(step, WarmStartStep) and step.needs)
    (pretraining,) = (step for step in steps if isinstance(step, PretrainingStep))
    assert warm.needs == (pretraining.id,)


def test_a_search_needs_the_encoders_of_its_own_seed(store: Store, tmp_path: Path) -> None:
    _, steps = planned(place(store, tmp_path, rows=ROWS[:1], seeds=[4]))
    (search,) = (step for step in steps if isinstance(step, SearchStep))
    warm = {step.id: step.key.seed for step in steps if isinstance(step, WarmStartStep)}
    assert sorted(warm.values()) == [0, 0, 4, 4]
    assert {warm[need] for need in search.needs} == {0, 4}


def test_a_warm_start_is_shared_by_all_heads_and_done_once(store: Store, tmp_path: Path) -> None:
    rows = [{"method": name, "modalities": ["sensors"], "training": training}
            for name in ("protonet", "linear_probe", "trx") for training in ("frozen", "end_to_end")]  # fmt: skip
    _, steps = planned(place(store, tmp_path, rows=rows, frozen=toy_settings().frozen))
    assert kinds(steps) == ["warm-start", *["row"] * 6]
    assert {step.needs for step in steps[1:]} == {(steps[0].id,)}


def test_every_head_gets_a_copy_of_its_own_of_a_warm_started_encoder(store: Store, tmp_path: Path) -> None:
    here = place(store, tmp_path, rows=[{"method": "protonet", "modalities": ["sensors"]}])
    run(here)
    _, steps = planned(place(store, tmp_path / "empty", rows=[{"method": "protonet", "modalities": ["sensors"]}]))
    (key,) = (step.key for step in steps if isinstance(step, WarmStartStep) and step.key.seed == 0)
    first, notes = warm_started_encoder(here, key)
    assert state_digest(first) == notes["state"]
    with torch.no_grad():
        for value in first.parameters():
            value.zero_()
    second, again = warm_started_encoder(here, key)
    assert state_digest(second) == again["state"] == notes["state"], "a head that trains its copy leaves the others'"


@pytest.mark.slow
def test_nothing_is_pending_after_a_complete_run_and_a_part_of_it_is_found(store: Store, tmp_path: Path) -> None:
    here = place(store, tmp_path)
    run(here)
    assert planned(here)[1] == []
    assert planned(place(store, tmp_path, rows=ROWS[2:4]))[1] == []
    _, more = planned(place(store, tmp_path, suites=["test", "test-5shot"]))
    assert kinds(more) == ["row"] * 5, "the trainings are there; the skipped row stays skipped"
    assert {step.suites for step in more if isinstance(step, RowStep)} == {("test-5shot",)}
    _, ablated = planned(place(store, tmp_path, ablate="modalities", ablation_episodes=7))
    assert ablated == [], "fewer ablations are there already"
    checkpoint = next((tmp_path / "encoders").glob("sensors-*.safetensors"))
    checkpoint.unlink()
    assert planned(here)[1] == [], "what nothing needs any more is not made again"
    RecordFolder(tmp_path / "records").path(TrainingRecord, planned(here)[0].jobs[1].id).unlink()
    _, steps = planned(here)
    assert kinds(steps) == ["warm-start", "row"]
    titles = Titles()
    run(workspace(tmp_path, here.task, titles))
    assert [title for title in titles.titles if "warm start" in title] == ["warm start of the sensors encoder, seed 0"]
    assert planned(here)[1] == []


def test_a_step_that_fails_is_the_reason_of_all_rows_that_need_it(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def diverging(workspace: Workspace, key: EncoderKey) -> None:
        raise DivergedError(f"the {key.modality} encoder diverged.")

    monkeypatch.setattr("mmact_oneshot.harness.benchmark.step_runner.run_warm_start", diverging)
    here = place(store, tmp_path, rows=[*ROWS[:2], ROWS[4]])
    plan, steps = planned(here)
    run_plan(here, plan, steps)
    folder = RecordFolder(tmp_path / "records")
    reasons = {record.method: record.reason for record in folder.all(SkippedRecord)}
    assert reasons == {
        "protonet": "the video encoder diverged.", "trx": "the sensors encoder diverged.",
    }  # fmt: skip
    assert [record.method for record in folder.all(TrainingRecord)] == ["random"], "the others go on"
    assert planned(here)[1] == [], "what is recorded with a reason is not tried again by itself"


def test_a_row_makes_what_was_set_aside_meanwhile_and_a_reason_there_is_its_own(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = place(store, tmp_path, rows=[ROWS[1]])
    plan, steps = planned(here)
    (row,) = (step for step in steps if isinstance(step, RowStep))
    assert StepRunner.of(here, plan).do(row) == ""
    assert planned(here)[1] == []

    def diverging(workspace: Workspace, key: EncoderKey) -> None:
        raise DivergedError("the encoder diverged.")

    monkeypatch.setattr("mmact_oneshot.harness.benchmark.step_runner.run_warm_start", diverging)
    there = place(store, tmp_path / "diverging", rows=[ROWS[1]])
    assert StepRunner.of(there, plan).do(row) == "the encoder diverged."
    (skipped,) = there.records.all(SkippedRecord)
    assert skipped.reason == "the encoder diverged."
