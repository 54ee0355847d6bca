"""Pooling over time and space."""

from __future__ import annotations

from math import isqrt

import torch
import torch.nn.functional as F
from torch import Tensor

MAP_POSITIONS = 49  # of the output "map": the 7 x 7 that a ResNet leaves of 224 pixels


def segment_mean(sequence: Tensor, segments: int) -> Tensor:
    """Means over ``segments`` equal parts of the time axis, concatenated: (B, T, D) -> (B, segments * D).

    One segment is the average pooling of most few-shot video methods; more keep the order of time.
    """
    parts = torch.tensor_split(sequence, segments, dim=1)
    return torch.cat([part.mean(dim=1) for part in parts], dim=-1)


def moving(value: Tensor, time: int) -> Tensor:
    """A tensor minus its mean over the axis ``time``: what stands still (a room, clothes, a figure) leaves no trace."""
    return value - value.mean(dim=time, keepdim=True)


def two_sided(value: Tensor) -> Tensor:
    """How far above and how far below zero, as channels of their own: (B, D, ...) -> (B, 2 D, ...).

    What moves has a mean of zero over the clip. Heads that average a map over its positions (CAN, MASTAF) would find
    nothing in it; rectified to both sides (Shang et al., ICML 2016, arXiv 1603.05201) the average says how much moved.
    """
    return torch.cat([value.relu(), (-value).relu()], dim=1)


def dynamics(sequence: Tensor, segments: int) -> Tensor:
    """What changes over time: (B, T, D) -> (B, (segments + 1) * D).

    The segment means of what moves, and its root mean square. A single segment's mean is zero by construction.
    """
    rest = moving(sequence, 1)
    spread = rest.square().mean(dim=1).add(1e-6).sqrt()  # the small term keeps the gradient finite at rest
    return torch.cat([segment_mean(rest, segments), spread], dim=-1)


def still_and_moving(still: Tensor, moves: Tensor, axis: int) -> Tensor:
    """Features of what stays and of what moves in B clips, joined along an axis at comparable sizes.

    Each is divided by its root mean square over the clip. A clip in which next to nothing moves keeps it so: its
    movement is scaled at most as if it were a tenth as large as what stays, or noise would count as much as an action.
    """
    size, little = _mean_square(still), _mean_square(moves)
    return torch.cat([still * (size + 1e-6).rsqrt(), moves * (little + 0.01 * size + 1e-6).rsqrt()], dim=axis)


def _mean_square(value: Tensor) -> Tensor:
    return value.square().flatten(1).mean(dim=1).view(-1, *[1] * (value.ndim - 1))


def pool_map(value: Tensor, segments: int) -> Tensor:
    """Averages over at most ``segments`` parts of the time and, with them, 49 positions in all.

    (B, D, t, h, w) -> (B, D, t', h', w') with t' = min(t, segments) and sides of at most sqrt(49 / t').
    """
    time = min(value.shape[2], segments, MAP_POSITIONS)
    return _average(value, time, isqrt(MAP_POSITIONS // time))


def pool_stage(value: Tensor, side: int) -> Tensor:
    """Averages over places, at most side x side of them, at each instant: (B, D, t, h, w) -> (B, D, t, h', w')."""
    return _average(value, value.shape[2], side)


def _average(value: Tensor, time: int, side: int) -> Tensor:
    size = (time, min(side, value.shape[3]), min(side, value.shape[4]))
    return value if size == value.shape[2:] else F.adaptive_avg_pool3d(value, size)
