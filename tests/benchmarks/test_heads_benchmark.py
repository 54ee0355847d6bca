"""Every head on 10,000 episodes at the quick sizes, and TRX at the published width beside one episode at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from harness.api import Setup
from harness.device import choose_device
from harness.encoders.build import build_encoder
from harness.episodes.suites import Suite, build_suite, shipped_clips, suite_spec
from harness.evaluation.features import FeatureTable, embed_clips
from harness.evaluation.score import score_suite
from harness.protocol import load_settings
from harness.registry import check_settings, load_method

CPU = choose_device("cpu", "float32")
QUICK = load_settings("quick")
HEADS = {f"{row.method} {row.modality_label} {row.settings}": row for row in QUICK.rows if row.regime == "frozen"}


@pytest.fixture(scope="module")
def suite() -> Suite:
    return build_suite(suite_spec("test"), *shipped_clips("utd-mhad"))


@pytest.mark.parametrize("name", [name for name, row in HEADS.items() if load_method(row.method).needs.outputs])
def test_ten_thousand_episodes(benchmark: Any, suite: Suite, name: str) -> None:
    row = HEADS[name]
    method_type = load_method(row.method)
    encoders = {modality: build_encoder(modality, QUICK, ("acc", "gyro"), 0) for modality in row.modalities}
    setup = Setup(row.modalities, ("acc", "gyro"), 18, 5, 1, encoders)
    method = method_type(setup, **check_settings(method_type, row.settings, name)).eval()
    clips = len(suite.clips)
    encoded = FeatureTable(np.arange(clips), clips)
    random = torch.Generator().manual_seed(0)
    features = {}
    for modality, encoder in encoders.items():
        shapes = encoder.shapes(method.needs.outputs)  # type: ignore[attr-defined]
        features |= {f"{modality}.{k}": torch.randn(clips, *shape, generator=random) for k, shape in shapes.items()}
        features[f"{modality}.present"] = torch.ones(clips, dtype=torch.bool)
    encoded.write(0, features)
    embedded = embed_clips(method, encoded, CPU)
    predicted = benchmark.pedantic(score_suite, args=(method, embedded, suite, np.arange(clips), CPU), rounds=1)
    assert predicted.shape == (10_000, 5)
