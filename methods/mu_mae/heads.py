"""Classifiers on the fused vectors: the attention head of the release, or any head of the harness that can.

Mu-MAE calls its classifier model-agnostic. What the release imports as such is not part of it; by its shapes it is the
head of the author's MASTAF (``baselines/mastaf.py``) on maps of 4 positions, and that is what is built here, from the
same attention generator.
"""

from __future__ import annotations

import inspect
from dataclasses import replace
from math import prod
from typing import Any

from torch import Tensor, nn

from mmact_oneshot.baselines.can import CAN
from mmact_oneshot.baselines.cnaps import CNAPs
from mmact_oneshot.baselines.linear_probe import LinearProbe
from mmact_oneshot.baselines.mastaf import MASTAF
from mmact_oneshot.baselines.meta_fusion import MetaFusion, cross_attention, local_cross_entropy, self_correlation
from mmact_oneshot.baselines.protonet import ProtoNet
from mmact_oneshot.baselines.trx import TRX
from mmact_oneshot.harness.api import Features, FewShotMethod, LossTerms, Needs, NotApplicable, Setup, Targets
from mmact_oneshot.methods.mu_mae import scoring
from mmact_oneshot.methods.mu_mae.precomputed import PrecomputedVectors
from mmact_oneshot.methods.mu_mae.scoring import AttendedMaps

GRID = (1, 2, 2)


class AttentionHead(FewShotMethod):
    """Maps weighted by where they agree with themselves and with each other; scaled cosines of both, added.

    Args:
        setup: with one encoder, whose maps are taken as they are.
        scale: of the cosines.
        alpha: weight of the self-attention.
        metric_loss: weight of the nearest-neighbour loss at every position of the query maps.
        global_loss: weight of the classification over all training classes; 0 leaves it out.
        skip_norm_of_one_query: as released, no BatchNorm in the self-attention of a query that is scored alone.
    """

    needs = Needs(outputs=("map",))

    def __init__(
        self,
        setup: Setup,
        *,
        scale: float = 7.0,
        alpha: float = 1.0,
        metric_loss: float = 0.5,
        global_loss: float = 1.0,
        skip_norm_of_one_query: bool = False,
    ) -> None:
        super().__init__(setup)
        (encoder,) = setup.encoders.values()
        depth, height, width = encoder.grid
        self.meta_fusion = MetaFusion(depth * height * width)
        self.global_classifier = nn.Linear(encoder.widths["map"], setup.base_classes) if global_loss else None
        self.scale, self.alpha, self.metric_loss, self.global_loss = scale, alpha, metric_loss, global_loss
        self.skip_norm_of_one_query = skip_norm_of_one_query

    def embed(self, encoded: Features) -> Features:
        return {"map": encoded["video.map"].flatten(2)}

    def score(self, support: Features, query: Features) -> Tensor:
        return scoring.combined(scoring.pooled_scores(self.attended(support, query), self.scale), self.alpha)

    def loss(self, support: Features, query: Features, targets: Targets) -> LossTerms:
        maps = self.attended(support, query)
        local = scoring.combined(scoring.local_scores(maps, self.scale), self.alpha)
        terms = {"metric": self.metric_loss * local_cross_entropy(local, targets.label)}
        if self.global_classifier is not None:
            logits = self.global_logits(maps, targets.label)
            terms["global"] = self.global_loss * local_cross_entropy(logits, targets.query_class)
        return terms

    def global_logits(self, maps: AttendedMaps, label: Tensor) -> Tensor:
        """Training classes at every position of the query maps, attended to with their true classes (E, Q).

        Returns:
            (E, Q, base classes, P).
        """
        assert self.global_classifier is not None
        logits: Tensor = self.global_classifier(scoring.of_true_class(maps.cross_query, label).transpose(2, 3))
        return logits.transpose(2, 3)

    def attended(self, support: Features, query: Features) -> AttendedMaps:
        """From leaves (E, K, N, D, P) and (E, Q, D, P)."""
        return self.attend(support["map"].float().mean(dim=2), query["map"].float())

    def attend(self, classes: Tensor, queries: Tensor) -> AttendedMaps:
        """Self and cross attention of prototypes (E, K, D, P) and queries (E, Q, D, P)."""
        of_class, of_query = cross_attention(self.meta_fusion, classes, queries)
        alone = self.skip_norm_of_one_query and queries.shape[1] == 1
        own_class = self.meta_fusion(self_correlation(classes))
        own_query = self.meta_fusion(self_correlation(queries), normalise=not alone)
        return AttendedMaps(
            classes * own_class.unsqueeze(2),
            queries * own_query.unsqueeze(2),
            (classes.unsqueeze(2) * of_class.unsqueeze(3)).transpose(1, 2),
            queries.unsqueeze(2) * of_query.transpose(1, 2).unsqueeze(3),
        )


HEADS: dict[str, type[FewShotMethod]] = {
    "attention": AttentionHead,
    "protonet": ProtoNet,
    "linear_probe": LinearProbe,
    "can": CAN,
    "mastaf": MASTAF,
    "trx": TRX,
    "cnaps": CNAPs,
}


def build_head(name: str, setup: Setup, vectors: PrecomputedVectors, **settings: Any) -> FewShotMethod:
    """A head on vectors made elsewhere, or on their view as maps of 2 x 2 positions.

    Args:
        name: one of :data:`HEADS`.
        setup: of the method that it is a part of.
        vectors: stands for an encoder, of :data:`GRID`.
        settings: those that the head has are its own, the others are left out.

    Raises:
        NotApplicable: the head needs another output, or the vectors have no such view.
    """
    kind = HEADS[name]
    for output in kind.needs.outputs:
        if output not in {"vector", "map"}:
            raise NotApplicable(f"{name} needs a {output.split(':')[0]}; the fusion gives a vector and its map view")
    if vectors.widths["vector"] % prod(vectors.grid):
        raise NotApplicable(
            f"the fused width {vectors.widths['vector']} is not a multiple of 4, the positions of its map view"
        )
    own = inspect.signature(kind).parameters.keys() & settings.keys()
    stand_in = replace(setup, modalities=("video",), encoders={"video": vectors})
    return kind(stand_in, **{key: settings[key] for key in own})
