"""Matching network: attention over the support clips, by cosine.

Vinyals, Blundell, Lillicrap, Kavukcuoglu, Wierstra, "Matching Networks for One Shot Learning", NeurIPS 2016 (arXiv
1606.04080), section 2.1: the probability of a class is the attention (softmax of cosines, eq. 1) that its support
clips get. Published recipe: four convolutional layers trained from scratch. Deviations: the cosines have a learned
scale, which starts at 10, because softmax over plain cosines can never be certain; full context embeddings (section
2.1.2) are left out, since they depend on the order in which the support is listed.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmact_oneshot.harness.api import Features, FewShotMethod, Needs, Setup
from mmact_oneshot.harness.encoders.fusion import Fusion

BIBTEX = """@inproceedings{vinyals2016matching,
  title = {Matching Networks for One Shot Learning},
  author = {Vinyals, Oriol and Blundell, Charles and Lillicrap, Timothy and Kavukcuoglu, Koray and Wierstra, Daan},
  booktitle = {Advances in Neural Information Processing Systems},
  year = {2016}
}"""


class MatchingNet(FewShotMethod):
    """Logarithm of the attention that a class's support clips get from the query.

    Args:
        setup: see :class:`mmact_oneshot.harness.api.Setup`.
        scale: of the cosines at the start of training.
    """

    bibtex = BIBTEX
    needs = Needs(outputs=("vector",))

    def __init__(self, setup: Setup, *, scale: float = 10.0) -> None:
        super().__init__(setup)
        self.fusion = Fusion(setup, "vector")
        self.log_scale = nn.Parameter(torch.tensor(scale).log())

    def embed(self, encoded: Features) -> Features:
        return {"vector": F.normalize(self.fusion(encoded).float(), dim=-1)}

    def score(self, support: Features, query: Features) -> Tensor:
        clips = support["vector"].flatten(1, 2)  # (E, way * shot, D)
        attention = (query["vector"] @ clips.transpose(1, 2) * self.log_scale.exp()).log_softmax(dim=2)
        scores: Tensor = attention.unflatten(2, support["vector"].shape[1:3]).logsumexp(dim=3)
        return scores
