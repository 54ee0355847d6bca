"""Steps of a pre-training that encodes the visible tokens only, beside the same steps with all tokens encoded.

The clips of a step over its seconds are the numbers to compare; their ratio is that of the times.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from torch import Tensor

from mmact_oneshot.harness.api import Clips, ClipShape, Setup, TransformerSpec
from mmact_oneshot.harness.config.budgets import PretrainingBudget
from mmact_oneshot.harness.encoders.multimodal import MultimodalEncoder
from mmact_oneshot.harness.encoders.tokens import Split, chosen
from mmact_oneshot.harness.runtime.device import choose_device
from mmact_oneshot.harness.training.optimiser import build_pretraining_optimiser
from mmact_oneshot.harness.training.pretraining_draws import mask_draws
from mmact_oneshot.methods.mu_mae.pretraining import MaskedAutoencoding

CPU = choose_device("cpu", "float32")
SENSORS = ("acc_phone", "acc_watch", "gyro", "orientation")
SHAPE = ClipShape(frames=8, size=64, samples=64)
BUDGET = PretrainingBudget(batch=32)


def random_clips(count: int) -> Clips:
    random = torch.Generator().manual_seed(0)
    return Clips(
        torch.rand(count, SHAPE.frames, 3, SHAPE.size, SHAPE.size, generator=random),
        {name: torch.randn(count, SHAPE.samples, 3, generator=random) for name in SENSORS},
        {name: torch.ones(count, SHAPE.samples).bool() for name in SENSORS},
        {name: torch.ones(count).bool() for name in ("video", "sensors", *SENSORS)},
    )


def latent_of_all(
    encoder: MultimodalEncoder, clips: Clips, pieces: Mapping[str, Tensor], splits: Mapping[str, Split]
) -> Tensor:
    """As :meth:`MultimodalEncoder.latent`, of all tokens; the decoders get the visible ones of them."""
    counts = {name: encoder.layout.count(name) for name in encoder.layout.modalities}
    tokens = torch.cat([encoder.embed(name, pieces[name]) for name in counts], dim=1)
    latent = encoder.norm(encoder.attend(tokens, encoder.presence(clips, counts))).split(list(counts.values()), dim=1)
    return torch.cat([chosen(part, splits[name].visible) for name, part in zip(counts, latent, strict=True)], dim=1)


@pytest.mark.benchmark(group="pretraining")
@pytest.mark.parametrize("encoded", ["visible tokens", "all tokens"])
def test_steps_of_a_pretraining(benchmark: BenchmarkFixture, monkeypatch: pytest.MonkeyPatch, encoded: str) -> None:
    setup = Setup(("video", "sensors"), SENSORS, 0, 5, 1, shape=SHAPE, transformer=TransformerSpec(size="tiny"))
    network = MaskedAutoencoding(setup)
    encoder = network.autoencoder.encoder
    if encoded == "all tokens":
        monkeypatch.setattr(encoder, "latent", partial(latent_of_all, encoder))
    optimiser, _ = build_pretraining_optimiser(network, BUDGET, 100, CPU)
    clips, draws = random_clips(BUDGET.batch), mask_draws((BUDGET.batch, network.draws), 0, 0)

    def step() -> None:
        optimiser.zero_grad(set_to_none=True)
        torch.stack(list(network(clips, draws).values())).sum().backward()
        optimiser.step()

    benchmark.pedantic(step, rounds=5, warmup_rounds=1)
    if benchmark.stats is not None:
        benchmark.extra_info["clips per second"] = BUDGET.batch / benchmark.stats["median"]
