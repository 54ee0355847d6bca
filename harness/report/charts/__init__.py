"""Figures of a report as SVG and PNG, each with its figures as a table. Made from the report's model alone."""

from harness.report.charts.files import figures, report_figures, suite_figures

__all__ = ["figures", "report_figures", "suite_figures"]
