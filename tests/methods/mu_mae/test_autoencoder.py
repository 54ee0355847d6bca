"""What reaches the autoencoder, what it learns from, and clips that lack something."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from mmact_oneshot.harness.encoders.sizes import SIZES
from mmact_oneshot.harness.encoders.tokens import Layout, Split
from mmact_oneshot.methods.mu_mae.autoencoder import MultimodalAutoencoder
from mmact_oneshot.methods.mu_mae.masking import Masking
from tests.helpers.mu_mae_clips import LAYOUT, SENSORS_ONLY, VIDEO_ONLY, autoencoder, clips, lacking, splits

CLOSE: dict[str, Any] = {"rtol": 0.0, "atol": 1e-5}


def test_encoding_the_visible_tokens_is_encoding_all_with_the_others_hidden() -> None:
    model, batch, hidden = autoencoder(), clips(), splits(LAYOUT)
    encoder, names = model.encoder, LAYOUT.modalities
    tokens = torch.cat([encoder.embed(name, LAYOUT.pieces(batch, name)) for name in names], dim=1)
    visible = torch.cat([~hidden[name].mask(LAYOUT.count(name)) for name in names], dim=1)
    every = encoder.norm(encoder.attend(tokens, visible))
    torch.testing.assert_close(model(batch, hidden).latent, every[visible].view(3, -1, encoder.width), **CLOSE)


@pytest.mark.parametrize("layout", [LAYOUT, VIDEO_ONLY, SENSORS_ONLY])
def test_hidden_values_do_not_reach_the_predictions(layout: Layout) -> None:
    model, batch, hidden = autoencoder(layout), clips(), splits(layout)
    leaves = [value.requires_grad_() for value in (batch.video, *batch.sensors.values()) if value is not None]
    made = model(batch, hidden)
    total = torch.stack([value.square().sum() for value in made.prediction.values()]).sum()
    gradients = dict(zip(("video", *batch.sensors), torch.autograd.grad(total, leaves, allow_unused=True), strict=True))
    for name in layout.modalities:
        gradient = gradients[name]
        assert gradient is not None
        video, sensors = (gradient, {}) if name == "video" else (None, {name: gradient})
        reached = layout.pieces(type(batch)(video, sensors, {}, {}), name).abs().sum(dim=-1) > 0
        assert torch.equal(reached, ~hidden[name].mask(layout.count(name)))


@pytest.mark.parametrize("name", ["video", "phone", "watch"])
def test_a_missing_modality_is_as_if_it_had_never_been(name: str) -> None:
    model, batch, hidden = autoencoder(), clips(), splits(LAYOUT)
    partial = lacking(batch, name, row=1)
    whole, made = model(batch, hidden), model(partial, hidden)
    rest = replace(LAYOUT, video=name != "video", sensors=tuple(each for each in LAYOUT.sensors if each != name))
    without = autoencoder(rest, like=model)(batch, {each: hidden[each] for each in rest.modalities})
    errors, others, alone = made.errors(), whole.errors(), without.errors()
    for each in rest.modalities:
        torch.testing.assert_close(made.prediction[each][1], without.prediction[each][1], **CLOSE)
        torch.testing.assert_close(made.prediction[each][[0, 2]], whole.prediction[each][[0, 2]], **CLOSE)
        torch.testing.assert_close(errors[each][1], alone[each][1], **CLOSE)
    losses = model.losses(made, partial)
    weight = 1.0 if name == "video" else 0.5
    torch.testing.assert_close(losses[name], weight * others[name][[0, 2]].mean(), **CLOSE)
    assert any(not torch.allclose(made.prediction[each][1], whole.prediction[each][1]) for each in rest.modalities)


def test_what_a_missing_modality_holds_gives_no_gradient() -> None:
    model, hidden = autoencoder(), splits(LAYOUT)
    partial = lacking(clips(), "phone", row=1)
    phone = partial.sensors["phone"].requires_grad_()
    torch.stack(list(model.losses(model(partial, hidden), partial).values())).sum().backward()
    assert phone.grad is not None
    assert phone.grad[1].abs().sum() == 0
    assert phone.grad[0].abs().sum() > 0


def test_a_clip_without_anything_and_a_batch_without_a_sensor_stay_finite() -> None:
    model, batch, hidden = autoencoder(), clips(), splits(LAYOUT)
    for name in LAYOUT.modalities:
        batch = lacking(batch, name, row=0)
    for row in (1, 2):
        batch = lacking(batch, "watch", row)
    losses = model.losses(model(batch, hidden), batch)
    torch.stack(list(losses.values())).sum().backward()
    assert losses["watch"] == 0
    assert all(bool(p.grad.isfinite().all()) for p in model.parameters() if p.grad is not None)


@pytest.mark.parametrize("layout", [LAYOUT, VIDEO_ONLY, SENSORS_ONLY])
def test_every_parameter_learns(layout: Layout) -> None:
    model, batch = autoencoder(layout), clips()
    losses = model.losses(model(batch, splits(layout)), batch)
    assert list(losses) == list(layout.modalities)
    torch.stack(list(losses.values())).sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_the_loss_falls_on_a_few_clips() -> None:
    torch.manual_seed(0)
    model, batch, hidden = MultimodalAutoencoder(LAYOUT, SIZES["tiny"]), clips(4), splits(LAYOUT, 4)
    optimiser = torch.optim.AdamW(model.parameters(), 1e-3, betas=(0.9, 0.95))
    curve = []
    for _ in range(12):
        loss = torch.stack(list(model.losses(model(batch, hidden), batch).values())).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        curve.append(loss.item())
    assert curve[-1] < 0.8 * curve[0]


def test_a_part_of_the_hidden_tokens_can_be_predicted() -> None:
    model, batch, hidden = autoencoder(), clips(), splits(LAYOUT)
    half = {name: Split(split.visible, split.masked[:, ::2]) for name, split in hidden.items()}
    made = model(batch, half)
    torch.testing.assert_close(made.target["video"], model(batch, hidden).target["video"][:, ::2])
    assert made.prediction["video"].shape == made.target["video"].shape


def test_a_step_never_asks_the_device_for_a_number() -> None:
    """Tensors on the meta device have no values: a count or a choice that depends on one would be refused."""
    masking = Masking(LAYOUT.grid, LAYOUT.sensors, LAYOUT.sensor_tokens)
    model, batch = autoencoder().to("meta"), clips().to("meta")
    losses = model.losses(model(batch, masking(torch.rand(3, masking.draws, device="meta"))), batch)
    torch.stack(list(losses.values())).sum().backward()
    assert model.encoder(batch).shape == (3, model.encoder.width)


def test_targets_and_losses_keep_float32_in_reduced_precision() -> None:
    model, batch, hidden = autoencoder(), clips(), splits(LAYOUT)
    with torch.autocast("cpu", torch.bfloat16):
        reduced = model.losses(model(batch, hidden), batch)
    for name, value in model.losses(model(batch, hidden), batch).items():
        assert reduced[name].dtype == torch.float32
        torch.testing.assert_close(reduced[name], value, rtol=0.05, atol=0.01)
