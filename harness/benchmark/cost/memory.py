"""How much memory a training step needs, worked out from shapes alone, and whether the device has it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any
from unittest.mock import patch

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmact_oneshot.harness.api import Clips
from mmact_oneshot.harness.benchmark.cost.meta_autocast import meta_autocast
from mmact_oneshot.harness.encoders.backbone import on_meta
from mmact_oneshot.harness.runtime.device import Device

STATE = 16  # bytes of a parameter in training: itself, its gradient and AdamW's two averages, float32
FRAMES = 4 / 3  # bytes of a clip's video, as it is read and as it is viewed, to those of its view in float32
SPARE = 0.9  # of what is free: the rest is for the allocator and for what is not counted


def step_bytes(
    network: nn.Module,
    forward: Callable[[Any, Clips], Tensor],
    clips: Clips,
    count: int,
    device: Device,
    held: int | None = None,
) -> int:
    """Bytes of parameters, their optimiser's state, the clips, and everything that backward needs of some of them.

    The forward pass runs on the meta device, where tensors have shapes and no values; what autograd keeps is added up.
    Attention counts as its fused kernels do, although the meta device has none; bfloat16 as CUDA's autocast casts.

    Args:
        forward: from the network and clips to a loss.
        clips: two clips, of which only the shapes matter.
        count: clips that pass the network at a time.
        held: clips of the step, all on the device; None for ``count``.
    """
    twin, given = on_meta(network), clips.to("meta")
    for parameter in twin.parameters():
        parameter.requires_grad_(True)
    with meta_autocast(device.precision):
        one, two = (kept_bytes(partial(forward, twin, given[:size]), twin) for size in (1, 2))
    video = 0 if given.video is None else FRAMES * given.video[0].nbytes
    parameters = sum(parameter.numel() for parameter in twin.parameters())
    fixed, each = max(0, 2 * one - two), two - one  # weights that were cast are kept once, whatever the clips
    return int(STATE * parameters + fixed + count * each + (count if held is None else held) * video)


def kept_bytes(run: Callable[[], Any], *networks: nn.Module) -> int:
    """Bytes that backward needs of what ``run`` computes on the meta device, beside the networks' own values."""
    own = {
        value.untyped_storage()._cdata for network in networks for value in (*network.parameters(), *network.buffers())
    }
    kept: dict[int, Tensor] = {}

    def keep(value: Tensor) -> Tensor:
        if value.device.type == "meta" and value.untyped_storage()._cdata not in own:
            kept.setdefault(value.untyped_storage()._cdata, value)
        return value

    fused = patch.object(F, "scaled_dot_product_attention", _attention)
    with fused, torch.autograd.graph.saved_tensors_hooks(keep, lambda value: value):
        run()
    return sum(value.untyped_storage().nbytes() for value in kept.values())


class _FusedAttention(torch.autograd.Function):
    """What a fused kernel keeps for backward: its inputs and its output, and no matrix of weights."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        found = query.new_empty((*query.shape[:-1], value.shape[-1]))
        ctx.save_for_backward(query, key, value, found)
        return found

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, ...]:
        return tuple(torch.empty_like(value) for value in ctx.saved_tensors[:3])


def _attention(query: Tensor, key: Tensor, value: Tensor, *_: object, **__: object) -> Tensor:
    found: Tensor = _FusedAttention.apply(query, key, value)  # type: ignore[no-untyped-call]
    return found
