"""2-D networks from timm, applied to every frame of a clip."""

from __future__ import annotations

from difflib import get_close_matches
from math import isqrt
from typing import Any

import torch
from torch import Tensor, nn

from mmact_oneshot.harness.encoders.backbone import Backbone, Reading, on_meta
from mmact_oneshot.harness.encoders.norm import residual_norms
from mmact_oneshot.harness.encoders.torchvision_stub import declare_missing_operators
from mmact_oneshot.harness.runtime.errors import HarnessError

FROM_ELSEWHERE = {"pretrained", "pretrained_cfg", "pretrained_cfg_overlay", "checkpoint_path", "cache_dir"}
"""Arguments of timm by which a network is downloaded, or read from a file."""


def timm_network(name: str, arguments: dict[str, Any]) -> Any:
    """A timm network without classifier, freshly initialised.

    Raises:
        HarnessError: timm has no such network.
        ValueError: an argument that would load weights.
    """
    declare_missing_operators()
    import timm

    if not timm.is_model(name):
        near = ", ".join(get_close_matches(name, timm.list_models(), n=3))
        remedy = f"Did you mean {near}? " if near else ""
        raise HarnessError(f"no video network {name!r}.", remedy=f"{remedy}See timm.list_models() for all names.")
    for given in FROM_ELSEWHERE & arguments.keys():
        raise ValueError(f"{given} would load weights that no record names: name a file in video_encoder.weights")
    return timm.create_model(name, pretrained=False, num_classes=0, **arguments)


def is_resnet(network: nn.Module) -> bool:
    """Whether a network is one of timm's ResNets, whose parts have known names."""
    from timm.models.resnet import ResNet

    return isinstance(network, ResNet)


class FrameNetwork(Backbone):
    """Frames one by one through a 2-D network, as one stage.

    The stage's value holds, besides the map, the prefix tokens of a transformer as more channels, the same at
    every place. The features of the sequence are the network's own (``forward_head`` without classifier).

    Args:
        network: of timm.
        size: of the frames.
    """

    depth = 1
    format = torch.contiguous_format

    def __init__(self, network: Any, size: int) -> None:
        super().__init__()
        self.network, self.width = network, int(network.num_features)
        made = on_meta(network).forward_features(torch.empty(1, 3, size, size, device="meta"))
        self.tokens = int(made.shape[1]) if made.ndim == 3 else 0
        self.prefix = int(getattr(network, "num_prefix_tokens", 0))
        self.turned = made.ndim == 4 and made.shape[1] != self.width  # (N, h, w, D)
        names = network.pretrained_cfg.get("classifier") or ()
        self.dropped = tuple(f"{name}." for name in ((names,) if isinstance(names, str) else names))

    def lay_out(self, channels_last: bool) -> None:
        self.format = torch.channels_last if channels_last else torch.contiguous_format
        self.network.to(memory_format=self.format)

    @property
    def released(self) -> nn.Module:
        module: nn.Module = self.network
        return module

    def stage(self, index: int, value: Tensor) -> Tensor:
        return unfold(self._as_map(self.network.forward_features(self._fold(value))), len(value))

    def stage_norms(self, index: int) -> list[nn.Module]:
        return []  # nothing comes before the only stage that could be modulated after it

    def read(self, value: Tensor) -> Reading:
        features = self.network.forward_head(self._as_made(self._fold(value)), pre_logits=True)
        return Reading(value[:, : self.width], features.unflatten(0, (len(value), -1)))

    def _fold(self, value: Tensor) -> Tensor:
        """(B, D, T, H, W) -> (B * T, D, H, W); a view of what :func:`unfold` gives."""
        return value.transpose(1, 2).flatten(0, 1).contiguous(memory_format=self.format)

    def _as_map(self, made: Tensor) -> Tensor:
        """Tokens (N, P + h * w, D) -> (N, D + P * D, h, w); (N, h, w, D) -> (N, D, h, w)."""
        if not self.tokens:
            return made.movedim(-1, 1) if self.turned else made
        prefix, patches = made[:, : self.prefix], made[:, self.prefix :]
        side = isqrt(patches.shape[1])
        places = patches.transpose(1, 2).unflatten(2, (side, side))
        return torch.cat([places, prefix.flatten(1)[..., None, None].expand(-1, -1, side, side)], dim=1)

    def _as_made(self, value: Tensor) -> Tensor:
        """Back to the form in which the network made it."""
        if not self.tokens:
            return value.movedim(1, -1) if self.turned else value
        prefix = value[:, self.width :, 0, 0].reshape(len(value), self.prefix, self.width)
        return torch.cat([prefix, value[:, : self.width].flatten(2).transpose(1, 2)], dim=1)


class FrameResNet(FrameNetwork):
    """Frames one by one through a timm ResNet; stages: stem with pooling, then the four layers."""

    depth = 5

    def stage(self, index: int, value: Tensor) -> Tensor:
        images, network = self._fold(value), self.network
        if index == 0:
            images = network.maxpool(network.act1(network.bn1(network.conv1(images))))
        else:
            images = getattr(network, f"layer{index}")(images)
        return unfold(images, len(value))

    def stage_norms(self, index: int) -> list[nn.Module]:
        return residual_norms(getattr(self.network, f"layer{index}")) if index else []

    def _as_made(self, value: Tensor) -> Tensor:
        return value


def unfold(images: Tensor, clips: int) -> Tensor:
    """(B * T, D, H, W) -> (B, D, T, H, W), a view."""
    clip_frames: Tensor = images.unflatten(0, (clips, -1))
    return clip_frames.transpose(1, 2)
