"""Fusion of modalities: one way for each kind of output, the same for all heads.

Each modality is first normalised on its own, over all channels and positions of a clip, with a learned gain and bias
for each channel (GroupNorm with one group; of a vector that is LayerNorm). Otherwise the modality with the larger
numbers would decide alone. One norm for the whole clip leaves the relative size of its positions as it is. Then

* vectors are concatenated;
* sequences are brought to the times of the first modality (frames, where there is video) and concatenated step by step;
* maps and outputs of stages of sensors are brought to the times of the video's and repeated at every place: extra
  channels.

A modality that a clip lacks contributes zeros.
"""

from __future__ import annotations

from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmact_oneshot.harness.api import Features, Setup


class Fusion(nn.Module):
    """One tensor of all modalities.

    Args:
        setup: of the method.
        output: "vector", "sequence", "map" or a stage.
        normalise: False leaves the encoders' outputs as they are (a published recipe on one modality).
        affine: False leaves out the learned gain and bias.

    Attributes:
        width: D of the fused output.
        positions: t * h * w of the fused map, which are those of the first modality's; 0 for other outputs.
        steps: T of the fused sequence or stage, likewise; 0 for other outputs.
    """

    def __init__(self, setup: Setup, output: str, *, normalise: bool = True, affine: bool = True) -> None:
        super().__init__()
        self.modalities, self.output, self.width = setup.modalities, output, setup.width(output)
        first = setup.encoders[setup.modalities[0]]
        self.positions = prod(first.grid) if output == "map" else 0
        self.steps = 0
        if output not in {"vector", "map"}:
            self.steps = first.steps if output == "sequence" else first.stage_steps
        widths = {name: encoder.widths[output] for name, encoder in setup.encoders.items() if normalise}
        self.norm = nn.ModuleDict({name: nn.GroupNorm(1, width, affine=affine) for name, width in widths.items()})

    def forward(self, features: Features) -> Tensor:
        """Fuse leaves ``"<modality>.<output>"`` of B clips.

        Returns:
            (B, D), (B, T, D), or (B, D, t, h, w) of maps and stages.
        """
        parts: list[Tensor] = []
        for name in self.modalities:
            part = features[f"{name}.{self.output}"]
            present = features[f"{name}.present"].view(-1, *[1] * (part.ndim - 1))
            part = torch.where(present, part, 0.0)  # not a product: an absent modality may hold anything
            if self.output == "sequence":
                part = part.transpose(1, 2)  # channels second, as norms and resampling want them
            if name in self.norm:
                part = torch.where(present, self.norm[name](part), 0.0)  # zeros get the norm's bias
            if parts and self.output == "sequence":
                part = at_times(part, parts[0].shape[2])
            elif parts and self.output != "vector":
                part = at_times(part.flatten(2), parts[0].shape[2])[..., None, None].expand(-1, -1, *parts[0].shape[2:])
            parts.append(part)
        fused = torch.cat(parts, dim=1)
        return fused.transpose(1, 2) if self.output == "sequence" else fused


def at_times(sequence: Tensor, steps: int) -> Tensor:
    """Resample (B, D, L) to ``steps`` instants evenly spread over the clip, by normalised time.

    A longer sequence is averaged around each instant, a shorter one interpolated linearly between its steps.
    """
    if sequence.shape[2] >= steps:
        return F.adaptive_avg_pool1d(sequence, steps)
    return F.interpolate(sequence, size=steps, mode="linear", align_corners=False)
