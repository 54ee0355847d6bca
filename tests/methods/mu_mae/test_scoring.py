"""Scores and losses against their definitions, pair by pair."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from mmact_oneshot.baselines.meta_fusion import local_cross_entropy
from mmact_oneshot.methods.mu_mae import scoring
from mmact_oneshot.methods.mu_mae.scoring import AttendedMaps


def maps() -> AttendedMaps:
    random = torch.Generator().manual_seed(0)
    shapes = ((2, 5, 4, 6), (2, 3, 4, 6), (2, 3, 5, 4, 6), (2, 3, 5, 4, 6))
    return AttendedMaps(*(torch.randn(shape, generator=random) for shape in shapes))


def test_scores_are_cosines_of_means_and_of_positions() -> None:
    attended = maps()
    own, cross = scoring.pooled_scores(attended, scale=2.0)
    own_local, cross_local = scoring.local_scores(attended, scale=2.0)
    e, q, k, p = 1, 2, 3, 4
    support, pair = attended.self_support[e, k].mean(-1), attended.cross_support[e, q, k].mean(-1)
    expected = {
        own[e, q, k]: (attended.self_query[e, q].mean(-1), support),
        cross[e, q, k]: (attended.cross_query[e, q, k].mean(-1), pair),
        own_local[e, q, k, p]: (attended.self_query[e, q, :, p], support),
        cross_local[e, q, k, p]: (attended.cross_query[e, q, k, :, p], pair),
    }
    for found, sides in expected.items():
        torch.testing.assert_close(found, 2 * F.cosine_similarity(*sides, dim=0))
    torch.testing.assert_close(scoring.combined((own, cross), 0.7), cross + 0.7 * own)


def test_without_a_head_self_and_cross_agree() -> None:
    attended = maps()
    plain = AttendedMaps.unattended(attended.self_support, attended.self_query)
    for scores in (scoring.pooled_scores(plain), scoring.local_scores(plain)):
        torch.testing.assert_close(*scores)


def test_the_true_class_of_each_query_is_taken() -> None:
    attended, label = maps().cross_query, torch.tensor([[0, 4, 2], [1, 1, 3]])
    found = scoring.of_true_class(attended, label)
    assert torch.equal(found[1, 2], attended[1, 2, 3])
    assert torch.equal(found[0, 1], attended[0, 1, 4])
    assert scoring.of_true_class(attended[..., 0, 0], label).shape == (2, 3)


def test_local_cross_entropy_is_a_mean_over_queries_and_positions() -> None:
    logits, label = torch.randn(2, 3, 5, 6), torch.tensor([[0, 4, 2], [1, 1, 3]])
    each = [F.cross_entropy(logits[e, q, :, p], label[e, q]) for e in range(2) for q in range(3) for p in range(6)]
    torch.testing.assert_close(local_cross_entropy(logits, label), torch.stack(each).mean())


@pytest.mark.parametrize("positions", [1, 4])
def test_vectors_become_maps_with_the_position_fastest(positions: int) -> None:
    assert torch.equal(scoring.as_map(torch.arange(8.0), positions), torch.arange(8.0).view(-1, positions))
