"""What is said of the figures: what follows from a ranking, what intervals speak for, what a reader must know."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmact_oneshot.harness.report import Report, read_report
from mmact_oneshot.harness.report.model.blocks import Section, Table
from mmact_oneshot.harness.report.model.captions import (
    access_sentence,
    covered,
    data_warnings,
    guard_sentence,
    matrix_caption,
    suite_sentence,
)
from mmact_oneshot.harness.report.model.document import data_name, document, failures, subtitle, title, warnings
from mmact_oneshot.harness.report.model.findings import named, sentence
from mmact_oneshot.harness.report.results.guards import Guard
from tests.helpers.small_runs import (
    BETTER,
    BOTH,
    DATA,
    GENERATED,
    HALF,
    add_control,
    add_seeds,
    add_suite,
    study_suite,
    three_seeds,
)

LONGEST = 40  # words of a caption


def finding(folder: Path) -> str:
    return sentence(study_suite(folder).rankings["video"])


def test_captions_are_short(rich_report: Report, rich: Path) -> None:
    found = document(rich_report, rich / "records")
    assert found.main is not None
    tables = [*found.main.blocks, *found.blocks()]
    captions = {block.name: block.caption for block in tables if isinstance(block, Table)}
    assert len(captions) > 40
    assert {name: text for name, text in captions.items() if len(text.split()) > LONGEST} == {}
    assert all(text == "" or text.endswith(".") for text in captions.values())


def test_names_in_the_document_are_unique(rich_report: Report, rich: Path) -> None:
    found = document(rich_report, rich / "records")
    assert found.main is not None
    named_blocks = [block for block in found.blocks() if isinstance(block, Table | Section)]
    names = [found.main.matrix.name, *(block.name for block in named_blocks)]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("subjects", "seeds", "text"),
    [
        (8, 3, "new performances, new subjects and training again"),
        (8, 1, "new performances and new subjects"),
        (4, 3, "new performances and training again"),
    ],
)
def test_the_caption_says_what_the_intervals_speak_for(tmp_path: Path, subjects: int, seeds: int, text: str) -> None:
    add_suite(tmp_path, 300, subjects=subjects)
    add_seeds(tmp_path, "protonet", three_seeds(0.6)[:seeds])
    results = study_suite(tmp_path)
    assert covered(results, seeds) == text
    assert f"95 % interval for {text}. Chance: 50 %." in matrix_caption(results)


def test_marks_are_explained_where_there_are_any(tmp_path: Path) -> None:
    add_seeds(tmp_path, "half", HALF)
    assert "Bold" not in matrix_caption(study_suite(tmp_path))
    add_seeds(tmp_path, "better", BETTER)
    text = matrix_caption(study_suite(tmp_path))
    assert "Bold: the best; =: not significantly different from it (Holm)" in text
    assert "No interval speaks for other classes." in text


def test_a_finding_names_who_is_better_and_who_does_not_differ(tmp_path: Path) -> None:
    add_suite(tmp_path, 300)
    means = {"trx": 0.9, "can": 0.9, "protonet": 0.6, "cnaps": 0.3}
    for place, (name, mean) in enumerate(means.items()):
        add_seeds(tmp_path, name, three_seeds(mean, 10 * place))
    best, second, *_ = study_suite(tmp_path).rankings["video"].ranked
    places = best.measured.decimals
    figure = (
        f"{best.interval.mean * 100:.{places}f} [{best.interval.low * 100:.{places}f}, "
        f"{best.interval.high * 100:.{places}f}] %"
    )
    assert finding(tmp_path) == (
        f"Video: {best.label}, {figure}, is significantly better than protonet and cnaps; {second.label} does not "
        "differ significantly from it."
    )


def test_a_finding_where_one_is_better_than_all_or_than_none(tmp_path: Path) -> None:
    for name, means in (("clear", (0.9, 0.5, 0.4)), ("close", (0.6, 0.6, 0.6))):
        add_suite(tmp_path / name, 300)
        for place, mean in enumerate(means):
            add_seeds(tmp_path / name, f"m{place}", three_seeds(mean, 10 * place))
    assert finding(tmp_path / "clear").endswith("is significantly better than every other method.")
    assert finding(tmp_path / "close").endswith("; no method differs significantly from it.")


def test_a_finding_without_rivals_or_rows(tmp_path: Path) -> None:
    add_seeds(tmp_path / "one", "half", HALF)
    assert finding(tmp_path / "one").endswith("; nothing to compare it with.")
    add_seeds(tmp_path / "few", "half", HALF[:1])
    assert finding(tmp_path / "few").endswith("; not ranked.")
    add_control(tmp_path / "none", [1.0, 0.0])
    assert finding(tmp_path / "none") == "Video: no row was trained and scored."


def test_long_lists_are_counted(rich_report: Report) -> None:
    rows = rich_report.studies[0].suites[0].rows
    assert named(rows[:1]) == rows[0].label
    assert named(rows[:4]) == "trx, protonet, mu_mae and can"
    assert named(rows[:6]) == "trx, protonet, mu_mae and 3 others"


def test_data_that_is_generated_or_incomplete_is_marked() -> None:
    assert data_warnings(DATA) == []
    (text,) = data_warnings(GENERATED)
    assert text == "Generated data (simulated bodies and sensors): nothing here is about MMAct."
    incomplete = {"complete": False, "clips_usable": 28, "performances_without_sensor": {"acc": 3, "gyro": 0}}
    (text,) = data_warnings(DATA | incomplete)
    assert text == "Incomplete data: 2 of 30 clips are absent or unreadable; 3 performances have no acc."
    (text,) = data_warnings(DATA | {"complete": False, "problems": 1})
    assert text == "Incomplete data: 1 problem met while preparing."


def test_a_guard_says_whether_it_passed() -> None:
    passed = guard_sentence(Guard("random, video", 0.5, 1, 0.5, 1.0))
    failed = guard_sentence(Guard("random, video", 0.6, 1, 0.5, 0.0001))
    assert passed.startswith("Check passed: the control random, video scores 50.0 %, chance is 50 %")
    assert failed.startswith("CHECK FAILED")
    assert "p < 0.001" in failed
    assert "do not use these figures" in failed
    seeds = ((0, 1, 2), (3, 4, 5))
    off = guard_sentence(Guard("trx, video", -0.3, 0, 0.5, 0.0001, seeds))
    assert "trx, video: seeds 0, 1, 2 minus seeds 3, 4, 5:" in off
    assert "It must not differ from itself" in off
    assert guard_sentence(Guard("trx, video", 0.01, 0, 0.5, 0.5, seeds)).startswith("Check passed")


def test_failed_checks_and_warnings_come_first(tmp_path: Path) -> None:
    data = GENERATED | {"complete": False, "clips_usable": 25}
    add_control(tmp_path, [1.0, 0.5] * 40, data=data)
    report = read_report(tmp_path)
    assert [text.split(":")[1].strip() for text in failures(report)] == ["CHECK FAILED"]
    assert len(warnings(report)) == 2
    found = document(report, tmp_path)
    assert [each.tone for each in found.warnings] == ["alarm", "warning", "warning"]


def test_a_suite_in_a_sentence(rich_report: Report) -> None:
    test, cross = rich_report.suites
    assert suite_sentence(test) == (
        "40 episodes: 1 support clip of each of 2 classes, 2 queries. Support and query clips of a class are never the "
        "same performance."
    )
    assert suite_sentence(cross).endswith("show different subjects.")


def test_test_accesses_are_reported_as_logged(tmp_path: Path) -> None:
    add_seeds(tmp_path, "half", HALF)
    report = read_report(tmp_path)
    (suite,) = report.suites
    assert access_sentence(suite, report.accesses, 3) == (
        "Test accesses of test, as logged: 3 of 3 trainings; 3 trainings are shown."
    )
    assert access_sentence(suite, None, 3) == "Test accesses of test: not known, there is no log."


def test_title_and_subtitle_say_data_preset_date_task_and_code(tmp_path: Path) -> None:
    add_seeds(tmp_path / "real", "half", HALF)
    report = read_report(tmp_path / "real")
    assert title(report) == "UTD-MHAD, preset quick"
    add_seeds(tmp_path / "depth", "half", HALF, data=DATA | {"streams": ["depth"]})
    assert title(read_report(tmp_path / "depth")) == "UTD-MHAD, depth videos, preset quick"
    assert subtitle(report) == (
        f"2026-01-01 · one-shot action recognition · 2-way 1-shot, 4 episodes · commit {'c' * 12}"
    )
    add_seeds(tmp_path / "made", "half", HALF, data=GENERATED, modalities=BOTH)
    assert data_name(read_report(tmp_path / "made")) == "Generated data (MMAct layout)"
