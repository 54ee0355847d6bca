"""MASTAF: self- and cross-attention over spatio-temporal maps.

Liu, Zhang, Pirsiavash, Liu, "MASTAF: A Model-Agnostic Spatio-Temporal Attention Fusion Network for Few-shot Video
Classification", WACV 2023 (arXiv 2112.04585), section 3: one attention generator (CAN's, ``meta_fusion.py``) weights
every map by its agreement with itself and with the other map, and the two scores are added.

Published recipe (defaults of the released code): R3D-50, 16 frames of 224 px, maps of 1 x 7 x 7; SGD, learning rate
0.001, 16 episodes of 5-way 1-shot a step; loss = global + 0.5 nearest neighbour as in CAN, scale 7. Deviations: maps of
any grid up to 49 positions; both modalities share one map. The released code leaves the BatchNorm out of a query's
self-attention when an episode has one query, so that scores depend on how many queries there are;
``skip_norm_of_one_query`` does the same, the default does not.

Original code: lxhit/STAF (no licence file in the repository); nothing of it is used here.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from mmact_oneshot.baselines.can import CAN, Attention
from mmact_oneshot.baselines.meta_fusion import at_positions, self_correlation
from mmact_oneshot.harness.api import Setup

BIBTEX = """@inproceedings{liu2023mastaf,
  title = {{MASTAF}: A Model-Agnostic Spatio-Temporal Attention Fusion Network for Few-shot Video Classification},
  author = {Liu, Rex and Zhang, Huanle and Pirsiavash, Hamed and Liu, Xin},
  booktitle = {Proceedings of the IEEE/CVF Winter Conference on Applications of Computer Vision},
  year = {2023}
}"""


class MASTAF(CAN):
    """CAN's score plus the cosine of the maps that attend to themselves.

    Args:
        setup: see :class:`mmact_oneshot.harness.api.Setup`.
        hidden: width of the meta fusion's bottleneck.
        scale: of the cosines.
        alpha: weight of the self-attention score.
        metric_loss: weight of the nearest-neighbour loss.
        global_loss: weight of the classification over all training classes; 0 leaves it out.
        skip_norm_of_one_query: as released (see above); makes scores depend on the number of queries.
        normalise: bring the modalities to one scale before fusing; the paper, with one modality, does not.
    """

    bibtex = BIBTEX

    def __init__(
        self,
        setup: Setup,
        *,
        hidden: int = 6,
        scale: float = 7.0,
        alpha: float = 1.0,
        metric_loss: float = 0.5,
        global_loss: float = 1.0,
        skip_norm_of_one_query: bool = False,
        normalise: bool = True,
    ) -> None:
        super().__init__(
            setup,
            hidden=hidden,
            scale=scale,
            metric_loss=metric_loss,
            global_loss=global_loss,
            normalise=normalise,
        )
        self.alpha = alpha
        self.skip_norm_of_one_query = self.transductive = skip_norm_of_one_query

    def pooled_cosines(self, classes: Tensor, queries: Tensor, attention: Attention) -> Tensor:
        cross = super().pooled_cosines(classes, queries, attention)
        of_class, of_query = self.self_attention(classes, queries)
        own_class = (classes * of_class.unsqueeze(2)).mean(dim=3)  # (E, K, D)
        own_query = (queries * of_query.unsqueeze(2)).mean(dim=3)  # (E, Q, D)
        own: Tensor = F.normalize(own_query, dim=-1) @ F.normalize(own_class, dim=-1).transpose(1, 2)
        return cross + self.alpha * own

    def local_cosines(self, classes: Tensor, queries: Tensor, attention: Attention) -> Tensor:
        cross = super().local_cosines(classes, queries, attention)
        of_class, _ = self.self_attention(classes, queries)
        own_class = (classes * of_class.unsqueeze(2)).mean(dim=3)
        own = at_positions(queries, own_class.unsqueeze(1).expand(-1, queries.shape[1], -1, -1))
        return cross + self.alpha * own

    def self_attention(self, classes: Tensor, queries: Tensor) -> tuple[Tensor, Tensor]:
        """Attention of every map by its agreement with itself, classes first.

        Args:
            classes: (E, K, D, P) prototypes.
            queries: (E, Q, D, P).

        Returns:
            (E, K, P) and (E, Q, P).
        """
        one_query = self.skip_norm_of_one_query and queries.shape[1] == 1
        of_class = self.meta_fusion(self_correlation(classes))
        return of_class, self.meta_fusion(self_correlation(queries), normalise=not one_query)
