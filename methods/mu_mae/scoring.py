"""Mu-MAE's metric: scores of queries from attended maps and their losses, as in CAN (arXiv 1910.07677, section 4).

An attention head turns prototypes and queries into two pairs of maps: each attended by itself, and each attended by
the other. Both pairs are compared by cosines; the scores are those of the second plus ``alpha`` times the first.
"""

from __future__ import annotations

from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor


class AttendedMaps(NamedTuple):
    """Maps of D channels at P positions.

    Attributes:
        self_support: (E, K, D, P) prototypes.
        self_query: (E, Q, D, P).
        cross_support, cross_query: (E, Q, K, D, P), of every pair.
    """

    self_support: Tensor
    self_query: Tensor
    cross_support: Tensor
    cross_query: Tensor

    @classmethod
    def unattended(cls, prototypes: Tensor, query: Tensor) -> AttendedMaps:
        """Without a head: (E, K, D, P) and (E, Q, D, P) as they are."""
        pairs = (len(query), query.shape[1], prototypes.shape[1], *query.shape[2:])
        return cls(prototypes, query, prototypes.unsqueeze(1).expand(pairs), query.unsqueeze(2).expand(pairs))


def as_map(vectors: Tensor, positions: int = 4) -> Tensor:
    """View vectors as maps, the position running fastest: (..., D * P) -> (..., D, P)."""
    maps: Tensor = vectors.unflatten(-1, (-1, positions))
    return maps


def pooled_scores(maps: AttendedMaps, scale: float = 7.0) -> tuple[Tensor, Tensor]:
    """Scaled cosines of the maps' means over positions: of self and of cross attention, (E, Q, K) each."""
    own_support, own_query, support, query = (F.normalize(each.mean(dim=-1), dim=-1) for each in maps)
    return scale * own_query @ own_support.transpose(1, 2), scale * (query * support).sum(dim=-1)


def local_scores(maps: AttendedMaps, scale: float = 7.0) -> tuple[Tensor, Tensor]:
    """Scaled cosines of the support's means with each position of the query: self and cross, (E, Q, K, P) each."""
    own_support, support = (F.normalize(each.mean(dim=-1), dim=-1) for each in (maps.self_support, maps.cross_support))
    own = own_support.unsqueeze(1) @ F.normalize(maps.self_query, dim=2)
    cross = (support.unsqueeze(-2) @ F.normalize(maps.cross_query, dim=3)).squeeze(-2)
    return scale * own, scale * cross


def combined(scores: tuple[Tensor, Tensor], alpha: float = 1.0) -> Tensor:
    """Cross plus ``alpha`` times self."""
    return scores[1] + alpha * scores[0]


def of_true_class(pairs: Tensor, label: Tensor) -> Tensor:
    """What the pairs of the queries with their true classes hold: (E, Q, K, ...), (E, Q) -> (E, Q, ...)."""
    index = label.view(*label.shape, *[1] * (pairs.ndim - 2)).expand(*label.shape, 1, *pairs.shape[3:])
    return pairs.gather(2, index).squeeze(2)
