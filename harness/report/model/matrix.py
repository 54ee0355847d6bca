"""The main tables of a study: rows by modalities, and the reference against every other row."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from string import ascii_lowercase

from mmact_oneshot.harness.report.formats import MISSING, bare_p, decimals, difference, interval_text, percent, short
from mmact_oneshot.harness.report.model.blocks import Cell, Column, Table
from mmact_oneshot.harness.report.model.captions import PAIRS, TIED, matrix_caption
from mmact_oneshot.harness.report.model.findings import listed_fields, verdict
from mmact_oneshot.harness.report.results.rankings import Pair, Ranking, Row, turned
from mmact_oneshot.harness.report.results.report import MODALITIES, StudyResults, StudySuite
from mmact_oneshot.harness.report.suite_names import suite_title
from mmact_oneshot.harness.runtime.digests import digest


def slug(text: str) -> str:
    """Small letters, digits, hyphens and underscores. A name that has anything else ends in the start of its digest, so
    that different names stay different."""
    plain = re.sub(r"[^a-z0-9_]+", "-", text.lower()).strip("-") or "x"
    return plain if plain == text else f"{plain}-{short(digest(text))}"


def row_section(study: str, label: str) -> str:
    """Name of the section that a row opens into."""
    return f"row-{slug(study)}-{slug(label)}"


def suite_section(study: StudyResults, results: StudySuite) -> str:
    """Name of a study on a suite; suites of one name, such as those of other recordings, are told apart by digest."""
    name = f"{slug(study.name)}-{slug(results.suite.name)}"
    alike = [each for each in study.suites if each.suite.name == results.suite.name]
    return name if len(alike) == 1 else f"{name}-{short(results.suite.record.evaluation_digest)}"


def modalities_of(suites: Sequence[StudySuite]) -> list[str]:
    """Modalities that any row of a study has, in order."""
    return [name for name in MODALITIES if any(name in suite.rankings for suite in suites)]


def footnotes(results: StudySuite) -> dict[str, str]:
    """Why rows are not ranked: reason -> letter, in order of appearance."""
    reasons = dict.fromkeys(note for row in results.rows for note in row.notes)
    letters = [*ascii_lowercase, *(first + second for first in ascii_lowercase for second in ascii_lowercase)]
    return dict(zip(reasons, letters, strict=False))


def matrix(study: StudyResults, suites: Sequence[StudySuite]) -> Table:
    """Methods down, modalities across, one group of columns a suite; the first suite orders the rows.

    Columns of the suites after the first are left out on a narrow page.
    """
    first, names = suites[0], modalities_of(suites)
    columns = [Column("method", "l")]
    for results in suites:
        columns += [Column(name, group=suite_title(results.suite.name)) for name in names]
    lines = []
    for label in first.labels:
        cells = [Cell(label, key=label, target=row_section(study.name, label))]
        cells += [_cell(results, label, name, footnotes(results)) for results in suites for name in names]
        lines.append(tuple(cells))
    return Table(
        name=suite_section(study, first),
        title=f"{study.name}: {suite_title(first.suite.name)}",
        columns=tuple(columns),
        lines=tuple(lines),
        caption=matrix_caption(first),
        beside=tuple(range(1 + len(names), len(columns))),
        sortable=True,
    )


def _cell(results: StudySuite, label: str, modality: str, letters: dict[str, str]) -> Cell:
    row = results.row(label, modality)
    if row is None:
        return Cell(MISSING, tip=results.gaps.get((label, modality), ""))
    if not row.measured.episodes:
        return Cell(MISSING, tip="no episode could be scored")
    ranking = results.rankings[modality]
    places = row.measured.decimals
    return Cell(
        text=percent(row.interval.mean, places),
        detail=interval_text(row.interval, places),
        mark=row_mark(ranking, row, letters),
        strong=leads(ranking, row),
        key=f"{row.interval.mean:.9g}",
        tip="; ".join(row.notes),
    )


def row_mark(ranking: Ranking, row: Row, letters: dict[str, str]) -> str:
    """``=`` where a row does not differ significantly from the best, the best included; the letters of its notes."""
    if row.notes:
        return "".join(letters[note] for note in row.notes)
    several = sum(each.tied for each in ranking.ranked) > 1
    return TIED if row.tied and several and ranking.comparisons is not None else ""


def leads(ranking: Ranking, row: Row) -> bool:
    """Whether a row has the highest mean among rivals."""
    return row.rank == 1 and len(ranking.ranked) > 1


def pairs_table(study: StudyResults, results: StudySuite) -> Table | None:
    """The reference of a study against every other row, modality by modality; None where nothing is compared.

    A reference that is a method asks whether it beats the others: differences are the reference minus the row.
    Otherwise they are the row minus its reference.
    """
    asks = "method" in study.record.reference
    names = modalities_of([results])
    found: dict[str, dict[str, Pair]] = {}
    for modality in names:
        for pair in results.against(modality):
            found.setdefault(pair.second.label, {})[modality] = pair
    if not found:
        return None
    lines = [
        (
            Cell(label, key=label, target=row_section(study.name, label)),
            *(_answer(found[label].get(modality), asks) for modality in names),
        )
        for label in results.labels
        if label in found
    ]
    return Table(
        name=f"{suite_section(study, results)}-pairs",
        title=_pairs_title(study, results),
        columns=(Column("", "l"), *(Column(name) for name in names)),
        lines=tuple(lines),
        caption=PAIRS,
    )


def _pairs_title(study: StudyResults, results: StudySuite) -> str:
    reference = study.record.reference
    if "method" in reference:
        return f"Does {reference['method']} beat ...?"
    if reference:
        return f"Each row minus the one with {listed_fields(reference)}"
    best = dict.fromkeys(row.label for row in results.references().values())
    return f"Each row minus the best ({', '.join(best)})"


def _answer(pair: Pair | None, asks: bool) -> Cell:
    if pair is None:
        return Cell(MISSING)
    shown = pair if asks else replace(pair, interval=turned(pair.interval))
    found = difference(shown.interval, decimals(shown.interval.standard_error))
    p = f"Holm-adjusted p {bare_p(pair.adjusted)}"
    key = f"{shown.interval.mean:.9g}" if math.isfinite(shown.interval.mean) else ""
    word = verdict(pair) if asks else ("significant" if pair.significant else "undecided")
    return Cell(word, found, key=key, tip=p, strong=pair.significant)
