"""Video encoder: pixels through a network in stages, and the outputs that heads take."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from mmact_oneshot.harness.api import Clips
from mmact_oneshot.harness.config.specs import VideoEncoderSpec
from mmact_oneshot.harness.encoders.backbone import Backbone, Reading, on_meta
from mmact_oneshot.harness.encoders.frames import FrameNetwork, FrameResNet, is_resnet, timm_network
from mmact_oneshot.harness.encoders.norm import hold_batch_norm, use_group_norm
from mmact_oneshot.harness.encoders.pooling import (
    dynamics,
    moving,
    pool_map,
    pool_stage,
    segment_mean,
    still_and_moving,
    two_sided,
)
from mmact_oneshot.harness.encoders.resnet3d import NAMES, VolumeNetwork
from mmact_oneshot.harness.encoders.space_time_vit import SpaceTimeViT
from mmact_oneshot.harness.encoders.staged import StagedEncoder, widths
from mmact_oneshot.harness.encoders.weights import load_weights
from mmact_oneshot.harness.runtime.errors import HarnessError

Made = TypeVar("Made")

PIXELS = {  # mean and standard deviation of red, green and blue in 0..1
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "kinetics": ((0.4345, 0.4051, 0.3775), (0.2768, 0.2713, 0.2737)),
    "torchvision-video": ((0.43216, 0.394666, 0.37645), (0.22803, 0.22145, 0.216989)),
    "none": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
}


class VideoEncoder(StagedEncoder):
    """Normalises pixels, runs a network and pools what it says.

    Outputs (:class:`mmact_oneshot.harness.api.Encoder`), for a network that leaves t steps of its own:

    * ``"sequence"`` (B, t, D);
    * ``"vector"`` (B, D'): means of ``segments`` parts of the sequence, or its dynamics. With plain means of a single
      part it is the network's own feature of the clip where it has one (transformers: see :class:`SpaceTimeViT`);
    * ``"map"`` (B, D, t', h', w'), t' = min(t, segments), sides of at most sqrt(49 / t');
    * ``"stage:k"``, places averaged to a side of at most ``stage_side``; :meth:`tail` gives the vector of it.

    With ``pooling = "dynamics"`` sequence and map are also minus their means over time, before any other pooling, and
    the map is rectified to both sides, which doubles its channels (``pooling.two_sided``).

    With ``pooling = "both"`` each output has beside that what stays in the clip, at every step
    (``pooling.still_and_moving``): the mean over the steps or, with ``background = "apart"``, what
    the network makes of the clip's mean frame, while it gets the other frames minus that one. Stages then have one step
    more, the first.

    Args:
        spec: settings.
        frames, size: of the clips that will come.
        channels_last: networks of convolutions keep the channels of a place together in memory, where that is fast.

    Raises:
        HarnessError: no such network, arguments or weights that do not fit it, clips that it cannot take, or more
            segments than it leaves steps.
    """

    modality = "video"
    mean: Tensor
    std: Tensor

    def __init__(self, spec: VideoEncoderSpec, frames: int, size: int, channels_last: bool = True) -> None:
        super().__init__()
        self.spec, self.apart, self.channels_last = spec, spec.background == "apart", channels_last
        self.backbone = make_backbone(spec, frames, size)
        if spec.norm == "group":
            use_group_norm(self.backbone)
        if spec.weights:
            load_weights(self.backbone, Path(spec.weights).expanduser())
        pixels = torch.empty(1, 3, frames + self.apart, size, size, device="meta")
        values, reading = _fitting(lambda: on_meta(self.backbone)(pixels), spec)
        steps, width = reading.sequence.shape[1] - self.apart, reading.sequence.shape[2]
        if spec.segments > steps:
            raise HarnessError(
                f"video_encoder.segments is {spec.segments}, but {spec.name} leaves {steps} steps of {frames} frames.",
                remedy="Lower video_encoder.segments or raise input.frames.",
            )
        stays, moves = spec.pooling == "both", spec.pooling != "mean"
        self.widths = widths(
            width * (spec.segments + moves + stays),
            width * (1 + stays),
            reading.places.shape[1] * (1 + moves + stays),
            [value.shape[1] for value in values],
        )
        mean, std = (torch.tensor(part).view(1, 1, 3, 1, 1) for part in PIXELS[spec.pixel_norm])
        self.register_buffer("mean", mean, persistent=False)
        self.register_buffer("std", std, persistent=False)
        self.lay_out("cpu")
        self.train()  # holds what is to be held from the start

    def lay_out(self, device: str) -> None:
        """Set how convolutions keep channels, for a kind of device: channels last is 1.3 to 1.9 times as fast on a CPU.

        torch's GroupNorm on CUDA takes contiguous maps alone: it copies others before every layer. With channels last
        a ResNet-50 on an H100 trained at 0.70 of the rate.
        """
        copied = device == "cuda" and any(isinstance(layer, nn.GroupNorm) for layer in self.backbone.modules())
        self.backbone.lay_out(self.channels_last and not copied)

    @property
    def depth(self) -> int:
        return self.backbone.depth

    def train(self, mode: bool = True) -> VideoEncoder:
        super().train(mode)
        if self.spec.norm == "frozen-batch":
            hold_batch_norm(self)
        return self

    def enter(self, clips: Clips) -> Tensor:
        video = clips.video
        assert video is not None
        if self.spec.background == "keep":
            return ((video - self.mean) / self.std).transpose(1, 2)
        mean = video.mean(dim=1, keepdim=True)
        frames = video - mean
        if self.apart:
            frames = torch.cat([mean - self.mean, frames], dim=1)
        return (frames / self.std).transpose(1, 2)

    def stage(self, index: int, value: Tensor) -> Tensor:
        return self.backbone.stage(index, value)

    def stage_norms(self, index: int) -> list[nn.Module]:
        return self.backbone.stage_norms(index)

    def stage_output(self, value: Tensor) -> Tensor:
        return pool_stage(value, self.spec.stage_side)

    def leave(self, value: Tensor, outputs: Iterable[str]) -> dict[str, Tensor]:
        reading = self.backbone.read(value)
        if self.spec.pooling == "mean":
            return {name: self._mean(reading, name) for name in outputs}
        still = None
        if self.apart:
            still, reading = reading.at(slice(0, 1)), reading.at(slice(1, None))
        moves = {name: self._moving(reading, name) for name in outputs}
        if self.spec.pooling == "dynamics":
            return moves
        still = still or Reading(reading.places.mean(2, keepdim=True), reading.sequence.mean(1, keepdim=True))
        return {
            name: still_and_moving(self._still(still, reading, name), part, 2 if name == "sequence" else 1)
            for name, part in moves.items()
        }

    def _mean(self, reading: Reading, output: str) -> Tensor:
        """An output of the frames as they are."""
        if output == "sequence":
            return reading.sequence
        if output == "map":
            return pool_map(reading.places, self.spec.segments)
        if self.spec.segments == 1 and reading.clip is not None:
            return reading.clip
        return segment_mean(reading.sequence, self.spec.segments)

    def _moving(self, reading: Reading, output: str) -> Tensor:
        """An output of what differs from the mean over the clip."""
        if output == "sequence":
            return moving(reading.sequence, 1)
        if output == "map":
            return pool_map(two_sided(moving(reading.places, 2)), self.spec.segments)
        return dynamics(reading.sequence, self.spec.segments)

    def _still(self, still: Reading, clip: Reading, output: str) -> Tensor:
        """An output of what stays, of a single step, at every step of the clip."""
        if output == "sequence":
            return still.sequence.expand_as(clip.sequence)
        if output == "map":
            return pool_map(still.places.expand_as(clip.places), self.spec.segments)
        return still.sequence.squeeze(1)


def make_backbone(spec: VideoEncoderSpec, frames: int, size: int) -> Backbone:
    """The network that settings name: a space-time transformer, a 3-D ResNet, or any network of timm.

    Raises:
        HarnessError: no such network, or arguments or clips that it does not take.
    """

    def make() -> Backbone:
        if spec.background == "apart" and (spec.name == "space_time_vit" or spec.name in NAMES):
            raise ValueError("background = apart wants a network over single frames")
        if spec.name == "space_time_vit":
            return SpaceTimeViT(frames, size, **spec.arguments)
        if spec.name in NAMES:
            return VolumeNetwork(spec.name, spec.arguments)
        network = timm_network(spec.name, spec.arguments)
        return (FrameResNet if is_resnet(network) else FrameNetwork)(network, size)

    return _fitting(make, spec)


def _fitting(make: Callable[[], Made], spec: VideoEncoderSpec) -> Made:
    """Run what fails where arguments or clips do not suit a network, and say so."""
    try:
        return make()
    except (TypeError, ValueError, AssertionError, RuntimeError) as error:
        raise HarnessError(
            f"{spec.name} does not take these arguments or clips: {' '.join(str(error).split())}.",
            remedy="Change video_encoder.arguments (some want img_size there), input.size or input.frames.",
        ) from error
