"""The roofline: FLOPs and bytes with known answers, bounds worked out by hand, and every stage of a preset."""

from __future__ import annotations

from collections import defaultdict

import pytest
import torch
from torch import Tensor, nn

from mmact_oneshot.harness.benchmark.cost import on_paper, roofline
from mmact_oneshot.harness.benchmark.cost.counting import Count, count
from mmact_oneshot.harness.benchmark.cost.hardware import HARDWARE, Hardware, hardware_named
from mmact_oneshot.harness.benchmark.cost.networks import Network
from mmact_oneshot.harness.benchmark.cost.rates import Rates
from mmact_oneshot.harness.benchmark.cost.roofline import measured, stages
from mmact_oneshot.harness.benchmark.cost.stage import HALF, Stage, optimiser_bytes
from mmact_oneshot.harness.config.budgets import Budget, PretrainingBudget
from mmact_oneshot.harness.config.presets import load_settings
from mmact_oneshot.harness.config.settings import Settings
from mmact_oneshot.harness.config.studies import Study
from mmact_oneshot.harness.data.layouts.mmact_sensors import SENSORS
from mmact_oneshot.harness.runtime.errors import HarnessError
from tests.helpers.toys import CPU

GPU = Hardware("made up", bfloat16=1000.0, tf32=500.0, float32=100.0, memory=10.0, link=1.0)
BASE = ["transformer.size=base", "transformer.patch=16", "input.size=224", "store.short_side=258"]


def meta(module: nn.Module) -> nn.Module:
    return module.to("meta")


def test_a_linear_layer() -> None:
    layer, x = meta(nn.Linear(8, 4)), torch.empty(3, 8, device="meta")
    product = 2 * 3 * 8 * 4
    assert count(lambda: layer(x).sum(), layer) == Count(product, product, 3 * 8 * 4), "of the weight's gradient alone"
    asked = x.clone().requires_grad_()
    assert count(lambda: layer(asked).sum(), layer).backward == 2 * product


def test_a_convolution() -> None:
    layer, x = meta(nn.Conv2d(3, 8, 5, stride=2, padding=2)), torch.empty(2, 3, 16, 16, device="meta")
    found = count(lambda: layer(x).relu().sum(), layer, clips=2)
    each = 2 * 3 * 5 * 5 * 8 * 8 * 8
    assert found[:2] == (each, each)
    assert found.activations == 4 * (3 * 16 * 16 + 8 * 8 * 8), "the input, and the output that ReLU keeps"


def test_attention_counts_its_products_and_keeps_no_matrix_of_weights() -> None:
    query, key, value = (torch.empty(2, 3, 64, 16, device="meta", requires_grad=True) for _ in range(3))
    found = count(lambda: nn.functional.scaled_dot_product_attention(query, key, value).sum())
    products = 2 * 2 * (2 * 3) * 64 * 64 * 16
    assert found[:2] == (products, 2 * products)
    assert found.activations == 4 * 4 * (2 * 3 * 64 * 16)


def test_what_leaves_autocast_is_in_float32() -> None:
    layer, x = meta(nn.Linear(8, 8)), torch.empty(3, 8, device="meta")

    def run() -> Tensor:
        y: Tensor = layer(layer(layer(x)))
        with torch.autocast("meta", enabled=False):
            return layer(y).sum()

    assert count(run, layer).float32 == 0.25


def network_of(settings: Settings, label: str) -> Network:
    (found,) = (each for each in on_paper.encoders(settings) + on_paper.pretrainings(settings) if each.label == label)
    return found


def flops_of(network: Network) -> tuple[float, float]:
    built = on_paper.on_meta_device(network)
    clips = network.clips(on_paper.SENSOR_NAMES, 2).to("meta")
    return count(lambda: network.loss(built, clips), built, clips=2)[:2]


@pytest.mark.slow
def test_published_figures_of_vit_b() -> None:
    """17.6 GMACs for an image of 224 px (Dosovitskiy et al., 2021; timm's table); VideoMAE's pre-training on 16 frames,
    of whose 1,568 tokens 160 are visible, with a decoder of four blocks of width 384."""
    alone = ["video_encoder.background=keep", "video_encoder.pooling=mean", "video_encoder.arguments={}"]
    settings = load_settings("full", ["video_encoder.name=vit_base_patch16_224", *alone])
    forward, backward = flops_of(network_of(settings, "video encoder"))
    assert forward / settings.input.frames == pytest.approx(2 * 17.6e9, rel=0.01)
    assert backward == pytest.approx(2 * forward, rel=0.01)
    settings = load_settings("standard", [*BASE, "input.frames=16"])
    assert sum(flops_of(network_of(settings, "videomae pre-training"))) == pytest.approx(212e9, rel=0.05)


def test_the_bound_is_the_largest_of_three() -> None:
    stage = Stage("", "", flops=2000, flops_float32=100, memory=20, link=1)
    assert stage.bound(GPU, "bfloat16", tf32=False) == (2000 / 1000 + 100 / 100, "compute")
    assert stage.bound(GPU, "bfloat16", tf32=True).seconds == 2000 / 1000 + 100 / 500
    assert stage.bound(GPU, "float32", tf32=False).seconds == 2100 / 100
    assert Stage("", "", flops=1000, memory=20, link=1).bound(GPU, "bfloat16", False) == (2.0, "memory")
    assert Stage("", "", flops=1000, memory=20, link=4).bound(GPU, "bfloat16", False) == (4.0, "link")
    bound = stage.bound(GPU, "bfloat16", False)
    assert (bound.rate(), bound.rate(0.3)) == (pytest.approx(1 / 3), pytest.approx(0.1))
    assert Stage("", "").bound(GPU, "bfloat16", False).rate() == float("inf")


