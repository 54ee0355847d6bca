"""Experiment: what Mu-MAE's cross-attention leaves of the differences between clips, before and after training, and how
accurate the same network is, without any more training, once each clip's own values are added to what it attends to,
or take its place.

Measured with ``spread.passed`` on episodes of the validation classes, for every row of Mu-MAE with
cross-attention that a run has trained end to end and whose weights are still there:

    python results/utd-mhad/attention.py --data ~/UTD-MHAD --preset results/utd-mhad/utd-mhad.toml --run RUN --out FILE
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor

from mmact_oneshot.harness.benchmark.plan import make_plan
from mmact_oneshot.harness.config.presets import load_settings
from mmact_oneshot.harness.config.protocols import HEADLINE
from mmact_oneshot.harness.data.task.open_task import open_task
from mmact_oneshot.harness.evaluation.features import embed_clips, encode_clips
from mmact_oneshot.harness.records import TrainingRecord
from mmact_oneshot.harness.runtime.device import choose_device
from mmact_oneshot.harness.runtime.progress import Silent
from mmact_oneshot.harness.training.checkpoint import load_weights
from mmact_oneshot.harness.training.episodic import validation_accuracy
from mmact_oneshot.harness.training.frozen_features import FrozenFeatures
from mmact_oneshot.harness.training.job import TrainingJob
from mmact_oneshot.harness.training.method_training import MethodTraining, TrainedPart
from mmact_oneshot.harness.training.workspace import Workspace
from mmact_oneshot.methods.mu_mae.fusion import CrossAttention, PriorGuidedFusion
from mmact_oneshot.methods.mu_mae.method import MuMAE
from mmact_oneshot.methods.mu_mae.spread import passed

EPISODES = 200


def measured(workspace: Workspace, jobs: Iterable[TrainingJob]) -> list[dict[str, Any]]:
    """Every trained job with such a fusion: before training and after."""
    training = MethodTraining(workspace, FrozenFeatures(workspace, {}))
    found = []
    for job in jobs:
        weights = workspace.weights("checkpoints", job.id)
        if not (workspace.records.has(TrainingRecord, job.id) and weights.is_file()):
            continue
        method, _ = training.build(job)
        assert isinstance(method, MuMAE)
        if not isinstance(method.fusion, PriorGuidedFusion):
            continue
        method.to(workspace.device.torch).eval()
        measure = partial(_on_validation, workspace, job, training, method)
        states = _states("before", method.fusion, measure)
        load_weights(weights, TrainedPart(method, job))
        states |= _states("after", method.fusion, measure)
        found.append({"row": job.title, "seed": job.seed, "training": job.id, **states})
    return found


def _states(name: str, fusion: PriorGuidedFusion, measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """A network as it is, with the values added to what is attended to, and with the values alone."""
    found = {name: measure()}
    if not fusion.residual:
        with patch.object(fusion, "residual", True):
            found[f"{name}, values added"] = measure()
    with patch.object(fusion, "residual", False), patch.object(CrossAttention, "attend", _values_alone):
        found[f"{name}, values alone"] = {"accuracy": measure()["accuracy"]}
    return found


def _values_alone(_: CrossAttention, projected: Tensor, present: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """In place of ``CrossAttention.attend``: every clip attends to itself."""
    groups, clips = projected.shape[:2]
    return projected[..., 2, :], torch.eye(clips).expand(groups, 1, clips, clips)


def _on_validation(workspace: Workspace, job: TrainingJob, training: MethodTraining, method: MuMAE) -> dict[str, Any]:
    """Accuracy on the validation suite, and what passes in its first episodes whose clips are all there."""
    device, suite = workspace.device, workspace.task.suite("val")
    rows = workspace.task.rows(suite.clips)
    encoded = encode_clips(method.encode, training.clips(job), np.unique(rows[rows >= 0]), device, job.settings.batch)
    embedded = embed_clips(method, encoded, device)
    support, query = rows[suite.draws.support].reshape(len(suite.draws.support), -1), rows[suite.draws.query]
    complete = np.flatnonzero((support >= 0).all(axis=1) & (query >= 0).all(axis=1))[:EPISODES]
    assert isinstance(method.fusion, PriorGuidedFusion)
    gathered = (embedded.gather(part[complete], device.torch) for part in (support, query))
    accuracy = validation_accuracy(method, workspace.task, training.clips(job), device)
    return {"accuracy": accuracy, "attention": passed(method.fusion, *gathered)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of recordings")
    parser.add_argument("--preset", required=True, help="of the run")
    parser.add_argument("--run", type=Path, required=True, help="folder of the run, with its checkpoints")
    parser.add_argument("--stores", type=Path, default=Path("store"), help="folder of prepared stores")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    given = parser.parse_args()
    settings = load_settings(given.preset, [])
    task = open_task(given.data, settings, stores=given.stores, watcher=Silent())
    workspace = Workspace(task, given.run, choose_device("cpu", "float32"))
    plan = make_plan(workspace, [name for name in settings.studies if name != "published"])
    jobs = [job for job in plan.jobs if issubclass(job.method, MuMAE) and job.protocol == HEADLINE]
    jobs = [job for job in jobs if job.training == "end_to_end"]
    found = {"episodes": EPISODES, "suite": "val", "rows": measured(workspace, jobs)}
    given.out.write_text(json.dumps(found, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
