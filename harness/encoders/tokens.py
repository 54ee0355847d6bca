"""Cutting a clip into tokens and stating what a decoder has to predict of them (Mu-MAE's embedding modules).

A video token is a cube of ``tubelet`` frames and ``patch`` x ``patch`` pixels; tokens count time slowest, then rows,
then columns. A sensor token is a run of consecutive samples of all axes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from einops import rearrange
from torch import Tensor

from mmact_oneshot.harness.api import Clips, Setup
from mmact_oneshot.harness.encoders.video import PIXELS

LEAST = 1e-6  # added to deviations, as in the release
STILL = 0.02  # likewise, where the background is subtracted: about what noise leaves there


@dataclass(frozen=True)
class Layout:
    """The tokens of a clip.

    Args:
        video: whether there is one.
        frames, size: of the video.
        tubelet, patch: frames and side of a cube.
        pixel_norm: how pixels are normalised before they are embedded ("imagenet", "none", ...). The released
            fine-tuning feeds an encoder trained on "imagenet" with pixels as they are: "none".
        background: "subtract" takes the clip's mean frame off before anything else: what stands still is nothing.
        sensors: names; may be empty.
        samples: of each sensor.
        sensor_tokens: of each sensor.
        interleaved: as released: token k has the samples k, k + n, k + 2n, ... of n tokens, so that nearly every
            masked sample lies between two visible ones.

    Raises:
        ValueError: no modality, an unknown normalisation, or tokens that do not cover the clip.
    """

    video: bool = True
    frames: int = 16
    size: int = 224
    tubelet: int = 2
    patch: int = 16
    pixel_norm: str = "imagenet"
    background: str = "keep"
    sensors: tuple[str, ...] = ()
    samples: int = 128
    sensor_tokens: int = 16
    interleaved: bool = False

    def __post_init__(self) -> None:
        if not self.modalities:
            raise ValueError("a layout without video and sensors has no tokens.")
        if len(set(self.modalities)) < len(self.modalities):
            raise ValueError(f"two modalities have one name: {', '.join(self.modalities)}.")
        if self.background not in {"keep", "subtract"}:
            raise ValueError(f"no background {self.background!r}. Known: keep, subtract.")
        if self.pixel_norm not in PIXELS:
            raise ValueError(f"no pixel_norm {self.pixel_norm!r}. Known: {', '.join(PIXELS)}.")
        wholes = [("frames", "tubelet"), ("size", "patch")] if self.video else []
        for whole, part in [*wholes, *([("samples", "sensor_tokens")] if self.sensors else [])]:
            if getattr(self, part) < 1 or getattr(self, whole) % getattr(self, part):
                raise ValueError(f"{whole} {getattr(self, whole)} is not a multiple of {part} {getattr(self, part)}.")

    @property
    def modalities(self) -> tuple[str, ...]:
        """In the order of their tokens."""
        return (*(("video",) if self.video else ()), *self.sensors)

    @property
    def grid(self) -> tuple[int, int, int] | None:
        """Video tokens in time, rows and columns."""
        side = self.size // self.patch
        return (self.frames // self.tubelet, side, side) if self.video else None

    def count(self, modality: str) -> int:
        """Tokens of a modality."""
        time, rows, columns = self.grid or (0, 0, 0)
        return time * rows * columns if modality == "video" else self.sensor_tokens

    def values(self, modality: str) -> int:
        """Numbers in a token of a modality."""
        if modality == "video":
            return self.tubelet * self.patch * self.patch * 3
        return self.samples // self.sensor_tokens * 3

    def pieces(self, clips: Clips, modality: str) -> Tensor:
        """Cut a modality: (B, n, values), pixels in 0..1 (minus their mean over time, -1..1, where the background is
        subtracted) or the sensor's own units.

        Raises:
            ValueError: clips of another size, or without the modality.
        """
        given = clips.video if modality == "video" else clips.sensors.get(modality)
        square = (self.frames, 3, self.size, self.size)
        wanted = square if modality == "video" else (self.samples, 3)
        if given is None or given.shape[1:] != wanted:
            found = "missing" if given is None else str(tuple(given.shape[1:]))
            raise ValueError(f"{modality} is {found}, the layout wants {wanted}.")
        if modality == "video":
            moves = given - given.mean(dim=1, keepdim=True) if self.background == "subtract" else given
            return cubes(moves, self.tubelet, self.patch)
        return sensor_pieces(given, self.sensor_tokens, interleaved=self.interleaved)

    def target(self, modality: str, pieces: Tensor) -> Tensor:
        """What is predicted of tokens (..., values): zero mean and unit deviation in each cube and colour channel, or
        in each sensor token over all its axes; sizes of light and movement carry no credit. Without its background a
        cube in which nothing moves is noise, which is not to be blown up to unit deviation."""
        if modality == "video":
            least = STILL if self.background == "subtract" else LEAST
            return standardised(pieces.float().unflatten(-1, (-1, 3)), dim=-2, least=least).flatten(-2)
        return standardised(pieces.float(), dim=-1)

    def reconstructed(self, modality: str, pieces: Tensor, predicted: Tensor) -> Tensor:
        """Undo :meth:`target` with the statistics of the true ``pieces``: predictions in pixels or units."""
        if modality == "video":
            cubed, least = pieces.float().unflatten(-1, (-1, 3)), STILL if self.background == "subtract" else LEAST
            std, mean = torch.std_mean(cubed, dim=-2, keepdim=True)
            shown: Tensor = (predicted.float().unflatten(-1, (-1, 3)) * (std + least) + mean).flatten(-2)
            return shown
        std, mean = torch.std_mean(pieces.float(), dim=-1, keepdim=True)
        return predicted.float() * (std + LEAST) + mean


class Split(NamedTuple):
    """Tokens of one modality, as indices in increasing order.

    Attributes:
        visible: (B, v), what the encoder gets.
        masked: (B, m), what the decoder predicts: the others, or a part of them (VideoMAE V2, section 3.2).
    """

    visible: Tensor
    masked: Tensor

    @classmethod
    def of(cls, mask: Tensor) -> Split:
        """From a mask (B, n), true or 1 where masked. Reads the counts from the device once.

        Raises:
            ValueError: the clips do not have equally many masked tokens.
        """
        counts = mask.bool().sum(dim=1).unique().tolist()
        if len(counts) != 1:
            raise ValueError(f"clips of one batch hide different numbers of tokens: {counts}.")
        order = mask.bool().int().argsort(dim=1, stable=True)
        return cls(order[:, : mask.shape[1] - counts[0]], order[:, mask.shape[1] - counts[0] :])

    def mask(self, tokens: int) -> Tensor:
        """(B, tokens) bool: true where masked."""
        every = torch.ones(len(self.visible), tokens, dtype=torch.bool, device=self.visible.device)
        return every.scatter(1, self.visible, False)


def layout_of(setup: Setup, *, interleaved: bool = False) -> Layout:
    """The tokens of a setup's clips, of the modalities that it has.

    Raises:
        ValueError: they cannot be cut so.
    """
    spec, shape = setup.transformer, setup.shape
    return Layout(
        video="video" in setup.modalities,
        frames=shape.frames,
        size=shape.size,
        tubelet=spec.tubelet,
        patch=spec.patch,
        pixel_norm=spec.pixel_norm,
        background=spec.background,
        sensors=setup.sensors if "sensors" in setup.modalities else (),
        samples=shape.samples,
        sensor_tokens=spec.sensor_tokens,
        interleaved=interleaved,
    )


def cubes(video: Tensor, tubelet: int, patch: int) -> Tensor:
    """(B, T, 3, H, W) -> (B, n, tubelet * patch * patch * 3): in a cube time is slowest, colour fastest."""
    return rearrange(video, "b (t u) c (h p) (w q) -> b (t h w) (u p q c)", u=tubelet, p=patch, q=patch)


def sensor_pieces(samples: Tensor, tokens: int, *, interleaved: bool = False) -> Tensor:
    """(B, L, 3) -> (B, tokens, L / tokens * 3): in a token time is slow, the axis fast; see :class:`Layout`."""
    if interleaved:
        return rearrange(samples, "b (s n) a -> b n (s a)", n=tokens)
    return rearrange(samples, "b (n s) a -> b n (s a)", n=tokens)


def standardised(values: Tensor, dim: int, least: float = LEAST) -> Tensor:
    """Minus the mean, over the deviation (unbiased) plus ``least``, along an axis; constant values become zero."""
    std, mean = torch.std_mean(values, dim=dim, keepdim=True)
    return (values - mean) / (std + least)


def chosen(tokens: Tensor, index: Tensor) -> Tensor:
    """Tokens (B, n, D) at (B, v) -> (B, v, D)."""
    return tokens.gather(1, index.unsqueeze(-1).expand(-1, -1, tokens.shape[-1]))
