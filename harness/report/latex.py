"""The report's tables as LaTeX: a file that compiles as it is, from which each table can be copied into a paper."""

from __future__ import annotations

import re
from collections.abc import Iterable

from harness.report import appendix, words
from harness.report.columns import (
    Column,
    caption,
    columns_of,
    data_warnings,
    guard_sentence,
    legend,
    marks,
    title,
)
from harness.report.differences import differences, reference
from harness.report.rows import Row
from harness.report.tables import Report, Section, SuiteTable
from harness.report.tex import Part, bold, escape, paragraph, table

OPENING = r"""% Made by `oneshot report` from records alone: the same records give the same file.
% A table copied into a paper needs:
%   \usepackage[T1]{fontenc}
%   \usepackage{array,booktabs,longtable}
\documentclass[10pt]{article}
\usepackage[T1]{fontenc}
\IfFileExists{lmodern.sty}{\usepackage{lmodern}}{}
\usepackage[a4paper,margin=18mm]{geometry}
\usepackage{array,booktabs,longtable}
\makeatletter % captions stand above tables, and are long
\long\def\@makecaption#1#2{{\footnotesize #1: #2\par}\vskip 6pt}
\makeatother
\begin{document}"""
CLOSING = r"\end{document}"
F1 = Column("macro-F1", lambda row: words.percent(row.metrics.macro_f1, row.decimals))
SHOWN = {
    "method": paragraph(0.3),
    "sees": "l",
    "accuracy, % [95 %]": "r",
    "ranks": "r",
    "seeds": "r",
    F1.header: "r",
    "worst / best": "r",
    "trained / all": "r",
}
"""Of the columns of the report those that a paper needs, and how they are set: headings tell the others."""
PUBLISHED = {"encoders": "l", "start": "l", "external data": paragraph(0.17)}
"""In place of the last three, where rows of one section differ in them."""
BOLD = ("method", "accuracy, % [95 %]")
MAY_NOT = (
    "Rows of different sections were trained under different conditions: a difference between them may come from any "
    "of these, and nothing is ranked across sections."
)


def latex(report: Report) -> str:
    """A whole file for pdflatex, with packages of texlive-latex-recommended only; depends on nothing but the records.

    It is plain ASCII, so that no input encoding can spoil it.
    """
    parts = [OPENING]
    for number, suite in enumerate(report.suites, 1):
        parts += [_suite(suite, report, number), *_differences(suite, number)]
    parts += [*_published(report), CLOSING]
    return "\n\n".join(parts) + "\n"


def _suite(suite: SuiteTable, report: Report, number: int) -> str:
    setting = _setting(suite)
    known = {column.header: column for column in (*columns_of(suite), F1)}
    columns = [known[header] for header in setting if header in known]
    left = iter(marks(suite))
    lines: list[list[str] | Part] = []
    for section in suite.sections:
        lines.append(Part(escape(section.heading)))
        for row in section.rows:
            cells = [escape(column.cell(row)) for column in columns]
            if _leads(row, section):
                cells = [
                    bold(cell) if column.header in BOLD else cell for cell, column in zip(cells, columns, strict=True)
                ]
            lines.append([escape(next(left)), *cells])
    return table(
        ["l", *(setting[column.header] for column in columns)],
        [r"\#", *(escape(column.header) for column in columns)],
        lines,
        _caption(suite),
        f"tab:{_label(suite, number)}",
        [*_notes(suite), *_not_run(report)],
    )


def _setting(suite: SuiteTable) -> dict[str, str]:
    """How each column is set that a table shows."""
    if any(section.published for section in suite.sections):
        return dict(list(SHOWN.items())[:-3]) | {"method": paragraph(0.19)} | PUBLISHED
    return SHOWN


def _leads(row: Row, section: Section) -> bool:
    """Whether a row has the highest accuracy among rivals."""
    return row.rank == 1 and len(section.ranked) > 1


