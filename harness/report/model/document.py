"""The report as a document: the first screen, and everything below it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mmact_oneshot.harness.report.charts.figure import Figure
from mmact_oneshot.harness.report.charts.matrix import matrix_chart
from mmact_oneshot.harness.report.charts.suite_figure import suite_figures
from mmact_oneshot.harness.report.model.blocks import Block, Chart, Document, Items, Paragraph, Section, StudyBlocks
from mmact_oneshot.harness.report.model.captions import (
    data_warnings,
    guard_sentence,
    matrix_caption,
    start_sentence,
    training_notes,
)
from mmact_oneshot.harness.report.model.findings import reference_sentences, sentence
from mmact_oneshot.harness.report.model.matrix import footnotes, matrix, pairs_table, slug, suite_section
from mmact_oneshot.harness.report.model.provenance_section import provenance_section, published_section
from mmact_oneshot.harness.report.model.row_sections import external_section, row_sections
from mmact_oneshot.harness.report.model.training_sections import conditions_section, curves_section, pretraining_section
from mmact_oneshot.harness.report.results.report import Report, StudyResults, StudySuite
from mmact_oneshot.harness.report.suite_names import suite_title

DATA_NAMES = {"mmact": "MMAct", "mmact-flat": "MMAct", "utd-mhad": "UTD-MHAD"}
BESIDE = 2  # suites that stand beside each other in the main matrix


def document(report: Report, records: Path, figures: Sequence[str] = ()) -> Document:
    """The whole report.

    Args:
        records: the folder of records, for the pictures that lie there.
        figures: Python files with a figure each, beside ours and those of installed packages.
    """
    loud = [Paragraph(text, "alarm") for text in failures(report)]
    loud += [Paragraph(text, "warning") for text in warnings(report)]
    main = report.main if report.main is not None and report.main.suites else None
    sections = [] if main is None else _details(main, figures)
    sections += [
        _study(study, figures) for study in report.studies if study is not main and (study.suites or study.skipped)
    ]
    sections += _optional(report, records)
    blocks = None if main is None else study_blocks(main)
    return Document(title(report), subtitle(report), tuple(loud), blocks, tuple(sections))


def title(report: Report) -> str:
    """Data set and preset."""
    return f"{data_name(report)}, preset {' and '.join(report.presets) or 'none'}"


def data_name(report: Report) -> str:
    """``UTD-MHAD, depth videos``, ``Generated data (MMAct layout)``."""
    names = []
    for data in report.data:
        name = DATA_NAMES.get(str(data.get("layout")), str(data.get("layout")))
        shown = f", {' and '.join(data['streams'])} videos" if data.get("streams") else ""
        names.append(f"Generated data ({name} layout)" if data.get("generated") else f"{name}{shown}")
    return " and ".join(dict.fromkeys(names)) or "No data"


def subtitle(report: Report) -> str:
    """Date, task and code."""
    suite = next(iter(report.suites), None)
    commits = list(dict.fromkeys(str(t.provenance.get("commit") or "not known")[:12] for t in report.trainings))
    parts = [
        report.date,
        "one-shot action recognition" if suite is None or suite.shot == 1 else "few-shot action recognition",
        "" if suite is None else f"{suite.way}-way {suite.shot}-shot, {len(suite):,} episodes",
        f"commit {', '.join(commits[:2])}{' ...' * (len(commits) > 2)}" if commits else "",
    ]
    return " · ".join(filter(None, parts))


def warnings(report: Report) -> list[str]:
    """What a reader must know of the data."""
    return list(dict.fromkeys(text for data in report.data for text in data_warnings(data)))


def failures(report: Report) -> list[str]:
    """Checks that failed."""
    return [
        *(f"{suite.name}: {guard_sentence(guard)}" for suite, guard in report.failed),
        *(start_sentence(start) for start in report.unequal_starts),
    ]


def study_blocks(study: StudyResults) -> StudyBlocks:
    """Question, matrix, a sentence for each choice of modalities, and the reference against every other row."""
    first = study.suites[0]
    beside = [results for results in study.suites if results.suite.shot == first.suite.shot][:BESIDE]
    return StudyBlocks(
        question=study.record.question,
        matrix=matrix(study, beside),
        notes=Items(
            (
                *(f"{letter}: {reason}." for reason, letter in footnotes(first).items()),
                *training_notes(first),
                *further_note([results for results in study.suites if results not in beside]),
            )
        ),
        sentences=Items(tuple(sentence(ranking) for ranking in first.rankings.values())),
        answers=Items(tuple(reference_sentences(first, len(first.labels)).values())),
        pairs=pairs_table(study, first),
    )


def further_note(suites: Sequence[StudySuite]) -> tuple[str, ...]:
    """Where the figures on suites are that the main table has no room for."""
    names = ", ".join(suite_title(results.suite.name) for results in suites)
    return (f"Further suites, in report.html and rows.csv: {names}.",) if suites else ()


def skipped_blocks(study: StudyResults) -> tuple[Paragraph, Items]:
    """Of a study of which nothing was scored: the rows that could not be, with the reasons."""
    reasons = (f"{label}, {modality}: {reason}." for (label, modality), reason in study.skipped.items())
    return Paragraph("Rows that could not be scored:"), Items(tuple(reasons))


def matrix_figure(report: Report) -> Figure | None:
    """The matrix of the main study as a picture; None where nothing was scored."""
    if report.main is None or not report.main.suites:
        return None
    results = report.main.suites[0]
    return matrix_chart(results, matrix_caption(results))


def _study(study: StudyResults, figures: Sequence[str]) -> Section:
    """A study after the main one: its main tables open, its details folded; why, where nothing could be scored."""
    blocks: tuple[Block, ...]
    if study.suites:
        blocks = (*study_blocks(study).blocks, *_details(study, figures))
    else:
        blocks = (Paragraph(study.record.question), *skipped_blocks(study))
    return Section(f"study-{slug(study.name)}", f"Study {study.name}", blocks)


def _details(study: StudyResults, figures: Sequence[str]) -> list[Section]:
    """What stands below the main tables of a study."""
    name = slug(study.name)
    sections = [_suite(study, results, place, figures) for place, results in enumerate(study.suites)]
    rows = Section(f"rows-{name}", f"Rows of {study.name}: seeds, settings, costs, records", row_sections(study))
    conditions = conditions_section(study)
    return [*sections, rows, *([conditions] if conditions is not None else [])]


def _suite(study: StudyResults, results: StudySuite, place: int, figures: Sequence[str]) -> Section:
    """The figures of a study on one suite; from the second suite on, with its tables."""
    blocks: list[Block] = []
    if place:
        blocks = [matrix(study, [results]), Items(tuple(sentence(each) for each in results.rankings.values()))]
        pairs = pairs_table(study, results)
        blocks += [pairs] if pairs is not None else []
    name = suite_section(study, results)
    blocks += [Chart(figure, "" if place else f"{name}-{figure.name}") for figure in suite_figures(results, figures)]
    return Section(
        f"{name}-details", f"Figures of {study.name} on {suite_title(results.suite.name)}", tuple(blocks), folded=True
    )


def _optional(report: Report, records: Path) -> list[Section]:
    external = external_section([(report.name_of(suite), ranking.rows) for suite, ranking in report.external])
    found = (
        curves_section(report),
        external,
        pretraining_section(report, records),
        published_section(report),
        provenance_section(report),
    )
    return [section for section in found if section is not None]
