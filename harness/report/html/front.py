"""What opens the page: warnings, what may and may not be concluded, and where the figures come from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from markupsafe import Markup

from harness.report import conclusions, words
from harness.report.charts.views import suites
from harness.report.columns import data_warnings, guard_sentence
from harness.report.html.prose import code
from harness.report.tables import Report

WHAT = (
    "Methods for one-shot action recognition, compared on fixed episodes: each is shown one or a few labelled clips of "
    "every class of an episode and then names the classes of further clips. Everything here was made from the records "
    "of a run alone; the same records give the same page."
)


@dataclass(frozen=True)
class Front:
    """Sentences are marked up; ``facts`` are pairs of a name and what is known."""

    what: str
    warnings: tuple[str, ...]
    failed: tuple[str, ...]
    may: tuple[Markup, ...]
    may_not: tuple[Markup, ...]
    facts: tuple[tuple[str, Markup], ...]


def front(report: Report) -> Front:
    several = len(report.data) > 1
    return Front(
        what=WHAT,
        warnings=tuple(
            warning + (f" (data {words.short(str(data.get('digest')))})" if several else "")
            for data in report.data
            for warning in data_warnings(data)
        ),
        failed=tuple(
            f"{suite.name}: {guard_sentence(guard)}"
            for suite in suites(report)
            for guard in suite.table.guards
            if guard.failed
        ),
        may=tuple(map(code, conclusions.may(report))),
        may_not=tuple(map(code, conclusions.may_not(report))),
        facts=tuple(_facts(report)),
    )


def _facts(report: Report) -> Iterable[tuple[str, Markup]]:
    """Without dates: the records of two equal runs differ in nothing else."""
    for data in report.data:
        yield (
            "data",
            code(
                f"layout {data.get('layout')}, split {data.get('split')}, {data.get('clips_usable', 0):,} of "
                f"{data.get('clips_listed', 0):,} clips usable, digest `{words.short(str(data.get('digest')))}`"
            ),
        )
    trainings = report.trainings
    if not trainings:
        return
    seeds = sorted({training.seed for training in trainings if training.regime != "untrained"})
    yield "preset", code(_each(training.preset for training in trainings))
    yield "recipe", code(_each(training.recipe for training in trainings))
    yield "trainings", code(f"{len(trainings):,}, seeds {', '.join(map(str, seeds)) or 'none'}")
    yield "code", code(conclusions.frozen_at(report))
    for suite in suites(report):
        digest = words.short(suite.table.evaluation_digest)
        yield f"episodes of {suite.name}", code(f"{suite.table.episodes:,}, evaluation digest `{digest}`")


def _each(values: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(values))
