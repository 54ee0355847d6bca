"""An encoder to start from: a small network over single frames, and means over parts of the clip.

Check it:   oneshot check harness/cli/templates/encoder.py
Run it:     oneshot run --data DATA --set video_encoder.name=harness/cli/templates/encoder.py
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmact_oneshot import Clips, ClipShape, Encoder


class FrameEncoder(Encoder):
    """Replace this by one sentence on the network, with its paper.

    Args:
        shape: frames, size in pixels and sensor samples that every clip is brought to.
        sensors: names of the sensors of the data set; an encoder of sensors reads ``clips.sensors[name]`` and
            ``clips.sensor_mask[name]``.
        width: of the outputs. Every setting is a keyword argument with a type and a default; users set it with
            ``video_encoder.arguments``.
    """

    modality = "video"  # or "sensors"

    def __init__(self, shape: ClipShape, sensors: tuple[str, ...], *, width: int = 64) -> None:
        super().__init__()
        # GroupNorm, not BatchNorm: a clip's features must not depend on the other clips of its batch.
        self.network = nn.Sequential(
            nn.Conv2d(3, 32, 5, stride=2, padding=2), nn.GroupNorm(4, 32), nn.ReLU(),
            nn.Conv2d(32, width, 3, stride=2, padding=1), nn.GroupNorm(4, width), nn.ReLU(),
        )  # fmt: skip
        # Outputs and their widths. "vector" is needed; heads that need another are skipped where it is not here.
        self.widths = {"vector": 2 * width, "sequence": width, "map": width}

    def forward(self, clips: Clips, outputs: tuple[str, ...]) -> dict[str, Tensor]:
        """Clips (B, T, 3, H, W) in 0..1, all zero where the video is absent, to the outputs that are asked for."""
        assert clips.video is not None
        batch, frames = clips.video.shape[:2]
        places = self.network(clips.video.flatten(0, 1) - 0.5).unflatten(0, (batch, frames)).transpose(1, 2)
        sequence = places.mean(dim=(3, 4)).transpose(1, 2)  # (B, T, D)
        values = {
            "sequence": sequence,
            "vector": torch.cat([half.mean(dim=1) for half in sequence.chunk(2, dim=1)], dim=-1),  # (B, 2 D)
            "map": F.adaptive_avg_pool3d(places, (min(frames, 4), 3, 3)),  # (B, D, t, h, w), 49 places at most
        }
        return {name: values[name] for name in outputs}
