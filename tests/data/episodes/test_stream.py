"""The random words of an episode: the same everywhere, and reduced to a range without bias."""

from __future__ import annotations

import numpy as np
from scipy.stats import chisquare

from mmact_oneshot.harness.data.episodes.stream import Stream, stream_key

LARGEST = 2**64 - 1


def test_first_values_never_change() -> None:
    assert stream_key("test", 2026) == 197141388684770036452709838722967288032
    stream = Stream(stream_key("test", 2026), 0)
    assert [stream.below(10) for _ in range(12)] == [6, 9, 3, 7, 8, 3, 0, 0, 9, 8, 3, 5]
    assert Stream(stream_key("train", 0), 7).sample("abcdefgh", 8) == list("cadbehgf")


def test_streams_of_other_names_seeds_and_episodes_are_others() -> None:
    firsts = [
        Stream(stream_key(name, seed), index).below(LARGEST)
        for name in ("train", "val")
        for seed in (0, 1)
        for index in (0, 1, 2**40)
    ]
    assert len(set(firsts)) == len(firsts)


def test_words_that_would_favour_small_results_are_rejected() -> None:
    stream = Stream(0, 0)
    stream._words = [7, LARGEST]  # 2**64 % 3 == 1: the largest word is one too many for three equal parts
    assert stream.below(3) == 7 % 3
    stream._words = [LARGEST]
    assert stream.below(2) == 1, "2 divides 2**64: no word is rejected"


def test_a_range_that_rejects_half_of_the_words_keeps_the_others() -> None:
    n = 2**63 + 1
    words = np.random.Philox(key=5, counter=[0, 3, 0, 0]).random_raw(200).tolist()
    kept = [word for word in words if word < n]
    assert 70 < len(kept) < 130
    stream = Stream(5, 3)
    assert [stream.below(n) for _ in kept] == kept


def test_below_is_uniform_and_sample_is_a_uniform_permutation() -> None:
    stream = Stream(stream_key("uniform", 0), 0)
    values = [stream.below(7) for _ in range(14_000)]
    assert chisquare(np.bincount(values, minlength=7)).pvalue > 0.05
    orders = [tuple(stream.sample("abc", 3)) for _ in range(6_000)]
    counts = np.unique(orders, axis=0, return_counts=True)[1]
    assert len(counts) == 6
    assert chisquare(counts).pvalue > 0.05


def test_sample_draws_without_repeats() -> None:
    stream = Stream(1, 1)
    for _ in range(50):
        drawn = stream.sample(range(6), 4)
        assert len(set(drawn)) == 4
        assert set(drawn) <= set(range(6))
