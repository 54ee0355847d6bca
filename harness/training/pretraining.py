"""Pre-trainings: each done once, recorded, kept, and given to every row that starts from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from torch import Tensor

from harness.api import Pretraining
from harness.data.task.clip_source import ClipSource
from harness.data.task.task import Task
from harness.encoders.build import seeded, state_digest
from harness.records import PretrainingRecord, RecordFolder
from harness.runtime.device import Device, forget_peak_memory, peak_memory
from harness.runtime.progress import Watcher
from harness.runtime.provenance import provenance
from harness.training.checkpoint import load_weights, save_weights
from harness.training.conditions import digest
from harness.training.episodic import Curves
from harness.training.initialisation import Start, released_states
from harness.training.pretraining_loop import run_pretraining
from harness.training.reconstruction import draw_restoration

States = Mapping[str, Mapping[str, Tensor]]


class Pretrainer:
    """Trains, keeps and gives what transformers start from.

    Args:
        task: the data.
        folder: where trained networks are kept.
        records: where they are recorded, with their pictures.
        device: where to run.
        watcher: told what goes on.
        curves: opens a log of scalars for a named training.
        force: train again what is kept, once.
    """

    def __init__(
        self,
        task: Task,
        folder: Path,
        records: RecordFolder,
        device: Device,
        watcher: Watcher,
        curves: Callable[[str], Curves],
        force: bool = False,
    ) -> None:
        self.task, self.folder, self.records, self.device = task, folder, records, device
        self.watcher, self.curves, self.force = watcher, curves, force
        self._fresh: set[str] = set()
        self._states: dict[str, States] = {}

    def states(self, start: Start, seed: int) -> States:
        """Modality -> initial state of its transformer, for a training with ``seed``; empty from scratch.

        Raises:
            HarnessError: a file that cannot be read, or a network that does not fit the device.
        """
        if start.file is not None:
            return released_states(start.file, tuple(self.task.store.sensors))
        if start.network is None:
            return {}
        name = start.id(seed)
        if name not in self._states:
            self._states = {name: self._trained(start, seed).states()}  # one at a time: the others are on disk
        return self._states[name]

    def record_id(self, start: Start, seed: int) -> str | None:
        """The record of the pre-training that a training with ``seed`` starts from; None where there is none."""
        return None if start.network is None else start.id(seed)

    def done(self, start: Start, seed: int) -> bool:
        """Whether nothing of a pre-training is left to do."""
        name = start.id(seed)
        kept = self.path(name).is_file() and self.records.has(PretrainingRecord, name)
        return start.network is None or (kept and (not self.force or name in self._fresh))

    def path(self, name: str) -> Path:
        """Where a trained network is kept."""
        return self.folder / f"{name}.safetensors"

    def _trained(self, start: Start, seed: int) -> Pretraining:
        own, name = start.seed_for(seed), start.id(seed)
        assert start.make is not None
        method, settings, setup = start.make
        with seeded(own, "pretraining", start.name):
            network = method.pretraining(setup, **settings)
        assert network is not None
        done = self.done(start, seed)
        path = self.path(name)
        state_file = path.with_suffix(".state")
        if done:
            state_file.unlink(missing_ok=True)  # a kill between record and clean-up leaves it
            load_weights(path, network)
            return network
        if self.force:
            for old in (state_file, path):  # should it fail now, nothing of before takes its place
                old.unlink(missing_ok=True)
        self._train(network, start, own, name, state_file)
        self._fresh.add(name)
        return network.cpu()

    def _train(self, network: Pretraining, start: Start, seed: int, name: str, state_file: Path) -> None:
        settings, task = start.settings, self.task
        assert settings is not None
        budget, rows = settings.pretraining, task.role_rows(start.role)
        source = ClipSource(task.store, settings.input, network.modalities)
        forget_peak_memory(self.device)
        trained = run_pretraining(
            network.to(self.device.torch),
            budget,
            source,
            rows,
            device=self.device,
            seed=seed,
            state_file=state_file,
            title=f"{start.name} pre-training on {' and '.join(network.modalities)}, seed {seed}",
            watcher=self.watcher,
            curves=self.curves(f"pretraining-{name}"),
        )
        picture = f"{name}.png" if budget.picture else None
        if picture:
            draw_restoration(
                network,
                source,
                rows,
                self.records.path(PretrainingRecord, name).with_name(picture),
                device=self.device,
                seed=seed,
                title=f"{start.name}, seed {seed}",
                note="Level and contrast of each hidden piece are the true ones: only what is in it was predicted.",
            )
        save_weights(self.path(name), network.state_dict(), {"pretraining": name})
        assert start.protocol is not None
        self.records.write(
            PretrainingRecord(
                id=name,
                method=start.name,
                method_source=str(start.protocol["source"]),
                modalities=network.modalities,
                network=start.protocol["network"],
                seed=seed,
                digest=digest(start.protocol),
                protocol=start.protocol,
                classes=task.split.role(start.role),
                clips=len(rows),
                clips_seen=trained.steps * budget.batch,
                steps=trained.steps,
                parameters=sum(parameter.numel() for parameter in network.parameters()),
                losses=trained.losses,
                state=state_digest(network),
                picture=picture,
                data=task.origin(),
                provenance=provenance(self.device.describe()),
                volatile={
                    "date": datetime.now(UTC).isoformat(timespec="seconds"),
                    "seconds": round(trained.seconds, 2),
                    "waited_for_data": round(trained.waited, 2),
                    "clips_per_second": round(trained.rate, 1),
                    "resumed": trained.resumed,
                    "peak_memory_bytes": peak_memory(self.device),
                },
            )
        )
        state_file.unlink(missing_ok=True)
