"""The results of a folder: studies, suites, gaps, references and what stands beside them."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from mmact_oneshot.harness.records import RecordFolder, SkippedRecord, StudyRecord, TrainingRecord
from mmact_oneshot.harness.records.merging import merge
from mmact_oneshot.harness.report import read_report
from mmact_oneshot.harness.report.results.report import StudySuite
from tests.helpers.small_runs import (
    BETTER,
    BOTH,
    DATA,
    GENERATED,
    HALF,
    add,
    add_control,
    add_external,
    add_pretraining,
    add_seeds,
    add_skipped,
    add_study,
    add_suite,
    answers,
    evaluation_file,
    row_of,
    study_suite,
    three_seeds,
)


def against(results: StudySuite, modality: str = "video") -> list[tuple[str, str]]:
    return [(pair.first.label, pair.second.label) for pair in results.against(modality)]


def test_the_main_study_comes_first_then_by_name(tmp_path: Path) -> None:
    for study in ("mu_mae", "initialisation", "methods"):
        add_seeds(tmp_path, "half", HALF, study=study)
    report = read_report(tmp_path)
    assert [study.name for study in report.studies] == ["methods", "initialisation", "mu_mae"]
    assert report.main is report.studies[0]


def test_a_row_of_two_studies_is_measured_once(tmp_path: Path) -> None:
    for study in ("methods", "initialisation"):
        add_seeds(tmp_path, "half", HALF, study=study)
    rows = [study.suites[0].rows[0].measured for study in read_report(tmp_path).studies]
    assert rows[0] is rows[1], "no statistic is computed twice"


def test_suites_stand_in_order_headline_first(tmp_path: Path) -> None:
    for suite in ("test-5shot", "test-cross-subject", "test", "another"):
        add(tmp_path, "half", 0, answers(HALF[0]), suite=suite)
    report = read_report(tmp_path)
    expected = ["test", "test-cross-subject", "test-5shot", "another"]
    assert [suite.name for suite in report.suites] == expected
    assert [results.suite.name for results in report.studies[0].suites] == expected


def test_a_suite_on_which_a_study_was_not_scored_is_not_in_it(tmp_path: Path) -> None:
    add_seeds(tmp_path, "half", HALF)
    add_seeds(tmp_path, "half", HALF, suite="test-cross-subject")
    add_seeds(tmp_path, "other", HALF, study="frozen")
    suites = {study.name: [each.suite.name for each in study.suites] for study in read_report(tmp_path).studies}
    assert suites == {"methods": ["test", "test-cross-subject"], "frozen": ["test"]}


def test_a_suite_that_no_row_was_scored_on_is_left_out(tmp_path: Path) -> None:
    add_seeds(tmp_path, "half", HALF)
    add_suite(tmp_path, 9, suite="val")
    assert [suite.name for suite in read_report(tmp_path).suites] == ["test"]


def test_gaps_say_why_there_is_no_row(tmp_path: Path) -> None:
    add_seeds(tmp_path, "half", HALF)
    add_seeds(tmp_path, "can", HALF)
    add_skipped(tmp_path, "can", "needs a map")
    identity = add(tmp_path, "late", 0, answers(HALF[0]))
    evaluation_file(tmp_path, identity).unlink()
    results = study_suite(tmp_path)
    assert results.gaps == {("can", "sensors"): "needs a map", ("late", "video"): "not scored yet"}
    assert results.row("can", "sensors") is None
    assert results.row("can", "video") is not None
    assert set(results.labels) == {"half", "can", "late"}


@pytest.mark.parametrize(
    ("reasons", "shown"),
    [
        (["needs a map"] * 3, "needs a map"),
        (["It diverged.", "needs a map", "It diverged."], "It diverged; needs a map"),
    ],
)
def test_a_gap_tells_each_reason_of_its_seeds_once(tmp_path: Path, reasons: list[str], shown: str) -> None:
    add_seeds(tmp_path, "half", HALF)
    common: dict[str, Any] = {"method": "can", "modalities": ("sensors",), "training": "frozen"}
    names = [f"can-s{seed}" for seed in range(len(reasons))]
    for name, reason in zip(names, reasons, strict=True):
        record = common | {"id": name, "volatile": {}, "reason": reason}
        RecordFolder(tmp_path).write(SkippedRecord.model_validate(record))
    add_skipped(tmp_path, "can", "of another row", trainings=names)
    assert study_suite(tmp_path).gaps == {("can", "sensors"): shown}


def test_seeds_that_are_still_to_come_belong_to_their_row(tmp_path: Path) -> None:
    add_suite(tmp_path, 4)
    first = add(tmp_path, "trx", 0, answers(HALF[0]))
    add_seeds(tmp_path, "can", HALF)
    records = RecordFolder(tmp_path)
    study = records.read(StudyRecord, "methods")
    coming = tuple(first.replace("-s0-", f"-s{seed}-") for seed in (1, 2))
    rows = [
        row.model_copy(update={"trainings": row.trainings + coming}) if row.method == "trx" else row
        for row in study.rows
    ]
    records.write(study.model_copy(update={"rows": tuple(rows)}))
    results = study_suite(tmp_path)
    assert (results.labels, results.gaps) == (["can", "trx"], {})
    assert row_of(results, "trx").notes == ("seed 0 alone: a rank needs 3 seeds, and a comparison the same ones",)
    again = (first.replace(first[-6:], "abcdef"),)  # its seed under other conditions
    rows = [row.model_copy(update={"trainings": row.trainings + again}) if row.method == "trx" else row for row in rows]
    records.write(study.model_copy(update={"rows": tuple(rows)}))
    assert [label for label in study_suite(tmp_path).labels if label.startswith("trx")] == [
        f"trx [{records.read(TrainingRecord, first).conditions_digest[:8]}]", "trx [new]",
    ]  # fmt: skip


def test_predictions_on_suites_of_one_name_are_all_there(tmp_path: Path) -> None:
    """Two numbers of episodes, or two data sets."""
    for name, accuracies in (("old paper", HALF[0]), ("new paper", HALF[0][:-2])):
        add_suite(tmp_path / name, len(accuracies), evaluation_digest=hashlib.sha256(name.encode()).hexdigest())
        add_external(tmp_path / name, name, accuracies)
        add_control(tmp_path / name, accuracies, tag=name[:3])
    merge([tmp_path / "old paper", tmp_path / "new paper"], tmp_path / "both")
    report = read_report(tmp_path / "both")
    assert sorted(row.label for _, ranking in report.external for row in ranking.rows) == ["new paper", "old paper"]
    assert len({report.name_of(suite) for suite, _ in report.external}) == 2


def test_a_study_of_which_nothing_was_scored_has_the_reasons(tmp_path: Path) -> None:
    add_skipped(tmp_path, "can", "needs a map")
    add_skipped(tmp_path, "can", "needs one stream", BOTH)
    identity = add(tmp_path, "late", 0, answers(HALF[0]))
    evaluation_file(tmp_path, identity).unlink()
    (study,) = read_report(tmp_path).studies
    assert study.suites == ()
    assert study.skipped == {("can", "sensors"): "needs a map", ("can", "both"): "needs one stream"}


def test_labels_are_ordered_by_accuracy_on_both_modalities(tmp_path: Path) -> None:
    add_seeds(tmp_path, "a", BETTER)
    add_seeds(tmp_path, "a", HALF, modalities=BOTH)
    add_seeds(tmp_path, "b", HALF)
    add_seeds(tmp_path, "b", BETTER, modalities=BOTH)
    add_seeds(tmp_path, "c", [[1.0] * 4] * 3)
    add_control(tmp_path, [1.0] * 4)
    add_skipped(tmp_path, "can", "needs a map")
    results = study_suite(tmp_path)
    assert results.labels[:3] == ["b", "a", "c"]
    assert set(results.labels[3:]) == {"random", "can"}
    assert results.best is row_of(results, "b", "both")


def test_the_best_row_is_trained(tmp_path: Path) -> None:
    add_control(tmp_path, [1.0] * 4)
    assert study_suite(tmp_path).best is None
    add_seeds(tmp_path, "half", HALF[:1])
    results = study_suite(tmp_path)
    assert results.best is row_of(results, "half"), "where none is ranked, the best of those"


def test_a_named_reference_is_compared_with_every_other_row(tmp_path: Path) -> None:
    add_study(tmp_path, reference={"method": "mu_mae"})
    add_suite(tmp_path, 60)
    for place, name in enumerate(("mu_mae", "can", "trx")):
        add_seeds(tmp_path, name, three_seeds(0.5 + 0.15 * place, 10 * place, 60))
    add_control(tmp_path, three_seeds(0.5, 90, 60)[0])
    results = study_suite(tmp_path)
    assert {name: row.label for name, row in results.references().items()} == {"video": "mu_mae"}
    assert against(results) == [("mu_mae", "trx"), ("mu_mae", "can")]
    mean = results.against("video")[0].interval.mean
    assert mean == pytest.approx(row_of(results, "mu_mae").interval.mean - row_of(results, "trx").interval.mean)


def test_without_a_reference_the_best_row_is_it(tmp_path: Path) -> None:
    for name, accuracies in (("half", HALF), ("better", BETTER), ("low", [[0.0, 0.5, 0.0, 0.0]] * 3)):
        add_seeds(tmp_path, name, accuracies)
    assert against(study_suite(tmp_path)) == [("better", "half"), ("better", "low")]
    add_study(tmp_path, reference={"method": "absent"})
    assert against(study_suite(tmp_path)) == [("better", "half"), ("better", "low")], "nor where it was not ranked"


def test_a_reference_like_each_row_is_compared_with_that_row(tmp_path: Path) -> None:
    """Heads by what they begin from: each against its own row from scratch."""
    add_study(tmp_path, "initialisation", varies=("initialisation", "method"), reference={"initialisation": "scratch"})
    for head in ("protonet", "mu_mae"):
        for begins, accuracies in (("scratch", HALF), ("prolonged", HALF), ("mu_mae", BETTER)):
            add_seeds(tmp_path, head, accuracies, study="initialisation", initialisation=begins, encoder="transformer")
    pairs = against(study_suite(tmp_path, "initialisation"))
    assert len(pairs) == 4
    for first, second in pairs:
        assert first.split(" (")[0] == second.split(" (")[0]
        assert first.endswith("(from scratch)")
        assert not second.endswith("(from scratch)")


def test_data_presets_dates_and_pretrainings(tmp_path: Path) -> None:
    add_seeds(tmp_path, "half", HALF, data=GENERATED)
    add(tmp_path, "other", 0, answers(HALF[0]), volatile={"date": "2026-03-01T10:00:00"}, preset="full", data=GENERATED)
    add_external(tmp_path, "ours", [0.5] * 4, data=DATA)
    for method, seed in (("videomae", 0), ("mu_mae", 1), ("mu_mae", 0)):
        add_pretraining(tmp_path, method, seed)
    report = read_report(tmp_path)
    assert sorted(data["layout"] for data in report.data) == ["mmact", "utd-mhad"]
    assert sorted(report.presets) == ["full", "quick"], "what was made elsewhere has none"
    assert report.date == "2026-03-01"
    assert [(each.method, each.seed) for each in report.pretrainings] == [("mu_mae", 0), ("mu_mae", 1), ("videomae", 0)]
