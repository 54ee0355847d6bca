"""What an episode suite gives away: shared performances, subjects and cameras, and what oracles make of them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mmact_oneshot.harness.data.episodes.suites import Suite

ATTRIBUTES = ("performance", "subject", "camera", "scene", "session")
ORACLES = ("scene", "subject", "camera")


def same_share(suite: Suite, column: str) -> float:
    """Share of (query, support clip of its true class) pairs that agree in ``column``."""
    codes = pd.factorize(suite.clips[column])[0]
    draws = suite.draws
    true_support = np.take_along_axis(draws.support, draws.label[:, :, None].astype(int), axis=1)  # (N, Q, shot)
    return float((codes[true_support] == codes[draws.query][:, :, None]).mean())


def oracle_accuracy(suite: Suite, column: str) -> float:
    """Accuracy of a scorer that knows ``column`` alone: a class scores the share of its support that agrees with the
    query, and ties are broken evenly."""
    codes = pd.factorize(suite.clips[column])[0]
    draws = suite.draws
    agree = codes[draws.support][:, None] == codes[draws.query][:, :, None, None]  # (N, Q, way, shot)
    score = agree.mean(axis=3)
    best = score == score.max(axis=2, keepdims=True)
    chance = best / best.sum(axis=2, keepdims=True)
    return float(np.take_along_axis(chance, draws.label[:, :, None].astype(int), axis=2).mean())


def audit(suite: Suite) -> dict[str, float]:
    """All figures of one suite, as shares in 0..1; ``clips used`` counts how evenly clips occur."""
    figures = {f"same {column}": same_share(suite, column) for column in ATTRIBUTES}
    figures |= {f"{column} oracle": oracle_accuracy(suite, column) for column in ORACLES}
    uses = np.bincount(
        np.concatenate([suite.draws.support.ravel(), suite.draws.query.ravel()]), minlength=len(suite.clips)
    )
    figures["clips used"] = float((uses > 0).mean())
    figures["uses per clip, spread"] = float(uses.std() / uses.mean())
    figures["first query is first class"] = float((suite.draws.label[:, 0] == 0).mean())
    return figures
