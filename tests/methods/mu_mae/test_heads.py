"""Heads on fused vectors: the attention head is MASTAF's, and the harness's own heads work as they do alone."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mmact_oneshot.baselines.mastaf import MASTAF
from mmact_oneshot.baselines.protonet import ProtoNet
from mmact_oneshot.harness.api import Features, FewShotMethod, Setup
from mmact_oneshot.harness.runtime.seeding import seeded
from mmact_oneshot.methods.mu_mae.heads import GRID, HEADS, AttentionHead, build_head
from mmact_oneshot.methods.mu_mae.precomputed import PrecomputedVectors
from tests.helpers.mu_mae_methods import build, clips, episodes, scores, targets

WIDTH = 24
SETUP = Setup(("video", "sensors"), ("phone",), 11, 5, 1)
OTHERS: dict[str, Any] = {"alpha": 0.3, "scale": 3.0, "metric_loss": 2.0, "global_loss": 0.5}
CLOSE: dict[str, Any] = {"rtol": 0.0, "atol": 1e-5}


def head(name: str, **settings: Any) -> FewShotMethod:
    with seeded("head"):
        return build_head(name, SETUP, PrecomputedVectors(WIDTH, GRID), **settings).eval()


def features(head: FewShotMethod, shape: tuple[int, ...], seed: int) -> Features:
    vectors = torch.randn(*shape, WIDTH, generator=torch.Generator().manual_seed(seed))
    leaves = head.embed(PrecomputedVectors(WIDTH, GRID).features(vectors.flatten(0, -2)))
    return {name: value.unflatten(0, shape) for name, value in leaves.items()}


@pytest.mark.parametrize(
    "settings", [{}, {"alpha": 0.3, "scale": 3.0, "metric_loss": 2.0, "global_loss": 0.5}], ids=str
)
@pytest.mark.parametrize("queries", [1, 3])
@pytest.mark.parametrize("skip", [False, True])
def test_the_attention_head_is_mastaf_on_the_map_view(settings: dict[str, Any], queries: int, skip: bool) -> None:
    heads: list[FewShotMethod] = [
        head(name, **settings, skip_norm_of_one_query=skip, normalise=False) for name in ("attention", "mastaf")
    ]
    own, reference = heads
    assert isinstance(own, AttentionHead)
    assert isinstance(reference, MASTAF)
    nn.init.constant_(reference.meta_fusion.batchnorm.bias, 1.0)
    own.load_state_dict(reference.state_dict())
    found: list[tuple[Tensor, dict[str, Tensor]]] = []
    for each in heads:
        sides = features(each, (2, 5, 2), 0), features(each, (2, queries), 1)
        found.append((each.score(*sides), each.loss(*sides, targets(2, queries))))
    (own_scores, own_terms), (wanted, terms) = found
    torch.testing.assert_close(own_scores, wanted, **CLOSE)
    assert own_terms.keys() == terms.keys() == {"metric", "global"}
    for name, term in terms.items():
        torch.testing.assert_close(own_terms[name], term, **CLOSE)


def test_a_head_takes_the_settings_that_it_has() -> None:
    settings = {"scale": 3.0, "alpha": 0.5, "metric_loss": 1.0, "global_loss": 0.0, "normalise": False}
    attention, mastaf, prototypes = (head(name, **settings) for name in ("attention", "mastaf", "protonet"))
    assert isinstance(attention, AttentionHead)
    assert isinstance(mastaf, MASTAF)
    assert isinstance(prototypes, ProtoNet)
    for each in (attention, mastaf):
        assert (each.scale, each.alpha, each.metric_loss) == (3.0, 0.5, 1.0)
        assert each.global_classifier is None
    assert len(mastaf.fusion.norm) == 0
    assert prototypes.global_classifier is None
    assert isinstance(head("protonet", global_loss=1.0).get_submodule("global_classifier"), nn.Linear)


def test_maps_are_views_of_the_vectors() -> None:
    vectors = torch.arange(48.0).view(2, 24)
    features = PrecomputedVectors(WIDTH, GRID).features(vectors)
    assert torch.equal(features["video.map"], vectors.view(2, 6, 1, 2, 2))
    assert torch.equal(features["video.vector"], vectors)


@pytest.mark.parametrize("name", sorted(HEADS.keys() - {"trx", "cnaps"}))
def test_every_head_scores_the_queries_by_the_vectors_that_the_fusion_gives(name: str) -> None:
    """A support clip asked for as a query belongs to its own class, more than to any other."""
    each = head(name)
    support = features(each, (4, 5, 1), 0)
    with torch.no_grad():
        found = each.score(support, {leaf: value[:, :, 0] for leaf, value in support.items()})
    assert torch.equal(found.argmax(dim=2), torch.arange(5).expand(4, 5))


def test_a_linear_probe_on_the_fused_vectors_needs_no_other_mode() -> None:
    method = build(head="linear_probe")
    assert not method.grad_at_test
    found = scores(method, clips(40))
    assert found.shape == (2, 3, 5)
    assert not found.requires_grad
    assert set(method.loss(*episodes(method, clips(40)), targets())) == {"cross_entropy"}
