"""Encoders from settings, each with an initial state of its own random stream."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import torch
from torch import Tensor, nn

from harness.api import Clips, Encoder, TransformerSpec
from harness.config.settings import Settings
from harness.encoders.backbone import on_meta
from harness.encoders.sensors import SensorEncoder
from harness.encoders.transformers import sensor_transformer, video_transformer
from harness.encoders.video import VideoEncoder
from harness.runtime.seeding import seeded

LAST_STAGE = "stage:-1"


def build_encoder(modality: str, settings: Settings, sensors: tuple[str, ...], seed: int) -> Encoder:
    """An encoder with a fresh state or released weights; it depends on (seed, modality, settings), never on the head.

    Raises:
        HarnessError: settings of the encoder that do not fit together, or its weights.
    """
    with seeded(seed, "encoder", modality):
        encoder = _encoder(modality, settings, sensors)
    known = tuple(name for name in ("map", "sequence", LAST_STAGE) if name in encoder.widths)
    shapes = output_shapes(encoder, settings, sensors, known)
    _, time, height, width = shapes["map"]
    encoder.grid, encoder.steps = (time, height, width), shapes["sequence"][0]
    encoder.stage_steps = shapes[LAST_STAGE][1] if LAST_STAGE in shapes else 0
    return encoder


def _encoder(modality: str, settings: Settings, sensors: tuple[str, ...]) -> Encoder:
    clip = settings.input
    if settings.encoder == "transformer":
        spec = transformer_spec(settings)
        if modality == "video":
            return video_transformer(spec, clip.frames, clip.size, settings.video_encoder)
        return sensor_transformer(spec, sensors, clip.sensor_length, settings.sensor_encoder.segments)
    if modality == "video":
        return VideoEncoder(settings.video_encoder, clip.frames, clip.size)
    return SensorEncoder(sensors, **settings.sensor_encoder.model_dump())


@torch.no_grad()
def output_shapes(
    encoder: Encoder, settings: Settings, sensors: tuple[str, ...], outputs: tuple[str, ...]
) -> dict[str, tuple[int, ...]]:
    """Shapes of a clip's outputs, from shapes alone: nothing is computed."""
    clip = clips_like(settings, (encoder.modality,), sensors, 1).to("meta")
    found = on_meta(encoder)(clip, outputs)
    return {name: tuple(found[name].shape[1:]) for name in outputs}


def clips_like(
    settings: Settings,
    modalities: tuple[str, ...],
    sensors: tuple[str, ...],
    count: int,
    make: Callable[..., Tensor] = torch.zeros,
) -> Clips:
    """Complete clips of the settings' shapes, with the given modalities alone, as the harness loads them.

    Args:
        make: their values, from a shape: zeros, or ``torch.rand``.
    """
    spec = settings.input
    known = sensors if "sensors" in modalities else ()
    return Clips(
        make(count, spec.frames, 3, spec.size, spec.size) if "video" in modalities else None,
        {name: make(count, spec.sensor_length, 3) for name in known},
        {name: torch.ones(count, spec.sensor_length, dtype=torch.bool) for name in known},
        dict.fromkeys((*modalities, *known), torch.ones(count, dtype=torch.bool)),
    )


def transformer_spec(settings: Settings) -> TransformerSpec:
    """The run's transformer as methods and encoders get it."""
    return TransformerSpec(**settings.transformer.model_dump())


def state_digest(module: nn.Module) -> str:
    """SHA-256 of a module's state, recorded so that equal initial states can be checked."""
    sha = hashlib.sha256()
    for name, value in sorted(module.state_dict().items()):
        sha.update(name.encode())
        sha.update(value.detach().cpu().contiguous().numpy().tobytes())
    return sha.hexdigest()
