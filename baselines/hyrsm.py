"""HyRSM: hybrid relations and set matching.

Wang, Zhang, Qing, Tang, Zuo, Gao, Jin, Sang, "Hybrid Relation Guided Set Matching for Few-shot Action Recognition",
CVPR 2022 (arXiv 2204.13423), section 3: self-attention over the frames of a clip (within-video relation), then over
the clips of an episode (cross-video relation), whose result is merged into every frame; the distance of two clips is a
bidirectional mean Hausdorff distance between their sets of frames, of which the release takes sums in place of means.

Published recipe: ResNet-50 pre-trained on ImageNet, 8 frames of 224 px; Adam, learning rate 1e-4 dropped at 60 and
90 % of the steps, weight decay 5e-5; 5 classes with 7 queries each; cross-entropy + 0.6 frame classification (0.4 to
0.6 by data set). Deviations: steps of any number, from either modality; sums, as in the release; no dropout
inside the attentions (0.2 and 0.05 in the release). A query attends together with the support only, as in the release.

How it is computed here: the merging layer is linear, so an adapted frame is a frame's own part, computed once a clip,
plus a shift that all frames of a clip share for a given query. Dot products and norms of adapted frames follow from
those of parts and shifts, and no tensor of adapted frames (queries x clips x frames x width) is made.

Original code: alibaba-mmai-research/HyRSM (Apache 2.0); nothing of it is used here.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmact_oneshot.harness.api import Features, FewShotMethod, LossTerms, Needs, NotApplicable, Setup, Targets
from mmact_oneshot.harness.encoders.fusion import Fusion

FEATURE_SCALE = 10.0  # frames are multiplied by sqrt(D / 10) before the positions are added, as released

BIBTEX = """@inproceedings{wang2022hybrid,
  title = {Hybrid Relation Guided Set Matching for Few-shot Action Recognition},
  author = {Wang, Xiang and Zhang, Shiwei and Qing, Zhiwu and Tang, Mingqian and Zuo, Zhengrong and Gao, Changxin and
            Jin, Rong and Sang, Nong},
  booktitle = {Proceedings of the IEEE/CVF Conference on Computer Vision and Pattern Recognition},
  year = {2022}
}"""


class HyRSM(FewShotMethod):
    """Minus the set-matching distance of frames that know their clip and their episode.

    Args:
        setup: see :class:`mmact_oneshot.harness.api.Setup`.
        heads: of both attentions.
        dropout: on the frames, with their positions.
        prototypes: match the mean of a class's shots, frame by frame (published for 5 shots), or every shot, and
            average the distances (published for 1 shot, where both are the same).
        frame_loss: weight of the classification of every frame over all training classes; 0 leaves it out.
        normalise: bring the modalities to one scale before fusing; the paper, with one modality, does not.

    Raises:
        NotApplicable: the heads do not divide the width of the frames.
    """

    bibtex = BIBTEX
    needs = Needs(outputs=("sequence",))

    def __init__(
        self,
        setup: Setup,
        *,
        heads: int = 8,
        dropout: float = 0.1,
        prototypes: bool = True,
        frame_loss: float = 0.6,
        normalise: bool = True,
    ) -> None:
        super().__init__(setup)
        self.fusion = Fusion(setup, "sequence", normalise=normalise)
        width = self.fusion.width
        if width % heads:
            raise NotApplicable(f"{heads} heads do not divide the {width} channels of a frame")
        self.prototypes, self.frame_loss = prototypes, frame_loss
        self.dropout = nn.Dropout(dropout)
        self.within_video = WithinVideo(width, heads)
        self.cross_video = CrossVideo(width, heads)
        self.merge = nn.Linear(2 * width, width)
        self.frame_classifier = nn.Linear(width, setup.base_classes) if frame_loss else None

    def embed(self, encoded: Features) -> Features:
        """Each frame's part of the adapted frames (B, T, D), the clip's token (B, D), and class logits of frames."""
        frames = self.fusion(encoded)
        steps, width = frames.shape[1:]
        frames = frames * (width / FEATURE_SCALE) ** 0.5 + position_table(steps, width).to(frames)
        related = self.within_video(self.dropout(frames))
        leaves = {"frames": F.linear(related, self.merge.weight[:, :width]), "token": related.mean(dim=1)}
        if self.frame_classifier is not None:
            leaves["classes"] = self.frame_classifier(related)
        return leaves

    def score(self, support: Features, query: Features) -> Tensor:
        frames, of_query = self.clips(support)["frames"].float(), query["frames"].float()
        shift, query_shift = self.shifts(support, query)
        distance = set_distance(frames, shift, of_query + query_shift.unsqueeze(2))
        by_class: Tensor = distance.unflatten(2, (support["token"].shape[1], -1))
        return -by_class.mean(dim=3)

    def loss(self, support: Features, query: Features, targets: Targets) -> LossTerms:
        terms = super().loss(support, query, targets)
        if self.frame_classifier is not None:
            shots, steps = support["classes"].shape[2], support["classes"].shape[3]
            label = targets.support_class[:, :, None].expand(-1, -1, shots).flatten(1)
            label = torch.cat([label, targets.query_class], dim=1)
            logits = torch.cat([support["classes"].flatten(1, 2), query["classes"]], dim=1).float()
            wanted = label.flatten().repeat_interleave(steps)
            terms["frames"] = self.frame_loss * F.cross_entropy(logits.flatten(0, 2), wanted)
        return terms

    def clips(self, support: Features) -> Features:
        """What stands for the classes, (E, S, ...): prototypes or all shots, classes ascending."""
        leaves = {name: support[name] for name in ("frames", "token")}
        return {name: leaf.mean(dim=2) if self.prototypes else leaf.flatten(1, 2) for name, leaf in leaves.items()}

    def shifts(self, support: Features, query: Features) -> tuple[Tensor, Tensor]:
        """What the episode adds to all frames of a clip: of the support (E, Q, S, D), of the query (E, Q, D)."""
        own, of_query = self.clips(support)["token"].float(), query["token"].float()
        tokens = torch.cat([own.unsqueeze(1).expand(-1, of_query.shape[1], -1, -1), of_query.unsqueeze(2)], dim=2)
        weight = self.merge.weight[:, tokens.shape[-1] :]
        shift = F.linear(self.cross_video(tokens), weight, self.merge.bias).float()
        return shift[:, :, :-1], shift[:, :, -1]


class WithinVideo(nn.Module):
    """Self-attention over the frames of a clip, with LayerNorm before it: (B, T, D) -> (B, T, D)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.layernorm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.output = nn.Linear(width, width)

    def forward(self, frames: Tensor) -> Tensor:
        query, key, value = self.qkv(self.layernorm(frames)).chunk(3, dim=-1)
        attended = _attend(query, key, value, self.heads)
        return F.relu(frames + self.output(attended))


