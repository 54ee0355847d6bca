"""Conditions: everything that decides what is learnt, but for the method itself and the seed, as JSON values.

Rows whose conditions agree, but for what their study varies, are ranked together. The digest of the conditions is part
of the name of every training, encoder and pre-training, so that each is found again and never mistaken for another.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmact_oneshot.harness.config.protocols import Protocol
from mmact_oneshot.harness.config.settings import Settings
from mmact_oneshot.harness.config.studies import Row
from mmact_oneshot.harness.data.task.task import Task
from mmact_oneshot.harness.encoders.plugin import is_plugin, require_no_weights
from mmact_oneshot.harness.plugins.kinds import ENCODER
from mmact_oneshot.harness.plugins.registry import load, plugin_label, source
from mmact_oneshot.harness.plugins.settings import check_settings
from mmact_oneshot.harness.runtime.digests import file_sha256

CODE = 4  # raised whenever the same settings would train, or score, something else
OWN_ENCODERS = "the method's own"
Conditions = dict[str, Any]


def common_conditions(task: Task, precision: str, tf32: bool = False) -> Conditions:
    """What every training of a run depends on, beside its settings. Without TF32 there is no word of it, so that
    trainings from before there was a choice keep their names."""
    return {
        "code": CODE,
        "data": task.data_digest,
        "split": task.split.digest,
        "validation_suite": task.suite("val").digest,
        "precision": precision,
        **({"tf32": True} if tf32 else {}),
    }


def clip_conditions(settings: Settings) -> Conditions:
    """What a network gets of a clip."""
    return {"input": settings.input.model_dump(), "store": settings.store.model_dump()}


def protocol_conditions(protocol: Protocol) -> Conditions:
    """Which classes are trained on, and which state is kept."""
    return {"classes": protocol.classes, "selection": protocol.selection}


def encoder_conditions(settings: Settings, modality: str) -> Conditions:
    """An encoder's settings, with the content of its weights in place of their path."""
    if settings.encoder == "transformer":
        pooled = settings.video_encoder if modality == "video" else settings.sensor_encoder
        return {"transformer": settings.transformer.model_dump()} | pooled.model_dump(
            include={"pooling", "segments", "stage_side"}
        )
    spec = settings.video_encoder if modality == "video" else settings.sensor_encoder
    if is_plugin(spec.name):
        require_no_weights(spec.name, getattr(spec, "weights", ""))
        return {
            "name": plugin_label(spec.name),
            "source": source(ENCODER, spec.name),
            "arguments": check_settings(load(ENCODER, spec.name), spec.arguments, spec.name),
        }
    if modality == "sensors":
        return settings.sensor_encoder.model_dump(exclude={"name", "arguments"})
    return settings.video_encoder.model_dump() | {"weights": weights_of(settings, modality).get("sha256", "")}


def training_conditions(
    settings: Settings,
    row: Row,
    protocol: Protocol,
    *,
    shared: bool,
    transformer: bool,
    initialisation: str,
    pretraining: Conditions | None,
) -> Conditions:
    """Of a row's training; :func:`common_conditions` come on top.

    Args:
        shared: whether the method works on the shared encoders, or has its own only.
        transformer: whether it has a transformer of its own.
        initialisation: of its transformers, by name.
        pretraining: what decides their initial state; None from scratch.
    """
    warm = shared and settings.warm_start.objective != "none"
    return {
        **protocol_conditions(protocol),
        **clip_conditions(settings),
        "modalities": list(row.modalities),
        "encoders": {name: encoder_conditions(settings, name) for name in row.modalities} if shared else OWN_ENCODERS,
        "transformer": settings.transformer.model_dump() if transformer else None,
        "initialisation": initialisation,
        "pretraining": pretraining,
        "warm_start": settings.warm_start.model_dump() if warm else None,
        "training": row.training,
        "training_clips": "features of unaugmented clips" if row.training == "frozen" else "augmented",
        "budget": settings.budget(row.training).model_dump(),
        "way": settings.way,
        "shot": settings.shot,
    }


def prolonged(settings: Settings, clips: int) -> Settings:
    """The settings with the warm start prolonged by as many clips as a pre-training passes.

    Args:
        clips: of the training classes.
    """
    budget = settings.warm_start
    each = budget.clips_per_step(settings.way, settings.shot)
    steps = budget.steps + -(-settings.pretraining.passes(clips) // each)
    return settings.model_copy(update={"warm_start": budget.model_copy(update={"steps": steps})})


def weights_of(settings: Settings, modality: str) -> dict[str, str]:
    """Name and SHA-256 of the file that an encoder's weights come from; empty where it has none.

    Raises:
        HarnessError: it cannot be read.
    """
    if modality != "video" or settings.encoder == "transformer" or not settings.video_encoder.weights:
        return {}
    file = Path(settings.video_encoder.weights).expanduser()
    return {"name": file.name, "sha256": file_sha256(file)}


def without_folders(content: Mapping[str, Any]) -> dict[str, Any]:
    """Settings, or a row's changes of them, as they are recorded: files by their names, wherever they lie."""
    found = dict(content)
    encoder = found.get("video_encoder")
    if isinstance(encoder, Mapping) and "weights" in encoder:
        found["video_encoder"] = {**encoder, "weights": Path(str(encoder["weights"])).name}
    if "overrides" in found:
        found["overrides"] = [_without_folder(override) for override in found["overrides"]]
    return found


def _without_folder(override: str) -> str:
    name, _, value = override.partition("=")
    names_a_file = name.rpartition(".")[2] in ("weights", "initialisation") and "/" in value
    file = Path(value.strip(" \"'")).name
    return f"{name}={file}" if names_a_file else override
