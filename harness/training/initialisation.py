"""Where the transformers of a row begin: from scratch, from a pre-training of some method, or from released weights."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mmact_oneshot.harness.api import FewShotMethod, NotApplicable, Pretraining, Setup
from mmact_oneshot.harness.config.budgets import PretrainingBudget
from mmact_oneshot.harness.config.protocols import Protocol
from mmact_oneshot.harness.config.settings import Settings
from mmact_oneshot.harness.config.studies import OWN, PROLONGED, SCRATCH, Row
from mmact_oneshot.harness.data.task.task import Task
from mmact_oneshot.harness.encoders.build import clip_shape, transformer_spec
from mmact_oneshot.harness.encoders.initial_states import read_states
from mmact_oneshot.harness.encoders.weights import ARCHIVES
from mmact_oneshot.harness.plugins.methods import load_method, method_names, method_source
from mmact_oneshot.harness.plugins.registry import is_file, plugin_label
from mmact_oneshot.harness.plugins.settings import check_settings
from mmact_oneshot.harness.runtime.digests import digest, file_sha256
from mmact_oneshot.harness.runtime.errors import HarnessError, nearest
from mmact_oneshot.harness.training.conditions import Conditions, clip_conditions

WEIGHTS = (".safetensors", *ARCHIVES)


@dataclass(frozen=True)
class Scratch:
    """Values drawn at random; ``prolonged`` where the warm start goes on for as long as a pre-training would."""

    name: str = SCRATCH
    modalities: tuple[str, ...] = ()
    conditions: Conditions | None = None


@dataclass(frozen=True)
class ReleasedWeights:
    """A file of released weights.

    Attributes:
        name: of the file, wherever it lies.
        modalities: that it has a state for.
        conditions: its content.
    """

    name: str
    modalities: tuple[str, ...]
    conditions: Conditions
    path: Path


@dataclass(frozen=True)
class Pretrained:
    """A pre-training on the clips of the training classes.

    Attributes:
        name: label of the method whose network is pre-trained.
        modalities: that it has a state for.
        conditions: all that decides what is learnt, but for the seed.
        network: without values, on the meta device.
        classes: role of the training classes.
        settings: of the row: clips, store, budget.
    """

    name: str
    modalities: tuple[str, ...]
    conditions: Conditions
    method: type[FewShotMethod] = field(compare=False)
    method_settings: dict[str, Any] = field(compare=False)
    setup: Setup = field(compare=False)
    network: Pretraining = field(compare=False)
    classes: str
    settings: Settings = field(compare=False)

    @property
    def budget(self) -> PretrainingBudget:
        return self.settings.pretraining

    def seed_for(self, seed: int) -> int:
        """The seed of the pre-training from which a training with ``seed`` begins."""
        return seed if self.budget.seed is None else self.budget.seed

    def id(self, seed: int) -> str:
        """Name of its record and files; ends in a digest of everything that decides the result."""
        own = self.seed_for(seed)
        return f"{self.name}-{'-'.join(self.modalities)}-s{own}-{digest([self.conditions, own])[:8]}"

    def build(self) -> Pretraining:
        """A new network with values."""
        network = self.method.pretraining(self.setup, **self.method_settings)
        assert network is not None
        return network


Initialisation = Scratch | ReleasedWeights | Pretrained


def conditions_of(initialisation: Initialisation) -> Conditions | None:
    """As they stand among the conditions of a training."""
    if not isinstance(initialisation, Pretrained):
        return initialisation.conditions
    seed = initialisation.budget.seed
    return initialisation.conditions | {"seed": "the training's" if seed is None else seed}


def pretrains(method: type[FewShotMethod]) -> bool:
    """Whether a method declares a pre-training, and so has transformers of its own."""
    return method.pretraining.__func__ is not FewShotMethod.pretraining.__func__  # type: ignore[attr-defined]


def require_modality(initialisation: Initialisation, modalities: tuple[str, ...]) -> None:
    """Raises NotApplicable where an initialisation has no state for any modality of a row."""
    if initialisation.conditions is not None and not set(initialisation.modalities) & set(modalities):
        raise NotApplicable(f"{initialisation.name} was pre-trained on {' and '.join(initialisation.modalities)} only")


def initialisation_of(
    task: Task, row: Row, settings: Settings, protocol: Protocol, common: Conditions, method_settings: dict[str, Any]
) -> Initialisation:
    """The initialisation that a row asks for.

    Args:
        settings: of the row.
        common: see :func:`mmact_oneshot.harness.training.conditions.common_conditions`.
        method_settings: of the row's method; they shape the pre-training where it is the method's own.

    Raises:
        HarnessError: no such method or file, a method without a pre-training, or a row without a transformer.
    """
    name, method, where = row.initialisation, load_method(row.method), f"row {row.method}"
    if name == SCRATCH or (name == OWN and not pretrains(method)):
        return Scratch()
    if name == PROLONGED:
        if not method.needs.outputs:
            raise HarnessError("there is no shared encoder whose warm start could be prolonged.", where=where)
        if settings.warm_start.objective == "none":
            raise HarnessError("there is no warm start to prolong.", where=where, remedy="Set warm_start.objective.")
        return Scratch(PROLONGED)
    if settings.encoder == "default" and not pretrains(method):
        raise HarnessError(
            f"nothing in this row would begin from {name!r}.", where=where, remedy='Set encoder = "transformer".'
        )
    if name.endswith(WEIGHTS):
        path = Path(name).expanduser()
        states = released_states(path, tuple(task.store.sensors))
        return ReleasedWeights(path.name, tuple(states), {"file": file_sha256(path)}, path)
    return _pretrained(task, row, settings, protocol, common, method_settings)


def _pretrained(
    task: Task, row: Row, settings: Settings, protocol: Protocol, common: Conditions, method_settings: dict[str, Any]
) -> Initialisation:
    name, where = (row.method if row.initialisation == OWN else row.initialisation), f"row {row.method}"
    if not is_file(name) and name not in method_names():
        remedy = nearest(name, [OWN, SCRATCH, PROLONGED, *method_names()])
        raise HarnessError(f"no initialisation {name!r}.", where=where, remedy=f"{remedy} Or a file of weights.")
    method = load_method(name)
    own = method_settings if name == row.method else check_settings(method, {}, where=f"{where}, initialisation {name}")
    setup = Setup(
        tuple(modality for modality in method.needs.modalities if task.has(modality)),
        tuple(task.store.sensors),
        0,
        settings.way,
        settings.shot,
        shape=clip_shape(settings),
        transformer=transformer_spec(settings),
    )
    try:
        with torch.device("meta"):
            network = method.pretraining(setup, **own)
    except NotApplicable as reason:
        raise HarnessError(
            f"{plugin_label(name)} cannot be pre-trained: {reason}.",
            where=where,
            remedy="Change the settings that it names; those of `transformer` hold for all rows.",
        ) from reason
    if network is None:
        if row.initialisation == OWN:
            return Scratch()
        raise HarnessError(
            f"{plugin_label(name)} has no pre-training with these settings.",
            where=where,
            remedy=f'Set initialisation = "{SCRATCH}".',
        )
    conditions = {
        **{part: value for part, value in common.items() if part != "validation_suite"},
        "classes": protocol.classes,
        "method": plugin_label(name),
        "source": method_source(name),
        "network": network.describe(),
        **clip_conditions(settings),
        "budget": settings.pretraining.model_dump(exclude={"seed", "picture", "checkpoints", "probes"}),
    }
    return Pretrained(
        plugin_label(name), network.modalities, conditions, method, own, setup, network, protocol.classes, settings
    )


def released_states(path: Path, sensors: tuple[str, ...]) -> dict[str, dict[str, Tensor]]:
    """Modality -> state out of a file of released weights, read once as long as it is not changed."""
    return _read(path, sensors, path.stat().st_mtime_ns if path.is_file() else 0)


@cache
def _read(path: Path, sensors: tuple[str, ...], _modified: int) -> dict[str, dict[str, Tensor]]:
    return read_states(path, sensors)
