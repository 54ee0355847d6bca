"""The record of a study: its question, what may vary, its rows, and the trainings of all runs in a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mmact_oneshot.harness.benchmark.run import run_plan
from mmact_oneshot.harness.data.store import Store
from mmact_oneshot.harness.records import RecordFolder, StudyRecord, StudyRow
from mmact_oneshot.harness.training.workspace import Workspace
from tests.helpers.toy_runs import one, planned, study, workspace
from tests.helpers.toys import toy_store, toy_task

PROTONET = {"method": "protonet", "modalities": ["sensors"]}
RANDOM = {"method": "random", "modalities": ["sensors"]}
CHANGED = {**PROTONET, "settings": {"projection": 4}, "changes": {"frozen": {"steps": 4, "validations": 2}}}


@pytest.fixture(scope="module")
def store() -> Store:
    return toy_store()


def place(store: Store, out: Path, rows: list[dict[str, Any]], **changes: Any) -> Workspace:
    fields = {"question": "Which one?", "varies": ["recipe"], "reference": {"method": "protonet"}}
    return workspace(out, toy_task(store, studies=study(rows) | {"toy": study(rows)["toy"] | fields}, **changes))


def recorded(here: Workspace) -> StudyRecord:
    """Studies are recorded before the first step, so no step is needed."""
    run_plan(here, planned(here)[0], [])
    return one(here.folder, StudyRecord)


def test_a_study_is_recorded_with_its_rows_and_trainings(store: Store, tmp_path: Path) -> None:
    here = place(store, tmp_path, [PROTONET, CHANGED, RANDOM], seeds=[0, 1], suites=["test", "test-paper"])
    record, plan = recorded(here), planned(here)[0]
    assert (record.id, record.question, record.varies, record.reference, record.preset) == (
        "toy", "Which one?", ("recipe",), {"method": "protonet"}, "toy",
    )  # fmt: skip
    first, second, control = record.rows
    assert first == StudyRow(
        method="protonet", source="built-in", modalities=("sensors",), training="frozen", encoder="default",
        initialisation="scratch", settings={}, changes={}, trainings=tuple(job.id for job in plan.studies[0].jobs[0]),
    )  # fmt: skip
    assert len(first.trainings) == 4, "two seeds under two protocols"
    assert (second.settings, second.changes) == (CHANGED["settings"], CHANGED["changes"])
    assert (control.training, len(control.trainings)) == ("none", 2)


def test_it_is_there_before_anything_is_trained(store: Store, tmp_path: Path) -> None:
    recorded(place(store, tmp_path, [PROTONET]))
    assert {path.name for path in (tmp_path / "records").iterdir()} == {"study", "suite"}


def test_rows_and_seeds_of_earlier_runs_stay_in_it(store: Store, tmp_path: Path) -> None:
    whole = recorded(place(store, tmp_path, [PROTONET, RANDOM]))
    part = recorded(place(store, tmp_path, [CHANGED, PROTONET], seeds=[5]))
    assert [(row.method, bool(row.settings)) for row in part.rows] == [
        ("protonet", True), ("protonet", False), ("random", False),
    ]  # fmt: skip
    assert {training.split("-")[-2] for training in part.rows[1].trainings} == {"s0", "s5"}
    assert set(whole.rows[0].trainings) < set(part.rows[1].trainings)
    assert part.rows[2] == whole.rows[1]
    again = recorded(place(store, tmp_path, [CHANGED, PROTONET], seeds=[5]))
    assert again == part, "the same run changes nothing"


def test_a_row_of_several_settings_stays_one_when_the_run_goes_on(store: Store, tmp_path: Path) -> None:
    rows = [{**PROTONET, "settings": {"projection": 4, "global_loss": 0.5}}]  # records have them in another order
    once = recorded(place(store, tmp_path, rows))
    assert recorded(place(store, tmp_path, rows)) == once
    assert len(once.rows) == 1


def test_every_study_of_a_plan_has_a_record(store: Store, tmp_path: Path) -> None:
    studies = study([PROTONET], "one") | study([RANDOM], "two")
    here = workspace(tmp_path, toy_task(store, studies=studies))
    plan, _ = planned(here)
    run_plan(here, plan, [])
    records = RecordFolder(tmp_path / "records").all(StudyRecord)
    assert [(record.id, [row.method for row in record.rows]) for record in records] == [
        ("one", ["protonet"]), ("two", ["random"]),
    ]  # fmt: skip


def test_a_method_on_the_methods_own_pretraining_names_it(store: Store, tmp_path: Path) -> None:
    record = recorded(place(store, tmp_path, [{"method": "videomae", "modalities": ["video"]}]))
    assert [(row.initialisation, row.training) for row in record.rows] == [("videomae", "frozen")]
