"""3-D residual networks: those of 3D-ResNets (Hara et al., CVPR 2018) and R(2+1)D (Tran et al., CVPR 2018)."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmact_oneshot.harness.encoders.backbone import Backbone, Reading
from mmact_oneshot.harness.encoders.norm import residual_norms
from mmact_oneshot.harness.encoders.torchvision_stub import declare_missing_operators

BLOCKS = {
    "r3d_10": (1, 1, 1, 1),
    "r3d_18": (2, 2, 2, 2),
    "r3d_34": (3, 4, 6, 3),
    "r3d_50": (3, 4, 6, 3),
    "r3d_101": (3, 4, 23, 3),
    "r3d_152": (3, 8, 36, 3),
    "r3d_200": (3, 24, 36, 3),
}
BOTTLENECKS = {"r3d_50", "r3d_101", "r3d_152", "r3d_200"}
NAMES = (*BLOCKS, "r2plus1d_18")
EXPANSION = 4


class VolumeNetwork(Backbone):
    """A 3-D ResNet in five stages: stem, then the four layers.

    Args:
        name: one of ``NAMES``.
        arguments: of :class:`ResNet3d`, or of ``torchvision.models.video.r2plus1d_18``.
    """

    depth, dropped = 5, ("fc.",)
    format = torch.contiguous_format

    def __init__(self, name: str, arguments: dict[str, Any]) -> None:
        super().__init__()
        self.network: Any = r2plus1d_18(**arguments) if name == "r2plus1d_18" else ResNet3d(name, **arguments)

    def lay_out(self, channels_last: bool) -> None:
        self.format = torch.channels_last_3d if channels_last else torch.contiguous_format
        for kernel in (each for each in self.network.parameters() if each.ndim == 5):
            kernel.data = kernel.data.contiguous(memory_format=self.format)

    @property
    def released(self) -> nn.Module:
        module: nn.Module = self.network
        return module

    def stage(self, index: int, value: Tensor) -> Tensor:
        if index == 0:
            value = value.contiguous(memory_format=self.format)  # each layer keeps the format of what it gets
        found: Tensor = getattr(self.network, f"layer{index}" if index else "stem")(value)
        return found

    def stage_norms(self, index: int) -> list[nn.Module]:
        return residual_norms(getattr(self.network, f"layer{index}")) if index else []

    def read(self, value: Tensor) -> Reading:
        return Reading(value, value.mean(dim=(3, 4)).transpose(1, 2))


class ResNet3d(nn.Module):
    """A 2-D ResNet with all kernels made cubes; names and shapes of parameters are those of 3D-ResNets-PyTorch.

    Projections on the shortcuts (type B). Steps left of T frames: T / 16, rounded up at every halving.

    Args:
        name: one of ``BLOCKS``.
        conv1_t_size, conv1_t_stride: kernel and stride of the first convolution over time.
        no_max_pool: leave out the pooling after the first convolution.
        widen_factor: on all widths.
    """

    def __init__(
        self,
        name: str,
        conv1_t_size: int = 7,
        conv1_t_stride: int = 1,
        no_max_pool: bool = False,
        widen_factor: float = 1.0,
    ) -> None:
        super().__init__()
        self.pool = not no_max_pool
        planes = [int(width * widen_factor) for width in (64, 128, 256, 512)]
        self.conv1 = nn.Conv3d(
            3, planes[0], (conv1_t_size, 7, 7), (conv1_t_stride, 2, 2), (conv1_t_size // 2, 3, 3), bias=False
        )
        self.bn1 = nn.BatchNorm3d(planes[0])
        last = planes[0]
        for number, (width, count) in enumerate(zip(planes, BLOCKS[name], strict=True), start=1):
            layer = nn.Sequential()
            for place in range(count):
                stride = 2 if number > 1 and place == 0 else 1
                if name in BOTTLENECKS:
                    convolutions = [(1, width, 1), (3, width, stride), (1, width * EXPANSION, 1)]
                else:
                    convolutions = [(3, width, stride), (3, width, 1)]
                layer.append(ResidualBlock3d(last, convolutions))
                last = convolutions[-1][1]
            self.add_module(f"layer{number}", layer)
        for module in self.modules():
            if isinstance(module, nn.Conv3d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def stem(self, video: Tensor) -> Tensor:
        """(B, 3, T, H, W) -> (B, D, T / 2, H / 4, W / 4)."""
        first = F.relu(self.bn1(self.conv1(video)), inplace=True)
        return F.max_pool3d(first, 3, stride=2, padding=1) if self.pool else first


class ResidualBlock3d(nn.Module):
    """Convolutions (kernel, width, stride) with BatchNorm, named conv1, bn1, ..., and a shortcut around them."""

    def __init__(self, width_in: int, convolutions: list[tuple[int, int, int]]) -> None:
        super().__init__()
        self.count, width, total = len(convolutions), width_in, 1
        for number, (kernel, width_out, stride) in enumerate(convolutions, start=1):
            convolution = nn.Conv3d(width, width_out, kernel, stride, kernel // 2, bias=False)
            self.add_module(f"conv{number}", convolution)
            self.add_module(f"bn{number}", nn.BatchNorm3d(width_out))
            width, total = width_out, total * stride
        self.downsample: nn.Module | None = None
        if total > 1 or width != width_in:
            projection = nn.Conv3d(width_in, width, 1, total, bias=False)
            self.downsample = nn.Sequential(projection, nn.BatchNorm3d(width))

    def forward(self, x: Tensor) -> Tensor:
        y = x
        for number in range(1, self.count + 1):
            y = getattr(self, f"bn{number}")(getattr(self, f"conv{number}")(y))
            if number < self.count:
                y = F.relu(y, inplace=True)
        return F.relu(y + (x if self.downsample is None else self.downsample(x)), inplace=True)


def r2plus1d_18(**arguments: Any) -> nn.Module:
    """torchvision's R(2+1)D-18, without classifier; it leaves T / 8 steps of T frames."""
    declare_missing_operators()
    from torchvision.models import video

    network: nn.Module = video.r2plus1d_18(weights=None, **arguments)
    network.fc = nn.Identity()
    return network
