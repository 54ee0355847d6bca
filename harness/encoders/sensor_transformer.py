"""Sensor transformer: the sensors' part of the joint transformer (Mu-MAE) as an encoder that any head can take."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from mmact_oneshot.harness.api import Clips
from mmact_oneshot.harness.encoders.multimodal import MultimodalEncoder
from mmact_oneshot.harness.encoders.norm import residual_norms
from mmact_oneshot.harness.encoders.pooling import MAP_POSITIONS, pool_map, segment_mean
from mmact_oneshot.harness.encoders.sizes import Size
from mmact_oneshot.harness.encoders.space_time_vit import in_groups
from mmact_oneshot.harness.encoders.staged import StagedEncoder, widths
from mmact_oneshot.harness.encoders.tokens import Layout


class SensorTransformer(StagedEncoder):
    """Every token of every sensor attends to every other; those of absent sensors are masked and left out of all means.

    Stages: the tokens with their positions, then the blocks in four groups (fewer where there are fewer blocks). A
    stage's value has one row for each of the n token times and one column for each of the S sensors. Which sensors a
    clip has travels as one more channel, 1 or 0, and the tokens of the others are zero.

    Outputs: ``"sequence"`` (B, n, D), the LayerNorm of the mean over the clip's sensors; ``"vector"``
    (B, segments * D); ``"map"`` (B, D, t, 1, 1), the sequence averaged to at most 49 steps; ``"stage:k"``
    (B, D + 1, n, S, 1). A clip without any sensor gives what the LayerNorm makes of zero. Which samples were filled in
    and not measured is unknown.

    Args:
        layout: of the tokens, without video.
        size: of the transformer.
        segments: of the vector.

    Raises:
        ValueError: the heads do not share the width equally.
    """

    modality = "sensors"

    def __init__(self, layout: Layout, size: Size, segments: int) -> None:
        super().__init__()
        self.segments, self.groups = segments, in_groups(size.depth)
        self.transformer = MultimodalEncoder(layout, size)
        self.widths = widths(segments * size.width, size.width, size.width, [size.width + 1] * self.depth)

    @property
    def depth(self) -> int:
        return 1 + len(self.groups)

    def enter(self, clips: Clips) -> Tensor:
        layout = self.transformer.layout
        pieces = [layout.pieces(clips, name).transpose(1, 2) for name in layout.sensors]
        present = torch.stack([clips.present[name] for name in layout.sensors], dim=1)
        return _marked(torch.stack(pieces, dim=3)[..., None], present[:, None, None, :, None])

    def stage(self, index: int, value: Tensor) -> Tensor:
        held, present = _parted(value)
        if index == 0:
            pieces = dict(zip(self.transformer.layout.sensors, held[..., 0].unbind(dim=3), strict=True))
            tokens = [self.transformer.embed(name, part.transpose(1, 2)) for name, part in pieces.items()]
            return _marked(torch.stack(tokens, dim=3).transpose(1, 2)[..., None], present)
        blocks = [self.transformer.blocks[i] for i in self.groups[index - 1]]
        after = self.transformer.attend(held.flatten(2).transpose(1, 2), present.flatten(1), blocks)
        return _marked(after.transpose(1, 2).unflatten(2, held.shape[2:]), present)

    def stage_norms(self, index: int) -> list[nn.Module]:
        blocks = [self.transformer.blocks[i] for i in self.groups[index - 1]] if index else []
        return [layer for block in blocks for layer in residual_norms(block)]

    def leave(self, value: Tensor, outputs: Iterable[str]) -> dict[str, Tensor]:
        held, present = _parted(value)
        mean = held.sum(dim=(3, 4)) / present.sum(dim=(3, 4)).clamp(min=1)
        sequence: Tensor = self.transformer.norm(mean.transpose(1, 2))
        known = {
            "sequence": lambda: sequence,
            "vector": lambda: segment_mean(sequence, self.segments),
            "map": lambda: pool_map(sequence.transpose(1, 2)[..., None, None], MAP_POSITIONS),
        }
        return {name: known[name]() for name in outputs}


def _marked(held: Tensor, present: Tensor) -> Tensor:
    """(B, D, n, S, 1) and a mask that fits it -> (B, D + 1, n, S, 1): zero where absent, whatever was there."""
    mask = present.expand_as(held[:, :1])
    return torch.cat([torch.where(mask, held, 0.0), mask.to(held.dtype)], dim=1)


def _parted(value: Tensor) -> tuple[Tensor, Tensor]:
    """The other way: (B, D + 1, n, S, 1) -> (B, D, n, S, 1) and (B, 1, n, S, 1) bool."""
    return value[:, :-1], value[:, -1:] > 0.5
