"""The worst tenth of the episodes."""

from __future__ import annotations

import numpy as np

from mmact_oneshot.harness.report.results.metric import Answers, metric

WORST = 10  # one part in so many of the episodes


@metric("worst tenth", decimals=0)
def worst_decile(answers: Answers) -> float | None:
    """Mean accuracy of the tenth of the episodes that went worst; of one at least."""
    episodes = np.sort(answers.correct.mean(axis=1))
    return float(episodes[: max(1, len(episodes) // WORST)].mean())
