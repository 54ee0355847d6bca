"""TRX at the published width: episodes a second of the scoring, beside the algorithm of the paper episode by episode.

The number to compare is ``episodes / seconds``; the ratio of the two is the speed-up. Both run in one process:
``python -m pytest tests/benchmarks/test_trx_benchmark.py --benchmark-only --benchmark-group-by=param:width``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from mmact_oneshot.baselines.trx import TRX, positional_encoding, tuples
from mmact_oneshot.harness.data.episodes.suites import Suite, build_suite, shipped_clips, suite_spec
from mmact_oneshot.harness.evaluation.features import FeatureTable, embed_clips
from mmact_oneshot.harness.evaluation.scoring import answer_suite
from mmact_oneshot.harness.runtime.device import choose_device
from tests.parity.arrays import FixedFeatures, setup

CPU = choose_device("cpu", "float32")
FRAMES, BATCHED, LOOPED = 8, 500, 10


@pytest.fixture(scope="module")
def suite() -> Suite:
    return build_suite(suite_spec("test"), *shipped_clips("utd-mhad"), BATCHED)


@pytest.fixture(scope="module", params=[512, 2048])
def frames(request: Any, suite: Suite) -> Tensor:
    """(clips, T, D)"""
    random = torch.Generator().manual_seed(0)
    return torch.randn(len(suite.clips), FRAMES, request.param, generator=random)


@pytest.fixture(autouse=True)
def all_cores() -> Any:
    """The other tests have one thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(torch.get_num_interop_threads())
    yield
    torch.set_num_threads(before)


@torch.no_grad()
def as_published(method: TRX, support: Tensor, query: Tensor) -> Tensor:
    """One episode: every tuple's frames are concatenated and projected, and each class composes a prototype for each
    query (section 3 of the paper). Support (K, T, D), query (Q, T, D) -> (Q, K)."""
    encoding = positional_encoding(*support.shape[1:])
    logits = []
    for transformer in method.parts():
        index = tuples(FRAMES, transformer.cardinality)
        both = torch.cat([support, query]) + encoding
        represented = both[:, index].flatten(2)  # (K + Q, P, c D)
        keys = transformer.key_layernorm(transformer.key_projection(represented))
        values = transformer.value_projection(represented)
        classes, scale = len(support), keys.shape[-1] ** 0.5
        distances = []
        for k in range(classes):
            attention = torch.softmax(keys[classes:] @ keys[k].T / scale, dim=-1)
            apart = values[classes:] - attention @ values[k]
            distances.append(apart.flatten(1).square().sum(dim=1) / len(index))
        logits.append(-torch.stack(distances, dim=1))
    return torch.stack(logits).mean(dim=0)


def make(width: int) -> TRX:
    torch.manual_seed(0)
    return TRX(setup(FixedFeatures(width)), normalise=False).eval()


def embedded(method: TRX, frames: Tensor) -> FeatureTable:
    rows = np.arange(len(frames))
    encoded = FeatureTable(rows, len(frames), torch.float32)
    encoded.write(0, {"video.sequence": frames, "video.present": torch.ones(len(frames), dtype=torch.bool)})
    return embed_clips(method, encoded, CPU)


@pytest.mark.slow
def test_scores_of_both_agree(suite: Suite, frames: Tensor) -> None:
    method = make(frames.shape[2])
    table, draws = embedded(method, frames), suite.draws
    sides = [table.gather(clips, CPU.torch) for clips in (draws.support[:1], draws.query[:1])]
    with torch.no_grad():
        ours = method.score(*sides)[0]
    expected = as_published(method, frames[draws.support[0, :, 0]], frames[draws.query[0]])
    torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-4)


def test_batched_scoring(benchmark: Any, suite: Suite, frames: Tensor) -> None:
    method = make(frames.shape[2])
    arguments = (method, embedded(method, frames), suite, np.arange(len(frames)), CPU)
    benchmark.extra_info["episodes"] = BATCHED
    benchmark.pedantic(answer_suite, args=arguments, rounds=3, warmup_rounds=1)


def test_episode_by_episode(benchmark: Any, suite: Suite, frames: Tensor) -> None:
    method, draws = make(frames.shape[2]), suite.draws

    def loop() -> None:
        for episode in range(LOOPED):
            as_published(method, frames[draws.support[episode, :, 0]], frames[draws.query[episode]])

    benchmark.extra_info["episodes"] = LOOPED
    benchmark.pedantic(loop, rounds=3, warmup_rounds=1)
