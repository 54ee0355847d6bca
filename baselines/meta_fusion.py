"""The attention generator that CAN and MASTAF share: from the cosines between two maps to a weight for each position.

Hou et al., "Cross Attention Network for Few-shot Classification", NeurIPS 2019 (arXiv 1910.07677), section 4.2: a
correlation layer (cosines of all pairs of positions) and a meta fusion layer, whose kernel depends on the pair.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def correlation(support: Tensor, query: Tensor) -> Tensor:
    """Cosines between all positions of all maps.

    Args:
        support: (E, K, D, P).
        query: (E, Q, D, P).

    Returns:
        (E, K, Q, P, P): rows are positions of the support, columns of the query.
    """
    classes, queries, positions = support.shape[1], query.shape[1], support.shape[3]
    pairs: Tensor = support.transpose(2, 3).flatten(1, 2) @ query.transpose(2, 3).flatten(1, 2).transpose(1, 2)
    # the products, P x P, are divided by the norms: to divide the maps, D x P, would cost more
    pairs = pairs * _inverse_norms(support).unsqueeze(2) * _inverse_norms(query).unsqueeze(1)  # (E, K P, Q P)
    return pairs.view(-1, classes, positions, queries, positions).transpose(2, 3)


def self_correlation(maps: Tensor) -> Tensor:
    """Cosines between all positions of each map with itself: (E, N, D, P) -> (E, N, P, P)."""
    unit = F.normalize(maps, dim=2)
    return unit.transpose(2, 3) @ unit


def _inverse_norms(maps: Tensor) -> Tensor:
    """(E, N, D, P) -> (E, N P)."""
    norms: Tensor = torch.linalg.vector_norm(maps, dim=2).clamp(min=1e-12)
    return norms.reciprocal().flatten(1)


class MetaFusion(nn.Module):
    """Attention over the positions of one map from its correlation with another.

    The BatchNorm sees every pair of maps of a call as one sample, so in training its statistics are those of the
    whole step.

    Args:
        positions: P, of both maps.
        hidden: width of the bottleneck; 6 = 36 / 6 in the paper.
        temperature: of the softmax; 0.025 in the paper.
    """

    def __init__(self, positions: int, *, hidden: int = 6, temperature: float = 0.025) -> None:
        super().__init__()
        self.conv1 = nn.Linear(positions, hidden)
        self.batchnorm = nn.BatchNorm1d(hidden)
        self.conv2 = nn.Linear(hidden, positions)
        self.temperature = temperature

    def forward(self, pairs: Tensor, *, normalise: bool = True) -> Tensor:
        """Weights of the positions in the rows.

        Args:
            pairs: (..., P, P) cosines; rows belong to the map that is attended to, columns to the other.
            normalise: False leaves the BatchNorm out (a quirk of the MASTAF release).

        Returns:
            (..., P): a softmax over positions plus 1, so that every position keeps at least its own weight.
        """
        summary = self.conv1(pairs.mean(dim=-2))
        if normalise:
            summary = self.batchnorm(summary.flatten(0, -2)).view(summary.shape)
        kernel = self.conv2(F.relu(summary))
        fused = (pairs @ kernel.unsqueeze(-1)).squeeze(-1) / pairs.shape[-1]
        return torch.softmax(fused / self.temperature, dim=-1) + 1


def cross_attention(fusion: MetaFusion, support: Tensor, query: Tensor) -> tuple[Tensor, Tensor]:
    """Attention of every pair of class and query, for both maps: the class side first, then the query side.

    Args:
        support: (E, K, D, P) class prototypes.
        query: (E, Q, D, P).

    Returns:
        Two tensors (E, K, Q, P): weights of the positions of the class map, and of the query map.
    """
    pairs = correlation(support, query)
    return fusion(pairs), fusion(pairs.transpose(3, 4))


def attended_vectors(support: Tensor, query: Tensor, of_class: Tensor, of_query: Tensor) -> tuple[Tensor, Tensor]:
    """Means over positions of the attended maps, without making those maps.

    Args:
        support, query, of_class, of_query: as in and from :func:`cross_attention`.

    Returns:
        Two tensors (E, Q, K, D): of the class maps and of the query maps.
    """
    positions = support.shape[-1]
    classes = (of_class @ support.transpose(2, 3)).transpose(1, 2)
    queries = of_query.transpose(1, 2) @ query.transpose(2, 3)
    return classes / positions, queries / positions


def true_class(attention: Tensor, label: Tensor) -> Tensor:
    """Attention of the query maps with their true classes: (E, K, Q, P), (E, Q) -> (E, Q, P)."""
    index = label[:, None, :, None].expand(-1, 1, -1, attention.shape[-1])
    return attention.gather(1, index).squeeze(1)


def at_positions(query: Tensor, vectors: Tensor) -> Tensor:
    """Cosines of class vectors with the query map, position by position.

    A query map attended to has the same direction at every position, for its weights are positive.

    Args:
        query: (E, Q, D, P).
        vectors: (E, Q, K, D), class vectors for each query.

    Returns:
        (E, Q, K, P).
    """
    return F.normalize(vectors, dim=-1) @ F.normalize(query, dim=2)


def local_cross_entropy(logits: Tensor, label: Tensor) -> Tensor:
    """Cross-entropy at every position, averaged over positions and queries: (E, Q, C, P), (E, Q) -> scalar."""
    each = label[:, :, None].expand(-1, -1, logits.shape[-1])
    return F.cross_entropy(logits.transpose(2, 3).flatten(0, 2), each.flatten())