def _caption(suite: SuiteTable) -> str:
    """What must be known of the figures comes first, then what they are."""
    failed = [guard_sentence(guard) for guard in suite.guards if guard.failed]
    rivals = [section for section in suite.sections if len(section.ranked) > 1]
    told = ["Bold: the highest accuracy of a section with rivals."] if rivals else []
    if any(section.comparisons is None for section in rivals):
        told.append("Which rows can be told from it is not known: the episodes are not recorded.")
    sentences = [f"{title(suite)}.", *caption(suite), *told, MAY_NOT]
    loud = [bold(escape(text)) for text in [*data_warnings(suite.data), *failed]]
    return " ".join([*loud, *map(escape, sentences)])


def _notes(suite: SuiteTable) -> list[str]:
    return [escape(f"{letter}: {reason}.") for reason, letter in legend(suite).items()]


def _not_run(report: Report) -> list[str]:
    """Rows that a method cannot fill: one line for all of one reason."""
    found: dict[str, list[str]] = {}
    for skipped in report.skipped:
        name = f"{skipped.method}, {words.modality_name(skipped.modalities)}"
        found.setdefault(skipped.reason, []).append(name)
    return [escape(f"Not run: {'; '.join(dict.fromkeys(names))}: {reason}") for reason, names in found.items()]


def _differences(suite: SuiteTable, number: int) -> list[str]:
    """Each row less the reference of its section; nothing where nothing was compared."""
    lines: list[list[str] | Part] = []
    for section in suite.sections:
        chosen = reference(section)
        if chosen is None:
            continue
        lines.append(Part(escape(f"{section.heading}: less {chosen.label}")))
        for found in differences(section):
            places = words.decimals(found.interval.standard_error)
            cells = (
                found.row.label,
                words.difference(found.interval, places),
                words.bounds(found.simultaneous, places),
                words.bare_p(found.p),
                words.bare_p(found.adjusted),
            )
            lines.append([escape(cell) for cell in cells])
    if not lines:
        return []
    sentences = [
        f"{title(suite)}: differences in pairs, percentage points.",
        "Row less the reference of its section, on the same episodes with the same seeds; what an interval covers is "
        "as for the accuracies. Simultaneous: together with those of all pairs of the section (Bonferroni). p: "
        "two-sided, of no difference; Holm p: adjusted over all pairs of the section.",
    ]
    loud = [bold(escape(text)) for text in data_warnings(suite.data)]
    return [
        table(
            [paragraph(0.4), *"rrrr"],
            [escape(each) for each in ("row", "difference [95 %]", "simultaneous", "p", "Holm p")],
            lines,
            " ".join([*loud, *map(escape, sentences)]),
            f"tab:{_label(suite, number)}-differences",
        )
    ]


def _published(report: Report) -> list[str]:
    """Figures of papers in a table of their own, where the whole report has them."""
    if not appendix.published(report):
        return []
    return [
        table(
            [paragraph(0.6), "r", "r"],
            [escape(each) for each in ("figure, as published", "accuracy, %", "source")],
            [[escape(what), escape(share), escape(_plain(source))] for what, share, source in appendix.PUBLISHED],
            f"{bold('Published figures, not measured here.')} Taken from the papers: other episodes, encoders and "
            "training. They stand beside the tables of this report and must not be ranked with them.",
            "tab:published",
        )
    ]


def _plain(source: str) -> str:
    """The text of a Markdown link."""
    return re.sub(r"\[(.*?)\]\(.*?\)", r"\1", source)


def _label(suite: SuiteTable, number: int) -> str:
    """For references within a document: letters, digits and hyphens, and different for each table."""
    return f"{number}-{_slug(suite.suite)}"


def _slug(text: str) -> str:
    return "-".join(_ascii_words(text))


def _ascii_words(text: str) -> Iterable[str]:
    return re.findall(r"[a-z0-9]+", text.lower())
