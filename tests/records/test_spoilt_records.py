"""A folder of records that was spoilt: the report names the file at fault, and a run mends what it can."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mmact_oneshot.harness.records import RecordFolder, SuiteRecord
from mmact_oneshot.harness.report import read_report
from mmact_oneshot.harness.runtime.errors import HarnessError
from tests.helpers import toy_runs
from tests.helpers.edited_records import edit


def run(out: Path) -> None:
    """Two controls on two suites."""
    rows = [
        {"method": "random", "modalities": ["video", "sensors"]},
        {"method": "sensor_nn", "modalities": ["sensors"]},
    ]
    task = toy_runs.task_with(rows, suites=["test", "test-cross-subject"])
    toy_runs.run(toy_runs.workspace(out, task))


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("recorded")
    run(out)
    return out / "records"


@pytest.fixture
def folder(recorded: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    return Path(shutil.copytree(recorded, tmp_path / "records"))


def one(folder: Path, pattern: str) -> Path:
    return sorted(folder.glob(pattern))[0]


def swap_predictions(folder: Path) -> Path:
    """The files of two evaluations change places."""
    files = [one(folder, f"predictions/{name}*.test-????????.npz") for name in ("random", "sensor_nn")]
    contents = [file.read_bytes() for file in files]
    for file, content in zip(files, reversed(contents), strict=True):
        file.write_bytes(content)
    return files[0]


def take_predictions(folder: Path) -> Path:
    """A record names the predictions of another."""
    records = [one(folder, f"evaluation/{name}*.test-????????.json") for name in ("random", "sensor_nn")]
    other = json.loads(records[1].read_text())
    edit(records[0], predictions=other["predictions"], predictions_digest=other["predictions_digest"])
    return records[0]


def garble_predictions(folder: Path) -> Path:
    """Not arrays at all, under the digest of what they are."""
    file = one(folder, "predictions/random*.test-????????.npz")
    file.write_bytes(b"PK no archive")
    digest = hashlib.sha256(b"PK no archive").hexdigest()
    edit(one(folder, "evaluation/random*.test-????????.json"), predictions_digest=digest)
    return file


def cut_predictions(folder: Path) -> Path:
    file = one(folder, "predictions/random*.test-????????.npz")
    file.write_bytes(file.read_bytes()[:-20])
    return file


def change_episodes(folder: Path) -> Path:
    records = RecordFolder(folder)
    record = records.all(SuiteRecord)[0]
    found = records.read_episodes(record)
    found.support[0, 0] += 1
    records.write_episodes(record.id, found)
    return one(folder, "suite/*.npz")


def lose_episodes(folder: Path) -> Path:
    file = one(folder, "suite/*.npz")
    file.unlink()
    return file


def lose_an_array(folder: Path) -> Path:
    file, record = one(folder, "suite/*.npz"), one(folder, "suite/*.json")
    with np.load(file) as arrays:
        kept = {name: arrays[name] for name in arrays.files if name != "subject"}
    np.savez_compressed(file, **kept)
    edit(record, episodes_digest=hashlib.sha256(file.read_bytes()).hexdigest())
    return file


def lose_a_name(folder: Path) -> Path:
    path = one(folder, "suite/*.json")
    edit(path, subjects=["1", "2"])
    return path


def lose_a_stream(folder: Path) -> Path:
    path = one(folder, "suite/*.json")
    edit(path, streams=["video"])
    return path


def copy_suite(folder: Path) -> Path:
    """Two records of the same episodes."""
    path = one(folder, "suite/*.json")
    return Path(shutil.copy(path, path.with_name("copy.json")))


def copy_suite_with_id(folder: Path) -> Path:
    path = copy_suite(folder)
    edit(path, id="copy")
    return path


def copy_evaluation(folder: Path) -> Path:
    path = one(folder, "evaluation/random*.test-????????.json")
    return Path(shutil.copy(path, path.with_name("copy.json")))


def raise_accuracy(folder: Path) -> Path:
    path = one(folder, "evaluation/random*.test-????????.json")
    edit(path, accuracy=0.99)
    return path


def lose_training(folder: Path) -> Path:
    one(folder, "training/random*.json").unlink()
    return one(folder, "evaluation/random*.json")


def lose_a_suite(folder: Path) -> Path:
    one(folder, "suite/test-cross-subject-*.json").unlink()
    return one(folder, "evaluation/random*.test-cross-subject-????????.json")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (swap_predictions, "predictions do not match their record"),
        (take_predictions, "accuracy: the record says"),
        (garble_predictions, "predictions are not an archive of arrays"),
        (cut_predictions, "predictions do not match their record"),
        (change_episodes, "episodes do not match their record"),
        (lose_episodes, "episodes are missing"),
        (lose_an_array, "no array 'subject'"),
        (lose_a_name, "subjects: 2 names for 3"),
        (lose_a_stream, "streams: 1 names for 3"),
        (copy_suite, "id: it is 'test-"),
        (copy_suite_with_id, "id: 'copy' is not made of suite and evaluation_digest"),
        (copy_evaluation, "id: it is 'random-"),
        (raise_accuracy, "accuracy: the record says 0.99, its predictions give"),
        (lose_training, "training: no training record 'random-"),
        (lose_a_suite, "evaluation_digest: no suite record"),
    ],
)
def test_a_report_names_the_file_and_the_fault(folder: Path, spoil: Callable[[Path], Path], message: str) -> None:
    path = spoil(folder)
    with pytest.raises(HarnessError) as refusal:
        read_report(folder)
    assert message in str(refusal.value)
    assert str(path) in str(refusal.value)
    assert refusal.value.remedy


def test_what_is_no_record_is_left_alone(folder: Path) -> None:
    for name in ("evaluation/random.tmp", "suite/test.tmp", "predictions/x.tmp", "evaluation/notes.txt"):
        (folder / name).write_bytes(b"{")
    assert len(read_report(folder).suites) == 2


@pytest.mark.parametrize("spoil", [swap_predictions, cut_predictions, lose_training])
def test_a_run_mends_what_it_can_score_again(recorded: Path, tmp_path: Path, spoil: Callable[[Path], Path]) -> None:
    out = tmp_path / "run"
    folder = Path(shutil.copytree(recorded, out / "records"))
    spoil(folder)
    run(out)
    assert len(read_report(out).suites) == 2
    for path in recorded.glob("predictions/*.npz"):
        assert (folder / "predictions" / path.name).read_bytes() == path.read_bytes()


def test_a_deleted_record_of_a_suite_is_written_anew_by_a_run_with_nothing_else_to_do(
    recorded: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    folder = Path(shutil.copytree(recorded, out / "records"))
    lose_episodes(folder)
    one(folder, "suite/*.json").unlink()
    accesses = RecordFolder(folder).test_accesses.read()
    run(out)
    assert RecordFolder(folder).test_accesses.read() == accesses, "nothing was scored again"
    for path in recorded.glob("suite/*"):
        assert (folder / "suite" / path.name).read_bytes() == path.read_bytes()
