"""One training step of every method and recipe, by one process or by several that share it; what came of it in a file.

As ``python -m tests.helpers.rank_steps FILE [REVERSED]``, alone or under ``torchrun``. Into the second file goes what
the same episodes in the opposite order leave: how much rounding alone changes. A fifth of the clips lack their
video, and a fifth of the performances a sensor.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from mmact_oneshot.harness.api import FewShotMethod, NotApplicable, Setup
from mmact_oneshot.harness.benchmark.plan import make_plan
from mmact_oneshot.harness.config.budgets import Budget, PretrainingBudget
from mmact_oneshot.harness.data.episodes.sampling import Draws, EpisodeSampler
from mmact_oneshot.harness.data.store import Store
from mmact_oneshot.harness.data.task.clip_source import ClipSource
from mmact_oneshot.harness.data.task.task import Task
from mmact_oneshot.harness.encoders.build import build_encoder
from mmact_oneshot.harness.plugins.methods import load_method
from mmact_oneshot.harness.runtime import ranks
from mmact_oneshot.harness.training.batches import episode_batch
from mmact_oneshot.harness.training.frozen_features import FrozenFeatures
from mmact_oneshot.harness.training.loop import Stepper
from mmact_oneshot.harness.training.method_training import MethodTraining
from mmact_oneshot.harness.training.objectives import OBJECTIVES
from mmact_oneshot.harness.training.optimiser import build_pretraining_optimiser
from mmact_oneshot.harness.training.pretraining_draws import mask_draws
from mmact_oneshot.harness.training.pretraining_loop import pretraining_step
from tests.helpers.pretrainings import autoencoding
from tests.helpers.toy_runs import study, workspace
from tests.helpers.toys import CPU, toy_store, toy_task

BOTH = ("video", "sensors")
_DRAW_RANGE = EpisodeSampler.draw_range
METHODS = (
    "protonet", "matching_net", "meta_baseline", "linear_probe", "trx", "can", "mastaf", "otam", "hyrsm", "strm",
    "cnaps", "mu_mae", "videomae",
)  # fmt: skip
BUDGET = Budget(steps=6, validations=3, episodes_per_step=4, queries=2, warmup=0)


def main(file: str, of_reversed: str = "") -> None:
    torch.set_num_threads(1)
    with ranks.joined():
        _save(file)
        if of_reversed:
            EpisodeSampler.draw_range = _reversed  # type: ignore[method-assign, assignment]
            _save(of_reversed)


def _save(file: str) -> None:
    found: dict[str, Tensor] = {}
    for name, terms, module in _steps(_task()):
        for term, value in ranks.average(terms).items():
            found[f"{name}: {term}"] = value.detach().clone()
        for part, parameter in module.named_parameters():
            if parameter.grad is not None:
                found[f"{name}: gradient of {part}"] = parameter.grad.clone()
        for part, buffer in module.named_buffers():
            found[f"{name}: {part}"] = buffer.clone()
    if ranks.is_first():
        save_file({name: value.contiguous() for name, value in found.items()}, file)


def _steps(task: Task) -> Iterator[tuple[str, dict[str, Tensor], nn.Module]]:
    for name in METHODS:
        yield name, *_of_method(task, name)
    for name in ("prototype", "classification"):
        encoders = {"video": build_encoder("video", task.settings, tuple(task.store.sensors), 0)}
        setup = Setup(("video",), tuple(task.store.sensors), 6, 5, 1, encoders)
        with torch.random.fork_rng():
            torch.manual_seed(0)
            method = OBJECTIVES[name](setup)
        yield f"warm start: {name}", _taken(task, method, ("video",)), method
    for modalities in (BOTH, ("video",)):
        network = autoencoding(task, *modalities).train()
        budget = PretrainingBudget(batch=16)
        optimiser, _ = build_pretraining_optimiser(network, budget, 10, CPU)
        own = ranks.share(budget.batch, "batch")
        rows = task.role_rows("base")[: budget.batch][own]
        loaded = ClipSource(task.store, task.settings.input, modalities).load(rows, (0, 0))
        draws = mask_draws((budget.batch, network.draws), 0, 0)[own]
        terms = pretraining_step(network, loaded, draws, budget, CPU, optimiser)
        yield f"pre-training on {'+'.join(modalities)}", terms, network


def _of_method(task: Task, name: str) -> tuple[dict[str, Tensor], FewShotMethod]:
    modalities = load_method(name).needs.modalities
    with TemporaryDirectory() as folder:
        place = workspace(Path(folder), task)
        plan = make_plan(place, [name])
        training = MethodTraining(place, FrozenFeatures(place, {}))
        (job,) = plan.jobs
        try:
            method, _ = training.build(job)
        except NotApplicable as reason:
            raise AssertionError(f"{name}: {reason}") from reason
    return _taken(task, method, modalities), method


def _taken(task: Task, method: FewShotMethod, modalities: tuple[str, ...]) -> dict[str, Tensor]:
    for each in method.modules():
        if isinstance(each, nn.Dropout):  # each rank draws its own
            each.p = 0.0
    sampler, rows = task.training_sampler(0, BUDGET.queries, "base")
    count = BUDGET.episodes_per_step
    batch = episode_batch(sampler, rows, 0, count, CPU.torch, ranks.share(count, "episodes_per_step"))
    loaded = ClipSource(task.store, task.settings.input, modalities).load(batch.rows, (0, 0))
    return Stepper.of(method, BUDGET, CPU, 0).take(0, batch, loaded)


def _task() -> Task:
    rows = {
        name: study([{
            "method": name, "modalities": load_method(name).needs.modalities, "training": "end_to_end",
            "initialisation": "scratch",
        }], name)[name]
        for name in METHODS
    }  # fmt: skip
    end_to_end, warm_start = BUDGET.model_dump(), {"objective": "none"}
    clips = {"frames": 4, "size": 12, "sensor_length": 16}  # TRX needs three steps in time
    return toy_task(_incomplete(toy_store()), studies=rows, end_to_end=end_to_end, warm_start=warm_start, input=clips)


def _reversed(sampler: EpisodeSampler, first: int, count: int) -> Draws:
    drawn = _DRAW_RANGE(sampler, first, count)
    parts = (np.ascontiguousarray(part[::-1]) for part in (drawn.classes, drawn.support, drawn.query, drawn.label))
    return Draws(*parts)


def _incomplete(store: Store) -> Store:
    random = np.random.default_rng(1)
    for measured in store.measured.values():
        measured[random.random(len(measured)) < 0.2] = False
    return replace(store, clips=store.clips.assign(video=random.random(len(store.clips)) > 0.2))


if __name__ == "__main__":
    main(*sys.argv[1:])
