"""A metric to start from: the share of the episodes in which nothing is right.

See it:   oneshot report RUN --metric harness/cli/templates/metric.py
"""

from __future__ import annotations

from mmact_oneshot import Answers, metric


@metric("never right, %")  # the heading; the name of the function is the column in CSV files
def never_right(answers: Answers) -> float:
    """Share of the episodes in which no query was answered rightly."""
    # answers.predicted and answers.label are (episodes, queries); reports show the mean over seeds, in per cent.
    return float((~answers.correct.any(axis=1)).mean())
