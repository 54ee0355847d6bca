"""The tables as one picture (SVG without fonts or scripts of its own): every row with its interval drawn to scale."""

from __future__ import annotations

from textwrap import wrap
from xml.sax.saxutils import escape

from harness.report import words
from harness.report.columns import (
    accuracy,
    covered,
    data_warnings,
    extremes,
    guard_sentence,
    legend,
    marks,
    pretraining_covered,
    title,
)
from harness.report.rows import Row
from harness.report.tables import Report, SuiteTable

WIDTH, MARGIN, LINE = 960, 24, 22
NAME, SEES, PLOT, PLOT_END, ACCURACY, SEEDS, EXTREMES, PARAMETERS = 50, 292, 366, 602, 736, 778, 864, 936
INK, SOFT, FAINT, RULE = "#1f2328", "#59636e", "#d1d9e0", "#8c959f"
TRAINED, CONTROL, WARN, ALARM = "#0a5fb4", "#8c959f", "#fff1cc", "#ffd8d3"
FONT = "-apple-system, 'Segoe UI', 'Liberation Sans', 'DejaVu Sans', Helvetica, Arial, sans-serif"
LETTERS_A_LINE, BOLD_LETTERS_A_LINE, NAME_LETTERS = 148, 108, 32
EXPLAINED = (
    "Dashed: chance. Worst / best: accuracy on the hardest and the easiest class, %. Trained: parameters. Rows of "
    "different sections were trained under different conditions and are not ranked together."
)

TIED = "=: cannot be told from the best of its section (Holm-adjusted p of 0.05 or more)."


class _Canvas:
    """Lines of SVG and the height used so far."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.y = MARGIN

    def text(
        self, x: float, text: str, *, anchor: str = "start", size: int = 13, fill: str = INK, more: str = ""
    ) -> None:
        self.lines.append(
            f'<text x="{x:g}" y="{self.y:g}" text-anchor="{anchor}" font-size="{size}" fill="{fill}"{more}>'
            f"{escape(text)}</text>"
        )

    def line(self, x1: float, y1: float, x2: float, y2: float, colour: str, width: float = 1, dash: str = "") -> None:
        dashes = f' stroke-dasharray="{dash}"' if dash else ""
        self.lines.append(
            f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" '
            f'stroke-width="{width:g}"{dashes}/>'
        )

    def banner(self, text: str, colour: str) -> None:
        lines = wrap(text, BOLD_LETTERS_A_LINE)
        height = 12 + 18 * len(lines)
        self.lines.append(
            f'<rect x="{MARGIN}" y="{self.y}" width="{WIDTH - 2 * MARGIN}" height="{height}" rx="4" fill="{colour}"/>'
        )
        top, self.y = self.y, self.y + 20
        for line in lines:
            self.text(MARGIN + 12, line, more=' font-weight="600"')
            self.y += 18
        self.y = top + height + 10

    def small(self, text: str) -> None:
        for line in wrap(text, LETTERS_A_LINE):
            self.text(MARGIN, line, size=12, fill=SOFT)
            self.y += 17


def picture(report: Report) -> str:
    """All suite tables of a report below each other."""
    canvas = _Canvas()
    for warning in dict.fromkeys(warning for data in report.data for warning in data_warnings(data)):
        canvas.banner(warning, WARN)
    for table in report.suites:
        _suite(canvas, table)
    if report.suites:
        told = (sentence for table in report.suites for sentence in (covered(table), *pretraining_covered(table)))
        for sentence in dict.fromkeys(told):
            canvas.small(sentence)
        if any(section.comparisons for table in report.suites for section in table.sections):
            canvas.small(TIED)
        canvas.small(EXPLAINED)
    height = canvas.y + MARGIN - 8
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" '
        f'font-family="{escape(FONT)}">'
    )
    ground = f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>'
    return "\n".join([head, "<title>Benchmark table</title>", ground, *canvas.lines, "</svg>"]) + "\n"


def _suite(canvas: _Canvas, table: SuiteTable) -> None:
    canvas.y += 18
    name, details = title(table).split(": ", 1)
    canvas.text(MARGIN, name, size=16, more=' font-weight="600"')
    canvas.y += 20
    canvas.text(MARGIN, details, fill=SOFT)
    canvas.y += 12
    for guard in table.guards:
        if guard.failed:
            canvas.banner(guard_sentence(guard), ALARM)
    canvas.y += 10
    _header(canvas)
    top = canvas.y
    canvas.y += 4
    left = iter(marks(table))
    plotted = len(canvas.lines)
    for section in table.sections:
        canvas.y += 8
        for line in wrap(section.heading, LETTERS_A_LINE - 10):
            canvas.y += 16
            canvas.text(NAME, line, size=12, fill=SOFT, more=' font-style="italic"')
        for row in section.rows:
            canvas.y += LINE
            _row(canvas, row, next(left))
    canvas.y += 12
    below = canvas.lines[plotted:]
    del canvas.lines[plotted:]
    _axis(canvas, table, top)
    canvas.lines += below
    canvas.y += 36
    for reason, letter in legend(table).items():
        canvas.small(f"{letter}: {reason}.")


def _header(canvas: _Canvas) -> None:
    for x, anchor, text in (
        (MARGIN, "start", "#"),
        (NAME, "start", "method"),
        (SEES, "start", "sees"),
        ((PLOT + PLOT_END) / 2, "middle", "accuracy, %, with 95 % interval"),
        (SEEDS, "end", "seeds"),
        (EXTREMES, "end", "worst / best"),
        (PARAMETERS, "end", "trained"),
    ):
        canvas.text(x, text, anchor=anchor, size=12, fill=SOFT)
    canvas.y += 8
    canvas.line(MARGIN, canvas.y, WIDTH - MARGIN, canvas.y, RULE)


def _axis(canvas: _Canvas, table: SuiteTable, top: float) -> None:
    bottom = canvas.y
    for tick in range(0, 101, 20):
        canvas.line(_place(tick / 100), top, _place(tick / 100), bottom, FAINT, 0.7)
    canvas.line(_place(table.chance), top, _place(table.chance), bottom, INK, 1, "3 3")
    canvas.y += 14
    for tick in range(0, 101, 20):
        canvas.text(_place(tick / 100), str(tick), anchor="middle", size=11, fill=SOFT)
    canvas.y = int(bottom)


def _row(canvas: _Canvas, row: Row, mark: str) -> None:
    y = canvas.y - 4.5
    canvas.text(MARGIN, mark, fill=SOFT)
    canvas.text(NAME, row.label if len(row.label) <= NAME_LETTERS else f"{row.label[: NAME_LETTERS - 1]}…")
    canvas.text(SEES, words.modality_name(row.training.modalities))
    canvas.text(ACCURACY, accuracy(row), anchor="end", more=' font-weight="600"' if row.rank else "")
    canvas.text(SEEDS, str(len(row.trainings)) if row.trained else words.MISSING, anchor="end")
    canvas.text(EXTREMES, extremes(row), anchor="end")
    canvas.text(PARAMETERS, words.compact(row.training.parameters.get("trained", 0)), anchor="end")
    if not row.scored:
        return
    colour = TRAINED if row.trained else CONTROL
    low, middle, high = (_place(share) for share in (row.interval.low, row.interval.mean, row.interval.high))
    canvas.line(low, y, high, y, colour, 3)
    for end in (low, high):
        canvas.line(end, y - 4, end, y + 4, colour, 1.5)
    canvas.lines.append(f'<circle cx="{middle:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>')


def _place(share: float) -> float:
    return PLOT + (PLOT_END - PLOT) * share
