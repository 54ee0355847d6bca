"""The pre-training as the harness uses it: losses, states to begin from, and pictures of what it reconstructs."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from mmact_oneshot.baselines.videomae import VideoMAE
from mmact_oneshot.harness.api import Clips, NotApplicable, Setup
from mmact_oneshot.harness.benchmark.conformance.bench import SENSORS, without
from mmact_oneshot.harness.encoders.sizes import SIZES
from mmact_oneshot.harness.encoders.space_time_vit import SpaceTimeViT
from mmact_oneshot.harness.encoders.tokens import cubes, sensor_pieces
from mmact_oneshot.harness.encoders.videomae_names import videomae_names
from mmact_oneshot.harness.runtime.seeding import seeded
from mmact_oneshot.methods.mu_mae.autoencoder import Reconstruction
from mmact_oneshot.methods.mu_mae.method import MuMAE
from mmact_oneshot.methods.mu_mae.pretraining import MaskedAutoencoding
from tests.helpers.mu_mae_methods import BOTH, build, clips, setup

HALF: dict[str, Any] = {"video_ratio": 0.5, "sensor_ratio": 0.5}
EACH = (BOTH, ("video",), ("sensors",))


def bare(modalities: tuple[str, ...] = BOTH, **transformer: Any) -> Setup:
    base = setup(modalities, encoders={})
    return replace(base, transformer=replace(base.transformer, **transformer))


def network(modalities: tuple[str, ...] = BOTH, background: str = "keep", **settings: Any) -> MaskedAutoencoding:
    with seeded("pre-training"):
        return MaskedAutoencoding(bare(modalities, background=background), **(HALF | settings))


def draws(model: MaskedAutoencoding, count: int) -> Tensor:
    return torch.rand(count, model.draws, generator=torch.Generator().manual_seed(1))


def loss(model: MaskedAutoencoding, batch: Clips, drawn: Tensor) -> Tensor:
    return torch.stack(list(model(batch, drawn).values())).sum()


@pytest.mark.parametrize("modalities", EACH, ids="+".join)
def test_it_learns(modalities: tuple[str, ...]) -> None:
    model, batch = network(modalities), clips(8, modalities)
    optimiser = torch.optim.AdamW(model.parameters(), 1e-3)
    curve = []
    for _ in range(20):
        optimiser.zero_grad()
        total = loss(model, batch, draws(model, 8))
        total.backward()
        optimiser.step()
        curve.append(total.item())
    assert curve[-1] < 0.8 * curve[0]
    names = {"video": ("video",), "sensors": SENSORS}
    assert list(model(batch, draws(model, 8))) == [name for modality in modalities for name in names[modality]]


def test_a_batch_without_a_modality_gives_finite_losses_and_gradients() -> None:
    model, batch = network(), clips(4)
    for name in ("video", *SENSORS):
        batch = without(batch, name)
    batch = replace(batch, present=batch.present | {"gyro": torch.zeros(4, dtype=torch.bool)})
    total = loss(model, batch, draws(model, 4))
    total.backward()
    assert total.isfinite()
    assert model(batch, draws(model, 4))["gyro"] == 0
    assert all(bool(p.grad.isfinite().all()) for p in model.parameters() if p.grad is not None)


def test_a_step_asks_the_device_for_nothing() -> None:
    with torch.device("meta"):
        model = MaskedAutoencoding(bare(), **HALF)
    model = model.to("meta")
    loss(model, clips(4).to("meta"), torch.rand(4, model.draws, device="meta")).backward()


def test_its_states_fit_all_that_start_from_them() -> None:
    model = network()
    encoder, states = model.autoencoder.encoder, model.states()
    batch, size = clips(4), SIZES["micro"]
    prior = build(pretrained=states).prior
    assert torch.equal(prior(batch), encoder(batch))

    video = {name: value for name, value in states["video"].items() if not name.startswith("sensor_embed.")}
    assert video.keys() == states["video"].keys()
    method = VideoMAE(replace(bare(("video",)), pretrained=states))
    shared = SpaceTimeViT(4, 16, patch=8, width=size.width, depth=size.depth, heads=size.heads)
    shared.load_state_dict(videomae_names(dict(states["video"])))
    for own in (method.transformer.state_dict(), shared.state_dict()):
        assert own.keys() == video.keys()
        assert all(torch.equal(own[name], value) for name, value in video.items())
    alone = build(("sensors",), pretrained=states).prior.state_dict()
    assert all(torch.equal(alone[name], value) for name, value in states["sensors"].items())


@pytest.mark.parametrize("interleaved", [False, True])
@pytest.mark.parametrize("background", ["keep", "subtract"])
def test_reconstructed_clips_keep_what_was_visible(background: str, interleaved: bool) -> None:
    model, batch = network(background=background, interleaved=interleaved), clips(3)
    drawn = draws(model, 3)
    found, splits = model.reconstruct(batch, drawn), model.masking(drawn)
    assert list(found) == ["video", *SENSORS]
    for name, (original, masked, reconstructed) in found.items():
        source = batch.video if name == "video" else batch.sensors[name]
        assert source is not None
        assert torch.equal(original, source)
        hidden = masked.isnan()
        assert torch.equal(masked[~hidden], original[~hidden])
        assert torch.equal(reconstructed[~hidden], original[~hidden])
        assert not torch.equal(reconstructed[hidden], original[hidden])
        assert reconstructed.isfinite().all()
        if name == "video":
            tokens = cubes(hidden.float(), 2, 8)
        else:
            tokens = sensor_pieces(hidden.float(), 4, interleaved=interleaved)
        mask = splits[name].mask(tokens.shape[1])
        assert mask.float().mean() == 0.5
        assert torch.equal(tokens, mask.float()[..., None].expand_as(tokens))
    assert 0 <= found["video"].reconstructed.min() <= found["video"].reconstructed.max() <= 1


@pytest.mark.parametrize("interleaved", [False, True])
@pytest.mark.parametrize("background", ["keep", "subtract"])
def test_a_perfect_prediction_reconstructs_the_clip(
    background: str, interleaved: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, batch = network(background=background, interleaved=interleaved), clips(3)
    honest = model.autoencoder.forward

    def perfect(*arguments: Any) -> Reconstruction:
        made = honest(*arguments)
        return made._replace(prediction=made.target)

    monkeypatch.setattr(model.autoencoder, "forward", perfect)
    for original, _, reconstructed in model.reconstruct(batch, draws(model, 3)).values():
        torch.testing.assert_close(reconstructed, original, rtol=0, atol=1e-5)


def test_synchronised_sensors_lose_the_same_instants() -> None:
    for synchronised in (True, False):
        model, batch = network(synchronised=synchronised), clips(20)
        acc, gyro = (model.reconstruct(batch, draws(model, 20))[name].masked.isnan() for name in SENSORS)
        assert torch.equal(acc, gyro) is synchronised


def test_it_describes_all_that_decides_what_is_learnt() -> None:
    default = network().describe()
    assert json.loads(json.dumps(default)) == default
    assert default["size"] == {
        "width": 96, "depth": 4, "heads": 3, "decoder_width": 48, "decoder_heads": 3, "decoder_depth": 1,
    }  # fmt: skip
    changes: list[dict[str, Any]] = [
        {"video_ratio": 0.75},
        {"sensor_ratio": 0.75},
        {"synchronised": False},
        {"interleaved": True},
        {"sensor_weight": 1.0},
        {"background": "subtract"},
        {"modalities": ("video",)},
    ]
    assert all(network(**change).describe() != default for change in changes)


def test_what_concerns_a_missing_modality_does_not_count() -> None:
    of_sensors: dict[str, Any] = {"sensor_ratio": 0.75, "synchronised": False, "sensor_weight": 2.0}
    assert network(("video",)).describe() == network(("video",), **of_sensors).describe()
    assert network(("sensors",)).describe() == network(("sensors",), video_ratio=0.75).describe()


def test_the_method_s_settings_reach_its_pre_training() -> None:
    base = bare()
    model = MuMAE.pretraining(base, video_ratio=0.75, interleaved=True, sensor_weight=2.0, head="can")
    assert model is not None
    wanted = MaskedAutoencoding(base, video_ratio=0.75, interleaved=True, sensor_weight=2.0)
    assert model.describe() == wanted.describe()
    assert MuMAE.pretraining(base, random_prior=True) is None
    assert MuMAE.pretraining(base, as_released=True) is None


@pytest.mark.parametrize(
    ("transformer", "settings", "reason"),
    [
        ({"patch": 10}, {}, "input.size 16 is not a multiple of transformer.patch 10"),
        ({"sensor_tokens": 5}, {}, "input.sensor_length 16 is not a multiple of transformer.sensor_tokens 5"),
        ({}, {"sensor_ratio": 0.1}, "sensor_ratio 0.1 hides 0 of 4 tokens: some must stay"),
    ],
    ids=str,
)
def test_what_cannot_be_masked_says_why(transformer: dict[str, Any], settings: dict[str, Any], reason: str) -> None:
    with pytest.raises(NotApplicable) as error:
        MuMAE.pretraining(bare(**transformer), **settings)
    assert str(error.value) == reason
