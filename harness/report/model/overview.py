"""Several reports together: the page that opens a folder of results. What was found stands first."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from mmact_oneshot.harness.report.formats import percent
from mmact_oneshot.harness.report.model.blocks import Block, Items, Link, Links, Paragraph, Section, Table, plain_table
from mmact_oneshot.harness.report.model.captions import not_learnt_note
from mmact_oneshot.harness.report.model.document import data_name, failures, study_blocks, title, warnings
from mmact_oneshot.harness.report.model.findings import reference_sentences, sentence
from mmact_oneshot.harness.report.results.report import Report, StudyResults

COVERAGE = "coverage.json"
LIMITS = (
    "Anything about other classes: intervals are for new performances and new subjects of the tested classes.",
    "That methods without a significant difference are equal.",
    "How a method does as its paper trains it: all rows of a study share encoders, inputs and schedules, most of them "
    "smaller than those of the papers.",
)
INTERVALS = {
    "clips": "these clips",
    "performances": "new performances",
    "subjects": "new subjects",
    "deletion": "delete-one",
    "headline": "shown in tables",
}


def overview(
    reports: Mapping[str, Report], coverage: Mapping[str, Any] | None, notes: Collection[str] = ()
) -> tuple[Section, ...]:
    """Sections: what was found, what not, each report's main study, and whether the intervals hold.

    Args:
        reports: by the folder that each lies in.
        coverage: the record of the simulation of intervals; None where there is none.
        notes: folders in which a ``README.md`` says how the results came about.
    """
    sections = [
        Section(
            "found", "What was found", tuple(block for name in reports for block in _findings(name, reports[name]))
        ),
        Section("limits", "What may not be concluded", (Items(_limits(reports.values())),)),
        *(_front(name, report, name in notes) for name, report in reports.items()),
    ]
    if coverage is not None:
        sections.append(Section("coverage", "Do the intervals hold?", _coverage(coverage)))
    return tuple(sections)


def read_coverage(path: Path) -> dict[str, Any] | None:
    """The record that ``harness/report/statistics/simulation/coverage.py`` writes; None where there is none."""
    if not path.is_file():
        return None
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found


def _limits(reports: Iterable[Report]) -> tuple[str, ...]:
    known = [data for report in reports for data in report.data]
    real = any(str(data.get("layout")).startswith("mmact") and not data.get("generated") for data in known)
    return LIMITS if real else (*LIMITS, "Anything about MMAct: its recordings were not used.")


def _findings(name: str, report: Report) -> list[Block]:
    blocks: list[Block] = [Paragraph(f"{name} ({data_name(report)}):")]
    if report.main is None or not report.main.suites:
        return [*blocks, Paragraph("Nothing was scored yet.")]
    sentences = [sentence(ranking) for ranking in report.main.suites[0].rankings.values()]
    for study in report.studies:
        compared = list(reference_sentences(study.suites[0]).values()) if study.suites else []
        # the last is on both modalities, where there are such rows
        sentences += [f"{study.record.question} {text}{_part_of(study)}" for text in compared[-1:]]
    return [*blocks, Items((*sentences, *not_learnt_note(report.main.suites[0])))]


def _part_of(study: StudyResults) -> str:
    """How much of a study is there, where that is not all."""
    results = study.suites[0]
    trained = [row for row in results.rows if row.measured.trained]
    seeds = max((len(row.measured.seeds) for row in trained), default=0)
    complete = sum(len(row.measured.seeds) == seeds for row in trained)
    to_come = sum(place not in study.skipped for place in results.gaps)
    if complete == len(trained) and not to_come:
        return ""
    return f" So far {complete} of {len(trained) + to_come} rows have {seeds} seeds."


def _front(name: str, report: Report, noted: bool) -> Section:
    where = f"{name}/report"
    links = [Link(text, f"{where}.{text.lower()}") for text in ("HTML", "md", "tex")]
    links += [Link("how it came about, and what was known before", f"{name}/README.md")] if noted else []
    blocks: list[Block] = [Paragraph(text, "alarm") for text in failures(report)]
    blocks += [Paragraph(text, "warning") for text in warnings(report)]
    blocks.append(Links(tuple(links)))
    for study in report.studies:
        if study.suites:
            found = study_blocks(study)
            blocks += [Paragraph(found.question), found.matrix, *([found.notes] if found.notes.items else [])]
    return Section(name, f"{name}: {title(report)}", tuple(blocks))


def _coverage(found: Mapping[str, Any]) -> tuple[Block, ...]:
    worlds = found["worlds"]
    lines = []
    for world in worlds:
        intervals = world["intervals"]
        shares = (percent(intervals[kind]["share"], 1) for kind in INTERVALS)
        width = f"{intervals['headline']['mean_half_width'] * 100:.2f}"
        lines.append((world["world"]["name"], f"{world['true_sd'] * 100:.2f}", *shares, width))
    low, high = found["headline_limits"]
    table: Table = plain_table(
        "coverage",
        "",
        ("simulated data", "true sd, points", *INTERVALS.values(), "half width, points"),
        lines,
        caption="A: clips independent; B: views of a performance alike; C: subjects matter as well; unequal: some "
        "classes are harder; at the sizes of MMAct and UTD-MHAD. Training seeds are not simulated.",
    )
    return (
        Paragraph(
            f"Coverage in % of nominal {found['level'] * 100:.0f} % intervals over {worlds[0]['replicates']:,} "
            f"simulated test sets whose truth is known ({found['episodes']:,} episodes each), wanted between "
            f"{low * 100:.0f} and {high * 100:.0f} % for the intervals in tables. Made by `{found['command']}`."
        ),
        table,
    )
