"""Normalisation layers: those of networks trained from scratch, those held still, and their modulation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from math import gcd
from typing import Any

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmact_oneshot.harness.api import Film

LAYERS = (_BatchNorm, nn.GroupNorm, nn.LayerNorm)
SHORTCUTS = {"downsample", "shortcut"}  # what timm, torchvision, 3D-ResNets and this package call the other branch


class ChannelGroups(nn.GroupNorm):
    """GroupNorm with about 16 channels a group: independent of the batch, the right choice from scratch."""

    def __init__(self, channels: int) -> None:
        super().__init__(gcd(channels, max(1, channels // 16)), channels)


def use_group_norm(module: nn.Module) -> None:
    """Put :class:`ChannelGroups` in the place of every BatchNorm in a module; gains and biases stay as initialised."""
    for name, child in module.named_children():
        if isinstance(child, _BatchNorm):
            setattr(module, name, _grouped(child))
        else:
            use_group_norm(child)


def _grouped(batch: _BatchNorm) -> nn.Module:
    group = ChannelGroups(batch.num_features)
    if batch.affine:
        group.weight, group.bias = batch.weight, batch.bias  # timm sets some gains to zero
    if isinstance(activation := getattr(batch, "act", None), nn.Module):  # timm's BatchNormAct2d, two layers in one
        return nn.Sequential(group, activation)
    return group


def hold_batch_norm(module: nn.Module) -> None:
    """Evaluation mode for every BatchNorm: it normalises by its loaded statistics, which never change."""
    for layer in module.modules():
        if isinstance(layer, _BatchNorm):
            layer.eval()


def residual_norms(module: nn.Module) -> list[nn.Module]:
    """Normalisation layers that are not on a shortcut, in the order in which they are registered."""
    return [
        layer
        for name, layer in module.named_modules()
        if isinstance(layer, LAYERS) and not SHORTCUTS & set(name.split("."))
    ]


def channels(layer: nn.Module) -> int:
    """Number of channels of a normalisation layer."""
    if isinstance(layer, _BatchNorm):
        return layer.num_features
    if isinstance(layer, nn.GroupNorm):
        return layer.num_channels
    assert isinstance(layer, nn.LayerNorm)
    return layer.normalized_shape[0]


@contextmanager
def modulated(layers: Sequence[nn.Module], film: Film | None) -> Iterator[None]:
    """While it lasts, each layer's output is ``gamma * output + beta`` (Perez et al., AAAI 2018, eq. 1).

    Args:
        layers: normalisation layers.
        film: for each layer a pair (gamma, beta) of (B, C) tensors; None changes nothing. A layer may see its B clips
            folded into more rows (frames, positions), as long as a clip's rows are neighbours.
    """
    handles = []
    try:
        if film is not None:
            for layer, (gamma, beta) in zip(layers, film, strict=True):
                handles.append(layer.register_forward_hook(partial(_modulate, gamma, beta)))
        yield
    finally:
        for handle in handles:
            handle.remove()


def _modulate(gamma: Tensor, beta: Tensor, layer: nn.Module, _: Any, output: Tensor) -> Tensor:
    others = [1] * (output.ndim - 2)
    shape = (len(output), *others, -1) if isinstance(layer, nn.LayerNorm) else (len(output), -1, *others)
    rows = len(output) // len(gamma)
    scale, shift = (part.to(output.dtype).repeat_interleave(rows, dim=0).view(shape) for part in (gamma, beta))
    return scale * output + shift
