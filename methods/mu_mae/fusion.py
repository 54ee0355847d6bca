"""Mu-MAE's cross-attention multimodal fusion: attention across the clips of an episode, guided by the prior.

A clip's prior vector asks, the modality's vectors of the clips of its episode answer. In the release all clips of the
episode do, so that a query's scores depend on the other queries. Here, unless asked otherwise, each query attends
together with the support clips only: of an episode with Q queries, Q groups of way * shot + 1 clips are made. With one
query, the published setting, both are the same function.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmact_oneshot.harness.api import Features
from mmact_oneshot.harness.encoders.multimodal import initialise


class SensorCNN(nn.Module):
    """A vector of one sensor: convolution over time, rectification, maxima of pairs, linear map.

    Args:
        samples: L.
        width: of the output.
        hidden: channels of the convolution.
        reinterpret: as released: the numbers of a clip in memory are cut into three runs, each taken for an axis, so
            that a channel holds all three axes of a third of the window. Otherwise channels are axes.

    Raises:
        ValueError: too few samples for one pair of convolution outputs.
    """

    def __init__(self, samples: int, width: int, *, hidden: int = 64, reinterpret: bool = False) -> None:
        super().__init__()
        steps = (samples - 2) // 2
        if steps < 1:
            raise ValueError(f"a sensor of {samples} samples is too short: 4 at least.")
        self.convolution = nn.Conv1d(3, hidden, 3)
        self.linear = nn.Linear(hidden * steps, width)
        self.reinterpret = reinterpret

    def forward(self, samples: Tensor) -> Tensor:
        """(B, L, 3) -> (B, width)."""
        channels = samples.reshape(len(samples), 3, -1) if self.reinterpret else samples.transpose(1, 2)
        found: Tensor = self.linear(F.max_pool1d(F.relu(self.convolution(channels)), 2).flatten(1))
        return found


class CrossAttention(nn.Module):
    """Multi-head attention from one set of vectors to another: no output map, no residual, no norm.

    Args:
        width: of both sets.
        heads: equal slices of the width.

    Raises:
        ValueError: the heads do not share the width equally.
    """

    def __init__(self, width: int, heads: int = 4) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"width {width} is not a multiple of heads {heads}.")
        self.heads = heads
        self.query_projection = nn.Linear(width, width)
        self.key_projection = nn.Linear(width, width)
        self.value_projection = nn.Linear(width, width)

    def project(self, query: Tensor, context: Tensor) -> Tensor:
        """Each clip alone: (..., D) and (..., D) -> (..., 3, D), its query, key and value."""
        parts = (self.query_projection(query), self.key_projection(context), self.value_projection(context))
        return torch.stack(parts, dim=-2)

    def attend(self, projected: Tensor, present: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """All clips of each group.

        Args:
            projected: (G, n, 3, D).
            present: (G, n) bool: clips that can answer; None for all.

        Returns:
            (G, n, D), zero where nobody can answer, and the weights (G, heads, n, n).
        """
        query, key, value = projected.unflatten(-1, (self.heads, -1)).permute(2, 0, 3, 1, 4)
        scores = query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5
        if present is not None:
            absent = ~present[:, None, None]
            scores = scores.masked_fill(absent, torch.finfo(scores.dtype).min)
            weights = scores.softmax(dim=-1).masked_fill(absent, 0.0)
        else:
            weights = scores.softmax(dim=-1)
        return (weights @ value).transpose(1, 2).flatten(2), weights

    def forward(self, query: Tensor, context: Tensor, present: Tensor | None = None) -> Tensor:
        """(G, n, D), (G, n, D) -> (G, n, D)."""
        return self.attend(self.project(query, context), present)[0]


class FusionModel(nn.Module):
    """A gain for every channel of every modality, then one linear map of all.

    Args:
        video_width: 0 without video.
        sensor_width: of each sensor.
        sensors: their number.
        width: of the output.
    """

    def __init__(self, video_width: int, sensor_width: int, sensors: int, width: int) -> None:
        super().__init__()
        self.video_weight = nn.Parameter(torch.ones(1, video_width)) if video_width else None
        self.sensor_weights = nn.Parameter(torch.ones(sensors, sensor_width)) if sensors else None
        self.linear = nn.Linear(video_width + sensors * sensor_width, width)

    def forward(self, video: Tensor | None, sensors: Tensor | None) -> Tensor:
        """(..., video width), (S, ..., sensor width) -> (..., width); None for what there is not."""
        parts = [] if self.video_weight is None or video is None else [video * self.video_weight[0]]
        if self.sensor_weights is not None and sensors is not None:
            parts += [each * gain for each, gain in zip(sensors, self.sensor_weights, strict=True)]
        found: Tensor = self.linear(torch.cat(parts, dim=-1))
        return found


class PriorGuidedFusion(nn.Module):
    """Prior and modalities of the clips of an episode to one vector of each clip.

    Args:
        prior_width: of the masked autoencoder's vector.
        video_width: of the video's vector; 0 without video.
        sensor_width: of each sensor's vector.
        sensors: names.
        width: of the output; None for the video's, or the sensors' without video.
        heads: of each cross-attention.
        across_queries: as released: all queries of an episode attend to each other (a transductive method).
        residual: add to what attention brings a clip the clip's own value. Not in the release, where a clip's content
            reaches its fused vector through the attention alone.
    """

    def __init__(
        self,
        prior_width: int,
        video_width: int,
        sensor_width: int,
        sensors: tuple[str, ...],
        *,
        width: int | None = None,
        heads: int = 4,
        across_queries: bool = False,
        residual: bool = False,
    ) -> None:
        super().__init__()
        self.sensors, self.across_queries, self.residual = sensors, across_queries, residual
        widths = ({"video": video_width} if video_width else {}) | dict.fromkeys(sensors, sensor_width)
        self.modalities, self.width = tuple(widths), width or video_width or sensor_width
        self.prior_projection = nn.ModuleDict(
            {name: nn.Linear(prior_width, each, bias=False) for name, each in widths.items()}
        )
        self.cross_attention = nn.ModuleDict({name: CrossAttention(each, heads) for name, each in widths.items()})
        self.fusion = FusionModel(video_width, sensor_width, len(sensors), self.width)
        # with torch's smaller weights every clip attends to all alike: the fused vectors of an episode start as one
        initialise(self)

    def embed(self, prior: Tensor, vectors: Mapping[str, Tensor], present: Mapping[str, Tensor]) -> Features:
        """Each clip alone: what it asks and answers.

        Args:
            prior: (B, prior width).
            vectors: modality -> (B, its width).
            present: modality -> (B,) bool.

        Returns:
            Leaves "<modality>.projected" (B, 3, width) and "<modality>.present" (B,).
        """
        features: Features = {}
        for name, attention in self.cross_attention.items():
            assert isinstance(attention, CrossAttention)
            features[f"{name}.projected"] = attention.project(self.prior_projection[name](prior), vectors[name])
            features[f"{name}.present"] = present[name]
        return features

    def forward(self, support: Features, query: Features) -> tuple[Tensor, Tensor]:
        """Attention within the groups of E episodes, and fusion. A modality that a clip lacks contributes zeros.

        Args:
            support: leaves (E, S, ...) of :meth:`embed`.
            query: leaves (E, Q, ...).

        Returns:
            Support (E, Q, S, D), as it is for each query, and query (E, Q, D).
        """
        queries = next(iter(query.values())).shape[1]
        attended: dict[str, Tensor] = {}
        for name, attention in self.cross_attention.items():
            assert isinstance(attention, CrossAttention)
            projected, present = (
                grouped(support[leaf], query[leaf], self.across_queries)
                for leaf in (f"{name}.projected", f"{name}.present")
            )
            found = attention.attend(projected, present)[0]
            if self.residual:
                found = found + projected[..., 2, :]
            attended[name] = torch.where(present.unsqueeze(-1), found, 0.0)
        sensors = torch.stack([attended[name] for name in self.sensors]) if self.sensors else None
        return ungrouped(self.fusion(attended.get("video"), sensors), queries, self.across_queries)


def grouped(support: Tensor, query: Tensor, across_queries: bool) -> Tensor:
    """The clips that attend to each other, support first.

    Args:
        support: (E, S, ...).
        query: (E, Q, ...).
        across_queries: all queries of an episode in one group.

    Returns:
        (E, S + Q, ...) across queries, else (E * Q, S + 1, ...).
    """
    if across_queries:
        return torch.cat([support, query], dim=1)
    each = support.unsqueeze(1).expand(-1, query.shape[1], *support.shape[1:])
    return torch.cat([each, query.unsqueeze(2)], dim=2).flatten(0, 1)


def ungrouped(clips: Tensor, queries: int, across_queries: bool) -> tuple[Tensor, Tensor]:
    """Undo :func:`grouped`: support (E, Q, S, ...), a copy or a version for each query, and query (E, Q, ...)."""
    if across_queries:
        support, query = clips[:, :-queries], clips[:, -queries:]
        return support.unsqueeze(1).expand(-1, queries, *support.shape[1:]), query
    support, query = clips[:, :-1], clips[:, -1]
    return support.unflatten(0, (-1, queries)), query.unflatten(0, (-1, queries))
