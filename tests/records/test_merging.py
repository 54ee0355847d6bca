"""Merging runs: nothing is lost, nothing is twice, and what contradicts is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from mmact_oneshot.harness.records import (
    EvaluationRecord,
    PretrainingRecord,
    RecordFolder,
    SearchRecord,
    StudyRecord,
    TrainingRecord,
)
from mmact_oneshot.harness.records.merging import merge
from mmact_oneshot.harness.report import read_report
from mmact_oneshot.harness.runtime.errors import HarnessError
from tests.helpers.run_folders import files_of, records_of
from tests.helpers.scored_runs import oneshot, refused, said
from tests.helpers.small_runs import (
    BETTER,
    HALF,
    add,
    add_pretraining,
    add_seeds,
    add_skipped,
    add_study,
    answers,
    rewrite,
)
from tests.helpers.toy_runs import run, task_with, workspace

ROWS = [
    {"method": "protonet", "modalities": ["sensors"]},
    {"method": "sensor_nn", "modalities": ["sensors"]},
    {"method": "random", "modalities": ["video", "sensors"]},
]


def records(folder: Path) -> RecordFolder:
    return RecordFolder(folder / "records")


@pytest.fixture
def apart(tmp_path: Path) -> tuple[Path, Path]:
    """Two runs with one row each, one of which has a pre-training too."""
    one, two = tmp_path / "one", tmp_path / "two"
    add_seeds(one / "records", "good", BETTER, pretrained="mu_mae")
    add_seeds(two / "records", "poor", HALF)
    add_skipped(two / "records", "impossible", "no sensors here")
    return one, two


def merged(*runs: Path) -> RecordFolder:
    out = runs[0].parent / "merged"
    merge([each / "records" for each in runs], out / "records")
    return records(out)


def refusal(*runs: Path) -> HarnessError:
    with pytest.raises(HarnessError) as caught:
        merged(*runs)
    return caught.value


def search(folder: Path, trials: int, accuracy: float = 0.5) -> Path:
    rates = (0.1, 0.01, 0.001)
    tried = [
        {"learning_rate": rate, "accuracy": accuracy, "best_step": 1, "validations": [(1, accuracy)], "failure": None}
        for rate in rates[:trials]
    ]
    record = SearchRecord.model_validate(
        {
            "id": "good-video", "volatile": {}, "method": "good", "method_source": "built-in", "modalities": ("video",),
            "training": "frozen", "method_settings": {}, "seed": 0, "conditions_digest": "a" * 64,
            "candidates": rates, "trials": tried, "provenance": {},
        }
    )  # fmt: skip
    return records(folder).write(record)


def test_rows_run_apart_give_the_records_of_one_run(tmp_path: Path) -> None:
    whole, *parts = (tmp_path / name for name in ("whole", "one", "two"))
    for folder, rows in zip((whole, *parts), (ROWS, ROWS[:1], ROWS[1:]), strict=True):
        run(workspace(folder, task_with(rows, suites=["test", "test-cross-subject"])))
    merged(*parts)
    assert records_of(tmp_path / "merged") == records_of(whole)


def test_seeds_run_apart_are_seeds_of_one_row(tmp_path: Path) -> None:
    add_seeds(tmp_path / "one" / "records", "good", BETTER[:1])
    add_seeds(tmp_path / "two" / "records", "good", BETTER)
    add_study(tmp_path / "two" / "records", "methods")
    (row,) = merged(tmp_path / "one", tmp_path / "two").read(StudyRecord, "methods").rows
    assert [name.split("-")[4] for name in row.trainings] == ["s0", "s1", "s2"]


def test_files_are_copied_byte_for_byte(apart: tuple[Path, Path]) -> None:
    found = files_of(merged(*apart).folder)
    for each in apart:
        for name, content in files_of(each / "records").items():
            if not name.startswith(("study/", "test_access")):
                assert found[name] == content


def test_a_picture_comes_with_its_pretraining(apart: tuple[Path, Path]) -> None:
    identity = add_pretraining(apart[1] / "records", "videomae", picture="clips.png")
    beside = records(apart[1]).path(PretrainingRecord, identity).with_name("clips.png")
    beside.write_bytes(b"a picture")
    assert merged(*apart).path(PretrainingRecord, identity).with_name("clips.png").read_bytes() == b"a picture"


def test_accesses_of_all_runs_are_kept_and_those_of_a_copy_count_once(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    add_seeds(one / "records", "good", BETTER)
    shutil.copytree(one, two)
    again = {"suite": "test", "suite_digest": "f" * 64, "training": "good", "date": "2025-12-31"}
    for _ in range(2):  # two accesses of one second are two
        records(two).log_test_access(again)
    log = merged(one, two).test_accesses.read()
    assert log is not None
    assert log[:2] == [again, again]
    assert len(log) == 2 + 3


@pytest.mark.parametrize("cut_off", [0, 1])
def test_a_search_that_was_cut_off_gives_way_to_the_whole_one(apart: tuple[Path, Path], cut_off: int) -> None:
    for place, folder in enumerate(apart):
        search(folder, 1 if place == cut_off else 3)
    assert len(merged(*apart).read(SearchRecord, "good-video").trials) == 3


def test_searches_that_found_other_figures_are_refused(apart: tuple[Path, Path]) -> None:
    search(apart[0], 1, accuracy=0.4)
    path = search(apart[1], 3)
    error = refusal(*apart)
    assert "trials: not what " in str(error)
    assert str(path) in str(error)


def test_where_and_when_a_step_was_done_is_no_contradiction(apart: tuple[Path, Path]) -> None:
    for seconds, folder in enumerate(apart):
        add_pretraining(folder / "records", volatile={"seconds": seconds}, provenance={"commit": str(seconds)})
    known = merged(*apart).read(PretrainingRecord, "mu_mae-video-sensors-s0")
    assert known.provenance["commit"] == "0"


def test_a_training_done_twice_to_the_same_bits_is_one(tmp_path: Path) -> None:
    folders = tmp_path / "one", tmp_path / "two"
    for commit, folder in enumerate(folders):
        encoders = {"video": {"state": "a" * 64, "provenance": {"commit": str(commit)}}}
        add(folder / "records", "good", 0, answers(BETTER[0]), encoders=encoders)
    (training,) = merged(*folders).all(TrainingRecord)
    assert training.encoders["video"]["provenance"]["commit"] == "0"


def test_a_step_done_twice_with_other_numbers_is_refused(apart: tuple[Path, Path]) -> None:
    add_pretraining(apart[1] / "records", state="8" * 64)
    error = str(refusal(*apart))
    assert "state: not what " in error
    assert str(records(apart[1]).path(PretrainingRecord, "mu_mae-video-sensors-s0")) in error


def test_another_question_of_the_same_name_is_refused(apart: tuple[Path, Path]) -> None:
    add_study(apart[1] / "records", question="Another?")
    assert "question: not what " in str(refusal(*apart))


def test_the_command_merges_and_reports(apart: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "merged"
    text = said(oneshot("merge", *apart, "--out", out))
    assert "good" in text
    assert "poor" in text
    assert (out / "report.html").is_file()
    before = files_of(out)
    said(oneshot("merge", *apart, "--out", out))
    assert files_of(out) == before
    (study,) = read_report(out).studies
    assert {row.method for row in study.record.rows} == {"good", "poor", "impossible"}


def test_the_command_loses_nothing(apart: tuple[Path, Path], tmp_path: Path) -> None:
    one, two = apart
    out = tmp_path / "merged"
    said(oneshot("merge", one, two, "--out", out))
    before = files_of(out)
    assert "would be lost" in refused(oneshot("merge", one, "--out", out))
    for path in (two / "records" / "predictions").iterdir():
        path.unlink()
    error = refused(oneshot("merge", one, two, "--out", out))
    assert f"{two.name}/records/predictions/" in error
    assert "predictions are missing" in error
    assert files_of(out) == before


def test_accesses_are_not_lost_with_the_records_of_before(apart: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "merged"
    said(oneshot("merge", *apart, "--out", out))
    entry = {"suite": "test", "suite_digest": "f" * 64, "training": "gone", "date": "2026-02-02"}
    records(out).log_test_access(entry)
    assert "a test access that none of the runs has" in refused(oneshot("merge", *apart, "--out", out))
    assert json.dumps(entry, sort_keys=True) in (out / "records" / "test_access.jsonl").read_text()


def test_a_run_is_not_its_own_target_and_is_named_once(apart: tuple[Path, Path]) -> None:
    one, two = apart
    before = files_of(one)
    assert "one of the runs" in refused(oneshot("merge", one, two, "--out", one))
    assert "one of the runs" in refused(oneshot("merge", one / "records", two, "--out", one))
    assert "named twice" in refused(oneshot("merge", one, one / "records", "--out", two.parent / "merged"))
    assert files_of(one) == before


def test_an_edited_record_is_refused(apart: tuple[Path, Path], tmp_path: Path) -> None:
    (path, *_) = sorted(records(apart[1]).path(EvaluationRecord, "any").parent.glob("*.json"))
    path.write_text(path.read_text().replace('"accuracy": 0.', '"accuracy": 0.9'))
    assert path.name in refused(oneshot("merge", *apart, "--out", tmp_path / "merged"))
    assert not (tmp_path / "merged" / "records").exists()
    rewrite(apart[0] / "records", EvaluationRecord, accuracy=0.123)  # sealed, and not what the predictions give
    error = refused(oneshot("merge", apart[0], "--out", tmp_path / "merged"))
    assert f"{apart[0]}/records/evaluation/" in error
    assert "accuracy: the record says 0.123" in error
