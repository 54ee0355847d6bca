"""Sensor encoder: one residual 1-D convolutional network over all sensors of a clip."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from harness.api import Clips, Encoder
from harness.encoders.pooling import segment_mean


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


class SensorEncoder(Encoder):
    """Four channels a sensor: three axes and the mask of what was measured; an absent sensor is all zero.

    Outputs: ``"sequence"`` (B, L / 2**blocks, D) and ``"vector"`` (B, segments * D), as for frames.
    """

    modality = "sensors"

    def __init__(self, sensors: tuple[str, ...], width: int, blocks: int, segments: int) -> None:
        super().__init__()
        self.sensors, self.segments = sensors, segments
        widths = [4 * len(sensors), *[width * 2 ** (i // 2) for i in range(blocks)]]
        self.blocks = nn.Sequential(*[ResidualBlock(a, b) for a, b in pairwise(widths)])
        self.widths = {"sequence": widths[-1], "vector": segments * widths[-1]}

    def forward(self, clips: Clips, outputs: tuple[str, ...]) -> dict[str, Tensor]:
        channels = [
            part
            for name in self.sensors
            for part in (
                clips.sensors[name],
                clips.sensor_mask[name].unsqueeze(-1).to(clips.sensors[name].dtype),
            )
        ]
        sequence = self.blocks(torch.cat(channels, dim=-1).transpose(1, 2)).transpose(1, 2)
        values = {"sequence": sequence, "vector": segment_mean(sequence, self.segments)}
        return {output: values[output] for output in outputs}
