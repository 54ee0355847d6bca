"""All that is said of 60 methods with 3 seeds on MMAct's 10,000 episodes, and of 224 pairs, in rankings of 8."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from mmact_oneshot.harness.data.episodes.suites import build_suite, shipped_clips, suite_spec
from mmact_oneshot.harness.report.statistics import Analysis, Comparisons, Family, Identities


@pytest.fixture(scope="module")
def drawn() -> Identities:
    suite = build_suite(suite_spec("test"), *shipped_clips("mmact"))
    codes = [pd.factorize(suite.clips[name])[0] for name in ("class_name", "performance", "subject")]
    return Identities.of_clips(suite.draws.support, suite.draws.query, codes[0], codes[1], codes[2])


@pytest.fixture(scope="module")
def methods() -> list[np.ndarray]:
    random = np.random.default_rng(0)
    return [random.random((3, 10_000, 5)) < 0.5 + 0.005 * index for index in range(60)]


def test_sixty_methods(benchmark: BenchmarkFixture, drawn: Identities, methods: list[np.ndarray]) -> None:
    """Everything anew in every round, what depends on the episodes alone among it."""
    found: tuple[Analysis, ...] = benchmark.pedantic(
        lambda: Family(methods, drawn.only(np.arange(10_000))).analyses, rounds=3
    )
    assert len(found) == 60


def test_all_pairs_of_eight_rankings(benchmark: BenchmarkFixture, drawn: Identities, methods: list[np.ndarray]) -> None:
    family = Family([*methods, *methods[:4]], drawn)
    assert len(family.analyses) == 64

    def pairs() -> list[Comparisons]:
        return [family.compare(range(first, first + 8)) for first in range(0, 64, 8)]

    assert [(len(found.pairs), found.best) for found in benchmark.pedantic(pairs, rounds=3)] == [(28, 7)] * 7 + [
        (28, 3)
    ]
