"""The table of a mean, or a difference, with its error for these clips, new performances and new subjects."""

from __future__ import annotations

from mmact_oneshot.harness.report.formats import MISSING, bare_p, difference, percent
from mmact_oneshot.harness.report.model.blocks import Table, plain_table
from mmact_oneshot.harness.report.statistics import Analysis
from mmact_oneshot.harness.report.statistics.interval import DIFFERENCE


def estimates_table(analysis: Analysis, places: int) -> Table:
    """A line for each estimand.

    Args:
        places: decimals of percentages.
    """
    signed = analysis.bounds == DIFFERENCE
    what = "A minus B, points [95 %]" if signed else "accuracy, % [95 %]"
    lines = []
    for name, found in (
        ("these clips", analysis.clips),
        ("new performances", analysis.performances),
        ("new subjects", analysis.subjects),
        ("new subjects, delete-one", analysis.deletion),
    ):
        if not found.available:
            lines.append([f"{name} ({found.note})", *[MISSING] * (4 if signed else 3)])
            continue
        interval = found.interval(bounds=analysis.bounds)
        mean, low, high = (percent(share, places) for share in (interval.mean, interval.low, interval.high))
        cells = [
            f"{name} ({found.note})" if found.note else name,
            difference(interval, places) if signed else f"{mean} [{low}, {high}]",
            f"{found.standard_error * 100:.2f}",
            f"{found.degrees_of_freedom:,.0f}",
        ]
        lines.append([*cells, bare_p(found.p_value)] if signed else cells)
    header = ("interval for", what, "SE", "df", *(["p"] if signed else []))
    return plain_table("estimates", "Intervals", header, lines)
