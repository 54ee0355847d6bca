"""Small Mu-MAE methods with the encoders and random clips of the conformance checks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from mmact_oneshot.harness.api import Clips, ClipShape, Features, FewShotMethod, Setup, Targets
from mmact_oneshot.harness.benchmark.conformance.bench import (
    BASE_CLASSES,
    SENSORS,
    TRANSFORMER,
    WAY,
    Bench,
    TinyEncoder,
)
from mmact_oneshot.harness.runtime.seeding import seeded
from mmact_oneshot.methods.mu_mae.method import MuMAE
from mmact_oneshot.methods.mu_mae.pretraining import MaskedAutoencoding

BOTH = ("video", "sensors")
States = Mapping[str, Mapping[str, Tensor]]


def setup(modalities: tuple[str, ...] = BOTH, **changes: Any) -> Setup:
    """Clips of 4 frames of 16 pixels and 16 samples, tokens of 2 x 8 x 8 and 4 samples; encoders of width 16."""
    encoders = {name: TinyEncoder(name, ("vector",)) for name in modalities}
    base = Setup(modalities, SENSORS, BASE_CLASSES, WAY, 1, encoders, ClipShape(4, 16, 16), TRANSFORMER)
    return replace(base, **changes)


def build(modalities: tuple[str, ...] = BOTH, *, pretrained: States | None = None, **settings: Any) -> MuMAE:
    """Always of the same initial state, in evaluation mode."""
    with seeded("test"):
        return MuMAE(setup(modalities, pretrained=pretrained or {}), **settings).eval()


def states(modalities: tuple[str, ...] = BOTH, **changes: Any) -> dict[str, dict[str, Tensor]]:
    """Of a masked autoencoder whose weights are all off their initial values."""
    with seeded("pre-trained"):
        network = MaskedAutoencoding(setup(modalities, encoders={}, **changes), video_ratio=0.5, sensor_ratio=0.5)
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.add_(0.1 * torch.randn_like(parameter))
    return network.states()


def clips(count: int, modalities: tuple[str, ...] = BOTH, seed: int = 0) -> Clips:
    return Bench(MuMAE, modalities, {}).clips(count, seed)


def episodes(
    method: FewShotMethod, batch: Clips, count: int = 2, queries: int = 3, shot: int = 1
) -> tuple[Features, Features]:
    """Support (E, way, shot, ...) of the first clips, queries (E, Q, ...) of the next ones."""
    features, supports = method.embed(method.encode(batch)), count * WAY * shot
    support = {name: value[:supports].unflatten(0, (count, WAY, shot)) for name, value in features.items()}
    query = {
        name: value[supports:][: count * queries].unflatten(0, (count, queries)) for name, value in features.items()
    }
    return support, query


@torch.no_grad()
def scores(method: FewShotMethod, batch: Clips, count: int = 2, queries: int = 3, shot: int = 1) -> Tensor:
    return method.score(*episodes(method, batch, count, queries, shot))


def targets(count: int = 2, queries: int = 3) -> Targets:
    label = torch.arange(count * queries).view(count, queries) % WAY
    classes = torch.arange(WAY).repeat(count, 1) + torch.arange(count)[:, None]
    return Targets(label, classes, classes.gather(1, label))


def learns(method: FewShotMethod, batch: Clips, steps: int = 20) -> list[float]:
    """The loss of the same two episodes at every step of AdamW."""
    method.train()
    optimiser = torch.optim.AdamW(method.parameters(), 1e-3)
    curve = []
    for _ in range(steps):
        loss = torch.stack(list(method.loss(*episodes(method, batch), targets()).values())).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        curve.append(loss.item())
    return curve