class CrossVideo(nn.Module):
    """Self-attention over the clips of an episode, with LayerNorm after it: (..., S, D) -> (..., S, D)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value = (nn.Linear(width, width, bias=False) for _ in range(3))
        self.output = nn.Linear(width, width)
        self.layernorm = nn.LayerNorm(width)

    def forward(self, tokens: Tensor) -> Tensor:
        attended = _attend(self.query(tokens), self.key(tokens), self.value(tokens), self.heads)
        return F.relu(self.layernorm(tokens + self.output(attended)))


def set_distance(support: Tensor, shift: Tensor, query: Tensor) -> Tensor:
    """Sums of every frame's distance 1 - cosine to the nearest frame of the other clip: those of section 3.3
    of the paper, summed as in the release, where the paper takes means.

    Args:
        support: (E, S, T, D), without their shift.
        shift: (E, Q, S, D), of all frames of a support clip beside a query.
        query: (E, Q, T, D).

    Returns:
        (E, Q, S).
    """
    episodes, clips, steps, _ = support.shape
    flat = query.flatten(1, 2).transpose(1, 2)  # (E, D, Q T)
    products = (support.flatten(1, 2) @ flat).view(episodes, clips, steps, query.shape[1], -1).permute(0, 3, 1, 2, 4)
    products = products + torch.einsum("eqsd,eqtd->eqst", shift, query).unsqueeze(3)  # (E, Q, S, T, T)
    along = torch.einsum("estd,eqsd->eqst", support, shift)
    squares = support.square().sum(dim=3).unsqueeze(1) + 2 * along + shift.square().sum(dim=3).unsqueeze(3)
    norms = squares.clamp(min=1e-12).sqrt().unsqueeze(4) * query.norm(dim=3)[:, :, None, None]
    distance: Tensor = 1 - products / norms.clamp(min=1e-12)
    return distance.amin(dim=4).sum(dim=3) + distance.amin(dim=3).sum(dim=3)


def position_table(steps: int, width: int) -> Tensor:
    """Sines of even channels j and cosines of odd ones, of the angle t / 10000^(2 j / width): (steps, width). Every
    channel has a frequency of its own, as released."""
    channel = torch.arange(width)
    angle = torch.arange(steps)[:, None] / 10000 ** (2 * channel / width)
    return torch.where(channel % 2 == 0, angle.sin(), angle.cos())


def _attend(query: Tensor, key: Tensor, value: Tensor, heads: int) -> Tensor:
    """Multi-head attention without projections, (..., S, D)."""
    split = [part.unflatten(-1, (heads, -1)).transpose(-2, -3) for part in (query, key, value)]
    attended: Tensor = F.scaled_dot_product_attention(*split).transpose(-2, -3).flatten(-2)
    return attended
