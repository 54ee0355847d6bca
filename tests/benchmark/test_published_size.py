"""Every row of preset ``published`` at the size at which its paper works, without its cost.

Encoders and pre-trainings run forward and backward on the meta device, where tensors have shapes and no values: so
networks, inputs and outputs fit together at full size, and every parameter is reached. Heads then run with values, on
features of these very shapes. What only a step at full size with values proves, and so no test here: that losses and
gradients of the large encoders are finite, and that a step fits into the memory of a device.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mmact_oneshot.harness.api import Clips, Encoder, Features, FewShotMethod, Pretraining, Setup, Targets
from mmact_oneshot.harness.benchmark.cost.memory import step_bytes
from mmact_oneshot.harness.config.presets import load_settings, row_settings
from mmact_oneshot.harness.config.settings import Settings
from mmact_oneshot.harness.config.studies import SCRATCH, Row
from mmact_oneshot.harness.encoders.backbone import on_meta
from mmact_oneshot.harness.encoders.build import build_encoder, clip_shape, clips_like, transformer_spec
from mmact_oneshot.harness.plugins.methods import load_method
from mmact_oneshot.harness.plugins.settings import check_settings
from mmact_oneshot.harness.runtime.seeding import seeded
from mmact_oneshot.harness.training.batches import EpisodeBatch
from mmact_oneshot.harness.training.initialisation import pretrains
from tests.helpers.toys import CPU

pytestmark = pytest.mark.slow  # networks of the papers' sizes

Network = TypeVar("Network", bound=nn.Module)
SENSORS = ("acc_phone", "acc_watch", "gyro", "orientation")
WAY, EPISODES, BASE_CLASSES = 5, 2, 18
PUBLISHED = load_settings("published")
ROWS = [row for row in PUBLISHED.studies["published"].rows if row.method != "random"]
PRETRAINED = [row for row in ROWS if pretrains(load_method(row.method)) and not row.settings.get("as_released")]


def named(row: Row) -> str:
    return f"{row.method} {row.settings}" if row.settings else row.method


def bare(row: Row, settings: Settings) -> Setup:
    shape, spec = clip_shape(settings), transformer_spec(settings)
    return Setup(row.modalities, SENSORS, BASE_CLASSES, WAY, 1, shape=shape, transformer=spec)


def built(row: Row, settings: Settings) -> FewShotMethod:
    """With values, but for shared encoders that are trained: these are large."""
    kind = load_method(row.method)
    encoders: dict[str, Encoder] = {}
    with seeded("published size"):
        for modality in row.modalities if kind.needs.outputs else ():
            with torch.device("cpu" if row.training == "frozen" else "meta"):
                encoders[modality] = build_encoder(modality, settings, SENSORS, 0)
            encoders[modality].requires_grad_(row.training == "end_to_end")
        setup = replace(bare(row, settings), encoders=encoders)
        return kind(setup, **check_settings(kind, row.settings, where="published")).train()


def twin_of(network: Network) -> Network:
    """On the meta device, in training mode, trained where the network is."""
    twin = on_meta(network).train()
    for mine, others in zip(twin.parameters(), network.parameters(), strict=True):
        mine.requires_grad_(others.requires_grad)
    return twin


def shapes(method: FewShotMethod, row: Row, settings: Settings) -> Features:
    """What the method encodes of two clips, on the meta device; all that it passes through is reached by a gradient."""
    twin = twin_of(method)
    clips = clips_like(settings, row.modalities, SENSORS, 2).to("meta")
    encoded: Features = twin.encode(clips)
    if row.training == "end_to_end":
        leaves = [leaf.float().sum() for leaf in encoded.values() if leaf.is_floating_point()]
        torch.stack(leaves).sum().backward()
        for network in (*twin.encoders.values(), *twin.own_encoders()):
            missed = [name for name, value in network.named_parameters() if value.requires_grad and value.grad is None]
            assert not missed
    return encoded


def like(encoded: Features, count: int) -> Features:
    """Noise of the features' shapes, for so many clips; a gradient reaches it, as some heads have no parameters."""
    random = torch.Generator().manual_seed(0)

    def leaf(value: Tensor) -> Tensor:
        if not value.is_floating_point():
            return torch.ones((count, *value.shape[1:]), dtype=value.dtype)
        return torch.randn((count, *value.shape[1:]), generator=random, requires_grad=True)

    return {name: leaf(value) for name, value in encoded.items()}


