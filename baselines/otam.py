"""OTAM: ordered temporal alignment.

Cao, Ji, Cao, Chang, Niebles, "Few-Shot Video Classification via Temporal Alignment", CVPR 2020 (arXiv 1906.11415),
section 3: the distance of two clips is the cost of the cheapest path through the cosine distances of their frames that
keeps the order of time and may leave out frames of one clip before and after; it is taken both ways. The minimum is
smooth, so that the encoder learns through it.

Published recipe: ResNet-50 pre-trained on ImageNet, 8 frames of 224 px. The authors released no code; the arrays of
tests/parity come from alibaba-mmai-research/HyRSM, whose recipe is Adam, learning rate 1e-4, 8 frames of 224 px.
Deviations: steps of any number, from either modality.

Original code: alibaba-mmai-research/HyRSM (Apache 2.0); nothing of it is used here.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from mmact_oneshot.harness.api import Features, FewShotMethod, Needs, Setup
from mmact_oneshot.harness.encoders.fusion import Fusion

EPSILON = 0.01  # added to the product of the norms, as released

BIBTEX = """@inproceedings{cao2020few,
  title = {Few-Shot Video Classification via Temporal Alignment},
  author = {Cao, Kaidi and Ji, Jingwei and Cao, Zhangjie and Chang, Chien-Yi and Niebles, Juan Carlos},
  booktitle = {Proceedings of the IEEE/CVF Conference on Computer Vision and Pattern Recognition},
  year = {2020}
}"""


class OTAM(FewShotMethod):
    """Minus the cost of aligning a query with a class's support clips, both ways, averaged over shots.

    Args:
        setup: see :class:`mmact_oneshot.harness.api.Setup`.
        smoothing: lambda of the smooth minimum; the smaller, the nearer to the cheapest path alone.
        normalise: bring the modalities to one scale before fusing; the paper, with one modality, does not.
    """

    bibtex = BIBTEX
    needs = Needs(outputs=("sequence",))

    def __init__(self, setup: Setup, *, smoothing: float = 0.1, normalise: bool = True) -> None:
        super().__init__(setup)
        self.fusion = Fusion(setup, "sequence", normalise=normalise)
        self.smoothing = smoothing

    def embed(self, encoded: Features) -> Features:
        return {"frames": self.fusion(encoded)}

    def score(self, support: Features, query: Features) -> Tensor:
        frames = support["frames"].float()
        distances = frame_distances(frames.flatten(1, 2), query["frames"].float())
        both = torch.stack([distances, distances.transpose(3, 4)])  # rows: the query's steps, then the support's
        cost: Tensor = alignment(both, self.smoothing).sum(dim=0).unflatten(2, frames.shape[1:3])
        return -cost.mean(dim=3)


def frame_distances(support: Tensor, query: Tensor) -> Tensor:
    """1 - cosine of all steps: (E, S, T, D) and (E, Q, T, D) -> (E, Q, S, T of the query, T of the support)."""
    products = query.flatten(1, 2) @ support.flatten(1, 2).transpose(1, 2)
    norms = query.norm(dim=3).flatten(1)[:, :, None] * support.norm(dim=3).flatten(1)[:, None]
    cosines: Tensor = (products / (norms + EPSILON)).unflatten(2, support.shape[1:3]).unflatten(1, query.shape[1:3])
    return 1 - cosines.transpose(2, 3)


def alignment(distances: Tensor, smoothing: float) -> Tensor:
    """Smooth cost of the cheapest ordered path through (..., rows, columns) (section 3.2 of the paper).

    The path visits every column; columns of zeros before and after the matrix let it begin and end in any row. A cell
    is reached from the left or the upper left, in the first column and in the zeros at the end also from above.
    Minus costs over ``smoothing`` are carried, of which the smooth minimum is a ``logaddexp``.
    """
    gains = (F.pad(distances, (1, 1)) / -smoothing).unbind(dim=-2)
    above = gains[0].cumsum(dim=-1).unbind(dim=-1)
    for row in gains[1:]:
        gain = row.unbind(dim=-1)
        best = [gain[0]]
        for column in range(1, len(gain)):
            come = torch.logaddexp(above[column - 1], best[-1])
            if column in {1, len(gain) - 1}:
                come = torch.logaddexp(come, above[column])
            best.append(gain[column] + come)
        above = tuple(best)
    return -smoothing * above[-1]
