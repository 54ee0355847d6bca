"""What may be concluded from a report, and what may not, in plain words: the first thing that a reader should see."""

from __future__ import annotations

from collections import Counter

from harness.report import words
from harness.report.columns import covered, data_warnings, guard_sentence, is_generated
from harness.report.tables import Report, Section, SuiteTable

RIVALS = 3  # ranked rows of a section that make it worth a sentence


def may(report: Report) -> list[str]:
    """Sentences, each true of these very records."""
    found = []
    for table in report.suites:
        if not any(guard.failed for guard in table.guards):
            found += [_best(table, section) for section in table.sections if len(section.ranked) >= RIVALS]
    if found:
        found.append(
            "What cannot be told apart need not be equal. Corrected for the number of pairs within a section, not "
            "across sections or suites."
        )
    if any(_real(table) for table in report.suites):
        found.append(f"How far these figures carry: {_first_small(_covered(report))}")
    return found or ["That the whole chain runs, from recordings to this report."]


def _best(table: SuiteTable, section: Section) -> str:
    if section.comparisons is None:
        return f"{table.suite}, {section.heading}: nothing, the episodes are not recorded."
    best = section.ranked[section.comparisons.best]
    others = [row for row in section.ranked if row is not best]
    worse = sum(not row.tied for row in others)
    found = f"{best.label} is better than {worse} of {len(others)} rivals; the others cannot be told from it"
    if worse == len(others):
        found = f"{best.label} is better than all {len(others)} rivals"
    elif not worse:
        found = f"none of {len(others)} rivals can be told from {best.label}, which has the highest mean"
    on = "On generated data, " if is_generated(table.data) else "On "
    return f"{on}{table.suite}, {_first_small(section.heading)}: {found}."


def may_not(report: Report) -> list[str]:
    """Sentences."""
    found = [warning for data in report.data for warning in data_warnings(data)]
    found += [
        f"{table.suite}: anything at all. {guard_sentence(guard)}"
        for table in report.suites
        for guard in table.guards
        if guard.failed
    ]
    classes = {len(table.classes) for table in report.suites}
    if classes:
        count = " or ".join(map(str, sorted(classes)))
        found.append(f"Anything about other classes: {count} classes were tested, and no interval speaks for others.")
    found.append(
        "Anything about people whom no training saw, or about other places, where the tested subjects and places also "
        "occur in the training classes."
    )
    found.append(
        "A ranking across sections: their rows were trained under different conditions, so that a difference may come "
        "from any of them. `oneshot compare` names the conditions beside the difference."
    )
    if any(row.pretrainings and not row.pretrained_anew for table in report.suites for row in table.rows):
        found.append(f"Anything about another pre-training: rows that start from one are {words.ONE_PRETRAINING}.")
    if _looked_before(report):
        found.append(
            "That all settings were fixed before any test figure was seen: trainings that are not shown here were "
            "scored as well, or the trainings come from several commits (the captions have the numbers)."
        )
    layouts = {str(data.get("layout")) for data in report.data}
    if layouts and not any(layout.startswith("mmact") for layout in layouts):
        found.append("Anything about MMAct: its recordings were not used.")
    if any(row.trained and not row.published for table in report.suites for row in table.rows):
        found.append(
            "How the methods do as their papers train them: here all heads share encoders, inputs and schedules, given "
            "under Conditions of training, and most are smaller than those of the papers."
        )
    return found


def _looked_before(report: Report) -> bool:
    shown = {table.suite: sum(len(row.trainings) for row in table.rows) for table in report.suites}
    commits = {training.provenance.get("commit") for training in report.trainings if training.regime != "external"}
    return len(commits) > 1 or any(table.looked_at > shown[table.suite] for table in report.suites)


def frozen_at(report: Report) -> str:
    """The commits of the trainings; whether a test figure had been read by then, the log of looks must say."""
    commits = Counter(
        (str(training.provenance.get("commit") or "not known"), bool(training.provenance.get("changed")))
        for training in report.trainings
        if training.regime != "external"  # made elsewhere: its commit is that of the scoring
    )
    told = [
        f"`{commit[:12]}`{' with uncommitted changes' if changed else ''} ({count:,} training{'s' * (count != 1)})"
        for (commit, changed), count in sorted(commits.items(), key=lambda item: (-item[1], item[0]))
    ]
    return f"Settings frozen by commit {', '.join(told)}." if told else ""


def _covered(report: Report) -> str:
    return " ".join(dict.fromkeys(covered(table) for table in report.suites if _real(table)))


def _real(table: SuiteTable) -> bool:
    return not is_generated(table.data)


def _first_small(text: str) -> str:
    return text[:1].lower() + text[1:]
