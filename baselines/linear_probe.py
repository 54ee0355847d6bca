"""Linear probe: a logistic regression fitted to the support clips of each episode.

The sanity row of the field (Tian et al., "Rethinking Few-Shot Image Classification", ECCV 2020, arXiv 2003.11539,
section 3.2): vectors scaled to unit length, multinomial logistic regression with an intercept and an L2 penalty of
half the squared norm of the weights (C = 1), fitted anew in every episode. Nothing of it is trained beforehand, so
with frozen encoders it shows what the encoders alone are worth to a linear classifier.

Deviation: a fixed number of accelerated gradient steps, for all episodes at once, in place of L-BFGS; the gradient is
within 1e-4 of zero at the end (tested).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from mmact_oneshot.harness.api import Features, FewShotMethod, Needs, Setup
from mmact_oneshot.harness.encoders.fusion import Fusion

BIBTEX = """@inproceedings{tian2020rethinking,
  title = {Rethinking Few-Shot Image Classification: A Good Embedding Is All You Need?},
  author = {Tian, Yonglong and Wang, Yue and Krishnan, Dilip and Tenenbaum, Joshua B. and Isola, Phillip},
  booktitle = {European Conference on Computer Vision},
  year = {2020}
}"""


class LinearProbe(FewShotMethod):
    """Logits of a logistic regression on the support.

    Args:
        setup: see :class:`mmact_oneshot.harness.api.Setup`.
        strength: C, the weight of the data against the penalty.
        steps: of the optimisation.
    """

    bibtex = BIBTEX
    needs = Needs(outputs=("vector",))
    grad_at_test = True

    def __init__(self, setup: Setup, *, strength: float = 1.0, steps: int = 100) -> None:
        super().__init__(setup)
        self.fusion = Fusion(setup, "vector", affine=False)
        self.strength, self.steps = strength, steps

    def embed(self, encoded: Features) -> Features:
        return {"vector": F.normalize(self.fusion(encoded).float(), dim=-1)}

    def score(self, support: Features, query: Features) -> Tensor:
        examples, way = support["vector"].float().flatten(1, 2), support["vector"].shape[1]  # (E, n, D)
        wanted = torch.eye(way, device=examples.device).repeat_interleave(support["vector"].shape[2], dim=0)
        dual, intercept = logistic_regression(
            examples @ examples.transpose(1, 2), wanted, strength=self.strength, steps=self.steps
        )
        return query["vector"].float() @ examples.transpose(1, 2) @ dual + intercept


def logistic_regression(gram: Tensor, wanted: Tensor, *, strength: float, steps: int) -> tuple[Tensor, Tensor]:
    """Minimise strength * sum of cross-entropies + |W|^2 / 2, for many problems at once.

    The weights are sums of the examples, W = X' A, and gradient descent from zero never leaves that space; so the
    steps are taken on A, whose size is the number of examples. Nesterov's method with the step 1 / L and the momentum
    for strong convexity 1, the penalty's.

    Args:
        gram: (E, n, n) dot products of the examples, of unit length.
        wanted: (n, way) one row an example, 1 at its class.

    Returns:
        A (E, n, way) and the intercepts (E, 1, way).
    """
    count, way = wanted.shape
    smoothness = 1 + strength * count  # the softmax contributes at most 1/2, examples and intercept at most 2 n
    momentum = (smoothness**0.5 - 1) / (smoothness**0.5 + 1)
    found = gram.new_zeros(len(gram), count + 1, way)  # A, and the intercepts as a last row
    ahead = found
    for _ in range(steps):
        dual, intercept = ahead[:, :-1], ahead[:, -1:]
        residual = strength * (torch.softmax(gram @ dual + intercept, dim=-1) - wanted)
        slope = torch.cat([residual + dual, residual.sum(dim=1, keepdim=True)], dim=1)
        new = ahead - slope / smoothness
        ahead, found = new + momentum * (new - found), new
    return found[:, :-1], found[:, -1:]
