"""The table of a mean, or a difference, with its error under every estimand."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

    from harness.report.statistics import Analysis, Estimate


def estimates(closed: Estimate, analysis: Analysis | None, places: int, difference: bool = False) -> Table:
    """A line for each of these clips, new performances and new subjects.

    Args:
        analysis: None where the episodes are not recorded.
        places: decimals of percentages.
        difference: A less B, with signs and a p; an accuracy otherwise.
    """
    from rich.table import Table
    from rich.text import Text

    from harness.report import words
    from harness.report.statistics.interval import DIFFERENCE, SHARE

    what = "A less B, points [95 %]" if difference else "accuracy, % [95 %]"
    table = Table("covering", what, "SE", "df", *(["p"] if difference else []))
    lines = [("these clips", closed)]
    if analysis is not None:
        lines += [
            ("new performances", analysis.performances),
            ("new subjects", analysis.subjects),
            ("new subjects, delete-one", analysis.deletion),
        ]
    for name, found in lines:
        if not found.available:
            cells = [name, found.note]
        else:
            interval = found.interval(bounds=DIFFERENCE if difference else SHARE)
            mean, low, high = (words.percent(share, places) for share in (interval.mean, interval.low, interval.high))
            cells = [
                f"{name} ({found.note})" if found.note else name,
                words.difference(interval, places) if difference else f"{mean} [{low}, {high}]",
                f"{found.standard_error * 100:.2f}",
                f"{found.degrees_of_freedom:,.0f}",
                words.bare_p(found.p_value),
            ]
        cells += [words.MISSING] * (5 - len(cells))
        table.add_row(*map(Text, cells[: len(table.columns)]))
    return table
