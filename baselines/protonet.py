"""Prototypical network: the reference every other head is compared with.

Snell, Swersky, Zemel, "Prototypical Networks for Few-shot Learning", NeurIPS 2017 (arXiv 1703.05175): a class is the
mean of its embedded support clips (eq. 1) and the score of a query is minus its squared Euclidean distance to it
(eq. 2). Deviation: a learned scale on the distances, since their size depends on the width; it starts at 1 / width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from harness.api import Features, FewShotMethod, Needs, Setup, fuse_vectors


class ProtoNet(FewShotMethod):
    """Mean of the support, squared distance to the query.

    Args:
        setup: see :class:`harness.api.Setup`.
        projection: width of a linear layer on the fused vector; 0 leaves the vector as it is.
    """

    needs = Needs(outputs=("vector",))

    def __init__(self, setup: Setup, *, projection: int = 0) -> None:
        super().__init__(setup)
        width = setup.width("vector")
        self.norm = nn.ModuleDict({name: nn.LayerNorm(e.widths["vector"]) for name, e in setup.encoders.items()})
        self.projection = nn.Linear(width, projection) if projection else nn.Identity()
        self.log_scale = nn.Parameter(-torch.tensor(float(projection or width)).log())

    def embed(self, encoded: Features) -> Features:
        normed = dict(encoded)
        for name, norm in self.norm.items():
            normed[f"{name}.vector"] = norm(encoded[f"{name}.vector"])
        return {"vector": self.projection(fuse_vectors(normed, self.setup.modalities))}

    def score(self, support: Features, query: Features) -> Tensor:
        prototypes = support["vector"].float().mean(dim=2)  # (E, way, D)
        distances = torch.cdist(query["vector"].float(), prototypes).square()
        return -distances * self.log_scale.exp()
