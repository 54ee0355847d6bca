"""Prototypical network: the reference every other head is compared with.

Snell, Swersky, Zemel, "Prototypical Networks for Few-shot Learning", NeurIPS 2017 (arXiv 1703.05175): a class is the
mean of its embedded support clips (eq. 1) and the score of a query is minus its squared Euclidean distance to it
(eq. 2). Published recipe: four convolutional layers trained from scratch, Adam, learning rate 0.001 halved every 2,000
episodes. Deviations: a learned scale on the distances, since their size depends on the width; it starts at 1 / width.

``global_loss`` adds a classification over all training classes, so that heads whose losses have one (CAN, MASTAF,
Mu-MAE) can be compared with a head that differs in nothing else.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmact_oneshot.harness.api import Features, FewShotMethod, LossTerms, Needs, Setup, Targets
from mmact_oneshot.harness.encoders.fusion import Fusion

BIBTEX = """@inproceedings{snell2017prototypical,
  title = {Prototypical Networks for Few-shot Learning},
  author = {Snell, Jake and Swersky, Kevin and Zemel, Richard},
  booktitle = {Advances in Neural Information Processing Systems},
  year = {2017}
}"""


class ProtoNet(FewShotMethod):
    """Mean of the support, squared distance to the query.

    Args:
        setup: see :class:`mmact_oneshot.harness.api.Setup`.
        projection: width of a linear layer on the fused vector; 0 leaves the vector as it is.
        global_loss: weight of a linear classification of the queries over all training classes; 0 leaves it out, 2 is
            the proportion in which CAN and MASTAF have it.
    """

    bibtex = BIBTEX
    needs = Needs(outputs=("vector",))

    def __init__(self, setup: Setup, *, projection: int = 0, global_loss: float = 0.0) -> None:
        super().__init__(setup)
        self.fusion = Fusion(setup, "vector")
        width = projection or self.fusion.width
        self.projection = nn.Linear(self.fusion.width, projection) if projection else nn.Identity()
        self.log_scale = nn.Parameter(-torch.tensor(float(width)).log())
        self.global_classifier = nn.Linear(width, setup.base_classes) if global_loss else None
        self.global_loss = global_loss

    def embed(self, encoded: Features) -> Features:
        return {"vector": self.projection(self.fusion(encoded))}

    def score(self, support: Features, query: Features) -> Tensor:
        prototypes = support["vector"].float().mean(dim=2)  # (E, way, D)
        distances = torch.cdist(query["vector"].float(), prototypes).square()
        return -distances * self.log_scale.exp()

    def loss(self, support: Features, query: Features, targets: Targets) -> LossTerms:
        terms = super().loss(support, query, targets)
        if self.global_classifier is not None:
            logits = self.global_classifier(query["vector"].float())
            terms["global"] = self.global_loss * F.cross_entropy(logits.flatten(0, 1), targets.query_class.flatten())
        return terms
