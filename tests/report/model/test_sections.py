"""What stands below the first screen: rows, conditions, learning curves, pre-trainings, provenance, external rows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from mmact_oneshot.harness.report import Report, read_report
from mmact_oneshot.harness.report.formats import MISSING
from mmact_oneshot.harness.report.model.blocks import Block, Chart, Items, Links, Paragraph, Picture, Section, Table
from mmact_oneshot.harness.report.model.document import document
from mmact_oneshot.harness.report.model.provenance_section import provenance_section, published_section
from mmact_oneshot.harness.report.model.row_sections import row_sections
from mmact_oneshot.harness.report.model.training_sections import curves_section, pretraining_section
from tests.helpers.rich_runs import PICTURE, PIXEL
from tests.helpers.small_runs import (
    DATA,
    GENERATED,
    HALF,
    add,
    add_control,
    add_external,
    add_pretraining,
    add_seeds,
    add_skipped,
    answers,
    evaluation_file,
)


def sections_of(blocks: Sequence[Block]) -> dict[str, Section]:
    return {block.title: block for block in blocks if isinstance(block, Section)}


def tables_of(section: Section) -> list[Table]:
    return [block for block in section.blocks if isinstance(block, Table)]


def lines(table: Table) -> list[list[str]]:
    return [[cell.text for cell in line] for line in table.lines]


def text_of(blocks: Sequence[Block]) -> str:
    parts = []
    for block in blocks:
        if isinstance(block, Paragraph):
            parts.append(block.text)
        elif isinstance(block, Items):
            parts += block.items
    return " ".join(parts)


def rows(folder: Path) -> dict[str, Section]:
    return sections_of(row_sections(read_report(folder).studies[0]))


def test_every_row_of_a_study_has_a_section_with_its_records(rich_report: Report, rich: Path) -> None:
    study = rich_report.studies[0]
    found = sections_of(row_sections(study))
    assert list(found) == study.suites[0].labels
    assert all(section.folded for section in found.values())
    for section in found.values():
        (links,) = [block for block in section.blocks if isinstance(block, Links)]
        assert links.links
        for link in links.links:
            assert (rich / link.name).is_file(), link.name


def test_figures_of_a_row(rich_report: Report) -> None:
    study = rich_report.studies[0]
    section = sections_of(row_sections(study))["trx"]
    accuracy, errors, cost, training = tables_of(section)
    row = study.suites[0].row("trx", "both")
    assert row is not None
    measured, places = row.measured, row.measured.decimals
    (line,) = [line for line in lines(accuracy) if line[:2] == ["test", "both"]]
    assert len(lines(accuracy)) == 6, "three choices of modalities on two suites"
    interval = row.interval
    assert line[2] == f"{interval.mean * 100:.{places}f}"
    assert line[3] == f"{interval.low * 100:.{places}f} to {interval.high * 100:.{places}f}"
    assert row.ranks is not None
    assert line[4] == f"{row.ranks[0]}{MISSING}{row.ranks[1]}"
    assert len(line[5].split(", ")) == 3
    assert line[6] == f"{100 * (measured.metrics.value('macro_f1') or 0):.{places}f}"
    analysis = measured.inference.analysis
    assert analysis is not None
    (line,) = [line for line in lines(errors) if line[0] == "both"]
    wider = analysis.performances.standard_error * 100, analysis.performances.degrees_of_freedom
    assert line[2].startswith(f"{wider[0]:.2f} ({wider[1]:,.0f})")
    assert "8 subjects" in line[4], "why there is no delete-one error"
    (line,) = [line for line in lines(cost) if line[0] == "both"]
    assert line[1:9] == ["20", "1.5k", "5.0M", "7", "11", MISSING, "1.5", "100"]
    (line,) = [line for line in lines(training) if line[0] == "both"]
    assert line[:6] == ["both", "frozen", "scratch", "0, 1, 2", "0.001", "0.0003: 50.0; 0.001: 62.5; 0.01: diverged"]
    assert line[6] == "2: 60.0; 2: 60.0; 2: 60.0"


def test_a_row_says_what_repeats_it(rich_report: Report) -> None:
    found = sections_of(row_sections(rich_report.studies[0]))
    again = "Again: `oneshot run --data DATA --preset quick --study methods --method trx --seeds 3`"
    assert again in text_of(found["trx"].blocks)
    assert "--method lone --modalities video --seeds 1" in text_of(found["lone"].blocks)


def test_overrides_of_a_run_are_repeated(tmp_path: Path) -> None:
    add_seeds(tmp_path, "half", HALF, settings={"overrides": ["frozen.steps=9", "seeds=[0]"]})
    assert "--set 'frozen.steps=9' --set 'seeds=[0]'" in text_of(rows(tmp_path)["half"].blocks)


def test_a_row_says_why_it_is_not_ranked_and_a_gap_why_it_is_there(rich_report: Report) -> None:
    found = sections_of(row_sections(rich_report.studies[0]))
    assert "Not ranked: seed 0 alone: a rank needs 3 seeds, and a comparison the same ones." in text_of(
        found["lone"].blocks
    )
    assert "Not ranked: transductive" in text_of(found["joint"].blocks)
    assert "sensors: needs a map." in text_of(found["can"].blocks)


def test_external_weights_are_named(rich_report: Report) -> None:
    found = sections_of(row_sections(rich_report.studies[1]))
    assert "Here: vit.pth sha256:0." in text_of(found["trx (from vit.pth)"].blocks)
    assert "Here:" not in text_of(found["trx (from scratch)"].blocks)


@pytest.mark.parametrize(
    ("own", "seeds", "text"),
    [(True, HALF, "It covers pre-training again."), (False, HALF, "It is conditional on one pre-training."),
     (True, HALF[:1], "It is conditional on one pre-training.")],
)  # fmt: skip
def test_a_row_says_whether_its_interval_covers_pretraining_again(
    tmp_path: Path, own: bool, seeds: list[list[float]], text: str
) -> None:
    add_seeds(tmp_path, "trx", seeds, pretrained="mu_mae", own=own)
    assert text in tables_of(rows(tmp_path)["trx"])[0].caption
    add_seeds(tmp_path, "can", HALF)
    assert "pre-training" not in tables_of(rows(tmp_path)["can"])[0].caption


def test_learning_curves_are_of_all_studies(rich_report: Report, tmp_path: Path) -> None:
    section = curves_section(rich_report)
    assert section is not None
    (chart,) = section.blocks
    assert isinstance(chart, Chart)
    headings = [panel.heading for panel in chart.figure.panels]
    assert "trx, video" in headings
    assert "trx (from scratch), video (initialisation)" in headings
    assert len(set(headings)) == len(headings)
    add_control(tmp_path, [1.0] * 4)
    assert curves_section(read_report(tmp_path)) is None


def test_pretrainings_are_shown_once_with_their_cost(tmp_path: Path) -> None:
    add_seeds(tmp_path, "trx", HALF, pretrained="mu_mae", own=False)
    nothing: dict[str, Any] = {"volatile": {}, "losses": [], "modalities": ("video",), "provenance": {}}
    add_pretraining(tmp_path, "videomae", 1, **nothing)
    section = pretraining_section(read_report(tmp_path), tmp_path)
    assert section is not None
    assert lines(tables_of(section)[0]) == [
        ["mu_mae-video-sensors-s0", "video and sensors", "0", "16", "20", "5", "1.5k", "acc 0.25, video 0.512",
         "120", "64", "25"],
        ["videomae-video-sensors-s1", "video", "1", "16", "20", "5", "1.5k", *[MISSING] * 4],
    ]  # fmt: skip
    (settings,) = tables_of(sections_of(section.blocks)["Settings of pre-training"])
    assert ["budget.batch", "64"] in lines(settings)
    assert pretraining_section(read_report_of(tmp_path / "none"), tmp_path) is None


def read_report_of(folder: Path) -> Report:
    add_seeds(folder, "half", HALF)
    return read_report(folder)


def test_classes_of_a_pretraining_are_named(tmp_path: Path) -> None:
    add_seeds(tmp_path, "trx", HALF, pretrained="mu_mae")
    add_pretraining(tmp_path, "paper", conditions={"classes": "base+validation"}, conditions_digest="8" * 64)
    add_pretraining(tmp_path, "other", conditions={}, conditions_digest="6" * 64)
    section = pretraining_section(read_report(tmp_path), tmp_path)
    assert section is not None
    text = text_of(section.blocks)
    assert "mu_mae: trained on clips of the 2 base classes, without their labels; no clip of a validation or" in text
    assert "paper: trained on clips of the 2 base and validation classes, without their labels; no clip of a" in text
    assert "other: trained on clips of the classes delta, epsilon, without labels." in text
    (settings,) = tables_of(sections_of(section.blocks)["Settings of pre-training"])
    headers = [column.header for column in settings.columns[1:]]
    assert headers == ["mu_mae, 99999999", "other, 66666666", "paper, 88888888"]


def test_pictures_are_found_beside_the_records(rich_report: Report, rich: Path, tmp_path: Path) -> None:
    for folder, content in ((rich / "records", PIXEL), (tmp_path, b"")):
        section = pretraining_section(rich_report, folder)
        assert section is not None
        (picture,) = [block for block in section.blocks if isinstance(block, Picture)]
        assert picture.content == content
        assert picture.path == f"records/pretraining/{PICTURE}"
        assert picture.text.startswith("Clips as recorded, masked, and reconstructed by mu_mae")


def test_provenance_says_where_records_differ(tmp_path: Path) -> None:
    add_seeds(tmp_path, "half", HALF)
    made = {"version": "0.1.0", "commit": None, "changed": True, "versions": {"torch": "2.9"}}
    add(tmp_path, "other", 0, answers(HALF[0]), provenance=made)
    add_external(tmp_path, "ours", HALF[0])
    identity = add(tmp_path, "late", 0, answers(HALF[0]))
    evaluation_file(tmp_path, identity).unlink()
    section = provenance_section(read_report(tmp_path))
    (table,) = tables_of(section)
    found = {line[0]: line[1] for line in lines(table)}
    assert found["preset"] == "quick"
    assert f"version 0.1.0, commit {'c' * 40} (4 of 5 records)" in found["code"]
    assert "commit not known, with uncommitted changes (1 of 5 records)" in found["code"]
    assert found["clips"] == "30 of 30 usable"
    (suite,) = read_report(tmp_path).suites
    assert found["episodes of test"] == f"evaluation digest {suite.record.evaluation_digest[:8]}"
    text = text_of(section.blocks)
    assert f"Trained, but not scored yet: `{identity}`." in text
    assert "Test accesses of test, as logged: 6 of 6 trainings; 4 trainings are shown." in text


def test_checks_are_listed_whether_they_passed_or_not(rich_report: Report) -> None:
    text = text_of(provenance_section(rich_report).blocks)
    assert "Check passed: the control random, both scores 50 %" in text


@pytest.mark.parametrize(
    ("data", "shown"),
    [(DATA, False), (DATA | {"layout": "mmact"}, True), (DATA | {"layout": "mmact-flat"}, True), (GENERATED, False)],
    ids=["other recordings", "MMAct", "MMAct in one folder", "generated"],
)
def test_published_figures_stand_apart_beside_recordings_of_mmact_only(
    tmp_path: Path, data: dict[str, Any], shown: bool
) -> None:
    add_seeds(tmp_path, "half", HALF, data=data)
    report = read_report(tmp_path)
    section = published_section(report)
    assert (section is not None) is shown
    found = document(report, tmp_path)
    assert [each.name for each in found.sections].count("published-figures") == shown
    if section is not None:
        assert section.title == "Published figures (not measured here)"
        assert lines(tables_of(section)[0])[0][1:] == ["80.17", "arXiv 2408.04243"]


def test_external_rows_stand_in_a_section_of_their_own(rich_report: Report, rich: Path) -> None:
    (section,) = [each for each in document(rich_report, rich / "records").sections if each.name == "external"]
    (table,) = tables_of(section)
    assert [line[:3] for line in lines(table)] == [["Ours", "test", "both"], ["Ours", "test-cross-subject", "both"]]
    assert "as stated by arXiv 2601.00001; trained on Kinetics" in lines(table)[0][5]
    assert "never ranked" in table.caption


def test_a_report_with_nothing_but_gaps_has_no_main_table(tmp_path: Path) -> None:
    add_skipped(tmp_path, "can", "needs a map")
    found = document(read_report(tmp_path), tmp_path)
    assert found.main is None
    (section,) = [each for each in found.sections if each.name == "study-methods"]
    assert not section.folded
    assert text_of(section.blocks).endswith("Rows that could not be scored: can, sensors: needs a map.")


def test_a_study_with_nothing_but_gaps_stands_beside_one_with_figures(tmp_path: Path) -> None:
    add_seeds(tmp_path, "half", HALF, study="frozen")
    add_skipped(tmp_path, "can", "needs a map")
    found = {each.name: each for each in document(read_report(tmp_path), tmp_path).sections}
    assert "can, sensors: needs a map." in text_of(found["study-methods"].blocks)
    assert "could not be scored" not in text_of(found["study-frozen"].blocks)
