"""How much of what tells the clips of an episode apart passes Mu-MAE's cross-attention.

In the release a clip's vectors reach its fused vector as values of the attention alone. Where the weights are nearly
equal, every clip of an episode gets nearly the same mean of all values, and no head can tell the clips apart. The
*passed share* measures it: the spread of the attended vectors of an episode over the spread of its values, 0 where all
clips become one, 1 where nothing is lost.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from mmact_oneshot.harness.api import Features
from mmact_oneshot.methods.mu_mae.fusion import CrossAttention, PriorGuidedFusion, grouped


def spread(vectors: Tensor) -> Tensor:
    """(G, n, D) -> (G,): mean squared distance of n vectors from their mean."""
    return (vectors - vectors.mean(dim=1, keepdim=True)).square().sum(dim=2).mean(dim=1)


@torch.no_grad()
def passed(fusion: PriorGuidedFusion, support: Features, query: Features) -> dict[str, dict[str, float]]:
    """What a fusion does to the clips of episodes, by modality.

    Args:
        fusion: of the method.
        support, query: leaves (E, S, ...) and (E, Q, ...) of :meth:`PriorGuidedFusion.embed`, every clip complete.

    Returns:
        ``passed``, the passed share; ``asked`` and ``answered``, the spread of the attention's queries and of its
        values over their mean squared length, 0 where those of all clips are one; ``own``, the mean weight of a clip's
        own value, 1 / n where all are alike; and ``entropy`` of the weights over that of equal ones, log n.
    """
    found = {}
    for name, attention in fusion.cross_attention.items():
        assert isinstance(attention, CrossAttention)
        leaf = f"{name}.projected"
        projected = grouped(support[leaf], query[leaf], fusion.across_queries)
        attended, weights = attention.attend(projected)
        values = projected[..., 2, :]
        if fusion.residual:
            attended = attended + values
        entropy = -(weights * weights.clamp_min(1e-12).log()).sum(dim=3).mean() / math.log(weights.shape[3])
        found[name] = {
            "passed": float((spread(attended) / spread(values).clamp_min(1e-12)).mean()),
            "asked": _relative(projected[..., 0, :]),
            "answered": _relative(values),
            "own": float(weights.diagonal(dim1=2, dim2=3).mean()),
            "entropy": float(entropy),
        }
    return found


def _relative(vectors: Tensor) -> float:
    return float((spread(vectors) / vectors.square().sum(dim=2).mean(dim=1).clamp_min(1e-12)).mean())
