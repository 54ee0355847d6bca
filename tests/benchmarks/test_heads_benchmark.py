"""Every head on 10,000 episodes at the quick sizes, and TRX at the published width beside one episode at a time.

Features are random: the time does not depend on what they hold.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from mmact_oneshot.baselines.trx import TRX
from mmact_oneshot.harness.api import Encoder, FewShotMethod, Setup
from mmact_oneshot.harness.config.presets import load_settings, row_settings
from mmact_oneshot.harness.config.studies import MAIN, Row
from mmact_oneshot.harness.data.episodes.suites import Suite, build_suite, shipped_clips, suite_spec
from mmact_oneshot.harness.encoders.build import build_encoder, output_shapes
from mmact_oneshot.harness.evaluation import scoring as scoring_module
from mmact_oneshot.harness.evaluation.features import FeatureTable, embed_clips
from mmact_oneshot.harness.evaluation.scoring import answer_suite
from mmact_oneshot.harness.plugins.methods import load_method
from mmact_oneshot.harness.plugins.settings import check_settings
from mmact_oneshot.harness.runtime.device import choose_device
from tests.parity.arrays import FixedFeatures, setup

CPU = choose_device("cpu", "float32")
QUICK = load_settings("quick")
SENSORS = ("acc", "gyro")
ROWS = [
    row
    for row in QUICK.studies[MAIN].rows
    for method in [load_method(row.method)]
    if row.training == "frozen" and method.needs.outputs and method.encode_own is FewShotMethod.encode_own
]
"""Heads on the shared encoders alone."""


@pytest.fixture(scope="module")
def suite() -> Suite:
    return build_suite(suite_spec("test"), *shipped_clips("utd-mhad"))


def table(method: FewShotMethod, suite: Suite, shapes: dict[str, tuple[int, ...]]) -> FeatureTable:
    """Embedded features of as many random clips as the suite has."""
    clips, random = len(suite.clips), torch.Generator().manual_seed(0)
    features: dict[str, Tensor] = {k: torch.randn(clips, *shape, generator=random) for k, shape in shapes.items()}
    features |= {f"{name}.present": torch.ones(clips, dtype=torch.bool) for name in method.setup.modalities}
    encoded = FeatureTable(np.arange(clips), clips)
    encoded.write(0, features)
    return embed_clips(method, encoded, CPU)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.method} {row.modality_label} {row.settings or ''}")
def test_ten_thousand_episodes_at_the_quick_sizes(benchmark: Any, suite: Suite, row: Row) -> None:
    method_type, settings = load_method(row.method), row_settings(QUICK, row)
    encoders: dict[str, Encoder] = {name: build_encoder(name, settings, SENSORS, 0) for name in row.modalities}
    method = method_type(
        Setup(row.modalities, SENSORS, 18, 5, 1, encoders), **check_settings(method_type, row.settings, row.method)
    )
    shapes = {
        f"{name}.{output}": shape
        for name, encoder in encoders.items()
        for output, shape in output_shapes(encoder, settings, SENSORS, method.needs.outputs).items()
    }
    arguments = (method, table(method, suite, shapes), suite, np.arange(len(suite.clips)), CPU)
    answers = benchmark.pedantic(answer_suite, args=arguments, rounds=1)
    assert answers.predicted.shape == (10_000, 5)


@pytest.mark.parametrize("at_once", [1, scoring_module.EPISODES_AT_ONCE], ids=["one at a time", "batched"])
@pytest.mark.parametrize("width", [512, 2048])
def test_trx_at_the_published_width(
    benchmark: Any, monkeypatch: pytest.MonkeyPatch, suite: Suite, width: int, at_once: int
) -> None:
    """500 episodes of 8 frames: 500 over the seconds is the number to compare."""
    monkeypatch.setattr(scoring_module, "EPISODES_AT_ONCE", at_once)
    method = TRX(setup(FixedFeatures(width)))
    embedded = table(method, suite, {"video.sequence": (8, width)})
    some = build_suite(suite_spec("test"), *shipped_clips("utd-mhad"), 500)
    arguments = (method, embedded, some, np.arange(len(suite.clips)), CPU)
    benchmark.pedantic(answer_suite, args=arguments, rounds=3, warmup_rounds=1)
