"""What a warm start minimises: neutral objectives on an encoder's own vector, without any head.

Vectors are normalised, so that no head's projection or normalisation shapes the features that all of them share. Both
objectives see the same clips, those of the training episodes, and are validated alike, by distances to class means.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmact_oneshot.harness.api import Features, FewShotMethod, LossTerms, Needs, Setup, Targets


class PrototypeObjective(FewShotMethod):
    """Prototype loss (Snell et al., NeurIPS 2017, eq. 1-2), with a learned scale."""

    needs = Needs(outputs=("vector",))

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self.log_scale = nn.Parameter(torch.tensor(10.0).log())

    def embed(self, encoded: Features) -> Features:
        (modality,) = self.setup.modalities
        return {"vector": F.normalize(encoded[f"{modality}.vector"].float(), dim=-1)}

    def score(self, support: Features, query: Features) -> Tensor:
        prototypes = support["vector"].mean(dim=2)
        return -torch.cdist(query["vector"], prototypes).square() * self.log_scale.exp()


class ClassificationObjective(PrototypeObjective):
    """Classification of support and queries over all training classes: stage 1 of two-stage training (Chen et al.,
    ICCV 2021, section 3), with cosines to one learned vector for each class."""

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self.class_vectors = nn.Parameter(torch.randn(setup.base_classes, setup.width("vector")))

    def loss(self, support: Features, query: Features, targets: Targets) -> LossTerms:
        shots = support["vector"].shape[2]
        vectors = torch.cat([support["vector"].flatten(1, 2), query["vector"]], dim=1)
        label = torch.cat([targets.support_class.repeat_interleave(shots, dim=1), targets.query_class], dim=1)
        logits = vectors @ F.normalize(self.class_vectors, dim=-1).T * self.log_scale.exp()
        return {"classification": F.cross_entropy(logits.flatten(0, 1), label.flatten())}


OBJECTIVES: dict[str, type[FewShotMethod]] = {
    "prototype": PrototypeObjective,
    "classification": ClassificationObjective,
}
