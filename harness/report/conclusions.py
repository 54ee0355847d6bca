"""What may be concluded from a report, and what may not, in plain words: the first thing that a reader should see."""

from __future__ import annotations

from collections import Counter

from harness.report import words
from harness.report.columns import covered, data_warnings, is_generated
from harness.report.tables import Report, SuiteTable


def may(report: Report) -> list[str]:
    """Sentences, each true of these very records."""
    found = []
    for table in report.suites:
        compared = [section for section in table.sections if section.comparisons is not None]
        apart = sum(not row.tied for section in compared for row in section.ranked)
        rivals = sum(len(section.ranked) - 1 for section in compared)
        if compared:
            found.append(
                f"{table.suite}: {apart} of {rivals} rows can be told from the best row of their section "
                f"({len(compared)} section{'s' * (len(compared) != 1)} with rivals; equal training, the same episodes "
                "and seeds, corrected for the number of comparisons within a section)."
            )
    if any(not is_generated(data) for data in report.data):
        found.append("How far the figures of one section carry: " + _first_small(_covered(report)))
    return found or ["That the whole chain runs, from recordings to this report."]


def may_not(report: Report) -> list[str]:
    """Sentences."""
    found = [warning for data in report.data for warning in data_warnings(data)]
    classes = {len(table.classes) for table in report.suites}
    if classes:
        count = " or ".join(map(str, sorted(classes)))
        found.append(f"Anything about other classes: {count} classes were tested, and no interval speaks for others.")
    found.append(
        "A ranking across sections: their rows were trained under different conditions, so that a difference may come "
        "from any of them. `oneshot compare` names the conditions beside the difference."
    )
    if any(row.pretrainings and not row.pretrained_anew for table in report.suites for row in table.rows):
        found.append(f"Anything about another pre-training: rows that start from one are {words.ONE_PRETRAINING}.")
    layouts = {str(data.get("layout")) for data in report.data}
    if layouts and not any(layout.startswith("mmact") for layout in layouts):
        found.append("Anything about MMAct: its recordings were not used.")
    if any(len(table.rows) and table.rows[0].training.preset == "quick" for table in report.suites):
        found.append("How the methods do at the sizes that their papers use: these networks are tiny.")
    return found


def frozen_at(report: Report) -> str:
    """The commits at which the settings of the trainings were frozen, before any test figure was read."""
    commits = Counter(
        (str(training.provenance.get("commit") or "not known"), bool(training.provenance.get("changed")))
        for training in report.trainings
        if training.regime != "external"  # made elsewhere: its commit is that of the scoring
    )
    told = [
        f"`{commit[:12]}`{' with uncommitted changes' if changed else ''} ({count:,} training{'s' * (count != 1)})"
        for (commit, changed), count in sorted(commits.items(), key=lambda item: (-item[1], item[0]))
    ]
    return f"Settings as of commit {', '.join(told)}." if told else ""


def _covered(report: Report) -> str:
    return " ".join(dict.fromkeys(covered(table) for table in report.suites if _real(table)))


def _real(table: SuiteTable) -> bool:
    return not is_generated(table.data)


def _first_small(text: str) -> str:
    return text[:1].lower() + text[1:]
