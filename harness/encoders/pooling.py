"""Pooling over time."""

from __future__ import annotations

import torch
from torch import Tensor


def segment_mean(sequence: Tensor, segments: int) -> Tensor:
    """Means over ``segments`` equal parts of the time axis, concatenated: (B, T, D) -> (B, segments * D).

    One segment is the average pooling of most few-shot video methods; more keep the order of time.
    """
    parts = torch.tensor_split(sequence, segments, dim=1)
    return torch.cat([part.mean(dim=1) for part in parts], dim=-1)


def dynamics(sequence: Tensor, segments: int) -> Tensor:
    """What changes over time: (B, T, D) -> (B, (segments + 1) * D).

    The mean over the clip is taken off, so that what stands still (a room, clothes, a figure) leaves no trace; kept
    are the segment means of the rest and its root mean square. A single segment's mean is zero by construction.
    """
    moving = sequence - sequence.mean(dim=1, keepdim=True)
    spread = moving.square().mean(dim=1).add(1e-6).sqrt()  # the small term keeps the gradient finite at rest
    return torch.cat([segment_mean(moving, segments), spread], dim=-1)
