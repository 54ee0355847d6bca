"""Which tokens an autoencoder encodes (Mu-MAE's synchronised masks; tubes as in VideoMAE, section 3.3).

Masks are made from uniform draws that the caller gives, so that a counter-based generator decides them: the masks of
a clip depend on its own draws only. Every clip has equally many visible tokens; their number is part of the shape and
the device is never asked for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from mmact_oneshot.harness.encoders.tokens import Split


class Counts(NamedTuple):
    """Tokens of a clip: of one slice of time, of the whole video, and of each sensor."""

    slice_tokens: int
    slice_masked: int
    video_masked: int
    video_visible: int
    sensor_masked: int
    sensor_visible: int


@dataclass(frozen=True)
class Masking:
    """The masks of all modalities.

    Args:
        grid: time, rows and columns of the video's tokens; None without video.
        sensors: names.
        sensor_tokens: of each sensor.
        video_ratio, sensor_ratio: shares that are masked; what they give is rounded down to whole tokens.
        synchronised: the same instants are masked in all sensors of a clip; else each sensor has a mask of its own.

    Raises:
        ValueError: a ratio hides nothing or everything.
    """

    grid: tuple[int, int, int] | None
    sensors: tuple[str, ...] = ()
    sensor_tokens: int = 16
    video_ratio: float = 0.9
    sensor_ratio: float = 0.9
    synchronised: bool = True

    def __post_init__(self) -> None:
        if self.grid is not None:
            _check("video_ratio", self.video_ratio, self.grid[1] * self.grid[2])
        if self.sensors:
            _check("sensor_ratio", self.sensor_ratio, self.sensor_tokens)

    @property
    def counts(self) -> Counts:
        return counts(self.grid or (0, 0, 0), self.sensor_tokens, self.video_ratio, self.sensor_ratio)

    @property
    def draws(self) -> int:
        """Uniform draws that a clip needs."""
        return self.counts.slice_tokens + self._sensor_masks * self.sensor_tokens

    @property
    def _sensor_masks(self) -> int:
        return min(1, len(self.sensors)) if self.synchronised else len(self.sensors)

    def __call__(self, draws: Tensor) -> dict[str, Split]:
        """Masks of B clips by modality, from (B, draws) uniform in 0..1, on their device.

        Raises:
            ValueError: another number of draws.
        """
        if draws.shape[1:] != (self.draws,):
            raise ValueError(f"masks need (clips, {self.draws}) draws, these are {tuple(draws.shape)}.")
        of_video, of_sensors = draws.split([self.counts.slice_tokens, self.draws - self.counts.slice_tokens], dim=1)
        found = {"video": tubes(of_video, self.grid[0], self.counts.slice_masked)} if self.grid else {}
        rows = of_sensors.split(self.sensor_tokens, dim=1) if self.sensors else ()
        masks = [without_replacement(row, self.counts.sensor_masked) for row in rows]
        each = masks * len(self.sensors) if self.synchronised else masks
        return found | dict(zip(self.sensors, each, strict=True))


def counts(grid: tuple[int, int, int], sensor_tokens: int, video_ratio: float, sensor_ratio: float) -> Counts:
    """How many tokens two ratios hide and leave; see :class:`Masking`."""
    time, rows, columns = grid
    place = rows * columns
    tube, masked = int(video_ratio * place), int(sensor_ratio * sensor_tokens)
    return Counts(place, tube, time * tube, time * (place - tube), masked, sensor_tokens - masked)


def tubes(draws: Tensor, time: int, masked: int) -> Split:
    """Hide the same places at all times.

    Args:
        draws: (B, rows * columns) uniform.
        time: slices; the tokens count time slowest.
        masked: places to hide in each slice.
    """
    slices = torch.arange(time, device=draws.device)[:, None] * draws.shape[1]
    one = without_replacement(draws, masked)
    return Split(*((part.unsqueeze(1) + slices).flatten(1) for part in one))


def without_replacement(draws: Tensor, masked: int) -> Split:
    """Hide the positions of the smallest draws, (B, n) uniform: every set of that size is equally likely."""
    order = draws.argsort(dim=1, stable=True)
    return Split(order[:, masked:].sort(dim=1).values, order[:, :masked].sort(dim=1).values)


def _check(name: str, ratio: float, tokens: int) -> None:
    if not 0 < int(ratio * tokens) < tokens:
        raise ValueError(f"{name} {ratio} hides {int(ratio * tokens)} of {tokens} tokens: some must stay.")
