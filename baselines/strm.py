"""STRM: spatio-temporal relation modelling, on top of TRX.

Thatipelli, Narayan, Khan, Anwer, Khan, Ghanem, "Spatio-temporal Relation Modeling for Few-shot Action Recognition",
CVPR 2022 (arXiv 2112.05132), section 3: self-attention over the patches of each frame (local enrichment), an MLP-mixer
over the frames of a clip (global enrichment), TRX on the result, and beside it a query-class similarity: every tuple of
the query's locally enriched frames to the nearest tuple of a class.

Published recipe: that of TRX (ResNet-50 pre-trained on ImageNet, 8 frames of 224 px, 7 x 7 places pooled to 4 x 4,
width 1152, SGD, learning rate 0.001, 16 episodes a step), pairs of frames, similarity weighted 0.1 in scores and loss.
Deviations: losses are means over queries; no dropout (0.1 in the release) after the positions of patches and of the
frames that are mixed; places and steps of any number, from either modality (a sensor has one
place); the similarity's layers are trained and its dropout is off at test time, while the release holds them in a
plain list, where they are neither trained nor saved and drop out always.

Original code: Anirudh257/strm (no licence file in the repository); nothing of it is used here.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmact_oneshot.baselines.trx import CrossTransformer, positional_encoding, tuples
from mmact_oneshot.harness.api import Features, FewShotMethod, LossTerms, Needs, NotApplicable, Setup, Targets
from mmact_oneshot.harness.encoders.fusion import Fusion

PLACES = "stage:-1"
SIDE = 4  # of the grid of patches

BIBTEX = """@inproceedings{thatipelli2022spatio,
  title = {Spatio-temporal Relation Modeling for Few-shot Action Recognition},
  author = {Thatipelli, Anirudh and Narayan, Sanath and Khan, Salman and Anwer, Rao Muhammad and
            Khan, Fahad Shahbaz and Ghanem, Bernard},
  booktitle = {Proceedings of the IEEE/CVF Conference on Computer Vision and Pattern Recognition},
  year = {2022}
}"""


class STRM(FewShotMethod):
    """TRX on enriched frames, plus a similarity of tuples.

    Args:
        setup: see :class:`mmact_oneshot.harness.api.Setup`.
        cardinalities: sizes of the tuples.
        width: of TRX's keys and values.
        dropout: on the frames, with their positional encoding.
        similarity: weight of the query-class similarity, in scores and loss.
        normalise: bring the modalities to one scale before fusing; the paper, with one modality, does not.

    Raises:
        NotApplicable: an encoder without places, or fewer steps than a tuple has.
    """

    bibtex = BIBTEX
    needs = Needs(outputs=(PLACES,))

    def __init__(
        self,
        setup: Setup,
        *,
        cardinalities: tuple[int, ...] = (2,),
        width: int = 1152,
        dropout: float = 0.1,
        similarity: float = 0.1,
        normalise: bool = True,
    ) -> None:
        super().__init__(setup)
        for name, encoder in setup.encoders.items():
            if PLACES not in encoder.widths:
                raise NotApplicable(f"the {name} encoder gives no places")
        self.fusion = Fusion(setup, PLACES, normalise=normalise)
        steps, channels = self.fusion.steps, self.fusion.width
        if steps < max(cardinalities):
            raise NotApplicable(f"tuples of {max(cardinalities)} need as many steps, the encoder gives {steps}")
        self.similarity = similarity
        self.dropout = nn.Dropout(dropout)
        self.patch_attention = PatchAttention(channels)
        self.frame_mixer = FrameMixer(steps, channels)
        self.transformers = nn.ModuleList(CrossTransformer(c, channels, width) for c in cardinalities)
        self.query_distance = nn.ModuleList(QueryDistance(c, channels) for c in cardinalities)

    def embed(self, encoded: Features) -> Features:
        """TRX's leaves of the enriched frames, and the tuples of the similarity."""
        local = self.local_frames(encoded)
        frames = self.global_frames(local)
        frames = self.dropout(frames + positional_encoding(*frames.shape[1:]).to(frames))
        leaves: Features = {}
        for transformer, distance in self.parts():
            leaves |= transformer.of_clips(frames)
            leaves[f"tuples{distance.cardinality}"] = distance.of_clips(self.dropout(local))
        return leaves

    def local_frames(self, encoded: Features) -> Tensor:
        """Frames (B, T, D) from their patches, each of which has attended to the others (section 3.1)."""
        places = self.fusion(encoded).transpose(1, 2)  # (B, T, D, h, w)
        grid = [min(SIDE, side) for side in places.shape[3:]]
        patches = F.adaptive_max_pool2d(places.flatten(0, 1), grid).flatten(2).transpose(1, 2)  # (B T, patches, D)
        enriched = self.patch_attention(patches + positional_encoding(*patches.shape[1:]).to(patches))
        frames: Tensor = enriched.mean(dim=1).unflatten(0, places.shape[:2])
        return frames

    def global_frames(self, local: Tensor) -> Tensor:
        """Frames (B, T, D) that know of each other (section 3.2)."""
        mixed: Tensor = self.frame_mixer(local + positional_encoding(*local.shape[1:]).to(local))
        return mixed

    def score(self, support: Features, query: Features) -> Tensor:
        cross, similarity = self.logits(support, query)
        return cross + self.similarity * similarity

    def loss(self, support: Features, query: Features, targets: Targets) -> LossTerms:
        cross, similarity = (
            F.cross_entropy(part.flatten(0, 1), targets.label.flatten()) for part in self.logits(support, query)
        )
        return {"cross_transformer": cross, "similarity": self.similarity * similarity}

    def logits(self, support: Features, query: Features) -> tuple[Tensor, Tensor]:
        """TRX's scores and the query-class similarity, each (E, Q, K)."""
        cross = [transformer(support, query) for transformer, _ in self.parts()]
        similarity = [distance(support, query) for _, distance in self.parts()]
        return torch.stack(cross).mean(dim=0), -torch.stack(similarity).mean(dim=0)

    def parts(self) -> list[tuple[CrossTransformer, QueryDistance]]:
        """One pair for each cardinality."""
        pairs = zip(self.transformers, self.query_distance, strict=True)
        return [
            (transformer, distance)
            for transformer, distance in pairs
            if isinstance(transformer, CrossTransformer) and isinstance(distance, QueryDistance)
        ]


