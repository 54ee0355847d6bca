"""Figures of a report as SVG and PNG, each with its figures as a table."""

FIGURES = {
    "forest": "mmact_oneshot.harness.report.charts.forest:forest",
    "classes": "mmact_oneshot.harness.report.charts.per_class:per_class",
    "confusion": "mmact_oneshot.harness.report.charts.confusion:confusion",
    "cost": "mmact_oneshot.harness.report.charts.cost:cost",
    "calibration": "mmact_oneshot.harness.report.charts.calibration:calibration",
    "ablations": "mmact_oneshot.harness.report.charts.ablations:ablations",
    "groups": "mmact_oneshot.harness.report.charts.groups:groups",
}
"""Name -> where the figure of a study on a suite is, in the order of the report."""
