"""Records: written whole or not at all, read with every field checked, predictions tied to their record."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmact_oneshot.harness.records import (
    EvaluationRecord,
    RecordFolder,
    SearchRecord,
    SkippedRecord,
    StudyRecord,
    StudyRow,
    TrainingRecord,
    Trial,
)
from mmact_oneshot.harness.runtime.errors import HarnessError

ORIGIN: dict[str, Any] = {
    "layout": "mmact",
    "digest": "d",
    "split": "mmact",
    "split_digest": "s",
    "generated": None,
    "streams": [],
    "clips_listed": 60,
    "clips_usable": 60,
    "performances_without_sensor": {"acc": 0},
    "problems": 0,
    "complete": True,
}


def training(**changes: Any) -> TrainingRecord:
    content: dict[str, Any] = {
        "id": "protonet-video-s0",
        "volatile": {"date": "2026-01-01"},
        "method": "protonet",
        "method_source": "built-in",
        "bibtex": "",
        "modalities": ("video",),
        "training": "frozen",
        "protocol": "headline",
        "transductive": False,
        "method_settings": {"projection": 0},
        "seed": 0,
        "preset": "toy",
        "settings": {"way": 5},
        "changes": {},
        "conditions_digest": "t",
        "conditions": {"data": "d"},
        "learning_rate": 1e-3,
        "search": "protonet-video",
        "tried": [(1e-3, 1 / 3), (1e-2, None)],
        "external_data": ("resnet.safetensors sha256:0",),
        "pretraining": None,
        "initialisation": "scratch",
        "encoder": "default",
        "data": ORIGIN,
        "parameters": {"total": 9, "trained": 3},
        "encoders": {"video": {"state": "s", "validations": [(5, 0.25)]}},
        "validations": [(5, 0.25), (10, 1 / 3)],
        "best_step": 10,
        "losses": [(5, {"loss cross_entropy": 1.5})],
        "provenance": {"versions": {}},
    }
    return TrainingRecord(**(content | changes))


def evaluation(folder: RecordFolder, predicted: np.ndarray, label: np.ndarray) -> EvaluationRecord:
    identity = "protonet-video-s0.test"
    file, digest = folder.write_predictions(identity, predicted, label)
    record = EvaluationRecord(
        id=identity,
        provenance={},
        volatile={},
        training="protonet-video-s0",
        suite="test",
        suite_digest="s",
        evaluation_digest="e",
        way=5,
        shot=1,
        episodes=len(predicted),
        scored=len(predicted),
        queries_per_episode=5,
        accuracy=0.3,
        classes=("a", "b"),
        per_class=(0.3, None),
        confusion=((3, 7), (0, 0)),
        predictions=file,
        predictions_digest=digest,
    )
    folder.write(record)
    return record


@pytest.fixture
def predictions() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    label = random.integers(0, 5, (20, 5)).astype(np.int8)
    predicted = random.integers(0, 5, (20, 5)).astype(np.int8)
    predicted[3] = -1
    return predicted, label


def test_every_kind_of_record_comes_back_as_it_was(tmp_path: Path, predictions: tuple[np.ndarray, np.ndarray]) -> None:
    folder = RecordFolder(tmp_path)
    first = training()
    skipped = SkippedRecord(
        id="sensor_nn-video",
        volatile={},
        method="sensor_nn",
        modalities=("video",),
        training="frozen",
        reason="no video",
    )
    row = StudyRow(
        method="protonet",
        source="built-in",
        modalities=("video",),
        training="frozen",
        encoder="default",
        initialisation="scratch",
        settings={"projection": 0},
        changes={"frozen": {"steps": 5}},
        trainings=(first.id,),
    )
    study = StudyRecord(
        id="methods", volatile={}, question="Which?", varies=("method",), reference={}, preset="toy", rows=(row,)
    )
    scored = evaluation(folder, *predictions)
    folder.write(first)
    folder.write(study)
    assert folder.read(StudyRecord, "methods") == study
    folder.write(skipped)
    folder.write(search(0.5, None))
    assert folder.read(SearchRecord, "protonet-video").model_dump() == search(0.5, None).model_dump()
    assert folder.read(SkippedRecord, skipped.id) == skipped
    assert folder.read(EvaluationRecord, scored.id) == scored
    again = folder.read(TrainingRecord, first.id)
    assert again.model_dump(mode="json") == first.model_dump(mode="json")
    assert again.validations[1] == (10, 1 / 3), "shares keep every bit"
    assert folder.has(TrainingRecord, first.id)
    assert not folder.has(EvaluationRecord, first.id)
    assert folder.all(TrainingRecord) == [again]


def test_writing_a_record_again_gives_the_same_bytes(tmp_path: Path) -> None:
    folder = RecordFolder(tmp_path)
    before = folder.write(training()).read_bytes()
    assert folder.write(folder.read(TrainingRecord, training().id)).read_bytes() == before


def test_predictions_come_back_with_their_labels(tmp_path: Path, predictions: tuple[np.ndarray, np.ndarray]) -> None:
    folder = RecordFolder(tmp_path)
    predicted, label = folder.read_predictions(evaluation(folder, *predictions))
    np.testing.assert_array_equal(predicted, predictions[0])
    np.testing.assert_array_equal(label, predictions[1])
    assert predicted.dtype == label.dtype == np.int8


def test_the_digest_of_equal_predictions_is_equal(tmp_path: Path, predictions: tuple[np.ndarray, np.ndarray]) -> None:
    """So that a record is reproducible bit for bit: nothing of the clock enters the file."""
    one = evaluation(RecordFolder(tmp_path / "one"), *predictions)
    two = evaluation(RecordFolder(tmp_path / "two"), *predictions)
    assert one.predictions_digest == two.predictions_digest


def test_changed_or_missing_predictions_are_refused(tmp_path: Path, predictions: tuple[np.ndarray, np.ndarray]) -> None:
    folder = RecordFolder(tmp_path)
    record = evaluation(folder, *predictions)
    folder.write_predictions(record.id, 1 - predictions[0], predictions[1])
    assert not folder.has_predictions(record)
    with pytest.raises(HarnessError, match="do not match their record"):
        folder.read_predictions(record)
    (tmp_path / "predictions" / record.predictions).unlink()
    with pytest.raises(HarnessError, match=r"predictions are missing.*oneshot run.*scores the suite anew"):
        folder.read_predictions(record)


def search(*accuracies: float | None) -> SearchRecord:
    trials = [
        Trial(learning_rate=10.0**-place, accuracy=accuracy, best_step=None, validations=[(5, 0.25)], failure=None)
        for place, accuracy in enumerate(accuracies)
    ]
    return SearchRecord(
        id="protonet-video",
        volatile={},
        method="protonet",
        method_source="built-in",
        modalities=("video",),
        training="frozen",
        method_settings={},
        seed=0,
        conditions_digest="t",
        candidates=(1.0, 0.1, 0.01),
        trials=trials,
        provenance={},
    )


def test_a_search_is_won_by_the_best_and_ties_by_the_earlier() -> None:
    def winner(*accuracies: float | None) -> float | None:
        best = search(*accuracies).best
        return None if best is None else best.learning_rate

    assert winner(0.2, 0.5, 0.4) == 0.1
    assert winner(0.5, 0.5, 0.4) == 1.0
    assert winner(None, 0.0, 0.0) == 0.1
    assert winner(None, None, None) is None
    assert winner() is None


def test_nothing_temporary_stays_and_a_failed_write_leaves_the_old_record(
    tmp_path: Path, predictions: tuple[np.ndarray, np.ndarray]
) -> None:
    folder = RecordFolder(tmp_path)
    evaluation(folder, *predictions)
    path = folder.write(training())
    before = path.read_bytes()
    with pytest.raises(ValueError, match="not JSON compliant"):
        folder.write(training(losses=[(5, {"loss": float("nan")})]))
    assert path.read_bytes() == before
    assert not list(tmp_path.rglob("*.tmp"))
