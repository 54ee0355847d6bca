"""One record that was edited by hand, cut off or is of another version: it is named with the field."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmact_oneshot.harness.records import EvaluationRecord, RecordFolder, TrainingRecord, read_record
from mmact_oneshot.harness.runtime.errors import HarnessError
from tests.records.test_records import evaluation, training

LABEL = np.random.default_rng(0).integers(0, 5, (20, 5)).astype(np.int8)


@pytest.fixture
def predictions() -> tuple[np.ndarray, np.ndarray]:
    return LABEL, LABEL


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content.pop("seed"), "seed: Field required"),
        (lambda content: content.pop("pretraining"), "pretraining: Field required"),
        (lambda content: content.pop("schema_version"), "schema_version: Field required"),
        (lambda content: content.pop("kind"), "kind: Field required"),
        (lambda content: content.update(seed="first"), "seed: .*integer"),
        (lambda content: content.update(seed="0"), "seed: .*integer"),
        (lambda content: content.update(seed=0.0), "seed: .*integer"),
        (lambda content: content.update(transductive=0), "transductive: .*boolean"),
        (lambda content: content.update(learning_rate=float("nan")), "learning_rate: not a finite number"),
        (
            lambda content: content["volatile"].update(seconds=[1.0, float("inf")]),
            r"volatile\.seconds\.1: not a finite",
        ),
        (lambda content: content.update(sede=1), "sede: Extra inputs"),
        (lambda content: content.update(schema_version="two"), "schema_version: "),
        (lambda content: content.update(schema_version=True), "schema_version: Input should be 6"),
        (lambda content: content.update(kind="evaluation"), "kind: "),
        (lambda content: content.update(training="warm"), "training: .*'frozen'"),
        (lambda content: content["parameters"].update(total="many"), r"parameters\.total: "),
        (lambda content: content["validations"].append([1]), r"validations\.2"),
        (lambda content: content["data"].pop("layout"), r"data\.layout: Field required"),
        (lambda content: content["data"].update(mood="good"), r"data\.mood: Extra inputs"),
        (lambda content: content["encoders"]["video"].update(validations=[5]), r"encoders\.video\.validations\.0: "),
        (lambda content: content["provenance"].update(hardware=None), r"provenance\.hardware: "),
        (lambda content: content["volatile"].update(encoders=[]), r"volatile\.encoders: "),
        (lambda content: content.update(id="protonet-video-s1"), r"id: it is 'protonet-video-s1', but the file"),
    ],
)
def test_a_record_edited_by_hand_is_named_with_its_field(tmp_path: Path, change: Any, message: str) -> None:
    path = RecordFolder(tmp_path).write(training())
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    with pytest.raises(HarnessError, match=message) as refusal:
        read_record(path, TrainingRecord)
    assert str(path) in str(refusal.value)
    assert refusal.value.remedy == "Delete the record and start `oneshot run` again."


@pytest.mark.parametrize(("version", "age"), [(5, "an older"), (7, "a newer")])
def test_a_record_of_another_version_says_so(tmp_path: Path, version: int, age: str) -> None:
    path = RecordFolder(tmp_path).write(training())
    content = json.loads(path.read_text()) | {"schema_version": version}
    del content["learning_rate"]
    path.write_text(json.dumps(content))
    with pytest.raises(HarnessError, match=f"schema_version: {version}, written by {age} version") as refusal:
        read_record(path, TrainingRecord)
    assert str(path) in str(refusal.value)
    assert "Delete the record and run its row again" in refusal.value.remedy


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"per_class": [0.3]}, "per_class: not of the size of the 2 classes"),
        ({"per_class": [0.3, 0.5]}, r"per_class\.1: it says 0\.5, but confusion gives None"),
        ({"per_class": [-0.3, None]}, r"per_class\.0: .*greater than or equal to 0"),
        ({"confusion": [[3, 7]]}, "confusion: not of the size of the 2 classes"),
        ({"confusion": [[3, 7], [0]]}, "confusion: not of the size of the 2 classes"),
        ({"confusion": [[3, 6], [0, 0]]}, r"per_class\.0: it says 0\.3, but confusion gives 0\.33"),
        ({"confusion": [[3, -7], [0, 0]]}, r"confusion\.0\.1: "),
        ({"scored": 21}, "scored: 21 of 20 episodes"),
        ({"accuracy": 30}, "accuracy: .*less than or equal to 1"),
        ({"accuracy": -0.01}, "accuracy: .*greater than or equal to 0"),
        ({"interval": [0.28, 0.32]}, "interval: Extra inputs"),
        ({"predictions": "../../other.npz"}, "predictions: "),
        ({"ablations": [{"without": "video", "episodes": 5, "accuracy": 2, "complete": 0.3}]}, r"ablations\.0\.acc"),
        ({"operations": {"clip": 1.5, "episode": 2}}, r"operations\.clip: "),
        ({"calibration": {"queries": [], "confidence": [], "correct": []}}, r"calibration\.queries: "),
    ],
)
def test_figures_that_cannot_be_are_refused(
    tmp_path: Path, predictions: tuple[np.ndarray, np.ndarray], change: dict[str, Any], message: str
) -> None:
    folder = RecordFolder(tmp_path)
    path = folder.path(EvaluationRecord, evaluation(folder, *predictions).id)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(HarnessError, match=message) as refusal:
        read_record(path, EvaluationRecord)
    assert str(path) in str(refusal.value)


@pytest.mark.parametrize("name", ["calibration", "ablations", "operations", "external"])
def test_a_field_that_may_be_empty_must_be_there(
    tmp_path: Path, predictions: tuple[np.ndarray, np.ndarray], name: str
) -> None:
    folder = RecordFolder(tmp_path)
    path = folder.path(EvaluationRecord, evaluation(folder, *predictions).id)
    content = json.loads(path.read_text())
    del content[name]
    path.write_text(json.dumps(content))
    with pytest.raises(HarnessError, match=f"{name}: Field required"):
        read_record(path, EvaluationRecord)


@pytest.mark.parametrize("content", [b"", b'{"id": "x"', b"\xff\xfe", b"[]", b"null", b"[" * 100_000])
def test_a_broken_record_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.json"
    path.write_bytes(content)
    with pytest.raises(HarnessError, match="Delete the record") as refusal:
        read_record(path, TrainingRecord)
    assert str(path) in str(refusal.value)


def test_a_record_that_is_not_there_or_not_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "folder.json").mkdir()
    for name in ("nowhere.json", "folder.json"):
        with pytest.raises(HarnessError, match="cannot be read") as refusal:
            read_record(tmp_path / name, TrainingRecord)
        assert name in str(refusal.value)


def test_every_cut_of_a_record_is_refused(tmp_path: Path) -> None:
    path = RecordFolder(tmp_path).write(training())
    whole = path.read_bytes()
    for length in range(0, len(whole) - 2, 7):
        path.write_bytes(whole[:length])
        with pytest.raises(HarnessError, match="Delete the record"):
            read_record(path, TrainingRecord)
