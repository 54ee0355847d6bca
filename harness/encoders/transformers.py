"""The transformers that masked autoencoders train, as encoders for any head: from settings, in a fresh state."""

from __future__ import annotations

from mmact_oneshot.harness.api import TransformerSpec
from mmact_oneshot.harness.config.specs import VideoEncoderSpec
from mmact_oneshot.harness.encoders.multimodal import initialise
from mmact_oneshot.harness.encoders.sensor_transformer import SensorTransformer
from mmact_oneshot.harness.encoders.sizes import SIZES, Size
from mmact_oneshot.harness.encoders.tokens import Layout
from mmact_oneshot.harness.encoders.video import PIXELS, VideoEncoder
from mmact_oneshot.harness.runtime.errors import HarnessError, nearest

BACKGROUNDS = ("keep", "subtract")


def video_transformer(spec: TransformerSpec, frames: int, size: int, pooled: VideoEncoderSpec) -> VideoEncoder:
    """VideoMAE's encoder with the initial state of a pre-training.

    Args:
        spec: of the transformer and of its pixels.
        frames, size: of the clips.
        pooled: says how the outputs are pooled (``pooling``, ``segments`` as far as there are steps, ``stage_side``).

    Raises:
        HarnessError: unknown names, tokens that do not cover the clip, or a single step where dynamics are asked for.
    """
    known = _size(spec)
    _covers("input.frames", frames, "tubelet", spec.tubelet)
    _covers("input.size", size, "patch", spec.patch)
    steps = frames // spec.tubelet
    if steps == 1 and pooled.pooling == "dynamics":
        raise HarnessError(
            f"video_encoder.pooling = dynamics needs steps, transformer.tubelet {spec.tubelet} leaves one.",
            remedy="Lower transformer.tubelet, raise input.frames, or set video_encoder.pooling to mean.",
        )
    changes = {
        "name": "space_time_vit",
        "arguments": {
            "patch": spec.patch,
            "tubelet": spec.tubelet,
            "width": known.width,
            "depth": known.depth,
            "heads": known.heads,
        },
        "weights": "",
        "norm": "group",  # it has no BatchNorm that this could stand for
        "pixel_norm": spec.pixel_norm,
        "background": spec.background,
        "segments": min(pooled.segments, steps),
    }
    encoder = VideoEncoder(pooled.model_copy(update=changes), frames, size)
    initialise(encoder.backbone)
    return encoder


def sensor_transformer(
    spec: TransformerSpec, sensors: tuple[str, ...], samples: int, segments: int
) -> SensorTransformer:
    """Mu-MAE's encoder of sensors with the initial state of a pre-training.

    Args:
        samples: of each sensor.
        segments: of the vector.

    Raises:
        HarnessError: unknown names, tokens that do not cover the samples, or more segments than tokens.
    """
    known = _size(spec)
    _covers("input.sensor_length", samples, "sensor_tokens", spec.sensor_tokens)
    if segments > spec.sensor_tokens:
        raise HarnessError(
            f"sensor_encoder.segments {segments} exceeds transformer.sensor_tokens {spec.sensor_tokens}.",
            remedy="Lower sensor_encoder.segments or raise transformer.sensor_tokens.",
        )
    layout = Layout(video=False, sensors=sensors, samples=samples, sensor_tokens=spec.sensor_tokens)
    return SensorTransformer(layout, known, segments)


def _size(spec: TransformerSpec) -> Size:
    for name, value, known in (
        ("size", spec.size, tuple(SIZES)),
        ("pixel_norm", spec.pixel_norm, tuple(PIXELS)),
        ("background", spec.background, BACKGROUNDS),
    ):
        if value not in known:
            raise HarnessError(f"no transformer.{name} {value!r}.", remedy=nearest(value, known))
    return SIZES[spec.size]


def _covers(whole: str, total: int, part: str, value: int) -> None:
    if value < 1 or total % value:
        fitting = ", ".join(str(each) for each in range(1, total + 1) if total % each == 0)
        raise HarnessError(
            f"{whole} {total} is not a multiple of transformer.{part} {value}.",
            remedy=f"Set transformer.{part} to one of {fitting}, or change {whole}.",
        )
