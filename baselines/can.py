"""Cross Attention Network.

Hou, Chang, Ma, Shan, Chen, "Cross Attention Network for Few-shot Classification", NeurIPS 2019 (arXiv 1910.07677):
section 4.2, the cross attention module (``meta_fusion.py``) with residual attention on both maps; sections 4.3 and 4.4,
class scores as scaled cosines of the pooled maps, a nearest-neighbour loss at every position of the query map and a
global classification loss over all training classes.

Published recipe: ResNet-12, 84 px images, 6 x 6 maps; SGD, Nesterov momentum 0.9, weight decay 5e-4, learning rate 0.1
dropped in three steps; 4 episodes of 5 classes and 6 queries each; loss = global + 0.5 nearest neighbour, scale 7.
Deviations: maps are space-time maps of clips, of any grid up to 49 positions; both modalities share one map. The
transductive variant of the paper is left out.

Original code: blue-blue272/fewshot-CAN (no licence file in the repository); nothing of it is used here.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from mmact_oneshot.baselines.meta_fusion import (
    MetaFusion,
    at_positions,
    attended_vectors,
    cross_attention,
    local_cross_entropy,
    true_class,
)
from mmact_oneshot.harness.api import Features, FewShotMethod, LossTerms, Needs, Setup, Targets
from mmact_oneshot.harness.encoders.fusion import Fusion

Attention = tuple[Tensor, Tensor]
"""Weights of the positions of the class maps and of the query maps, each (E, K, Q, P)."""

BIBTEX = """@inproceedings{hou2019cross,
  title = {Cross Attention Network for Few-shot Classification},
  author = {Hou, Ruibing and Chang, Hong and Ma, Bingpeng and Shan, Shiguang and Chen, Xilin},
  booktitle = {Advances in Neural Information Processing Systems},
  year = {2019}
}"""


class CAN(FewShotMethod):
    """Cosine of class and query maps, each weighted by where the other agrees with it.

    Args:
        setup: see :class:`mmact_oneshot.harness.api.Setup`.
        hidden: width of the meta fusion's bottleneck.
        scale: of the cosines.
        metric_loss: weight of the nearest-neighbour loss.
        global_loss: weight of the classification over all training classes; 0 leaves it out.
        normalise: bring the modalities to one scale before fusing; the paper, with one modality, does not.
    """

    bibtex = BIBTEX
    needs = Needs(outputs=("map",))

    def __init__(
        self,
        setup: Setup,
        *,
        hidden: int = 6,
        scale: float = 7.0,
        metric_loss: float = 0.5,
        global_loss: float = 1.0,
        normalise: bool = True,
    ) -> None:
        super().__init__(setup)
        self.fusion = Fusion(setup, "map", normalise=normalise)
        self.meta_fusion = MetaFusion(self.fusion.positions, hidden=hidden)
        self.global_classifier = nn.Linear(self.fusion.width, setup.base_classes) if global_loss else None
        self.scale, self.metric_loss, self.global_loss = scale, metric_loss, global_loss

    def embed(self, encoded: Features) -> Features:
        return {"map": self.fusion(encoded).flatten(2)}

    def score(self, support: Features, query: Features) -> Tensor:
        classes, queries, attention = self.attend(support, query)
        return self.scale * self.pooled_cosines(classes, queries, attention)

    def loss(self, support: Features, query: Features, targets: Targets) -> LossTerms:
        classes, queries, attention = self.attend(support, query)
        local = self.scale * self.local_cosines(classes, queries, attention)
        terms = {"metric": self.metric_loss * local_cross_entropy(local, targets.label)}
        if self.global_classifier is not None:
            logits = self.global_logits(queries, attention[1], targets.label)
            terms["global"] = self.global_loss * local_cross_entropy(logits, targets.query_class)
        return terms

    def pooled_cosines(self, classes: Tensor, queries: Tensor, attention: Attention) -> Tensor:
        """Cosines of the attended maps' means, (E, Q, K)."""
        class_vectors, query_vectors = attended_vectors(classes, queries, *attention)
        return F.cosine_similarity(query_vectors, class_vectors, dim=-1, eps=1e-12)

    def local_cosines(self, classes: Tensor, queries: Tensor, attention: Attention) -> Tensor:
        """Cosines at every position of the query maps, (E, Q, K, P)."""
        class_vectors, _ = attended_vectors(classes, queries, *attention)
        return at_positions(queries, class_vectors)

    def global_logits(self, queries: Tensor, of_query: Tensor, label: Tensor) -> Tensor:
        """Training classes at every position of the query maps attended to with their true classes.

        Returns:
            (E, Q, base classes, P).
        """
        assert self.global_classifier is not None
        attended = queries * true_class(of_query, label).unsqueeze(2)
        logits: Tensor = self.global_classifier(attended.transpose(2, 3))
        return logits.transpose(2, 3)

    def attend(self, support: Features, query: Features) -> tuple[Tensor, Tensor, Attention]:
        """Class prototypes (E, K, D, P), query maps (E, Q, D, P), and the attention on both, each (E, K, Q, P)."""
        classes, queries = support["map"].float().mean(dim=2), query["map"].float()
        return classes, queries, cross_attention(self.meta_fusion, classes, queries)
