"""CAN and MASTAF: what their attention and their losses do."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F

from mmact_oneshot.baselines.can import CAN
from mmact_oneshot.baselines.mastaf import MASTAF
from mmact_oneshot.baselines.meta_fusion import (
    MetaFusion,
    attended_vectors,
    correlation,
    cross_attention,
    self_correlation,
)
from mmact_oneshot.harness.api import Targets
from tests.helpers.head_features import embedded, random
from tests.parity.arrays import FixedFeatures, setup

WIDTH, GRID = 8, (2, 3, 2)
SUPPORT, QUERY = random(2, 3, 2, WIDTH, *GRID), random(2, 4, WIDTH, *GRID, seed=1)
TARGETS = Targets(torch.tensor([[0, 1, 2, 1]] * 2), torch.zeros(2, 3).long(), torch.tensor([[5, 1, 4, 1]] * 2))


def build(method: type[CAN] | type[MASTAF], **settings: Any) -> CAN | MASTAF:
    torch.manual_seed(0)
    return method(setup(FixedFeatures(WIDTH, GRID), way=3, base_classes=6), normalise=False, **settings).eval()


def test_correlations_are_cosines_of_positions() -> None:
    support, query = SUPPORT.mean(dim=2).flatten(3), QUERY.flatten(3)
    pairs = correlation(support, query)
    assert pairs.shape == (2, 3, 4, 12, 12)
    expected = F.cosine_similarity(support[1, 2, :, 5], query[1, 3, :, 7], dim=0)
    torch.testing.assert_close(pairs[1, 2, 3, 5, 7], expected)
    own = self_correlation(support)
    torch.testing.assert_close(own.diagonal(dim1=2, dim2=3), torch.ones(2, 3, 12))


def test_attention_is_a_softmax_on_top_of_one() -> None:
    fusion = MetaFusion(12).eval()
    attention = fusion(random(4, 12, 12).tanh())
    assert bool((attention >= 1).all())
    torch.testing.assert_close(attention.sum(dim=-1), torch.full((4,), 13.0))


def test_vectors_are_the_means_of_the_attended_maps() -> None:
    fusion = MetaFusion(12).eval()
    support, query = SUPPORT.mean(dim=2).flatten(3), QUERY.flatten(3)
    of_class, of_query = cross_attention(fusion, support, query)
    classes, queries = attended_vectors(support, query, of_class, of_query)
    torch.testing.assert_close(classes[1, 3, 2], (support[1, 2] * of_class[1, 2, 3]).mean(dim=1))
    torch.testing.assert_close(queries[1, 3, 2], (query[1, 3] * of_query[1, 2, 3]).mean(dim=1))


@pytest.mark.parametrize("kind", [CAN, MASTAF])
def test_a_clip_is_most_like_itself(kind: type[CAN] | type[MASTAF]) -> None:
    method = build(kind)
    features = embedded(method, "map", SUPPORT[:, :, :1], SUPPORT[:, :, 0])
    scores = method.score(*features)
    assert torch.equal(scores.argmax(dim=2), torch.arange(3).expand(2, 3))
    highest = method.scale * (2 if kind is MASTAF else 1)
    # not exactly: the two sides of a pair are weighted by attention of their own
    assert highest * 0.9 < float(scores.detach().diagonal(dim1=1, dim2=2).min()) <= highest + 1e-5


@pytest.mark.parametrize("kind", [CAN, MASTAF])
def test_losses_have_their_weights(kind: type[CAN] | type[MASTAF]) -> None:
    method = build(kind)
    support, query = embedded(method, "map", SUPPORT, QUERY)
    terms = method.loss(support, query, TARGETS)
    other = build(kind, metric_loss=1.0, global_loss=3.0).loss(support, query, TARGETS)
    torch.testing.assert_close(other["metric"], 2 * terms["metric"])
    torch.testing.assert_close(other["global"], 3 * terms["global"])
    assert set(build(kind, global_loss=0.0).loss(support, query, TARGETS)) == {"metric"}


@pytest.mark.parametrize("kind", [CAN, MASTAF])
def test_the_head_s_batch_norm_is_over_the_whole_step(kind: type[CAN] | type[MASTAF]) -> None:
    """In training, both episodes share its statistics; in evaluation, each is scored alone."""
    method = build(kind).train()
    support, query = embedded(method, "map", SUPPORT, QUERY)
    together = method.score(support, query)
    apart = method.score({k: v[:1] for k, v in support.items()}, {k: v[:1] for k, v in query.items()})
    assert not torch.allclose(together[:1], apart, atol=1e-6)
    method.eval()
    together = method.score(support, query)
    apart = method.score({k: v[:1] for k, v in support.items()}, {k: v[:1] for k, v in query.items()})
    torch.testing.assert_close(together[:1], apart)


def test_only_the_released_mastaf_depends_on_the_number_of_queries() -> None:
    released, default = build(MASTAF, skip_norm_of_one_query=True), build(MASTAF)
    for method in (released, default):
        norm = method.meta_fusion.batchnorm
        assert norm.running_mean is not None
        norm.running_mean += 0.5
        with torch.no_grad():
            method.meta_fusion.conv1.weight.mul_(20)
        support, query = embedded(method, "map", SUPPORT, QUERY)
        gap = method.score(support, {"map": query["map"][:, :1]}) - method.score(support, query)[:, :1]
        assert bool(gap.abs().max() > 1e-5) == (method is released)
    assert released.transductive
    assert not default.transductive


def test_alpha_weighs_the_self_attention() -> None:
    one, none = build(MASTAF), build(MASTAF, alpha=0.0)
    cross = build(CAN)
    cross.meta_fusion.load_state_dict(none.meta_fusion.state_dict())
    features = embedded(none, "map", SUPPORT, QUERY)
    torch.testing.assert_close(none.score(*features), cross.score(*features))
    assert not torch.allclose(one.score(*features), none.score(*features))
