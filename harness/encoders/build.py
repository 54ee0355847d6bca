"""Encoders from settings, each with an initial state of its own random stream."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import torch
from torch import Tensor, nn

from mmact_oneshot.harness.api import Clips, ClipShape, Encoder, TransformerSpec
from mmact_oneshot.harness.config.settings import Settings
from mmact_oneshot.harness.config.specs import VideoEncoderSpec
from mmact_oneshot.harness.encoders.backbone import on_meta
from mmact_oneshot.harness.encoders.plugin import is_plugin, plugin_encoder, require_no_weights
from mmact_oneshot.harness.encoders.sensors import SensorEncoder
from mmact_oneshot.harness.encoders.transformers import sensor_transformer, video_transformer
from mmact_oneshot.harness.encoders.video import VideoEncoder
from mmact_oneshot.harness.plugins.kinds import ENCODER
from mmact_oneshot.harness.plugins.registry import names
from mmact_oneshot.harness.runtime.errors import HarnessError, nearest
from mmact_oneshot.harness.runtime.seeding import seeded

LAST_STAGE, SENSORS = "stage:-1", "resnet1d"


def build_encoder(modality: str, settings: Settings, sensors: tuple[str, ...], seed: int) -> Encoder:
    """An encoder with a fresh state or released weights; it depends on (seed, modality, settings), never on the head.

    Raises:
        HarnessError: settings of the encoder that do not fit together, or its weights.
    """
    with seeded(seed, "encoder", modality):
        encoder = _encoder(modality, settings, sensors)
    known = tuple(name for name in ("map", "sequence", LAST_STAGE) if name in encoder.widths)
    shapes = output_shapes(encoder, settings, sensors, known)
    time, height, width = shapes["map"][1:] if "map" in shapes else (0, 0, 0)
    encoder.grid = (time, height, width)
    encoder.steps = shapes["sequence"][0] if "sequence" in shapes else 0
    encoder.stage_steps = shapes[LAST_STAGE][1] if LAST_STAGE in shapes else 0
    return encoder


def _encoder(modality: str, settings: Settings, sensors: tuple[str, ...]) -> Encoder:
    clip = settings.input
    if settings.encoder == "transformer":
        transformer = transformer_spec(settings)
        if modality == "video":
            return video_transformer(transformer, clip.frames, clip.size, settings.video_encoder)
        return sensor_transformer(transformer, sensors, clip.sensor_length, settings.sensor_encoder.segments)
    spec = settings.video_encoder if modality == "video" else settings.sensor_encoder
    if is_plugin(spec.name):
        require_no_weights(spec.name, getattr(spec, "weights", ""))
        return plugin_encoder(spec.name, modality, clip_shape(settings), sensors, spec.arguments)
    if isinstance(spec, VideoEncoderSpec):
        return VideoEncoder(spec, clip.frames, clip.size, settings.compute.channels_last)
    if spec.name != SENSORS:
        known = [SENSORS, *names(ENCODER)]
        raise HarnessError(f"no encoder of sensors {spec.name!r}.", remedy=nearest(spec.name, known))
    return SensorEncoder(sensors, spec.width, spec.blocks, spec.segments)


def clip_shape(settings: Settings) -> ClipShape:
    """What every clip is brought to, as methods and encoders get it."""
    return ClipShape(settings.input.frames, settings.input.size, settings.input.sensor_length)


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
