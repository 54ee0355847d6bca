"""Mu-MAE as a method: initial states of its prior, which clips reach which score, missing modalities, switches."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mmact_oneshot.harness.api import Clips, NotApplicable
from mmact_oneshot.harness.benchmark.conformance.bench import SENSORS, without
from mmact_oneshot.harness.plugins.settings import setting_names
from mmact_oneshot.harness.runtime.seeding import seeded
from mmact_oneshot.methods.mu_mae import method as module
from mmact_oneshot.methods.mu_mae.method import MuMAE
from tests.helpers.mu_mae_methods import BOTH, build, clips, episodes, learns, scores, setup, states, targets

CLOSE: dict[str, Any] = {"rtol": 0.0, "atol": 1e-5}
SWITCHES: dict[str, Any] = {
    "reinterpret_axes": True,
    "interleaved": True,
    "across_queries": True,
    "random_prior": True,
    "raw_pixels": True,
    "half_frames": True,
    "skip_norm_of_one_query": True,
}


def first(features: dict[str, Tensor], count: int) -> dict[str, Tensor]:
    return {name: value[:, :count] for name, value in features.items()}


def unusual(method: MuMAE) -> MuMAE:
    """With a BatchNorm that does something, and attention in which it shows."""
    for part in method.head.modules():
        if isinstance(part, nn.BatchNorm1d):
            nn.init.constant_(part.bias, 2.0)
    return method


def test_a_query_is_scored_without_regard_to_the_others_unless_as_released() -> None:
    batch = clips(40)
    for method, inductive in (
        (build(), True),
        (build(across_queries=True), False),
        (build(as_released=True), False),
    ):
        assert method.transductive is not inductive
        support, query = episodes(method, batch, queries=3)
        with torch.no_grad():
            gap = method.score(support, first(query, 1)) - method.score(support, query)[:, :1]
            spread = method.score(support, query).std()
        assert bool(gap.abs().max() < 1e-3 * spread) is inductive


def test_with_one_query_attention_across_queries_is_the_same_function() -> None:
    quirks: dict[str, Any] = {name: True for name in SWITCHES if name != "across_queries"}
    for apart, across in (
        (build(), build(across_queries=True)),
        (build(**quirks), build(**quirks, across_queries=True)),
    ):
        assert torch.equal(scores(apart, clips(40), queries=1), scores(across, clips(40), queries=1))


def test_as_released_is_every_switch_and_no_normalisation() -> None:
    named = setting_names(MuMAE)
    assert {name for name, default in named.items() if default is False} == {*SWITCHES, "as_released", "residual"}
    released = unusual(build(as_released=True, pretrained=states()))
    by_hand = unusual(build(**SWITCHES, normalise=False, pretrained=states()))
    assert torch.equal(scores(released, clips(40)), scores(by_hand, clips(40)))


@pytest.mark.parametrize("switch", [*SWITCHES, "normalise", "residual"])
def test_every_switch_makes_a_difference(switch: str) -> None:
    batch, pretrained = clips(40), states()
    default = unusual(build(pretrained=pretrained))
    changed: dict[str, Any] = {switch: switch != "normalise"}
    other = unusual(build(pretrained=pretrained, **changed))
    before, after = scores(default, batch), scores(other, batch)
    assert (after - before).abs().max() > 0.01 * before.std()


def test_the_prior_starts_from_what_was_pre_trained() -> None:
    pretrained = states()
    for modalities in (BOTH, ("video",), ("sensors",)):
        wanted = {name: value for each in modalities for name, value in pretrained[each].items()}
        own = build(modalities, pretrained=pretrained).prior.state_dict()
        assert own.keys() == wanted.keys()
        assert all(torch.equal(own[name], value) for name, value in wanted.items())
        scratch = build(modalities).prior.state_dict()
        assert not any(torch.equal(scratch[name], value) for name, value in wanted.items())


@pytest.mark.slow
@pytest.mark.parametrize(("known", "kept"), [("video", "sensor_embed."), ("sensors", "patch_embed.")])
def test_a_modality_that_was_not_pre_trained_keeps_its_initial_embedding(known: str, kept: str) -> None:
    scratch, own = build().prior.state_dict(), build(pretrained={known: states()[known]}).prior.state_dict()
    for name, value in own.items():
        initial = scratch[name] if name.startswith(kept) else states()[known][name]
        assert torch.equal(value, initial), name


def test_weights_that_do_not_fit_are_all_named() -> None:
    known = states()
    state = known["video"] | {"blocks.4.norm1.weight": torch.ones(96), "patch_embed.proj.bias": torch.ones(7)}
    del state["norm.bias"]
    with pytest.raises(NotApplicable, match="do not fit") as error:
        build(pretrained={"video": state})
    for line in (
        "missing norm.bias",
        "unexpected blocks.4.norm1.weight",
        "patch_embed.proj.bias is (7,), expected (96,)",
    ):
        assert line in str(error.value)
    other = {name: value + 1 for name, value in known["sensors"].items()}
    with pytest.raises(NotApplicable, match=r"blocks\.0\.norm1\.weight is not the same in all states"):
        build(pretrained={"video": known["video"], "sensors": other})
    with pytest.raises(NotApplicable, match="nothing was pre-trained"):
        build(("video",), pretrained={"sensors": known["sensors"]})


def test_what_an_absent_sensor_holds_changes_nothing() -> None:
    batch = without(clips(40), "acc")
    gone = ~batch.present["acc"]
    garbage = torch.where(gone[:, None, None], torch.full_like(batch.sensors["acc"], 1e3), batch.sensors["acc"])
    other = replace(batch, sensors=batch.sensors | {"acc": garbage})
    for method in (build(), build(as_released=True)):
        for before, after in zip(episodes(method, batch), episodes(method, other), strict=True):
            with torch.no_grad():
                assert all(torch.allclose(before[name], after[name], **CLOSE) for name in before)
        torch.testing.assert_close(scores(method, other), scores(method, batch), **CLOSE)


def test_a_missing_sensor_is_as_if_the_fusion_had_none() -> None:
    """Zeros in its place: what the linear fusion of the others gives."""
    method, batch = build(), clips(40)
    absent = replace(batch, present=batch.present | {"acc": torch.zeros(40, dtype=torch.bool)})
    support, query = episodes(method, absent)
    with torch.no_grad():
        before = method.score(support, query)
        nn.init.normal_(method.fusion.get_parameter("cross_attention.acc.value_projection.weight"))
        after = method.score(*episodes(method, absent))
    assert torch.equal(before, after)


@pytest.mark.parametrize("absent", ["video", "sensors", *SENSORS])
@pytest.mark.parametrize("settings", [{}, {"sensor_vectors": "shared"}, {"as_released": True}], ids=str)
def test_losses_and_gradients_stay_finite_where_a_modality_is_missing(absent: str, settings: dict[str, Any]) -> None:
    method = build(**settings).train()
    terms = method.loss(*episodes(method, without(clips(40), absent)), targets())
    assert set(terms) == {"metric", "global"}
    torch.stack(list(terms.values())).sum().backward()
    assert all(bool(p.grad.isfinite().all()) for p in method.parameters() if p.grad is not None)


def test_the_shared_sensor_encoder_neither_runs_nor_learns_beside_networks_of_each_sensor() -> None:
    method, shared = build(), build(sensor_vectors="shared")
    assert list(method.encoders) == ["video"]
    assert list(shared.encoders) == list(BOTH)
    assert "sensors.vector" not in method.encode(clips(4))
    assert set(method.fusion.modalities) == {"video", *SENSORS}
    assert set(shared.fusion.modalities) == set(BOTH)
    assert not any(name.endswith(".samples") for name in shared.encode(clips(4)))


@pytest.mark.slow
@pytest.mark.parametrize("modalities", [BOTH, ("video",), ("sensors",)], ids="+".join)
@pytest.mark.parametrize("head", ["attention", "protonet"])
def test_it_learns(head: str, modalities: tuple[str, ...]) -> None:
    curve = learns(build(modalities, head=head), clips(40, modalities))
    assert curve[-1] < 0.9 * curve[0]


def test_episodes_in_pieces_score_as_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    method, batch = build(), clips(70)
    whole = scores(method, batch, count=5, queries=4, shot=2)
    monkeypatch.setattr(module, "AT_ONCE", 1)
    torch.testing.assert_close(scores(method, batch, count=5, queries=4, shot=2), whole, **CLOSE)


def test_the_loss_is_that_of_the_scores() -> None:
    method, batch = build(head="protonet", global_loss=0.0), clips(40)
    wanted = nn.functional.cross_entropy(scores(method, batch).flatten(0, 1), targets().label.flatten())
    found = method.loss(*episodes(method, batch), targets())
    torch.testing.assert_close(found["cross_entropy"].detach(), wanted)


def test_the_global_loss_classifies_the_queries_among_the_training_classes() -> None:
    method, batch = build(), clips(40)
    shifted = replace(targets(), query_class=(targets().query_class + 1) % 11)
    here, there = (method.loss(*episodes(method, batch), each) for each in (targets(), shifted))
    assert torch.equal(here["metric"], there["metric"])
    assert not torch.equal(here["global"], there["global"])


@pytest.mark.parametrize("width", [0, 8])
def test_the_fused_width_is_the_video_s_or_the_one_that_is_set(width: int) -> None:
    for modalities, own in ((BOTH, 16), (("sensors",), 20)):
        method = build(modalities, width=width, sensor_width=20)
        support, _ = method.folded(*episodes(method, clips(40, modalities)))
        assert support["map"].shape == (2 * 3, 5, 1, (width or own) // 4, 4)


def test_a_frozen_prior_stays_in_evaluation_mode() -> None:
    method = build()
    method.prior.requires_grad_(False)
    method.train()
    assert not method.prior.training
    assert method.fusion.training


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"head": "trx"}, "trx needs a sequence; the fusion gives a vector and its map view"),
        ({"head": "cnaps"}, "cnaps needs a stage; the fusion gives a vector and its map view"),
        ({"width": 10}, "the fused width 10 is not a multiple of 4, the positions of its map view"),
        ({"heads": 3}, "width 16 is not a multiple of heads 3"),
        ({"sensor_width": 30}, "width 30 is not a multiple of heads 4"),
    ],
    ids=str,
)
def test_what_cannot_be_says_why(settings: dict[str, Any], reason: str) -> None:
    with pytest.raises(NotApplicable) as error:
        build(**settings)
    assert str(error.value) == reason


@pytest.mark.parametrize(
    ("shape", "transformer", "settings", "reason"),
    [
        ({}, {"patch": 10}, {}, "input.size 16 is not a multiple of transformer.patch 10"),
        ({"frames": 3}, {}, {}, "input.frames 3 is not a multiple of transformer.tubelet 2"),
        ({"samples": 18}, {}, {}, "input.sensor_length 18 is not a multiple of transformer.sensor_tokens 4"),
        (
            {"frames": 6},
            {},
            {"half_frames": True},
            "half of input.frames, 3 is not a multiple of transformer.tubelet 2",
        ),
    ],
    ids=str,
)
def test_clips_that_cannot_be_cut_are_named_as_users_set_them(
    shape: dict[str, Any], transformer: dict[str, Any], settings: dict[str, Any], reason: str
) -> None:
    small = setup()
    small = replace(small, shape=replace(small.shape, **shape), transformer=replace(small.transformer, **transformer))
    with pytest.raises(NotApplicable) as error:
        MuMAE(small, **settings)
    assert str(error.value) == reason


def test_half_of_the_frames_are_every_second_one() -> None:
    batch = clips(4, ("video",))
    assert batch.video is not None
    changed = batch.video.clone()
    changed[:, 1::2] = 0.0
    other = Clips(changed, {}, {}, batch.present)
    with seeded("test"), torch.no_grad():
        half, every = build(("video",), half_frames=True), build(("video",))
        assert torch.equal(half.encode_own(batch)["prior.vector"], half.encode_own(other)["prior.vector"])
        assert not torch.equal(every.encode_own(batch)["prior.vector"], every.encode_own(other)["prior.vector"])
