"""What an interval speaks for, in few words: for a column, or for the end of a sentence."""

from __future__ import annotations

from harness.report.statistics import Analysis

CLIPS, PERFORMANCES, SUBJECTS = "these clips", "new performances", "new subjects"


def covers(analysis: Analysis | None, seeds: int) -> str:
    """``new performances and new subjects, training again``; never new classes.

    Args:
        analysis: None where the episodes are not recorded.
        seeds: with one, an interval holds for that trained model only.
    """
    open_ = (
        []
        if analysis is None
        else [
            what
            for what, found in ((PERFORMANCES, analysis.performances), (SUBJECTS, analysis.subjects))
            if found.available
        ]
    )
    what = " and ".join(open_) or CLIPS
    return f"{what}, training again" if seeds > 1 else what


def decided_by(analysis: Analysis | None) -> str:
    """Which estimate is the widest, and so the one that is shown."""
    if analysis is None or not (found := analysis.headline()).available:
        return CLIPS
    return SUBJECTS if found is analysis.subjects else PERFORMANCES
