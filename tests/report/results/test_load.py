"""Records are joined and checked: what is damaged, missing or contradicted is one error with file and remedy."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmact_oneshot.harness.records import EvaluationRecord, RecordFolder, StudyRecord, SuiteRecord, TrainingRecord
from mmact_oneshot.harness.report import read_report, records_folder
from mmact_oneshot.harness.report.results.load import load
from mmact_oneshot.harness.runtime.errors import HarnessError
from tests.helpers.edited_records import edit
from tests.helpers.small_runs import (
    HALF,
    add,
    add_pretraining,
    add_seeds,
    add_skipped,
    add_suite,
    answers,
    evaluation_file,
    rewrite,
    row_of,
    study_suite,
)


def only(folder: Path, kind: str) -> Path:
    (path,) = (folder / kind).glob("*.json")
    return path


def refused(folder: Path, message: str) -> HarnessError:
    with pytest.raises(HarnessError, match=message) as caught:
        read_report(folder)
    assert caught.value.remedy, "what to do about it"
    return caught.value


def test_a_folder_without_records_names_what_makes_them(tmp_path: Path) -> None:
    assert "oneshot run" in str(refused(tmp_path, "no records here"))
    (tmp_path / "training").mkdir()
    assert "oneshot run" in str(refused(tmp_path, "nothing has been scored"))
    add_pretraining(tmp_path)
    refused(tmp_path, "nothing has been scored")


def test_a_run_folder_and_its_records_are_the_same(tmp_path: Path) -> None:
    add_seeds(tmp_path / "records", "half", HALF)
    assert records_folder(tmp_path) == records_folder(tmp_path / "records") == tmp_path / "records"
    assert len(read_report(tmp_path).suites) == len(read_report(tmp_path / "records").suites) == 1


def test_records_are_joined_by_training_and_episodes(tmp_path: Path) -> None:
    ids = [add(tmp_path, "half", seed, answers(HALF[seed]), pretrained="mu_mae") for seed in range(3)]
    loaded = load(tmp_path)
    assert {identity for identity, _ in loaded.scored} == set(ids) == set(loaded.trainings)
    for (identity, digest), scored in loaded.scored.items():
        assert digest in loaded.suites
        assert scored.training.id == identity
        assert scored.episodes.tolist() == HALF[scored.training.seed]
        assert scored.pretraining is not None
        assert scored.pretraining.seed == scored.training.seed
    assert loaded.accesses is not None
    assert (loaded.accesses.count["f" * 64], loaded.accesses.trainings["f" * 64]) == (3, 3)


@pytest.mark.parametrize(
    ("kind", "field", "value", "message"),
    [
        ("evaluation", "accuracy", "high", "accuracy"),
        ("evaluation", "accuracy", 0.9, "accuracy: the record says 0.9, its predictions give 0.5"),
        ("evaluation", "scored", 3, "scored: the record says 3, its predictions give 4"),
        ("evaluation", "episodes", 5, "predictions: "),
        ("evaluation", "way", 3, "way, shot: 3, 1, but the episodes of"),
        ("evaluation", "per_class", [0.5], "per_class"),
        ("evaluation", "suite_digest", "0" * 64, "suite_digest: not that of the suite's record"),
        ("evaluation", "classes", ["alpha", "beta", "delta"], "classes: not that of the suite's record"),
        ("evaluation", "evaluation_digest", "0" * 64, "evaluation_digest: no suite record '00000000'"),
        ("evaluation", "predictions_digest", "0", "predictions do not match"),
        ("training", "training", "warm", "training"),
        ("pretraining", "steps", "many", "steps"),
        ("suite", "episodes_digest", "0", "episodes do not match"),
        ("study", "rows", "none", "rows"),
    ],
)
def test_a_broken_record_is_named_with_its_field(
    tmp_path: Path, kind: str, field: str, value: object, message: str
) -> None:
    add(tmp_path, "half", 0, answers(HALF[0]), pretrained="mu_mae")
    path = only(tmp_path, kind)
    edit(path, **{field: value})
    assert only(tmp_path, kind).stem in str(refused(tmp_path, message))


def test_a_confusion_that_predictions_do_not_give_is_refused(tmp_path: Path) -> None:
    add(tmp_path, "half", 0, answers([0.5] * 8))
    path = only(tmp_path, "evaluation")
    content = edit(path)
    content["confusion"] = np.asarray(content["confusion"])[::-1, ::-1].tolist()
    content["per_class"] = content["per_class"][::-1]
    edit(path, **content)
    refused(tmp_path, "confusion: not what the predictions give")


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ({"ablations": [{"without": "video", "episodes": 2, "accuracy": 0.5, "complete": 0.9}]}, "ablations.video"),
        (
            {"calibration": {"queries": [4] + [0] * 9, "confidence": [0.0] * 10, "correct": [2] + [0] * 9}},
            "calibration.queries: the record says 4, its predictions give 8",
        ),
        (
            {"calibration": {"queries": [8] + [0] * 9, "confidence": [0.0] * 10, "correct": [2] + [0] * 9}},
            "calibration.correct: the record says 2, its predictions give 4",
        ),
    ],
)
def test_parts_of_an_evaluation_agree_with_its_predictions(tmp_path: Path, part: dict[str, Any], message: str) -> None:
    add(tmp_path, "half", 0, answers(HALF[0]))
    path = only(tmp_path, "evaluation")
    edit(path, **part)
    refused(tmp_path, message)


def test_two_records_of_one_row_and_seed_are_refused(tmp_path: Path) -> None:
    for tag in ("", "copy"):
        add(tmp_path, "half", 0, answers(HALF[0]), tag=tag)
    assert "Delete one" in str(refused(tmp_path, "two records of one row"))


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("training", "no training record 'half"),
        ("suite", "no suite record"),
        ("pretraining", "no pre-training record 'mu_mae"),
    ],
)
def test_a_record_that_is_missing_is_named_by_the_one_that_needs_it(tmp_path: Path, kind: str, message: str) -> None:
    identity = add(tmp_path, "half", 0, answers(HALF[0]), pretrained="mu_mae")
    only(tmp_path, kind).unlink()
    assert identity in str(refused(tmp_path, message))


def test_a_pretraining_is_missed_also_where_nothing_of_its_row_was_scored(tmp_path: Path) -> None:
    identity = add(tmp_path, "half", 0, answers(HALF[0]), pretrained="mu_mae")
    evaluation_file(tmp_path, identity).unlink()
    add(tmp_path, "other", 0, answers(HALF[0]))
    only(tmp_path, "pretraining").unlink()
    assert f"{identity}.json" in str(refused(tmp_path, "no pre-training record"))


def test_predictions_and_episodes_that_are_missing_are_named(tmp_path: Path) -> None:
    identity = add(tmp_path, "half", 0, answers(HALF[0]))
    path = tmp_path / "predictions" / evaluation_file(tmp_path, identity).with_suffix(".npz").name
    path.unlink()
    assert path.name in str(refused(tmp_path, "predictions are missing"))
    (path,) = (tmp_path / "suite").glob("*.npz")
    path.unlink()
    assert path.name in str(refused(tmp_path, "episodes are missing"))


def test_predictions_without_labels_ask_for_another_run(tmp_path: Path) -> None:
    add(tmp_path, "half", 0, answers(HALF[0]))
    path = only(tmp_path, "evaluation")
    content = edit(path)
    file = tmp_path / "predictions" / content["predictions"]
    np.savez_compressed(file, predicted=answers(HALF[0]))
    content["predictions_digest"] = hashlib.sha256(file.read_bytes()).hexdigest()
    edit(path, **content)
    refused(tmp_path, "no labels")


def test_labels_that_are_not_those_of_the_episodes_are_refused(tmp_path: Path) -> None:
    add(tmp_path, "half", 0, answers(HALF[0]))
    records = RecordFolder(tmp_path)
    (record,) = records.all(SuiteRecord)
    episodes = records.read_episodes(record)
    file, digest = records.write_episodes(record.id, replace(episodes, label=1 - episodes.label))
    records.write(record.model_copy(update={"episodes": file, "episodes_digest": digest}))
    assert "evaluation" in str(refused(tmp_path, "labels are not those of the episodes"))


def test_the_log_of_test_accesses_is_checked(tmp_path: Path) -> None:
    add(tmp_path, "half", 0, answers(HALF[0]))
    with (tmp_path / "test_access.jsonl").open("a") as stream:
        stream.write("{}\n")
    assert "line 2" in str(refused(tmp_path, "not an entry of the log of test accesses"))
    (tmp_path / "test_access.jsonl").unlink()
    assert read_report(tmp_path).accesses is None


def test_episodes_that_were_not_scored_are_left_out_over_seeds(tmp_path: Path) -> None:
    nan = float("nan")
    add_seeds(tmp_path, "gaps", [[nan, 0.0, 1.0, 0.5], [1.0, nan, 1.0, 0.5]])
    row = row_of(study_suite(tmp_path), "gaps")
    assert (row.measured.episodes, row.interval.mean) == (2, 0.75)
    assert not row.measured.complete


def test_a_row_without_any_common_episode_has_no_figure(tmp_path: Path) -> None:
    nan = float("nan")
    add_suite(tmp_path, 4)
    add_seeds(tmp_path, "absent", [[0.5, 0.5, nan, nan], [nan, nan, 0.5, 0.5]])
    row = row_of(study_suite(tmp_path), "absent")
    assert row.measured.episodes == 0
    assert row.measured.inference.analysis is None
    assert np.isnan(row.interval.mean)


def test_skipped_rows_alone_make_a_report(tmp_path: Path) -> None:
    add_skipped(tmp_path, "m", "no video")
    report = read_report(tmp_path)
    assert (report.suites, report.trainings) == ((), ())
    assert [study.suites for study in report.studies] == [()]


def test_a_training_that_was_not_scored_yet_is_listed(tmp_path: Path) -> None:
    ids = [add(tmp_path, "half", seed, answers(HALF[seed])) for seed in range(3)]
    evaluation_file(tmp_path, ids[2]).unlink()
    report = read_report(tmp_path)
    assert report.unscored == (ids[2],)
    assert row_of(study_suite(tmp_path), "half").measured.seeds == (0, 1)


def test_rewriting_keeps_records_valid(tmp_path: Path) -> None:
    """The helper of these tests: a change of one field is the only one."""
    add_seeds(tmp_path, "half", HALF)
    before = {record.id: record for record in RecordFolder(tmp_path).all(TrainingRecord)}
    rewrite(tmp_path, TrainingRecord, "-s1-", preset="full")
    after = {record.id: record for record in RecordFolder(tmp_path).all(TrainingRecord)}
    assert [identity for identity in before if before[identity] != after[identity]] == [
        identity for identity in before if "-s1-" in identity
    ]
    (study,) = RecordFolder(tmp_path).all(StudyRecord)
    assert set(study.rows[0].trainings) == set(after)
    assert len(RecordFolder(tmp_path).all(EvaluationRecord)) == 3
