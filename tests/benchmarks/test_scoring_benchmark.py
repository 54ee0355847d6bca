"""10,000 prototype episodes on cached features of MMAct's 11,678 test clips, 512 wide."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from mmact_oneshot.baselines.protonet import ProtoNet
from mmact_oneshot.harness.api import Clips, Encoder, Setup
from mmact_oneshot.harness.data.episodes.suites import build_suite, shipped_clips, suite_spec
from mmact_oneshot.harness.evaluation.features import FeatureTable
from mmact_oneshot.harness.evaluation.scoring import answer_suite
from mmact_oneshot.harness.runtime.device import choose_device

WIDTH, CLIPS = 512, 12_000


class Wide(Encoder):
    """Only its width is asked for."""

    modality = "video"

    def __init__(self) -> None:
        super().__init__()
        self.widths = {"vector": WIDTH}

    def forward(self, clips: Clips, outputs: tuple[str, ...]) -> dict[str, torch.Tensor]:
        raise NotImplementedError


def test_score_ten_thousand_prototype_episodes(benchmark: Any) -> None:
    suite = build_suite(suite_spec("test"), *shipped_clips("mmact"))
    rows = np.random.default_rng(0).permutation(CLIPS)[: len(suite.clips)]
    table = FeatureTable(np.arange(CLIPS), CLIPS, torch.float32)
    table.write(0, {"vector": torch.randn(CLIPS, WIDTH, generator=torch.Generator().manual_seed(0))})
    method = ProtoNet(Setup(("video",), (), 18, 5, 1, {"video": Wide()}))
    device = choose_device("cpu", "float32")
    answers = benchmark.pedantic(answer_suite, args=(method, table, suite, rows, device), rounds=5, warmup_rounds=1)
    predicted = answers.predicted
    assert predicted.shape == (10_000, 5)
    assert 0.19 < (predicted == suite.draws.label).mean() < 0.21, "random features"
