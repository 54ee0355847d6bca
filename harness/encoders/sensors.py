"""Sensor encoder: one residual 1-D convolutional network over all sensors of a clip."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmact_oneshot.harness.api import Clips
from mmact_oneshot.harness.encoders.norm import residual_norms
from mmact_oneshot.harness.encoders.pooling import MAP_POSITIONS, pool_map, segment_mean
from mmact_oneshot.harness.encoders.staged import StagedEncoder, widths


class ResidualBlock(nn.Module):
    """Two convolutions with GroupNorm; halves the length and changes the width: (B, C, L) -> (B, D, L / 2)."""

    def __init__(self, width_in: int, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(width_in, width, 5, stride=2, padding=2, bias=False)
        self.norm1 = nn.GroupNorm(max(1, width // 16), width)
        self.conv2 = nn.Conv1d(width, width, 5, padding=2, bias=False)
        self.norm2 = nn.GroupNorm(max(1, width // 16), width)
        self.shortcut = nn.Conv1d(width_in, width, 1, stride=2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.norm1(self.conv1(x)))
        return F.relu(self.norm2(self.conv2(y)) + self.shortcut(x))


class SensorEncoder(StagedEncoder):
    """Four channels a sensor: three axes and the mask of what was measured; an absent sensor is all zero.

    Stages are the residual blocks. Outputs: ``"sequence"`` (B, L / 2**blocks, D); ``"vector"`` (B, segments * D);
    ``"map"`` (B, D, t, 1, 1), the sequence averaged to at most 49 steps; ``"stage:k"`` (B, D, L / 2**(k + 1), 1, 1).
    """

    modality = "sensors"

    def __init__(self, sensors: tuple[str, ...], width: int, blocks: int, segments: int) -> None:
        super().__init__()
        self.sensors, self.segments = sensors, segments
        sizes = [4 * len(sensors), *[width * 2 ** (i // 2) for i in range(blocks)]]
        self.blocks = nn.Sequential(*[ResidualBlock(a, b) for a, b in pairwise(sizes)])
        self.widths = widths(segments * sizes[-1], sizes[-1], sizes[-1], sizes[1:])

    @property
    def depth(self) -> int:
        return len(self.blocks)

    def enter(self, clips: Clips) -> Tensor:
        channels = [
            part
            for name in self.sensors
            for part in (
                clips.sensors[name],
                clips.sensor_mask[name].unsqueeze(-1).to(clips.sensors[name].dtype),
            )
        ]
        return torch.cat(channels, dim=-1).transpose(1, 2)[..., None, None]

    def stage(self, index: int, value: Tensor) -> Tensor:
        found: Tensor = self.blocks[index](value.flatten(2))
        return found[..., None, None]

    def stage_norms(self, index: int) -> list[nn.Module]:
        return residual_norms(self.blocks[index])

    def leave(self, value: Tensor, outputs: Iterable[str]) -> dict[str, Tensor]:
        sequence = value.flatten(2).transpose(1, 2)
        known = {
            "sequence": lambda: sequence,
            "vector": lambda: segment_mean(sequence, self.segments),
            "map": lambda: pool_map(value, MAP_POSITIONS),
        }
        return {name: known[name]() for name in outputs}
