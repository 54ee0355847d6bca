"""Control: nearest neighbour on the mean grey frame of a clip. Nothing is trained.

Postures, held objects and rooms show in it, motion does not: an encoder that does worse misses them.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from mmact_oneshot.harness.api import Clips, Features, FewShotMethod, Needs

SIDE = 24  # pixels of the frames that are compared


class VideoNearestNeighbour(FewShotMethod):
    """Score of a class: minus the mean squared difference to its nearest support clip's mean grey frame.

    Each frame has a mean of zero and a deviation of one, so that the exposure does not count.
    """

    needs = Needs(outputs=(), modalities=("video",))

    def encode(self, clips: Clips) -> Features:
        assert clips.video is not None
        grey = clips.video.float().mean(dim=(1, 2))  # (B, H, W)
        pixels = F.adaptive_avg_pool2d(grey, SIDE).flatten(1)
        pixels = F.layer_norm(pixels, pixels.shape[1:])
        return {"pixels": torch.where(clips.present["video"][:, None], pixels, 0.0)}

    def score(self, support: Features, query: Features) -> Tensor:
        clips, asked = support["pixels"].float().flatten(1, 2), query["pixels"].float()
        distance = torch.cdist(asked, clips).square() / asked.shape[2]
        nearest: Tensor = distance.unflatten(2, support["pixels"].shape[1:3]).amin(dim=3)
        return -nearest
