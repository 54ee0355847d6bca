"""From decoded squares to the video encoder's input, on the device: one warp and one change of colour for each clip.

A clip is warped with its frames as channels and coloured as one tall image, so whatever happens to one frame happens
to all. Nothing is drawn here: the numbers come from ``task.clip_source``, and the fixed rule of
evaluation goes the same way, so training and test pixels come from one resampler.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, tau

import numpy as np
import torch
import torch.nn.functional as F
from kornia.enhance import (
    adjust_brightness_accumulative,
    adjust_contrast_with_mean_subtraction,
    adjust_hue,
    adjust_saturation_with_gray_subtraction,
)
from kornia.geometry.transform import warp_affine
from torch import Tensor

PIECE = 8  # clips at a time on a CPU, whose cache they fit
ON_ACCELERATOR = 128 << 20  # bytes of float32 at a time there: little beside the activations of a step
COARSEST = 1.3  # stored pixels from one sample to the next; beyond that, fine patterns would alias


@dataclass(frozen=True)
class Views:
    """The view of each of B clips; every attribute is a (B,) array.

    Attributes:
        share: side of the crop over the side of the stored square, above 0 and at most 1.
        x, y: place of the crop in the square, 0 (left, top) to 1 (right, bottom).
        rotation: degrees by which the picture turns about the middle of the crop, anti-clockwise.
        mirror: whether left and right are exchanged.
        brightness: factor of all values.
        contrast: factor of the difference from the mean grey of the clip.
        saturation: factor of the difference from the pixel's own grey.
        hue: shift, as a share of the circle.
    """

    share: np.ndarray
    x: np.ndarray
    y: np.ndarray
    rotation: np.ndarray
    mirror: np.ndarray
    brightness: np.ndarray
    contrast: np.ndarray
    saturation: np.ndarray
    hue: np.ndarray


@torch.no_grad()
def augmented(squares: Tensor, views: Views, size: int) -> Tensor:
    """The view of every clip, computed where its frames are.

    Args:
        squares: (B, 3, T, S, S) uint8.
        views: of the B clips. What lies beyond the square is its reflection.
        size: side of the result, pixels. Where a pixel of it spans more than 1.3 stored ones, it is the mean of as
            many finer samples as it takes; otherwise it is one bilinear sample.

    Returns:
        (B, T, 3, size, size) float32 in 0..1, whatever the autocast. A black clip stays black. A clip's view does not
        depend on the rest of the batch.
    """
    count, _, frames, side, _ = squares.shape
    finer = max(1, ceil(side / (COARSEST * size)))
    matrices = torch.from_numpy(_matrices(views, side, size * finer).astype(np.float32)).to(squares.device)
    colours = {
        change: torch.from_numpy(np.asarray(factor, np.float32)).to(squares.device)
        for change, factor, neutral in (
            (adjust_brightness_accumulative, views.brightness, 1),
            (adjust_contrast_with_mean_subtraction, views.contrast, 1),
            (adjust_saturation_with_gray_subtraction, views.saturation, 1),
            (adjust_hue, views.hue * tau, 0),
        )
        if (factor != neutral).any()
    }
    augmented_frames = torch.empty(count, frames, 3, size, size, device=squares.device)
    with torch.autocast(squares.device.type, enabled=False):
        at_once = _at_once(squares)
        for first in range(0, count, at_once):
            piece = slice(first, first + at_once)
            images = squares[piece].flatten(1, 2).float().div_(255)
            images = warp_affine(images, matrices[piece], (size * finer,) * 2, "bilinear", "reflection", False)
            if finer > 1:
                images = F.avg_pool2d(images, finer)
            images = images.view(-1, 3, frames * size, size)
            for change, factor in colours.items():
                images = change(images, factor[piece])
            augmented_frames[piece] = images.view(-1, 3, frames, size, size).transpose(1, 2)
    return augmented_frames.clamp_(0, 1)


def _at_once(squares: Tensor) -> int:
    """Clips that are warped together: on a GPU many, so that it does not wait for kernels to be started."""
    if squares.device.type == "cpu":
        return PIECE
    return max(PIECE, ON_ACCELERATOR // (4 * squares[0].numel()))


def _matrices(views: Views, side: int, size: int) -> np.ndarray:
    """(B, 2, 3): from pixels (x, y) of the stored square to pixels of the view, whole numbers in their middles."""
    crop = views.share * side
    scale, angle = size / crop, np.deg2rad(views.rotation)
    cosine, sine = scale * np.cos(angle), scale * np.sin(angle)
    across = np.where(views.mirror, -1.0, 1.0)
    linear = np.stack([np.stack([across * cosine, across * sine], -1), np.stack([-sine, cosine], -1)], 1)
    middle = np.stack([views.x, views.y], -1) * (side - crop)[:, None] + (crop[:, None] - 1) / 2
    shift = (size - 1) / 2 - (linear * middle[:, None]).sum(-1)
    return np.concatenate([linear, shift[..., None]], axis=2)
