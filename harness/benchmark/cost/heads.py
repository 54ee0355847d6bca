"""What the heads of methods cost on paper: training on episodes and scoring them."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

import numpy as np
import torch
from torch import Tensor

from mmact_oneshot.harness.api import Features, FewShotMethod, Targets
from mmact_oneshot.harness.benchmark.cost import on_paper
from mmact_oneshot.harness.benchmark.cost.counting import count, without_autocast
from mmact_oneshot.harness.benchmark.cost.stage import (
    FLOAT,
    FORWARD,
    TRAINING,
    Stage,
    on_cuda,
    optimiser_bytes,
    parameters,
    scaled,
)
from mmact_oneshot.harness.config.settings import Settings
from mmact_oneshot.harness.config.studies import Row
from mmact_oneshot.harness.data.episodes.suites import HEADLINE, suite_spec
from mmact_oneshot.harness.encoders.build import clips_like
from mmact_oneshot.harness.training.batches import EpisodeBatch

META = torch.device("meta")


def head_stages(settings: Settings) -> Iterator[Stage]:
    """Of every method of the study of methods: networks of its own for a clip, its head in training for an episode,
    and the scores of an episode of the headline suite."""
    for row, own, method in on_paper.methods(settings):
        yield from _own_networks(row, own, method)
        if any(parameter.requires_grad for parameter in method.parameters()):
            yield _training(row, own, method)
        yield _scoring(row, own, method)


def _own_networks(row: Row, settings: Settings, method: FewShotMethod) -> Iterator[Stage]:
    """What a method computes from the clips beside the shared encoders."""
    networks = method.own_encoders()
    if not networks:
        return
    clips = clips_like(settings, row.modalities, on_paper.SENSOR_NAMES, 2).to(META)
    found = count(lambda: _total(method.encode_own(clips)), *networks, clips=len(clips))
    precision, trained = on_cuda(settings.precision), row.training == "end_to_end"
    budget = settings.budget(row.training)
    at_once = budget.micro_batch or budget.clips_per_step(settings.way, settings.shot)
    passes = TRAINING if trained else FORWARD
    yield Stage(
        "networks of methods",
        f"{row.method}, {'forward and backward' if trained else 'forward'}",
        flops=found.forward + trained * found.backward,
        memory=passes * scaled(found.activations, precision)
        + FLOAT * (3 if trained else 1) * parameters(*networks) / at_once,
    )


def _training(row: Row, settings: Settings, method: FewShotMethod) -> Stage:
    """Embedding and loss of an episode, forward and backward, and the head's part of the optimiser's step."""
    budget, precision = settings.budget(row.training), on_cuda(settings.precision)
    batch = _episode(settings.way, settings.shot, settings.way * budget.queries)
    frozen = row.training == "frozen"
    encoded = _leaves(_encoded(method, row, settings, len(batch.rows)), needed=not frozen)
    embedding = count(lambda: _total(method.embed(encoded)), method)
    with without_autocast():
        embedded = _leaves(method.embed(encoded), needed=True)

    def loss() -> Tensor:
        return torch.stack([term.float() for term in method.loss(*batch.split(embedded), batch.targets).values()]).sum()

    losses = count(loss, method)
    head = parameters(method, trained=True) - parameters(method.encoders, *method.own_encoders(), trained=True)
    state = 3 * FLOAT * head + optimiser_bytes(head, budget)
    return Stage(
        "heads, training",
        row.method,
        "episode",
        len(batch.rows),
        flops=(1 - embedding.float32) * (embedding.forward + embedding.backward),
        flops_float32=embedding.float32 * (embedding.forward + embedding.backward) + losses.forward + losses.backward,
        memory=TRAINING * (scaled(embedding.activations, precision) + losses.activations)
        + state / budget.episodes_per_step,
        link=_bytes(encoded) / 2 if frozen else 0.0,  # kept in half precision
    )


def _scoring(row: Row, settings: Settings, method: FewShotMethod) -> Stage:
    """The scores of an episode from embedded clips, which are kept in main memory in float32."""
    spec = suite_spec(HEADLINE)
    batch = _episode(spec.way, spec.shot, spec.queries_per_episode)
    with torch.no_grad(), without_autocast():
        embedded = _leaves(method.embed(_encoded(method, row, settings, len(batch.rows))), needed=True)
    found = count(lambda: method.score(*batch.split(embedded)).float().sum(), method)
    return Stage(
        "heads, scoring",
        row.method,
        "episode",
        len(batch.rows),
        flops_float32=found.forward,
        memory=FORWARD * found.activations + _bytes(embedded),
        link=_bytes(embedded),
    )


def _episode(way: int, shot: int, queries: int) -> EpisodeBatch:
    """One episode, without values."""
    label = torch.zeros(1, queries, dtype=torch.long, device=META)
    targets = Targets(label, torch.zeros(1, way, dtype=torch.long, device=META), label)
    return EpisodeBatch(np.arange(way * shot + queries), (1, way, shot), (1, queries), targets)


def _encoded(method: FewShotMethod, row: Row, settings: Settings, clips: int) -> Features:
    given = clips_like(settings, row.modalities, on_paper.SENSOR_NAMES, clips).to(META)
    with torch.no_grad(), without_autocast():
        return method.encode(given)


def _leaves(features: Features, needed: bool) -> Features:
    """Features as a computation begins with them, of which it needs the gradients or not."""
    return {
        name: value.detach().requires_grad_(needed and value.is_floating_point()) for name, value in features.items()
    }


def _total(features: Features) -> Tensor:
    """Something to differentiate."""
    return torch.stack([value.float().sum() for value in features.values() if value.is_floating_point()]).sum()


def _bytes(features: Features) -> int:
    return sum(value.element_size() * prod(value.shape) for value in features.values())
