"""The warm start: shared encoders, one for each modality and seed, trained on the base classes before any head.

Every head of a study begins from the same ones, so that heads are compared and not the luck or the length of encoder
training. With the objective "none" nothing is trained: a head begins from the encoder as built.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from mmact_oneshot.harness.api import Encoder, Setup
from mmact_oneshot.harness.config.protocols import Protocol
from mmact_oneshot.harness.config.settings import Settings
from mmact_oneshot.harness.encoders.build import build_encoder, state_digest
from mmact_oneshot.harness.encoders.initial_states import start_from
from mmact_oneshot.harness.runtime import ranks
from mmact_oneshot.harness.runtime.digests import digest
from mmact_oneshot.harness.runtime.provenance import provenance
from mmact_oneshot.harness.training.checkpoint import load_weights, save_weights
from mmact_oneshot.harness.training.conditions import (
    Conditions,
    clip_conditions,
    encoder_conditions,
    protocol_conditions,
)
from mmact_oneshot.harness.training.episodic import train_on_task
from mmact_oneshot.harness.training.initialisation import Initialisation, ReleasedWeights, conditions_of
from mmact_oneshot.harness.training.objectives import OBJECTIVES
from mmact_oneshot.harness.training.pretraining import pretrained_states
from mmact_oneshot.harness.training.workspace import Workspace, training_context

ENCODERS_KEPT = 4
"""Encoders that are held to be copied: those of the seed in hand and of the search's."""


@dataclass(frozen=True)
class EncoderKey:
    """What tells a shared encoder from all others.

    Attributes:
        settings: of the row.
        initialisation: of its transformer; scratch for networks of other kinds, which have no pre-training.
        common: see :func:`mmact_oneshot.harness.training.conditions.common_conditions`.
    """

    modality: str
    settings: Settings
    protocol: Protocol
    initialisation: Initialisation
    seed: int
    common: Conditions

    @cached_property
    def conditions(self) -> Conditions:
        """What decides its state before any head is trained on it, but for the seed."""
        settings, warm = self.settings, self.settings.warm_start.objective != "none"
        return {
            **self.common,
            **protocol_conditions(self.protocol),
            **clip_conditions(settings),
            "modality": self.modality,
            "encoder": encoder_conditions(settings, self.modality),
            "initialisation": conditions_of(self.initialisation) if self.pretrained else None,
            "warm_start": settings.warm_start.model_dump() if warm else None,
            "way": settings.way,
            "shot": settings.shot,
        }

    @cached_property
    def id(self) -> str:
        """File name; ends in a digest of everything that decides its state."""
        return f"{self.modality}-{self.protocol.name}-s{self.seed}-{digest([self.conditions, self.seed])[:8]}"

    @property
    def pretrained(self) -> bool:
        """Whether its transformer begins from more than random values."""
        return self.modality in self.initialisation.modalities

    @property
    def warm(self) -> bool:
        """Whether it has a warm start."""
        return self.settings.warm_start.objective != "none"

    @property
    def title(self) -> str:
        """For a reader who follows the run."""
        kind = f" (transformer, {self.initialisation.name})" if self.settings.encoder == "transformer" else ""
        return f"{self.modality} encoder{kind}"


def is_warm_started(workspace: Workspace, key: EncoderKey) -> bool:
    """Whether a warm start is done, or there is none to do."""
    return not key.warm or workspace.weights("encoders", key.id).is_file()


def run_warm_start(workspace: Workspace, key: EncoderKey) -> None:
    """Train a shared encoder, and keep it with its notes.

    Raises:
        DivergedError: a loss or a score is not finite.
    """
    task, settings, weights = workspace.task, key.settings, workspace.weights("encoders", key.id)
    encoder = _initial_encoder(workspace, key)
    initial = state_digest(encoder)
    classes = len(task.split.role(key.protocol.classes))
    setup = Setup((key.modality,), workspace.sensors, classes, settings.way, settings.shot, {key.modality: encoder})
    title = f"warm start of the {key.title}, seed {key.seed}"
    with training_context(
        workspace, key.seed, weights, title=title, name=f"encoder-{key.id}", budget="warm_start"
    ) as context:
        trained = train_on_task(
            OBJECTIVES[settings.warm_start.objective](setup),
            task,
            settings.warm_start,
            key.protocol,
            workspace.clips(settings, (key.modality,)),
            context,
        )
    notes = {
        "initial_state": initial,
        "state": state_digest(encoder),
        "objective": settings.warm_start.objective,
        "validations": trained.validations,
        "best_step": trained.best_step,
        "provenance": provenance(workspace.device.describe()),
        "volatile": {
            "seconds": round(trained.seconds, 2),
            "clips_per_second": round(trained.rate, 1),
            "micro_batch_halvings": trained.halvings,
        },
    }

    def keep() -> None:
        save_weights(weights, encoder.cpu().state_dict(), notes)
        context.state_file.unlink(missing_ok=True)

    ranks.from_first(keep)


def warm_started_encoder(workspace: Workspace, key: EncoderKey) -> tuple[Encoder, dict[str, Any]]:
    """A new copy of the encoder that heads begin from, and its notes: digests, validations, times."""
    kept = workspace.encoders
    if key.id not in kept:
        while len(kept) >= ENCODERS_KEPT:
            del kept[next(iter(kept))]
        kept[key.id] = _first_copy(workspace, key)
    encoder, notes = kept[key.id]
    return copy.deepcopy(encoder), copy.deepcopy(notes)


def _first_copy(workspace: Workspace, key: EncoderKey) -> tuple[Encoder, dict[str, Any]]:
    if not key.warm:
        encoder = _initial_encoder(workspace, key)
        state = state_digest(encoder)
        return encoder, {"initial_state": state, "state": state, "objective": None, "volatile": {}}
    encoder = build_encoder(key.modality, key.settings, workspace.sensors, key.seed)
    weights = workspace.weights("encoders", key.id)
    notes = load_weights(weights, encoder)
    weights.with_suffix(".state").unlink(missing_ok=True)  # the run may have been cut off just before
    return encoder, notes


def _initial_encoder(workspace: Workspace, key: EncoderKey) -> Encoder:
    encoder = build_encoder(key.modality, key.settings, workspace.sensors, key.seed)
    if key.pretrained:
        where = key.initialisation.path if isinstance(key.initialisation, ReleasedWeights) else None
        start_from(encoder, pretrained_states(workspace, key.initialisation, key.seed), where)
    return encoder
