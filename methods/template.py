"""A method to start from: class prototypes under cosine similarity, in the fewest lines that satisfy the contract.

Check it:   oneshot check methods/template.py
Run it:     oneshot run --data DATA --method methods/template.py
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmact_oneshot import Features, FewShotMethod, Fusion, Needs, Setup


class CosinePrototypes(FewShotMethod):
    """Replace this by one sentence on the idea, with its paper.

    Args:
        setup: the encoders, number of base classes, way and shot of training.
        temperature: where the learned scale of the similarities starts. Every setting is a keyword argument with a
            type and a default; users set it in their preset or on the command line.
    """

    # What the shared encoders shall give: "vector", "sequence", "map". Leave out a modality that you cannot use.
    needs = Needs(outputs=("vector",), modalities=("video", "sensors"))

    def __init__(self, setup: Setup, *, temperature: float = 10.0) -> None:
        super().__init__(setup)
        # Parameters must be attributes (not in plain lists) and each must receive a gradient from `loss`.
        self.fusion = Fusion(setup, "vector")  # all modalities in one tensor; the same way for every method
        self.linear = nn.Linear(self.fusion.width, 128)
        self.log_scale = nn.Parameter(torch.tensor(temperature).log())

    def embed(self, encoded: Features) -> Features:
        """Each clip alone, (B, ...) -> (B, ...): no statistics over the batch, for clips are embedded once and kept."""
        return {"vector": F.normalize(self.linear(self.fusion(encoded)).float(), dim=-1)}

    def score(self, support: Features, query: Features) -> Tensor:
        """Many episodes at once: support (E, way, shot, D), query (E, Q, D) -> (E, Q, way), higher is better."""
        prototypes = F.normalize(support["vector"].mean(dim=2), dim=-1)
        return query["vector"] @ prototypes.transpose(1, 2) * self.log_scale.exp()

    # `encode` runs the shared encoders, `loss` is the cross-entropy of `score`: override them where you need to.
