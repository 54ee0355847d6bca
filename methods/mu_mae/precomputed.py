"""A stand-in for a shared encoder, on which the harness's heads are built to work on vectors made elsewhere."""

from __future__ import annotations

from math import prod

import torch
from torch import Tensor

from mmact_oneshot.harness.api import Encoder, Features
from mmact_oneshot.methods.mu_mae.scoring import as_map


class PrecomputedVectors(Encoder):
    """Has the widths of an encoder and computes nothing. It is called "video" because heads ask for a modality that
    they know.

    Args:
        width: D of the vectors.
        grid: of the map as which the vectors can be viewed.
    """

    modality = "video"

    def __init__(self, width: int, grid: tuple[int, int, int] = (1, 1, 1)) -> None:
        super().__init__()
        self.widths, self.grid = {"vector": width, "map": width // prod(grid)}, grid

    def features(self, vectors: Tensor) -> Features:
        """What a head's ``embed`` takes, from (B, D)."""
        return {
            "video.vector": vectors,
            "video.map": as_map(vectors, prod(self.grid)).unflatten(-1, self.grid),
            "video.present": torch.ones(len(vectors), dtype=torch.bool, device=vectors.device),
        }
