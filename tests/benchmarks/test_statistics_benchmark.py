"""All that is said of 10 methods with 5 seeds on MMAct's 10,000 episodes: ten analyses and 45 comparisons."""

from __future__ import annotations

import numpy as np
import pandas as pd
from pytest_benchmark.fixture import BenchmarkFixture

from harness.episodes.suites import build_suite, shipped_clips, suite_spec
from harness.statistics import Comparisons, Identities, analyse, compare_all


def test_ten_methods_with_five_seeds(benchmark: BenchmarkFixture) -> None:
    suite = build_suite(suite_spec("test"), *shipped_clips("mmact"))
    codes = [pd.factorize(suite.clips[name])[0] for name in ("class_name", "performance", "subject")]
    random = np.random.default_rng(0)
    methods = [random.random((5, 10_000, 5)) < 0.5 + 0.02 * index for index in range(10)]

    def everything() -> Comparisons:
        identities = Identities.of_clips(suite.draws.support, suite.draws.query, codes[0], codes[1], codes[2])
        for method in methods:
            analyse(method, identities)
        return compare_all(methods, identities)

    found = benchmark.pedantic(everything, rounds=3)
    assert (found.best, len(found.pairs)) == (9, 45)
