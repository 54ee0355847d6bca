"""Pre-trainings: each done once, recorded, kept, and given to every row that begins from it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from torch import Tensor

from mmact_oneshot.harness.api import Pretraining
from mmact_oneshot.harness.encoders.build import state_digest
from mmact_oneshot.harness.records import PretrainingRecord
from mmact_oneshot.harness.runtime import ranks
from mmact_oneshot.harness.runtime.device import peak_memory
from mmact_oneshot.harness.runtime.digests import digest
from mmact_oneshot.harness.runtime.provenance import provenance
from mmact_oneshot.harness.runtime.seeding import seeded
from mmact_oneshot.harness.training.checkpoint import load_weights, save_weights
from mmact_oneshot.harness.training.initialisation import Initialisation, Pretrained, ReleasedWeights, released_states
from mmact_oneshot.harness.training.pretraining_loop import PretrainingClips, PretrainingProgress, pretrain
from mmact_oneshot.harness.training.probe import Probe
from mmact_oneshot.harness.training.reconstruction import draw_reconstruction
from mmact_oneshot.harness.training.workspace import Workspace, training_context

States = Mapping[str, Mapping[str, Tensor]]
NOTE = "Level and contrast of each masked piece are the true ones: only what is in it was predicted."


def is_pretrained(workspace: Workspace, pretraining: Pretrained, seed: int) -> bool:
    """Whether a pre-training is done: weights and record are there."""
    identity = pretraining.id(seed)
    kept = workspace.weights("pretraining", identity).is_file()
    return kept and workspace.records.has(PretrainingRecord, identity)


def run_pretraining(workspace: Workspace, pretraining: Pretrained, seed: int) -> None:
    """Pre-train for a training with ``seed``, and keep the network, its picture and its record.

    Raises:
        DivergedError: a loss is not finite.
    """
    task, own, identity = workspace.task, pretraining.seed_for(seed), pretraining.id(seed)
    weights, budget = workspace.weights("pretraining", identity), pretraining.budget
    with seeded(own, "pretraining", pretraining.name):
        network = pretraining.build()
    clips = PretrainingClips(
        workspace.clips(pretraining.settings, network.modalities), task.role_rows(pretraining.classes)
    )
    title = f"{pretraining.name} pre-training on {' and '.join(network.modalities)}, seed {own}"
    probe = Probe(workspace, pretraining, own) if "validation" not in pretraining.classes else None
    with training_context(
        workspace, own, weights, title=title, name=f"pretraining-{identity}", budget="pretraining"
    ) as context:
        progress = pretrain(network, budget, clips, context, probe)
    ranks.from_first(lambda: _keep(workspace, pretraining, own, network, progress, clips))
    context.state_file.unlink(missing_ok=True)


def _keep(
    workspace: Workspace,
    pretraining: Pretrained,
    seed: int,
    network: Pretraining,
    progress: PretrainingProgress,
    clips: PretrainingClips,
) -> None:
    """Picture, weights and record of a finished pre-training."""
    identity, budget = pretraining.id(seed), pretraining.budget
    weights = workspace.weights("pretraining", identity)
    picture = f"{identity}.png" if budget.picture else None
    if picture:
        draw_reconstruction(
            network,
            clips.source,
            clips.rows,
            workspace.records.path(PretrainingRecord, identity).with_name(picture),
            device=workspace.device,
            seed=seed,
            title=f"{pretraining.name}, seed {seed}",
            note=NOTE,
        )
    save_weights(weights, network.state_dict(), {"pretraining": identity})
    workspace.records.write(_record(workspace, pretraining, seed, network, progress, len(clips.rows), picture))


def pretrained_states(workspace: Workspace, initialisation: Initialisation, seed: int) -> States:
    """Modality -> initial state of its transformer, for a training with ``seed``; empty from scratch.

    Raises:
        HarnessError: a file that cannot be read.
    """
    if isinstance(initialisation, ReleasedWeights):
        return released_states(initialisation.path, workspace.sensors)
    if not isinstance(initialisation, Pretrained):
        return {}
    network = initialisation.build()
    load_weights(workspace.weights("pretraining", initialisation.id(seed)), network)
    return network.states()


def _record(
    workspace: Workspace,
    pretraining: Pretrained,
    seed: int,
    network: Pretraining,
    progress: PretrainingProgress,
    clips: int,
    picture: str | None,
) -> PretrainingRecord:
    device = workspace.device
    return PretrainingRecord(
        id=pretraining.id(seed),
        method=pretraining.name,
        method_source=str(pretraining.conditions["source"]),
        modalities=network.modalities,
        network=pretraining.conditions["network"],
        seed=seed,
        conditions_digest=digest(pretraining.conditions),
        conditions=pretraining.conditions,
        classes=workspace.task.split.role(pretraining.classes),
        clips=clips,
        clips_seen=progress.steps * pretraining.budget.batch,
        steps=progress.steps,
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        losses=progress.losses,
        probes=progress.probes,
        state=state_digest(network),
        picture=picture,
        data=workspace.task.origin(),
        provenance=provenance(device.describe()),
        volatile={
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": round(progress.seconds, 2),
            "waited_for_data": round(progress.waited, 2),
            "clips_per_second": round(progress.rate, 1),
            "resumed": progress.resumed,
            "peak_memory_bytes": peak_memory(device),
        },
    )
