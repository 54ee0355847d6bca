"""The main tables of a report as LaTeX: a file that compiles as it is, from which each table can be copied."""

from __future__ import annotations

from mmact_oneshot.harness.report.model.blocks import Cell, Table
from mmact_oneshot.harness.report.model.captions import data_warnings, suite_sentence
from mmact_oneshot.harness.report.model.document import failures, title, warnings
from mmact_oneshot.harness.report.model.matrix import footnotes, matrix, pairs_table
from mmact_oneshot.harness.report.model.provenance_section import published_section
from mmact_oneshot.harness.report.results.report import Report, StudyResults, StudySuite
from mmact_oneshot.harness.report.writers.tex import Across, bold, escape, paragraph, table

PREAMBLE = r"""% Made by `oneshot report` from records alone: the same records give the same file.
% A table copied into a paper needs:
%   \usepackage[T1]{fontenc}
%   \usepackage{array,booktabs,longtable}
\documentclass[10pt]{article}
\usepackage[T1]{fontenc}
\IfFileExists{lmodern.sty}{\usepackage{lmodern}}{}
\usepackage[a4paper,margin=18mm]{geometry}
\usepackage{array,booktabs,longtable}
\begin{document}"""
CLOSING = r"\end{document}"


def latex(report: Report) -> str:
    """A whole file for pdflatex, with packages of texlive-latex-recommended only; depends on nothing but the records.

    It is plain ASCII, so that no input encoding can spoil it.
    """
    loud = [bold(escape(text)) for text in (*failures(report), *warnings(report))]
    parts = [PREAMBLE, rf"\section*{{{escape(title(report))}}}", *loud]
    for study in report.studies:
        for results in study.suites:
            parts += _study(study, results)
    published = published_section(report)
    if published is not None:
        parts += [_plain(block) for block in published.blocks if isinstance(block, Table)]
    return "\n\n".join([*parts, CLOSING]) + "\n"


def _study(study: StudyResults, results: StudySuite) -> list[str]:
    """The matrix of a study on a suite, and the reference against every other row."""
    found = matrix(study, [results])
    warning = [bold(escape(text)) for text in data_warnings(_data(results))]
    caption = [*warning, escape(f"{study.record.question} {suite_sentence(results.suite)}"), escape(found.caption)]
    notes = [escape(f"{letter}: {reason}.") for reason, letter in footnotes(results).items()]
    parts = [_table(found, " ".join(caption), notes)]
    pairs = pairs_table(study, results)
    if pairs is not None:
        caption = [*warning, escape(f"{pairs.title} {suite_sentence(results.suite)}"), escape(pairs.caption)]
        parts.append(_table(pairs, " ".join(caption), []))
    return parts


def _data(results: StudySuite) -> dict[str, object]:
    row = next(iter(results.rows), None)
    return {} if row is None else row.measured.training.data


def _table(found: Table, caption: str, notes: list[str]) -> str:
    columns = ["l" if column.align == "l" else "r" for column in found.columns]
    lines: list[list[str] | Across] = [[_cell(cell) for cell in line] for line in found.lines]
    header = [escape(column.header) for column in found.columns]
    return table(columns, header, lines, caption, f"tab:{found.name}", notes)


def _cell(cell: Cell) -> str:
    text = bold(escape(cell.text)) if cell.strong else escape(cell.text)
    mark = rf"\textsuperscript{{{escape(cell.mark)}}}" if cell.mark else ""
    return " ".join(filter(None, [text, escape(cell.detail)])) + mark


def _plain(found: Table) -> str:
    lines: list[list[str] | Across] = [[escape(cell.whole) for cell in line] for line in found.lines]
    columns = [paragraph(0.6), *["r"] * (len(found.columns) - 1)]
    header = [escape(column.header) for column in found.columns]
    return table(columns, header, lines, escape(found.caption), f"tab:{found.name}", [])
