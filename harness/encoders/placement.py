"""Networks on a device, laid out in its memory as is fastest there."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import nn

from mmact_oneshot.harness.encoders.video import VideoEncoder

Module = TypeVar("Module", bound=nn.Module)


def placed(module: Module, device: torch.device) -> Module:
    """The module itself, on a device; its video encoders in the layout for this kind of device."""
    for part in module.modules():
        if isinstance(part, VideoEncoder):
            part.lay_out(device.type)
    return module.to(device)
