"""Expected calibration error."""

from __future__ import annotations

from mmact_oneshot.harness.report.results.metric import Answers, metric


@metric("ECE", decimals=1)
def calibration_error(answers: Answers) -> float | None:
    """|accuracy - confidence| in ten parts of confidence, weighted by queries (Naeini et al., AAAI 2015)."""
    found = answers.calibration
    if found is None or not sum(found.queries):
        return None
    gaps = (abs(right - sure) for right, sure in zip(found.correct, found.confidence, strict=True))
    return sum(gaps) / sum(found.queries)