def test_peaks_fall_with_the_precision_and_a_misspelt_gpu_is_named() -> None:
    for hardware in HARDWARE.values():
        assert hardware.bfloat16 > hardware.tf32 >= hardware.float32
        assert hardware.memory > hardware.link
    with pytest.raises(HarnessError, match="Did you mean 'H100'"):
        hardware_named("H10")


def test_numbers_that_an_optimiser_moves() -> None:
    assert optimiser_bytes(10, Budget(clip=0)) == 10 * 4 * 7
    assert optimiser_bytes(10, Budget(clip=1)) == 10 * 4 * 10
    assert optimiser_bytes(10, PretrainingBudget()) == 10 * 4 * 7
    assert optimiser_bytes(10, Budget(optimiser="sgd", clip=0)) == 10 * 4 * 3
    assert optimiser_bytes(10, Budget(optimiser="sgd", momentum=0.9, clip=0)) == 10 * 4 * 5


def by_label(settings: Settings) -> dict[str, dict[str, Stage]]:
    found: dict[str, dict[str, Stage]] = defaultdict(dict)
    for stage in stages(settings):
        assert stage.label not in found[stage.group], "each once"
        found[stage.group][stage.label] = stage
    return found


@pytest.fixture(scope="module")
def quick() -> dict[str, dict[str, Stage]]:
    return by_label(load_settings("quick"))


@pytest.mark.slow
def test_every_stage_of_a_preset(quick: dict[str, dict[str, Stage]]) -> None:
    settings = load_settings("quick")
    methods = {row.method for row in settings.studies["methods"].rows}
    assert set(quick["heads, scoring"]) == methods
    assert set(quick["heads, training"]) == methods - {"random", "video_nn", "sensor_nn", "linear_probe"}
    assert {label.split(",")[0] for label in quick["encoders"]} == {"video encoder", "sensors encoder"}
    assert {label.split()[0] for label in quick["pre-training"]} == {"mu_mae", "videomae"}
    assert {label.split(",")[0] for label in quick["networks of methods"]} == {"mu_mae", "videomae"}
    copied, clip = quick["data"]["copy to the device"].link, settings.input
    sensors = len(SENSORS) * clip.sensor_length * (3 * 4 + 1)
    assert copied == 3 * clip.frames * settings.store.short_side**2 + sensors


@pytest.mark.slow
def test_encoders_that_are_frozen_make_features_that_are_read_from_main_memory(
    quick: dict[str, dict[str, Stage]],
) -> None:
    assert quick["heads, training"]["trx"].link > 0
    assert "mu_mae, forward" in quick["networks of methods"]
    rows = [{"method": name, "modalities": ["sensors"], "training": "end_to_end"} for name in ("trx", "mu_mae")]
    study = {"question": "?", "varies": ["method"], "rows": rows}
    trained = by_label(load_settings("quick").model_copy(update={"studies": {"methods": Study.model_validate(study)}}))
    assert trained["heads, training"]["trx"].link == 0
    assert "mu_mae, forward and backward" in trained["networks of methods"]


@pytest.mark.slow
def test_bytes_of_an_encoder_by_precision_and_by_the_clips_that_share_its_weights() -> None:
    def memory(*overrides: str) -> tuple[float, float]:
        settings = load_settings("quick", list(overrides))
        network = network_of(settings, "sensors encoder")
        budget = settings.warm_start
        forward, both, _ = roofline._of_network("encoders", network, budget, 60, budget.micro_batch)
        return forward.memory, both.memory

    built = on_paper.on_meta_device(network_of(load_settings("quick"), "sensors encoder"))
    weights = 4 * sum(parameter.numel() for parameter in built.parameters())
    one, many = memory("precision=float32", "batch=1"), memory("precision=float32", "batch=10000000000")
    assert one[0] - many[0] == pytest.approx(weights, rel=1e-3)
    half = memory("precision=bfloat16", "batch=10000000000")
    assert half[0] / many[0] == pytest.approx(HALF, rel=1e-3)
    small, large = memory("warm_start.micro_batch=1"), memory("warm_start.micro_batch=60")
    assert small[1] - large[1] == pytest.approx(3 * weights * (1 - 1 / 60), rel=1e-3)
    assert many[0] / 2 == pytest.approx((one[1] - 3 * weights / 60) / 5, rel=1e-3), "two passes, and five"


def test_each_network_is_timed_once_and_only_networks_are(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def rates(network: Network, *_: object) -> Rates:
        asked.append(network.key)
        return Rates(10.0, 100.0)

    monkeypatch.setattr(roofline, "measure_rates", rates)
    settings = load_settings("quick")
    network = network_of(settings, "sensors encoder")
    found = [Stage("", "", network=network), Stage("", "", network=network, trained=True), Stage("", "")]
    assert measured(found, CPU) == [100.0, 10.0, None]
    assert asked == [network.key]
