"""Meta-Baseline: cosines to class means, after classification training of the encoder.

Chen, Liu, Xu, Darrell, Wang, "Meta-Baseline: Exploring Simple Meta-Learning for Few-Shot Learning", ICCV 2021 (arXiv
2003.04390), section 3: an encoder is trained to classify the base classes (stage 1), then with episodes, where the
score of a class is the scaled cosine of the query and the class mean (stage 2, eq. 3); the scale is learned from 10.

Stage 1 is the warm start of the harness with ``warm_start.objective = "classification"``, stage 2 the training of the
row; in a study whose warm start has another objective the row begins there, as all its rivals do. Published recipe:
ResNet-12, 80 px images; SGD, momentum 0.9, weight decay 5e-4, learning rate 0.1 (stage 1) and 0.001 (stage 2), 4
episodes a step. Deviation: vectors of both modalities are fused as for every other head.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmact_oneshot.harness.api import Features, FewShotMethod, Needs, Setup
from mmact_oneshot.harness.encoders.fusion import Fusion

BIBTEX = """@inproceedings{chen2021meta,
  title = {Meta-Baseline: Exploring Simple Meta-Learning for Few-Shot Learning},
  author = {Chen, Yinbo and Liu, Zhuang and Xu, Huijuan and Darrell, Trevor and Wang, Xiaolong},
  booktitle = {Proceedings of the IEEE/CVF International Conference on Computer Vision},
  year = {2021}
}"""


class MetaBaseline(FewShotMethod):
    """Scaled cosine of the query and the mean of a class's support clips.

    Args:
        setup: see :class:`mmact_oneshot.harness.api.Setup`.
        scale: of the cosines at the start of training.
    """

    bibtex = BIBTEX
    needs = Needs(outputs=("vector",))

    def __init__(self, setup: Setup, *, scale: float = 10.0) -> None:
        super().__init__(setup)
        self.fusion = Fusion(setup, "vector")
        self.scale = nn.Parameter(torch.tensor(scale))

    def embed(self, encoded: Features) -> Features:
        return {"vector": self.fusion(encoded)}

    def score(self, support: Features, query: Features) -> Tensor:
        prototypes = F.normalize(support["vector"].float().mean(dim=2), dim=-1)  # (E, way, D)
        return F.normalize(query["vector"].float(), dim=-1) @ prototypes.transpose(1, 2) * self.scale
