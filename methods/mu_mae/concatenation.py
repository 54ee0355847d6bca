"""The ablation of Mu-MAE's fusion: prior and modalities side by side, without any attention between clips."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from mmact_oneshot.harness.api import Features
from mmact_oneshot.harness.encoders.multimodal import initialise


class ConcatenationFusion(nn.Module):
    """One linear map of the prior and of every modality of a clip. A clip's vector depends on no other clip.

    Args:
        prior_width: of the masked autoencoder's vector.
        widths: modality -> width of its vector.
        width: of the output.
    """

    def __init__(self, prior_width: int, widths: Mapping[str, int], width: int) -> None:
        super().__init__()
        self.modalities, self.width = tuple(widths), width
        self.linear = nn.Linear(prior_width + sum(widths.values()), width)
        initialise(self)

    def embed(self, prior: Tensor, vectors: Mapping[str, Tensor], present: Mapping[str, Tensor]) -> Features:
        """Each clip alone: its fused vector. A modality that a clip lacks contributes zeros.

        Args:
            prior: (B, prior width).
            vectors: modality -> (B, its width).
            present: modality -> (B,) bool.
        """
        parts = [torch.where(present[name][:, None], vectors[name], 0.0) for name in self.modalities]
        return {"fused": self.linear(torch.cat([prior, *parts], dim=1))}

    def forward(self, support: Features, query: Features) -> tuple[Tensor, Tensor]:
        """Support (E, Q, S, D), the same beside every query, and query (E, Q, D)."""
        clips, queries = support["fused"], query["fused"]
        return clips.unsqueeze(1).expand(-1, queries.shape[1], -1, -1), queries