class PatchAttention(nn.Module):
    """Self-attention without scaling over the patches of a frame, weighted by ``gamma``, and an MLP: (N, P, D)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.query_projection, self.key_projection, self.value_projection = (nn.Linear(width, width) for _ in range(3))
        self.gamma = nn.Parameter(torch.zeros(1))
        self.mlp = MLP(width, width // 2, width // 2, width)

    def forward(self, patches: Tensor) -> Tensor:
        query, key, value = (
            layer(patches) for layer in (self.query_projection, self.key_projection, self.value_projection)
        )
        enriched = self.gamma * F.scaled_dot_product_attention(query, key, value, scale=1.0) + patches
        result: Tensor = enriched + self.mlp(enriched)
        return result


class FrameMixer(nn.Module):
    """MLP-mixer over the frames of a clip: along time in every channel, then along channels in every frame."""

    def __init__(self, steps: int, width: int) -> None:
        super().__init__()
        self.token_mlp = MLP(steps, steps, steps)
        self.channel_mlp = MLP(width, width, width)

    def forward(self, frames: Tensor) -> Tensor:
        mixed = frames + self.token_mlp(frames.transpose(1, 2)).transpose(1, 2)
        result: Tensor = mixed + self.channel_mlp(mixed)
        return result


class QueryDistance(nn.Module):
    """Mean distance of a query's tuples, of one cardinality, to the nearest tuple of a class (section 3.3).

    Args:
        cardinality: c, steps in a tuple.
        width: D, of a step; tuples are embedded in D / 2.
    """

    def __init__(self, cardinality: int, width: int) -> None:
        super().__init__()
        self.cardinality = cardinality
        self.projection = nn.Linear(cardinality * width, width // 2)

    def of_clips(self, frames: Tensor) -> Tensor:
        """Embedded tuples (B, P, D / 2) of frames (B, T, D)."""
        index = tuples(frames.shape[1], self.cardinality).to(frames.device)
        embedded: Tensor = F.relu(self.projection(frames[:, index].flatten(2)))
        return embedded

    def forward(self, support: Features, query: Features) -> Tensor:
        """(E, Q, K) from the tuples of the support (E, K, N, P, H) and of the query (E, Q, P, H)."""
        classes, queries = (side[f"tuples{self.cardinality}"].float() for side in (support, query))
        candidates, asked = classes.flatten(2, 3), queries.flatten(1, 2)  # (E, K, N P, H), (E, Q P, H)
        with torch.no_grad():  # half the squared distance, but for the query's own norm: finds the nearest
            cross = asked @ candidates.flatten(1, 2).transpose(1, 2)
            half = candidates.square().sum(dim=3).unsqueeze(1) / 2 - cross.unflatten(2, candidates.shape[1:3])
            nearest = half.argmin(dim=3).transpose(1, 2)  # (E, K, Q P)
        chosen = candidates.gather(2, nearest.unsqueeze(3).expand(-1, -1, -1, candidates.shape[3]))
        distance = torch.linalg.vector_norm(asked.unsqueeze(1) - chosen, dim=3)
        by_query: Tensor = distance.unflatten(2, queries.shape[1:3])
        return by_query.mean(dim=3).transpose(1, 2)


class MLP(nn.Module):
    """Linear layers with ReLU between them, over the last axis."""

    def __init__(self, *widths: int) -> None:
        super().__init__()
        for number, (before, after) in enumerate(pairwise(widths), 1):
            self.add_module(f"linear{number}", nn.Linear(before, after))

    def forward(self, x: Tensor) -> Tensor:
        first, *rest = self.children()
        x = first(x)
        for layer in rest:
            x = layer(F.relu(x))
        return x
