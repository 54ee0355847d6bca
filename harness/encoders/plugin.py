"""Encoders of somebody else: a class derived from :class:`mmact_oneshot.harness.api.Encoder`, by name or by file."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from mmact_oneshot.harness.api import ClipShape, Encoder
from mmact_oneshot.harness.plugins import registry
from mmact_oneshot.harness.plugins.kinds import ENCODER
from mmact_oneshot.harness.plugins.settings import check_settings
from mmact_oneshot.harness.runtime.errors import HarnessError


@cache
def is_plugin(name: str) -> bool:
    """Whether an encoder of this name is a plugin, and no network of ours or of timm."""
    return registry.is_file(name) or name in registry.names(ENCODER)


def plugin_encoder(
    name: str, modality: str, shape: ClipShape, sensors: tuple[str, ...], arguments: Mapping[str, Any]
) -> Encoder:
    """An encoder as its author made it, with a fresh state.

    Args:
        arguments: its settings.

    Raises:
        HarnessError: it cannot be loaded, is for another modality, does not take these settings or clips, or says
            nothing of its outputs.
    """
    made = registry.load(ENCODER, name)
    if modality_of(made, name) != modality:
        raise HarnessError(
            f"is an encoder of {made.modality}.", where=name, remedy=f"Set {_setting(made.modality)}.name to it."
        )
    settings = check_settings(made, arguments, where=f"{_setting(modality)}.arguments")
    try:
        encoder: Encoder = made(shape, sensors, **settings)
    except (TypeError, ValueError, AssertionError, RuntimeError) as error:
        raise HarnessError(
            f"cannot be built for clips of {shape} ({type(error).__name__}: {error}).",
            where=name,
            remedy="Its constructor is called as Encoder(shape, sensors, **settings).",
        ) from error
    if "vector" not in getattr(encoder, "widths", {}):
        raise HarnessError(
            "says no width of its vector.",
            where=name,
            remedy='Set self.widths = {"vector": D, ...} in its constructor.',
        )
    return encoder


def modality_of(encoder: type[Encoder], name: str) -> str:
    """The modality that an encoder says it is for.

    Raises:
        HarnessError: it says none.
    """
    modality = getattr(encoder, "modality", None)
    if modality not in ("video", "sensors"):
        raise HarnessError(
            f"is for no modality, but {modality!r}.",
            where=name,
            remedy='Write `modality = "video"`, or "sensors", in the class.',
        )
    return str(modality)


def require_no_weights(name: str, weights: str) -> None:
    """Raises HarnessError where a file of weights is named for an encoder that reads none."""
    if weights:
        raise HarnessError(
            f"{weights} is not read: an encoder of yours loads weights itself.",
            where=name,
            remedy="Leave video_encoder.weights out; give the file to a setting of the encoder.",
        )


def _setting(modality: str) -> str:
    return "video_encoder" if modality == "video" else "sensor_encoder"
