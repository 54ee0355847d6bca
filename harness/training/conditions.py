"""The digests that decide which rows may be compared, and what goes into them.

* *evaluation*: data, split, suite, way, shot, queries. Rows of one table must agree in it.
* *training*: classes seen, encoders, initialisation, input, budget, selection, regime. A ranking requires it too.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from harness.config.settings import LONGER, SCRATCH, Row, Settings


def digest(content: object) -> str:
    """SHA-256 of a JSON value, independent of the order of keys."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def evaluation_digest(data: str, split: str, suite: str) -> str:
    """Digest of what a row was tested on; a suite's digest covers way, shot, queries and every drawn clip."""
    return digest({"data": data, "split": split, "suite": suite})


@dataclass(frozen=True)
class Regimen:
    """Which classes are trained on and which state is kept."""

    name: str
    classes: str
    selection: str


HEADLINE_REGIMEN = Regimen("headline", "base", "best accuracy on the val suite, ties to the earliest")
PAPER_REGIMEN = Regimen("paper", "base+validation", "last state")


def regimen_of(suite: str) -> Regimen:
    """The paper suite is trained as the released Mu-MAE code is; every other suite shares one training."""
    return PAPER_REGIMEN if suite == "test-paper" else HEADLINE_REGIMEN


SEARCH_SEED = 0  # learning rates are searched with it, whatever the seeds of a run, so that more seeds change nothing
CODE = 3  # raised whenever the same settings would train to, or score, something else


INITIALISATIONS = {
    "shared": "shared encoders, trained with prototype loss",
    "fresh": "each encoder's own initial state, or the weights it names",
}


def encoder_protocol(
    settings: Settings, modality: str, regimen: Regimen, common: dict[str, str], start: dict[str, Any] | None = None
) -> dict[str, Any]:
    """What decides the state of an encoder before any head is trained on it, but for the seed.

    Args:
        common: digests of data, split and val suite, and the precision.
        start: the pre-training or the file that it starts from; None from scratch.
    """
    return {
        "code": CODE,
        **common,
        "classes": regimen.classes,
        "selection": regimen.selection,
        "modality": modality,
        "encoder": _encoder(settings, modality),
        "initialisation": settings.initialisation,
        "input": settings.input.model_dump(),
        "store": settings.store.model_dump(),
        "budget": settings.encoder_training.model_dump() if settings.initialisation == "shared" else None,
        "way": settings.way,
        "shot": settings.shot,
        **(start or {}),
    }


def training_protocol(
    settings: Settings,
    row: Row,
    regimen: Regimen,
    common: dict[str, str],
    *,
    shared: bool,
    start: dict[str, Any] | None = None,
    own_transformer: bool = False,
) -> dict[str, Any]:
    """What must be equal for a matched ranking: everything about training but the method itself and the seed.

    Args:
        common: digests of data, split and val suite, and the precision.
        shared: whether the method works on the shared encoders, or has its own from scratch.
        start: the pre-training or the file that transformers start from; empty or None from scratch.
        own_transformer: the method has one, which nothing else here describes.
    """
    initialisation = INITIALISATIONS[settings.initialisation] if shared else "from scratch"
    if row.initialisation != SCRATCH:
        name = Path(row.initialisation).name
        own = f"the method's own transformer started from {name}"
        if settings.encoder == "transformer":
            own = f"transformer started from {name}"
        if row.initialisation == LONGER:
            own = "trained for as many more clips as a pre-training passes"
        initialisation = f"{initialisation}; {own}" if shared else own
    return {
        "code": CODE,
        "recipe": settings.recipe,
        **common,
        "classes": regimen.classes,
        "selection": regimen.selection,
        "input": settings.input.model_dump(),
        "store": settings.store.model_dump(),
        "modalities": list(row.modalities),
        "encoders": {name: _encoder(settings, name) for name in row.modalities} if shared else "the method's own",
        "initialisation": initialisation,
        "encoder_training": settings.encoder_training.model_dump()
        if shared and settings.initialisation == "shared"
        else None,
        "regime": row.regime,
        "training_clips": "features of the fixed rule" if row.regime == "frozen" else "augmented",
        "training": settings.budget(row.regime).model_dump(),
        "way": settings.way,
        "shot": settings.shot,
        **({"transformer": settings.transformer.model_dump()} if own_transformer else {}),
        **(start or {}),
    }


def weights_of(settings: Settings, modality: str) -> dict[str, str]:
    """Name and SHA-256 of the file that an encoder's weights come from; empty where it has none.

    Raises:
        HarnessError: it cannot be read.
    """
    if modality != "video" or settings.encoder == "transformer" or not settings.video_encoder.weights:
        return {}
    file = Path(settings.video_encoder.weights).expanduser()
    return {"name": file.name, "sha256": file_sha256(file)}


def _encoder(settings: Settings, modality: str) -> dict[str, Any]:
    """An encoder's settings, with the content of its weights in place of their path."""
    if settings.encoder == "transformer":
        read = settings.video_encoder if modality == "video" else settings.sensor_encoder
        pooled = read.model_dump(include={"pooling", "segments", "stage_side"})
        return {"transformer": settings.transformer.model_dump()} | pooled
    if modality == "sensors":
        return settings.sensor_encoder.model_dump()
    return settings.video_encoder.model_dump() | {"weights": weights_of(settings, modality).get("sha256", "")}


def file_sha256(file: Path) -> str:
    """SHA-256 of a file of weights, read once as long as it is not changed.

    Raises:
        HarnessError: it cannot be read.
    """
    return _sha256(file, file.stat().st_mtime_ns if file.is_file() else 0)


@cache
def _sha256(file: Path, _modified: int) -> str:
    from harness.encoders.weights import weights_digest  # here, because the data side reads settings without torch

    return weights_digest(file)
