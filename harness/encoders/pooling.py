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
