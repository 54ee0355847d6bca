"""What the transformers of a row start from: nothing, a pre-training of some method, or a file of released weights."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from harness.api import ClipShape, FewShotMethod, NotApplicable, Pretraining, Setup
from harness.config.plugins.registry import check_settings, load_method, method_label, method_names, method_source
from harness.config.settings import LONGER, SCRATCH, Row, Settings
from harness.data.task.task import Task
from harness.encoders.build import transformer_spec
from harness.encoders.initial_states import read_states
from harness.encoders.weights import ARCHIVES
from harness.runtime.errors import HarnessError, nearest
from harness.training.conditions import CODE, Regimen, digest, file_sha256

WEIGHTS = (".safetensors", *ARCHIVES)


@dataclass(frozen=True)
class Start:
    """The start of a row's transformers, but for the seed.

    Attributes:
        name: as tables show it: scratch, longer, the method that is pre-trained, or the name of a file.
        protocol: all that decides the state, but for the seed; None from scratch.
        modalities: that it has a state for.
        network: the network to pre-train, without values (on the meta device); None for a file, and from scratch.
        make: its method, settings and setup.
        role: of the classes that it is trained on.
        settings: of the row.
        seed: of the pre-training; None: the seed of the training that starts from it.
        file: of released weights.
    """

    name: str = SCRATCH
    protocol: dict[str, Any] | None = None
    modalities: tuple[str, ...] = ()
    network: Pretraining | None = field(default=None, compare=False)
    make: tuple[type[FewShotMethod], dict[str, Any], Setup] | None = field(default=None, compare=False)
    role: str = ""
    settings: Settings | None = field(default=None, compare=False)
    seed: int | None = None
    file: Path | None = None

    def seed_for(self, seed: int) -> int:
        """The seed of the pre-training from which a training with ``seed`` starts."""
        return seed if self.seed is None else self.seed

    def id(self, seed: int) -> str:
        """Name of the pre-training's record and files; ends in a digest of all that decides its result."""
        own = self.seed_for(seed)
        return f"{self.name}-{'-'.join(self.modalities)}-s{own}-{digest([self.protocol, own])[:8]}"

    @property
    def in_protocol(self) -> dict[str, Any]:
        """As it stands in the protocol of a training."""
        if self.protocol is None:
            return {}
        return {"pretraining": self.protocol | {"seed": "the training's" if self.seed is None else self.seed}}

    def of(self, modality: str) -> dict[str, Any] | None:
        """What decides the initial state of one modality's transformer, but for the seed; None from scratch."""
        return self.in_protocol if modality in self.modalities else None


def start_of(
    task: Task, row: Row, settings: Settings, regimen: Regimen, common: dict[str, str], method_settings: dict[str, Any]
) -> Start:
    """The start that a row asks for.

    Args:
        method_settings: of the row's method; they shape the pre-training where it is the method's own.

    Raises:
        HarnessError: no such method or file, a method without a pre-training, or a row in which nothing would start
            from it.
    """
    name = row.initialisation
    where = f"row {row.method}"
    if name == LONGER and not load_method(row.method).needs.outputs:
        raise HarnessError("there is no shared encoder to train longer.", where=where)
    if name in {SCRATCH, LONGER}:
        return Start(name)
    if settings.encoder == "default" and not pretrains(load_method(row.method)):
        raise HarnessError(
            f"nothing in this row would start from {name!r}.", where=where, remedy='Set encoder = "transformer".'
        )
    if name.endswith(WEIGHTS):
        path = Path(name).expanduser()
        states = released_states(path, tuple(task.store.sensors))
        return Start(path.name, {"file": file_sha256(path)}, tuple(states), file=path)
    if not name.endswith(".py") and name not in method_names():
        remedy = nearest(name, [SCRATCH, LONGER, *method_names()])
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
            f"{method_label(name)} cannot be pre-trained: {reason}.",
            where=where,
            remedy="Change the settings that it names; those of `transformer` hold for all rows.",
        ) from reason
    if network is None:
        raise HarnessError(
            f"{method_label(name)} has no pre-training with these settings.",
            where=where,
            remedy=f'Set initialisation = "{SCRATCH}".',
        )
    protocol = {
        "code": CODE,
        "data": common["data"],
        "split": common["split"],
        "precision": common["precision"],
        "classes": regimen.classes,
        "method": method_label(name),
        "source": method_source(name),
        "network": network.describe(),
        "input": settings.input.model_dump(),
        "store": settings.store.model_dump(),
        "budget": settings.pretraining.model_dump(exclude={"seed", "picture", "looks"}),
    }
    return Start(
        method_label(name),
        protocol,
        network.modalities,
        network,
        (method, own, setup),
        regimen.classes,
        settings,
        settings.pretraining.seed,
    )


def released_states(path: Path, sensors: tuple[str, ...]) -> dict[str, dict[str, Tensor]]:
    """Modality -> state out of a file of released weights, read once as long as it is not changed."""
    return _read(path, sensors, path.stat().st_mtime_ns if path.is_file() else 0)


@cache
def _read(path: Path, sensors: tuple[str, ...], _modified: int) -> dict[str, dict[str, Tensor]]:
    return read_states(path, sensors)


def pretrains(method: type[FewShotMethod]) -> bool:
    """Whether a method declares a pre-training, and so has networks of its own that may start from one."""
    return method.pretraining.__func__ is not FewShotMethod.pretraining.__func__  # type: ignore[attr-defined]


def require_modality(start: Start, modalities: tuple[str, ...]) -> None:
    """Raises NotApplicable where a start has nothing for the modalities of a row."""
    if start.protocol is not None and not set(start.modalities) & set(modalities):
        raise NotApplicable(f"the start {start.name} knows {' and '.join(start.modalities)} only")


def clip_shape(settings: Settings) -> ClipShape:
    return ClipShape(settings.input.frames, settings.input.size, settings.input.sensor_length)
