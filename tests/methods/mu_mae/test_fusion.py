"""Who attends to whom in an episode, and what the parts compute."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from mmact_oneshot.harness.api import Features
from mmact_oneshot.methods.mu_mae.fusion import (
    CrossAttention,
    FusionModel,
    PriorGuidedFusion,
    SensorCNN,
    grouped,
    ungrouped,
)

SENSORS = ("phone", "watch")
CLOSE: dict[str, Any] = {"rtol": 0.0, "atol": 1e-6}


def fusion(across_queries: bool = False) -> PriorGuidedFusion:
    torch.manual_seed(0)
    return PriorGuidedFusion(6, 8, 4, SENSORS, heads=2, across_queries=across_queries)


def episode(module: PriorGuidedFusion, queries: int, lacking: str = "") -> tuple[Features, Features]:
    """Two episodes of five support clips; query 0 lacks a modality if one is named."""
    random = torch.Generator().manual_seed(1)

    def embedded(count: int, lacking: str) -> Features:
        prior = torch.randn(2 * count, 6, generator=random)
        widths = {"video": 8, **dict.fromkeys(SENSORS, 4)}
        vectors = {name: torch.randn(2 * count, width, generator=random) for name, width in widths.items()}
        present = {name: torch.ones(2 * count).bool() for name in vectors}
        if lacking:
            present[lacking][::count] = False
        return {name: each.unflatten(0, (2, count)) for name, each in module.embed(prior, vectors, present).items()}

    return embedded(5, ""), embedded(queries, lacking)


def first(features: Features, count: int) -> Features:
    return {name: value[:, :count] for name, value in features.items()}


def test_a_query_does_not_depend_on_the_other_queries() -> None:
    module = fusion()
    support, query = episode(module, 3)
    whole, one = module(support, query), module(support, first(query, 1))
    for all_queries, alone in zip(whole, one, strict=True):
        torch.testing.assert_close(all_queries[:, :1], alone, **CLOSE)


def test_across_queries_it_does() -> None:
    module = fusion(across_queries=True)
    support, query = episode(module, 3)
    assert not torch.allclose(module(support, query)[1][:, :1], module(support, first(query, 1))[1], atol=1e-3)


def test_with_one_query_both_modes_are_one_function() -> None:
    support, query = episode(fusion(), 1)
    for apart, across in zip(fusion()(support, query), fusion(across_queries=True)(support, query), strict=True):
        assert torch.equal(apart, across)


@pytest.mark.parametrize("across", [False, True])
def test_episodes_do_not_see_each_other(across: bool) -> None:
    module = fusion(across)
    support, query = episode(module, 3)
    sole = [{name: value[1:] for name, value in side.items()} for side in (support, query)]
    for both, alone in zip(module(support, query), module(*sole), strict=True):
        torch.testing.assert_close(both[1:], alone, **CLOSE)


@pytest.mark.parametrize("across", [False, True])
def test_groups_come_apart_as_they_were(across: bool) -> None:
    support, query = torch.randn(2, 5, 3, 4), torch.randn(2, 3, 3, 4)
    parts = ungrouped(grouped(support, query, across), 3, across)
    assert torch.equal(parts[0], support.unsqueeze(1).expand(-1, 3, -1, -1, -1))
    assert torch.equal(parts[1], query)


def test_a_clip_that_lacks_a_modality_neither_answers_nor_receives() -> None:
    module = fusion()
    support, query = episode(module, 2, lacking="phone")
    changed = dict(query) | {"phone.projected": query["phone.projected"].clone()}
    changed["phone.projected"][:, 0] = 100.0
    for before, after in zip(module(support, query), module(support, changed), strict=True):
        assert torch.equal(before, after)
    no_phone = {name: torch.zeros_like(value) if name == "phone.present" else value for name, value in support.items()}
    found = torch.cat([part.flatten() for part in module(no_phone, query)])
    assert bool(found.isfinite().all()), "nobody has the sensor"


def test_attention_is_torchs_own() -> None:
    module, reference = CrossAttention(8, 2), torch.nn.MultiheadAttention(8, 2, batch_first=True)
    projections = (module.query_projection, module.key_projection, module.value_projection)
    with torch.no_grad():
        reference.in_proj_weight.copy_(torch.cat([each.weight for each in projections]))
        reference.in_proj_bias.copy_(torch.cat([each.bias for each in projections]))
        reference.out_proj.weight.copy_(torch.eye(8))
        reference.out_proj.bias.zero_()
    query, context = torch.randn(2, 5, 8), torch.randn(2, 5, 8)
    present = torch.tensor([[True, True, False, True, True], [True] * 5])
    wanted, _ = reference(query, context, context, key_padding_mask=~present)
    torch.testing.assert_close(module(query, context, present), wanted, rtol=0, atol=1e-5)


def convolved(module: SensorCNN, channels: Tensor) -> Tensor:
    found: Tensor = module.linear(F.max_pool1d(F.relu(module.convolution(channels)), 2).flatten(1))
    return found


def test_channels_are_axes_unless_reinterpreted_as_released() -> None:
    samples = torch.randn(2, 12, 3)
    axes, runs = SensorCNN(12, 5, hidden=4), SensorCNN(12, 5, hidden=4, reinterpret=True)
    torch.testing.assert_close(axes(samples), convolved(axes, samples.transpose(1, 2)))
    torch.testing.assert_close(runs(samples), convolved(runs, samples.flatten().view(2, 3, 12)))
    with pytest.raises(ValueError, match="too short"):
        SensorCNN(3, 5)


@pytest.mark.parametrize(("video", "sensors"), [(8, 2), (8, 0), (0, 2)])
def test_any_set_of_modalities_is_fused_and_every_parameter_learns(video: int, sensors: int) -> None:
    module = FusionModel(video, 4, sensors, 3)
    vector = torch.randn(6, video) if video else None
    found = module(vector, torch.randn(sensors, 6, 4) if sensors else None)
    assert found.shape == (6, 3)
    found.square().sum().backward()
    assert all(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in module.parameters())


def test_every_parameter_of_the_whole_learns() -> None:
    module = fusion()
    torch.cat([part.flatten() for part in module(*episode(module, 2))]).square().sum().backward()
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None, name


def test_heads_must_share_the_width() -> None:
    with pytest.raises(ValueError, match="not a multiple"):
        CrossAttention(6, 4)
