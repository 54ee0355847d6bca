"""Rows with settings of their own, as the study ``published`` has them: each from encoders of its own."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
import torch

from mmact_oneshot.harness.benchmark.cost.estimate import estimate_cost
from mmact_oneshot.harness.benchmark.steps import unscored_suites
from mmact_oneshot.harness.data.store import Store
from mmact_oneshot.harness.encoders.frames import timm_network
from mmact_oneshot.harness.records import EvaluationRecord, RecordFolder, TrainingRecord
from mmact_oneshot.harness.report import write_report
from mmact_oneshot.harness.runtime.progress import Watcher
from mmact_oneshot.harness.training.workspace import Workspace
from tests.helpers.toy_runs import Titles, lasting, planned, run, task_with, workspace
from tests.helpers.toys import toy_store

pytestmark = pytest.mark.slow  # networks with released weights are trained

NETWORK = {"channels": [8, 8, 16, 16], "stem_width": 8}
SMALL = {"steps": 4, "validations": 2, "episodes_per_step": 1, "queries": 1}
SGD = {**SMALL, "optimiser": "sgd", "momentum": 0.9, "schedule": "constant", "learning_rate": 0.01}


@pytest.fixture(scope="module")
def store() -> Store:
    return toy_store()


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of weights as they are released."""
    path = tmp_path_factory.mktemp("weights") / "resnet 10t.pth"
    torch.manual_seed(5)
    torch.save(timm_network("resnet10t", NETWORK).state_dict(), path)
    return path


def rows(weights: Path) -> list[dict[str, Any]]:
    released = {"weights": str(weights), "norm": "frozen-batch"}
    row = {"method": "protonet", "modalities": ["video"]}
    warm = {"warm_start": {**SMALL, "objective": "prototype"}}
    return [
        {**row, "training": "end_to_end", "changes": {"input": {"frames": 4, "size": 14}, "end_to_end": SGD}},
        {**row, "training": "end_to_end", "changes": {"video_encoder": released, "end_to_end": SMALL}},
        {**row, "training": "frozen", "changes": {"video_encoder": released, "frozen": SMALL}},
        {**row, "training": "frozen", "changes": warm},
    ]


def place(store: Store, out: Path, weights: Path, watcher: Watcher | None = None, only: int | None = None) -> Workspace:
    chosen = rows(weights) if only is None else [rows(weights)[only]]
    return workspace(out, task_with(chosen, store, warm_start={"objective": "none"}), watcher)


@pytest.fixture(scope="module")
def done(store: Store, weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("published")
    titles = Titles()
    run(place(store, out, weights, titles))
    trained = [title for title in titles.titles if "warm start" in title]
    assert trained == ["warm start of the video encoder, seed 0"], "for the one row that asks for it"
    return out


def by_row(out: Path) -> list[TrainingRecord]:
    """In the order of ``rows``."""
    records = RecordFolder(out / "records").all(TrainingRecord)
    end_to_end = sorted((r for r in records if r.training == "end_to_end"), key=lambda r: len(r.external_data))
    frozen = sorted((r for r in records if r.training == "frozen"), key=lambda r: -len(r.external_data))
    return [*end_to_end, *frozen]


def test_every_row_has_its_own_settings_in_its_record_and_its_conditions(done: Path, weights: Path) -> None:
    records = by_row(done)
    assert [record.settings["input"]["frames"] for record in records] == [4, 2, 2, 2]
    assert [record.conditions["input"]["size"] for record in records] == [14, 12, 12, 12]
    assert [record.conditions["budget"]["optimiser"] for record in records] == ["sgd", *["adamw"] * 3]
    assert [record.learning_rate for record in records] == [0.01, 1e-3, 1e-3, 1e-3]
    assert [[step for step, _ in record.validations] for record in records] == [[2, 4], [2, 4], [2, 4], [2, 4, 6]]
    assert len({record.conditions_digest for record in records}) == 4
    assert [sorted(record.changes) for record in records] == [sorted(row["changes"]) for row in rows(weights)]


def test_rows_are_tested_on_the_same_episodes(done: Path) -> None:
    assert len({record.evaluation_digest for record in RecordFolder(done / "records").all(EvaluationRecord)}) == 1


def test_encoders_without_a_warm_start_are_trained_by_nobody_but_the_row(done: Path) -> None:
    for record in by_row(done)[:3]:
        note = record.encoders["video"]
        assert note["initial_state"] == note["state"]
        assert note["objective"] is None
        assert record.conditions["warm_start"] is None
    last = by_row(done)[3]
    assert last.encoders["video"]["initial_state"] != last.encoders["video"]["state"]
    assert last.conditions["warm_start"]["steps"] == SMALL["steps"]


def test_weights_are_named_with_their_digest_and_without_their_folder(done: Path, weights: Path) -> None:
    sha = hashlib.sha256(weights.read_bytes()).hexdigest()
    records = by_row(done)
    assert [record.external_data for record in records] == [
        (), (f"resnet 10t.pth sha256:{sha}",), (f"resnet 10t.pth sha256:{sha}",), (),
    ]  # fmt: skip
    assert records[1].conditions["encoders"]["video"]["weights"] == sha
    for path in (done / "records").rglob("*.json"):
        assert str(weights.parent) not in path.read_text(), path.name


def test_weights_in_another_folder_are_the_same_row(done: Path, store: Store, weights: Path, tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere" / weights.name
    copy.parent.mkdir()
    copy.write_bytes(weights.read_bytes())
    moved = place(store, done, copy)
    assert planned(moved)[1] == []
    copy.write_bytes(weights.read_bytes() + b" ")
    changed = place(store, done, copy)
    pending = [bool(unscored_suites(changed, job)) for job in planned(changed)[0].jobs]
    assert pending == [False, True, True, False]


def test_a_row_alone_gives_what_it_gives_among_others(done: Path, store: Store, weights: Path, tmp_path: Path) -> None:
    for number in range(len(rows(weights))):
        out = tmp_path / str(number)
        run(place(store, out, weights, only=number))
        assert lasting(out, studies=False).items() <= lasting(done).items()


def test_costs_are_estimated_row_by_row(store: Store, weights: Path, tmp_path: Path) -> None:
    here = place(store, tmp_path, weights)
    cost = estimate_cost(here, planned(here)[1])
    validation, novel = (len(here.task.role_rows(role)) for role in ("validation", "novel"))
    end_to_end, per_step = 2, 5 * (1 + 1)
    trained = end_to_end * 4 * per_step + 4 * per_step  # two rows, and one warm start
    validated = end_to_end * 2 * validation + 2 * validation
    frozen = 2 * len(here.task.clips)  # two encoders get every clip once
    assert cost.clips == trained + validated + end_to_end * novel + frozen
    assert all(rate > 0 for rate in cost.rates.values())
    assert set(cost.rates) == {"encoders of video", "video encoder"}


def test_the_report_ranks_no_row_of_it_and_names_the_weights(done: Path) -> None:
    report, _ = write_report(done)
    rows = [row for study in report.studies for results in study.suites for row in results.rows]
    assert len(rows) == 4
    assert [row.rank for row in rows] == [None] * 4
    assert "resnet 10t.pth" in (done / "report.md").read_text()
