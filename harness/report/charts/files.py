"""Which figures a report has, and all of them as files."""

from __future__ import annotations

from dataclasses import replace

from harness.report.charts.calibration import calibration
from harness.report.charts.confusion import confusion
from harness.report.charts.cost import cost
from harness.report.charts.curves import curves
from harness.report.charts.figure import Figure, standalone
from harness.report.charts.forest import forest
from harness.report.charts.groups import groups
from harness.report.charts.per_class import per_class
from harness.report.charts.raster import png
from harness.report.charts.robustness import robustness
from harness.report.charts.views import suites
from harness.report.columns import data_warnings, guard_sentence
from harness.report.picture import picture
from harness.report.tables import Report, SuiteTable

IN_PIXELS = ("differences", "cost")  # the others as SVG alone: text in pixels takes its time


def suite_figures(table: SuiteTable) -> list[Figure]:
    """Of one suite, in the order of the report; those for which nothing is recorded are left out."""
    found = [forest(table), per_class(table), confusion(table), cost(table), calibration(table), robustness(table)]
    return [*(figure for figure in found if figure is not None), *groups(table)]


def report_figures(report: Report) -> list[Figure]:
    """Of all suites together."""
    figure = curves(report)
    return [] if figure is None else [figure]


def figures(report: Report, pixels_of_all: bool = False) -> dict[str, bytes]:
    """Files by name, without folders: every figure as SVG; of the first suite, the main ones and the table as PNG.

    Args:
        pixels_of_all: every figure as PNG too.
    """
    drawn: dict[str, str] = {}
    pixels: dict[str, str] = {}
    for suite in suites(report):
        for view in suite.views:
            failed = [guard_sentence(guard) for guard in view.table.guards if guard.failed]
            warnings = [*data_warnings(view.table.data), *failed]
            for figure in suite_figures(view.table):
                name = f"{view.slug}-{figure.name}"
                drawn[name] = standalone(figure, view.title, warnings)
                if suite.table is report.suites[0] and figure.name in IN_PIXELS:
                    pixels[name] = drawn[name]
    common = list(dict.fromkeys(warning for data in report.data for warning in data_warnings(data)))
    for figure in report_figures(report):
        drawn[figure.name] = standalone(figure, "the same for all test suites", common)
    if report.suites:
        pixels["table"] = picture(replace(report, suites=report.suites[:1]))
    files = {f"{name}.svg": text.encode() for name, text in drawn.items()}
    if pixels_of_all:
        pixels |= drawn
    return files | {f"{name}.png": png(text) for name, text in pixels.items()}
