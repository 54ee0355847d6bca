"""One small network of each kind, and random clips for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch

from mmact_oneshot.harness.api import Clips
from mmact_oneshot.harness.config.specs import VideoEncoderSpec
from mmact_oneshot.harness.encoders.video import VideoEncoder
from mmact_oneshot.harness.runtime.seeding import seeded

SENSORS = ("acc", "gyro")
SMALL: dict[str, Any] = {"channels": [8, 8, 16, 16], "stem_width": 8}
VIT: dict[str, Any] = {"patch": 8, "width": 24, "depth": 5, "heads": 2}


@dataclass(frozen=True)
class Network:
    """A network, clips that it takes, and what is known of it: stages, steps that it leaves, widths."""

    name: str
    arguments: dict[str, Any] = field(default_factory=dict)
    frames: int = 4
    size: int = 24
    stages: int = 5
    steps: int = 4
    width: int = 16
    map_width: int = 0  # where it differs


NETWORKS = {
    "resnet10t": Network("resnet10t", SMALL),
    "resnet18": Network("resnet18", {"channels": [8, 8, 16, 16]}),
    "resnet50": Network("resnet50", {"channels": [8, 8, 8, 8]}, width=32),
    "convnext": Network("convnext_atto", {"depths": [1, 1, 1, 1], "dims": [8, 8, 16, 16]}, size=32, stages=1),
    "mobilenet": Network("mobilenetv3_small_050", size=32, stages=1, width=1024, map_width=288),
    "vit": Network(
        "vit_tiny_patch16_224", {"img_size": 32, "embed_dim": 16, "depth": 1, "num_heads": 2}, size=32, stages=1
    ),
    "swin": Network(
        "swin_tiny_patch4_window7_224",
        {"img_size": 16, "window_size": 2, "embed_dim": 8, "depths": [1, 1], "num_heads": [2, 2]},
        size=16,
        stages=1,
    ),
    "r3d_18": Network("r3d_18", {"widen_factor": 0.125}, frames=18, steps=2, width=64),
    "r3d_50": Network("r3d_50", {"widen_factor": 0.125, "conv1_t_stride": 2}, frames=34, steps=2, width=256),
    "joint": Network("space_time_vit", VIT, frames=4, steps=2, width=24),
    "divided": Network("space_time_vit", VIT | {"attention": "divided", "tubelet": 1}, width=24),
}


def video_encoder(network: str, *, segments: int = 2, **settings: Any) -> VideoEncoder:
    """An encoder of one of ``NETWORKS`` in evaluation mode; every parameter is off its special initial value."""
    known = NETWORKS[network]
    spec = VideoEncoderSpec(name=known.name, arguments=known.arguments, segments=segments, **settings)
    with seeded("test", network):
        encoder = VideoEncoder(spec, known.frames, known.size)
        with torch.no_grad():
            for parameter in encoder.parameters():
                parameter.add_(0.02 * torch.randn_like(parameter))
    return encoder.eval()


def clips(count: int = 3, frames: int = 4, size: int = 24) -> Clips:
    """Random clips of video and two sensors."""
    random = torch.Generator().manual_seed(0)
    present = {name: torch.ones(count, dtype=torch.bool) for name in ("video", "sensors", *SENSORS)}
    return Clips(
        torch.rand(count, frames, 3, size, size, generator=random),
        {name: torch.randn(count, 32, 3, generator=random) for name in SENSORS},
        {name: torch.rand(count, 32, generator=random) < 0.8 for name in SENSORS},
        present,
    )


def clips_for(network: str, count: int = 2) -> Clips:
    """Random clips of the size that one of ``NETWORKS`` takes."""
    return clips(count, NETWORKS[network].frames, NETWORKS[network].size)
