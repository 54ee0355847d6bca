"""The shared encoders: per modality and seed one, trained on the training classes by a neutral objective.

Every head of a table gets the same ones, so heads are compared and not the luck or the length of encoder training.
Where the initialisation is "fresh" (published recipes) nothing is trained: a head starts from the encoder as built.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from harness.api import Encoder, Features, FewShotMethod, Needs, Setup, encode_modality
from harness.config.settings import Settings
from harness.data.task.clip_source import ClipSource
from harness.data.task.task import Task
from harness.encoders.build import build_encoder, state_digest
from harness.encoders.initial_states import start_from
from harness.evaluation.features import FeatureTable, encode_clips
from harness.runtime.device import Device
from harness.runtime.progress import Watcher
from harness.runtime.provenance import provenance
from harness.training.checkpoint import load_weights, save_weights
from harness.training.conditions import SEARCH_SEED, Regimen, digest, encoder_protocol
from harness.training.episodic import fit
from harness.training.initialisation import Start
from harness.training.pretraining import Pretrainer


class PrototypeObjective(FewShotMethod):
    """The neutral objective: prototype loss on the encoder's own vector, without any head.

    Snell et al., NeurIPS 2017, eq. 1-2, on L2-normalised vectors with a learned scale, so that no head's projection
    or normalisation shapes the features that all of them share.
    """

    needs = Needs(outputs=("vector",))

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self.log_scale = torch.nn.Parameter(torch.tensor(10.0).log())

    def embed(self, encoded: Features) -> Features:
        (modality,) = self.setup.modalities
        return {"vector": torch.nn.functional.normalize(encoded[f"{modality}.vector"].float(), dim=-1)}

    def score(self, support: Features, query: Features) -> Tensor:
        prototypes = support["vector"].mean(dim=2)
        return -torch.cdist(query["vector"], prototypes).square() * self.log_scale.exp()


class SharedEncoders:
    """Trains, keeps and applies the shared encoders.

    Args:
        task: the data.
        folder: where trained encoders are kept.
        pretrainer: gives what transformers start from.
        device: where to run.
        watcher: told what goes on.
        curves: opens a log of scalars for a named training.
        force: train again what is kept, once.

    Attributes:
        outputs: (modality, kind of encoder, start) -> outputs that some head of the run wants; clips are encoded once
            for all of them.
    """

    def __init__(
        self,
        task: Task,
        folder: Path,
        pretrainer: Pretrainer,
        device: Device,
        watcher: Watcher,
        curves: Callable[[str], Callable[[int, dict[str, float]], None]],
        force: bool = False,
    ) -> None:
        self.task, self.folder, self.device, self.watcher, self.curves = task, folder, device, watcher, curves
        self.pretrainer, self.force = pretrainer, force
        self.outputs: dict[tuple[str, str, str], frozenset[str]] = {}
        self._fresh: set[Path] = set()
        self._tables: dict[tuple[object, ...], FeatureTable] = {}

    def trained(
        self, settings: Settings, modality: str, seed: int, regimen: Regimen, start: Start
    ) -> tuple[Encoder, dict[str, Any]]:
        """A fresh copy of the encoder that heads start from, and its record: digests, selection trace, costs.

        Args:
            start: what the encoder itself starts from, where it is a transformer.
        """
        sensors = tuple(self.task.store.sensors)
        encoder = build_encoder(modality, settings, sensors, seed)
        if settings.initialisation == "fresh":
            self._start(encoder, start, seed)
            state = state_digest(encoder)
            return encoder, {"initial_state": state, "state": state, "objective": None, "volatile": {}}
        name = self.name(settings, modality, seed, regimen, start)
        path = self.path(name)
        state_file = path.with_suffix(".state")
        if self.force and path not in self._fresh:
            path.unlink(missing_ok=True)
            state_file.unlink(missing_ok=True)
        self._fresh.add(path)
        if path.is_file():
            return encoder, load_weights(path, encoder)
        self._start(encoder, start, seed)
        initial = state_digest(encoder)
        objective = PrototypeObjective(
            Setup(
                (modality,),
                sensors,
                len(self.task.split.role(regimen.classes)),
                settings.way,
                settings.shot,
                {modality: encoder},
            )
        )
        trained = fit(
            objective,
            self.task,
            settings.encoder_training,
            regimen,
            ClipSource(self.task.store, settings.input, (modality,)),
            device=self.device,
            seed=seed,
            state_file=state_file,
            title=f"shared {modality} encoder{_from(settings, start)}, seed {seed}",
            watcher=self.watcher,
            curves=self.curves(f"encoder-{name}"),
        )
        notes = {
            "initial_state": initial,
            "state": state_digest(encoder),
            "objective": "prototype loss",
            "selection": trained.trace,
            "best_step": trained.best_step,
            "provenance": provenance(self.device.describe()),
            "volatile": {"seconds": round(trained.seconds, 2), "clips_per_second": round(trained.rate, 1)},
        }
        encoder = encoder.cpu()
        save_weights(path, encoder.state_dict(), notes)
        return encoder, notes

    def _start(self, encoder: Encoder, start: Start, seed: int) -> None:
        if start.of(encoder.modality) is not None:
            start_from(encoder, self.pretrainer.states(start, seed), start.file)

    def want(self, modalities: tuple[str, ...], settings: Settings, start: Start, outputs: tuple[str, ...]) -> None:
        """Note which outputs a head will ask for."""
        for modality in modalities:
            key = modality, settings.encoder, start.name
            self.outputs[key] = self.outputs.get(key, frozenset()).union(outputs)

    def name(self, settings: Settings, modality: str, seed: int, regimen: Regimen, start: Start) -> str:
        """What tells an encoder from all others; ends in a digest of everything that decides its state."""
        common = self.task.common_digests(self.device.precision)
        identity = encoder_protocol(settings, modality, regimen, common, start.of(modality)) | {"seed": seed}
        return f"{modality}-{regimen.name}-s{seed}-{digest(identity)[:8]}"

    def path(self, name: str) -> Path:
        """Where a trained encoder is kept."""
        return self.folder / f"{name}.safetensors"

    def features(
        self,
        settings: Settings,
        modality: str,
        seed: int,
        regimen: Regimen,
        start: Start,
        outputs: tuple[str, ...],
        role: str,
        removed: str = "",
    ) -> FeatureTable:
        """Features of all usable clips of a role, computed once for all heads and suites of a seed.

        Args:
            removed: as for :class:`harness.data.task.clip_source.ClipSource`.
        """
        known = self.outputs.get((modality, settings.encoder, start.name), frozenset())
        wanted = tuple(sorted(known.union(outputs)))
        key = (self.name(settings, modality, seed, regimen, start), seed, wanted, role, removed)
        if key not in self._tables:
            self._tables = {old: table for old, table in self._tables.items() if old[1] in {seed, SEARCH_SEED}}
            encoder, _ = self.trained(settings, modality, seed, regimen, start)
            encoder = encoder.to(self.device.torch).eval()
            rows = self.task.role_rows(role)
            without = f" without {removed}" if removed else ""
            self.watcher.begin(f"{modality} features{without}, {role} classes, seed {seed}", len(rows))
            try:
                done = 0

                def advance(count: int) -> None:
                    nonlocal done
                    done += count
                    self.watcher.advance(done)

                source = ClipSource(self.task.store, settings.input, (modality,), removed=removed)
                self._tables[key] = encode_clips(
                    lambda clips: encode_modality(encoder, clips, wanted),
                    source, rows, self.device, settings.batch, advance,
                )  # fmt: skip
            finally:
                self.watcher.end()
        return self._tables[key].only([*(f"{modality}.{name}" for name in outputs), f"{modality}.present"])


def _from(settings: Settings, start: Start) -> str:
    return f" (transformer, {start.name})" if settings.encoder == "transformer" else ""
