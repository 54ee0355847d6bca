"""Where the figures come from: code, versions, hardware, data, test accesses, checks; and figures of papers, apart."""

from __future__ import annotations

from collections import Counter

from mmact_oneshot.harness.records import TrainingRecord
from mmact_oneshot.harness.report.formats import MISSING, assignments
from mmact_oneshot.harness.report.model.blocks import Block, Items, Section, Table, plain_table
from mmact_oneshot.harness.report.model.captions import access_sentence, guard_sentence, suite_sentence
from mmact_oneshot.harness.report.results.report import Report

MMACT_LAYOUTS = {"mmact", "mmact-flat"}
PUBLISHED = (("Mu-MAE on MMAct, 5-way 1-shot, video and sensors, no external data", "80.17", "arXiv 2408.04243"),)


def provenance_section(report: Report) -> Section:
    """Code, versions, hardware and data behind the records; where records differ, how many say what."""
    shown = {
        suite.name: len({t.id for study in report.studies for r in study.suites if r.suite is suite for row in r.rows
                         for t in row.measured.trainings})
        for suite in report.suites
    }  # fmt: skip
    sentences = [
        *(f"{suite.name}: {suite_sentence(suite)}" for suite in report.suites),
        *(access_sentence(suite, report.accesses, shown[suite.name]) for suite in report.suites),
        *(guard_sentence(guard) for found in report.guards.values() for guard in found),
        *(f"Trained, but not scored yet: `{name}`." for name in report.unscored),
    ]
    blocks: list[Block] = [Items(tuple(dict.fromkeys(sentences)))]
    trainings = [training for training in report.trainings if training.training != "external"]
    if trainings:
        blocks.append(_origins(trainings, report))
    return Section("provenance", "Provenance and checks", tuple(blocks), folded=True)


def _origins(trainings: list[TrainingRecord], report: Report) -> Table:
    tables = [_origin(training) for training in trainings]
    names = list(dict.fromkeys(name for table in tables for name in table))
    lines = []
    for name in names:
        counts = Counter(table.get(name, MISSING) for table in tables)
        values = sorted(counts)
        shares = [f"{value} ({counts[value]} of {len(tables)} records)" for value in values]
        lines.append((name, values[0] if len(values) == 1 else "; ".join(shares)))
    lines += [
        (f"episodes of {suite.name}", f"evaluation digest {suite.record.evaluation_digest[:8]}")
        for suite in report.suites
    ]
    return plain_table("provenance-table", "", ("what", "value"), lines, align="ll")


def _origin(training: TrainingRecord) -> dict[str, str]:
    given = training.provenance
    changed = {True: ", with uncommitted changes", False: "", None: ""}[given.get("changed")]
    return {
        "preset": training.preset,
        "code": f"version {given.get('version')}, commit {given.get('commit') or 'not known'}{changed}",
        "python": f"{given.get('python')} on {given.get('system')}",
        "packages": ", ".join(f"{name} {version}" for name, version in sorted(given.get("versions", {}).items())),
        "hardware": assignments(given.get("hardware", {})),
        "data": assignments({name: training.data.get(name) for name in ("layout", "digest", "split", "split_digest")}),
        "clips": f"{training.data.get('clips_usable', 0):,} of {training.data.get('clips_listed', 0):,} usable",
    }


def published_section(report: Report) -> Section | None:
    """Figures of papers, only beside real recordings of the same data set."""
    if not any(data.get("layout") in MMACT_LAYOUTS and not data.get("generated") for data in report.data):
        return None
    table = plain_table(
        "published-figures",
        "",
        ("figure, as published", "accuracy, %", "source"),
        PUBLISHED,
        align="lrl",
        caption="Taken from the papers, not measured here: other episodes, encoders and training. They are not ranked.",
    )
    return Section("published-figures", "Published figures (not measured here)", (table,))