@pytest.mark.parametrize("row", ROWS, ids=named)
def test_every_published_row_fits_together_at_its_size(row: Row) -> None:
    settings = row_settings(PUBLISHED, row)
    method = built(row, settings)
    encoded = shapes(method, row, settings)
    label = torch.arange(WAY).repeat(EPISODES, 1)
    batch = EpisodeBatch(np.arange(0), (EPISODES, WAY, 1), (EPISODES, WAY), Targets(label, label, label))
    support, query = batch.split(method.embed(like(encoded, 2 * EPISODES * WAY)))
    terms = method.loss(support, query, batch.targets)
    assert all(term.ndim == 0 and term.isfinite() for term in terms.values())
    torch.stack([term.float() for term in terms.values()]).sum().backward()
    large = [*method.encoders.values(), *method.own_encoders()]
    encoders = {id(value) for network in large for value in network.parameters()}
    head = [value.grad for value in method.parameters() if id(value) not in encoders and value.requires_grad]
    assert all(gradient is not None and gradient.isfinite().all() for gradient in head)
    with torch.no_grad():
        scores = method.eval().score(support, query)
    assert scores.shape == (EPISODES, WAY, WAY)


@pytest.mark.parametrize("row", PRETRAINED, ids=named)
def test_every_published_pretraining_fits_together_at_its_size(row: Row) -> None:
    settings, kind = row_settings(PUBLISHED, row), load_method(row.method)
    assert row.initialisation != SCRATCH
    with torch.device("meta"):
        network = kind.pretraining(bare(row, settings), **check_settings(kind, row.settings, where="published"))
    assert network is not None
    network = twin_of(network)
    assert sum(value.numel() for value in network.parameters()) > 90e6, "ViT-B and its decoders"
    clips = clips_like(settings, network.modalities, SENSORS, 2)

    def loss(network: Pretraining, clips: Clips) -> Tensor:
        draws = torch.empty(len(clips), network.draws, device="meta")
        return torch.stack(list(network(clips, draws).values())).sum()

    total = loss(network, clips.to("meta"))
    assert total.shape == ()
    total.backward()
    assert [name for name, value in network.named_parameters() if value.grad is None] == []
    needed = step_bytes(network, loss, clips, settings.pretraining.batch, CPU)
    assert needed > 16 * 90e6 + settings.pretraining.batch * 1e6, "the check of memory works at this size"


def test_the_papers_encoders_are_those_that_are_built() -> None:
    def parameters(number: int) -> float:
        row = ROWS[number]
        with torch.device("meta"):
            network: nn.Module = build_encoder("video", row_settings(PUBLISHED, row), SENSORS, 0)
        return sum(value.numel() for value in network.parameters()) / 1e6

    sizes = {named(row): parameters(number) for number, row in enumerate(ROWS) if row.method != "videomae"}
    assert sizes["mastaf {'normalise': False}"] == pytest.approx(46.2, abs=0.2), "3-D ResNet-50"
    assert sizes["protonet"] == pytest.approx(11.2, abs=0.2), "ResNet-18 without its classifier"
    assert sizes["mu_mae {'hidden': 16}"] == pytest.approx(121, abs=2), "divided space-time attention, ViT-B"
    (trx,) = [size for name, size in sizes.items() if name.startswith("trx")]
    assert trx == pytest.approx(23.5, abs=0.1), "ResNet-50 without its classifier"
