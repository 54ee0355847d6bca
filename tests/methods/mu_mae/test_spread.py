"""What the cross-attention leaves of the differences between clips, where it can be worked out by hand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from mmact_oneshot.harness.api import Features
from mmact_oneshot.methods.mu_mae.fusion import PriorGuidedFusion
from mmact_oneshot.methods.mu_mae.spread import passed, spread

WIDTH, WAY = 8, 5


def fusion(residual: bool = False) -> PriorGuidedFusion:
    return PriorGuidedFusion(WIDTH, WIDTH, 0, (), heads=2, residual=residual).eval()


def projected(query: Tensor, key: Tensor, value: Tensor) -> tuple[Features, Features]:
    """Features of three episodes of five support clips and one query, whose projections are given (3, 6, D)."""
    parts = torch.stack([query, key, value], dim=2)
    present = torch.ones(3, WAY + 1, dtype=torch.bool)
    support = {"video.projected": parts[:, :WAY], "video.present": present[:, :WAY]}
    return support, {"video.projected": parts[:, WAY:], "video.present": present[:, WAY:]}


def test_spread_is_the_mean_squared_distance_from_the_mean() -> None:
    vectors = torch.tensor([[[0.0, 0.0], [2.0, 0.0]], [[1.0, 1.0], [1.0, 1.0]]])
    assert spread(vectors).tolist() == [1.0, 0.0]


def test_equal_weights_let_nothing_pass() -> None:
    same, value = torch.ones(3, WAY + 1, WIDTH), torch.randn(3, WAY + 1, WIDTH)
    (found,) = passed(fusion(), *projected(same, same, value)).values()
    wanted = {"passed": 0.0, "asked": 0.0, "own": 1 / 6, "entropy": 1.0}
    assert {name: found[name] for name in wanted} == pytest.approx(wanted, abs=1e-5)
    assert found["answered"] > 0.5, "the values differ, and it is their mean that all clips get"


def test_attention_to_oneself_lets_all_pass() -> None:
    axes = torch.eye(WAY + 1)[None].expand(3, -1, -1) * 1000
    keys = torch.nn.functional.pad(axes, (0, WIDTH - WAY - 1))
    whole = PriorGuidedFusion(WIDTH, WIDTH, 0, (), heads=1).eval()
    (found,) = passed(whole, *projected(keys, keys, torch.randn(3, WAY + 1, WIDTH))).values()
    wanted = {
        "passed": 1.0,
        "asked": 1 - 1 / 6,
        "own": 1.0,
        "entropy": 0.0,
    }  # of unit vectors
    assert {name: found[name] for name in wanted} == pytest.approx(wanted, abs=1e-5)


def test_with_the_residual_the_differences_pass_whatever_the_weights() -> None:
    same, value = torch.ones(3, WAY + 1, WIDTH), torch.randn(3, WAY + 1, WIDTH)
    (found,) = passed(fusion(residual=True), *projected(same, same, value)).values()
    assert found["passed"] == pytest.approx(1.0, abs=1e-5)
