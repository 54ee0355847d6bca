"""Published recipes: every row with settings of its own, from encoders of its own."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
import torch

from harness.benchmark.cost.estimate import estimate
from harness.benchmark.run import Benchmark
from harness.data.store import Store
from harness.encoders.frames import timm_network
from harness.records import EvaluationRecord, RecordFolder, TrainingRecord
from harness.report import read_report
from harness.report.markdown import markdown
from harness.runtime.errors import HarnessError
from harness.runtime.progress import Silent
from tests.benchmark.test_run import lasting
from tests.helpers.toys import CPU, toy_store, toy_task
from tests.training.test_rate_search import Listener

NETWORK = {"channels": [8, 8, 16, 16], "stem_width": 8}
SMALL = {"steps": 4, "looks": 2, "episodes_per_step": 1, "queries": 1}
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
    pretrained = {"weights": str(weights), "norm": "frozen-batch"}
    row = {"method": "protonet", "modalities": ["video"]}
    return [
        {**row, "regime": "tuned", "changes": {"input": {"frames": 4, "size": 14}, "tuning": SGD}},
        {**row, "regime": "tuned", "changes": {"video_encoder": pretrained, "tuning": SMALL}},
        {**row, "regime": "frozen", "changes": {"video_encoder": pretrained, "training": SMALL}},
        {**row, "regime": "frozen", "changes": {"initialisation": "shared", "encoder_training": SMALL}},
    ]


def benchmark(store: Store, out: Path, weights: Path, watcher: Silent | None = None, **changes: Any) -> Benchmark:
    settings = {"recipe": "published", "initialisation": "fresh", "rows": rows(weights), **changes}
    return Benchmark(toy_task(store, **settings), out, CPU, watcher)


@pytest.fixture(scope="module")
def done(store: Store, weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("published")
    listener = Listener()
    benchmark(store, out, weights, listener).run()
    trained = [title for title in listener.titles if "encoder" in title]
    assert trained == ["shared video encoder, seed 0"], "for the one row that asks for it"
    return out


def by_row(out: Path) -> list[TrainingRecord]:
    """In the order of ``rows``."""
    records = RecordFolder(out / "records").all(TrainingRecord)
    tuned = sorted((r for r in records if r.regime == "tuned"), key=lambda r: len(r.external_data))
    frozen = sorted((r for r in records if r.regime == "frozen"), key=lambda r: -len(r.external_data))
    return [*tuned, *frozen]


def test_every_row_has_its_own_settings_in_its_record_and_its_digest(done: Path) -> None:
    records = by_row(done)
    assert [record.settings["input"]["frames"] for record in records] == [4, 2, 2, 2]
    assert [record.training_protocol["input"]["size"] for record in records] == [14, 12, 12, 12]
    assert [record.training_protocol["training"]["optimiser"] for record in records] == ["sgd", *["adamw"] * 3]
    assert [record.learning_rate for record in records] == [0.01, 1e-3, 1e-3, 1e-3]
    assert [[step for step, _ in record.selection] for record in records] == [[2, 4], [2, 4], [2, 4], [2, 4, 6]]
    assert len({record.training_digest for record in records}) == 4
    assert {record.recipe for record in records} == {"published"}


def test_rows_are_tested_on_the_same_episodes(done: Path) -> None:
    assert len({record.evaluation_digest for record in RecordFolder(done / "records").all(EvaluationRecord)}) == 1


def test_fresh_encoders_are_trained_by_nobody_but_the_row(done: Path) -> None:
    for record in by_row(done)[:3]:
        note = record.encoders["video"]
        assert note["initial_state"] == note["state"]
        assert note["objective"] is None
    note = by_row(done)[3].encoders["video"]
    assert note["initial_state"] != note["state"]


def test_weights_are_named_with_their_digest_and_without_their_folder(done: Path, weights: Path) -> None:
    sha = hashlib.sha256(weights.read_bytes()).hexdigest()
    records = by_row(done)
    assert [record.external_data for record in records] == [
        (), (f"resnet 10t.pth sha256:{sha}",), (f"resnet 10t.pth sha256:{sha}",), (),
    ]  # fmt: skip
    assert records[1].training_protocol["encoders"]["video"]["weights"] == sha
    for path in (done / "records").rglob("*.json"):
        assert str(weights.parent) not in path.read_text()


def test_weights_in_another_folder_are_the_same_row(done: Path, store: Store, weights: Path, tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere" / weights.name
    copy.parent.mkdir()
    copy.write_bytes(weights.read_bytes())
    moved = benchmark(store, done, copy)
    assert [moved.todo(job) for job in moved.jobs] == [()] * 4
    copy.write_bytes(weights.read_bytes() + b" ")
    changed = benchmark(store, done, copy)
    assert [bool(changed.todo(job)) for job in changed.jobs] == [False, True, True, False]


def test_a_row_alone_gives_what_it_gives_in_the_table(done: Path, store: Store, weights: Path, tmp_path: Path) -> None:
    for place, row in enumerate(rows(weights)):
        out = tmp_path / str(place)
        benchmark(store, out, weights, rows=[row]).run()
        assert lasting(out).items() <= lasting(done).items()


def test_an_encoder_is_not_frozen_in_a_random_state(store: Store, weights: Path, tmp_path: Path) -> None:
    row = {"method": "protonet", "modalities": ["video"], "regime": "frozen"}
    with pytest.raises(HarnessError, match=r"row protonet: the video encoder would be frozen .* initial state.*tuned"):
        benchmark(store, tmp_path, weights, rows=[row])
    controls = [{"method": "random", "modalities": ["video"]}]
    assert benchmark(store, tmp_path, weights, rows=controls).jobs, "which use no encoder"


def test_costs_are_estimated_row_by_row(store: Store, weights: Path, tmp_path: Path) -> None:
    task = toy_task(store)
    cost = estimate(benchmark(store, tmp_path, weights))
    validation, novel = (len(task.role_rows(role)) for role in ("validation", "novel"))
    tuned, per_step = 2, 5 * (1 + 1)
    trained = tuned * 4 * per_step + 4 * per_step  # two rows, and one shared encoder
    looks = tuned * 2 * validation + 2 * validation
    frozen = 2 * len(task.clips)  # two encoders see every clip once
    assert cost.clips == trained + looks + tuned * novel + frozen
    assert cost.rates.count("resnet10t") == 3, "measured for each network and input"


def test_the_report_shows_them_unranked_with_their_external_data(done: Path) -> None:
    report = read_report(done)
    (section,) = report.suites[0].sections
    assert section.heading == "Published recipes: each method as its paper trains it"
    assert all(row.rank is None for row in section.rows)
    text = markdown(report)
    assert "resnet 10t.pth" in text
    assert "| `training.optimiser`" in text
