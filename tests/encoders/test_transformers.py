"""Transformers from settings: what they are, their initial states, that heads take them, and what is refused."""

from __future__ import annotations

from typing import Any, cast

import pytest
import torch

import mmact_oneshot.harness.benchmark.conformance.bench as bench
from mmact_oneshot.harness.api import Encoder, TransformerSpec
from mmact_oneshot.harness.benchmark.conformance.checks import check_method
from mmact_oneshot.harness.config.settings import Settings
from mmact_oneshot.harness.config.specs import VideoEncoderSpec
from mmact_oneshot.harness.encoders.build import build_encoder, state_digest
from mmact_oneshot.harness.encoders.initial_states import start_from
from mmact_oneshot.harness.encoders.multimodal import MultimodalEncoder, by_modality
from mmact_oneshot.harness.encoders.sensor_transformer import SensorTransformer
from mmact_oneshot.harness.encoders.sizes import SIZES
from mmact_oneshot.harness.encoders.tokens import Layout
from mmact_oneshot.harness.encoders.transformers import sensor_transformer, video_transformer
from mmact_oneshot.harness.encoders.video import VideoEncoder
from mmact_oneshot.harness.plugins.methods import load_method
from mmact_oneshot.harness.runtime.errors import HarnessError
from mmact_oneshot.harness.runtime.seeding import seeded
from tests.helpers.reference_networks import SENSORS, clips
from tests.helpers.toys import toy_settings

SPEC = TransformerSpec("micro", patch=8, tubelet=2, sensor_tokens=8)
BOTH = ("video", "sensors")


def settings(**changes: Any) -> Settings:
    """For clips of 4 frames of 24 pixels and 32 samples."""
    content: dict[str, Any] = {
        "encoder": "transformer",
        "transformer": {"size": "micro", "patch": 8, "tubelet": 2, "sensor_tokens": 8},
        "input": {"frames": 4, "size": 24, "sensor_length": 32},
    }
    return toy_settings(**content | changes)


@pytest.mark.parametrize("modality", BOTH)
def test_settings_make_transformers(modality: str) -> None:
    """Whatever network ``video_encoder`` names; of it and of ``sensor_encoder`` only the pooling counts."""
    encoder = build_encoder(modality, settings(), SENSORS, 0).eval()
    video = modality == "video"
    assert isinstance(encoder, VideoEncoder if video else SensorTransformer)
    assert encoder.grid == ((2, 3, 3) if video else (8, 1, 1))
    assert encoder.steps == (2 if video else 8)
    assert encoder.widths["sequence"] == 96
    assert encoder.widths["vector"] == 2 * 96
    with torch.no_grad():
        found = encoder(clips(), tuple(encoder.widths))
    for name, value in found.items():
        assert value.shape[2 if name == "sequence" else 1] == encoder.widths[name]
    assert found["map"].shape[2:] == encoder.grid
    assert found["sequence"].shape[1] == encoder.steps
    first = state_digest(encoder)
    assert state_digest(build_encoder(modality, settings(), SENSORS, 0)) == first
    assert state_digest(build_encoder(modality, settings(), SENSORS, 1)) != first


def test_pooling_is_as_set_as_far_as_there_are_steps() -> None:
    many = video_transformer(SPEC, 4, 24, VideoEncoderSpec(segments=4))
    assert many.spec.segments == 2
    moving = video_transformer(SPEC, 4, 24, VideoEncoderSpec(pooling="dynamics", stage_side=2)).eval()
    found = moving(clips(), ("vector", "map", "stage:0"))
    assert found["vector"].shape == (3, 3 * 96)
    assert found["map"].shape == (3, 2 * 96, 2, 3, 3)
    assert found["stage:0"].shape == (3, 96, 2, 2, 2)
    assert sensor_transformer(SPEC, SENSORS, 32, 4).widths["vector"] == 4 * 96


def test_from_scratch_is_the_initial_state_of_a_pre_training() -> None:
    """Every parameter has the spread that the joint transformer gives it, and biases are zero."""
    joint = MultimodalEncoder(
        Layout(frames=4, size=24, patch=8, sensors=SENSORS, samples=32, sensor_tokens=8), SIZES["micro"]
    )
    states = by_modality(joint.state_dict())
    for modality in BOTH:
        encoder = build_encoder(modality, settings(), SENSORS, 0)
        own = encoder.transformer if isinstance(encoder, SensorTransformer) else cast(VideoEncoder, encoder).backbone
        assert set(own.state_dict()) == set(states[modality])
        for name, value in own.state_dict().items():
            expected = states[modality][name]
            assert value.shape == expected.shape
            torch.testing.assert_close(value.std(), expected.std(), rtol=0.1, atol=1e-6)
            torch.testing.assert_close(value.abs().max(), expected.abs().max(), rtol=0.1, atol=1e-6)


@pytest.mark.parametrize("background", ["keep", "subtract"])
@pytest.mark.parametrize("pixel_norm", ["imagenet", "none"])
def test_video_tokens_are_those_of_the_joint_transformer(background: str, pixel_norm: str) -> None:
    spec = TransformerSpec("micro", pixel_norm=pixel_norm, background=background)
    layout = Layout(frames=4, size=24, patch=8, pixel_norm=pixel_norm, background=background)
    joint, encoder = MultimodalEncoder(layout, SIZES["micro"]), video_transformer(spec, 4, 24, VideoEncoderSpec())
    with torch.no_grad():
        joint.patch_embed["proj"].get_parameter("bias").uniform_(-1, 1)
        assert start_from(encoder, by_modality(joint.state_dict()))
        tokens = joint.embed("video", layout.pieces(clips(), "video"))
        found = encoder(clips(), ("stage:0",))["stage:0"].flatten(2).transpose(1, 2)
    torch.testing.assert_close(found, tokens, rtol=0, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "modalities"),
    [
        ("protonet", ("video",)),
        ("protonet", ("sensors",)),
        *((name, BOTH) for name in ("trx", "can", "mastaf", "cnaps")),
    ],
)
def test_heads_on_transformers_conform(name: str, modalities: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """Every check of a method (losses and gradients among them) holds on these encoders, trained and frozen."""
    small = settings(
        transformer={"size": "micro", "patch": 8, "tubelet": 1, "sensor_tokens": 4},
        input={"frames": 4, "size": 16, "sensor_length": 16},
    )

    def encoder(modality: str, *_: object) -> Encoder:
        return build_encoder(modality, small, SENSORS, 0).eval()

    monkeypatch.setattr(bench, "TinyEncoder", encoder)
    findings = check_method(load_method(name), modalities)
    assert {finding.name: finding.detail for finding in findings if not finding.passed} == {}
    assert len(findings) > 1, "it applies"


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"size": "tini"}, r"no transformer.size 'tini'. Did you mean 'tiny'\? Known: base, huge"),
        ({"pixel_norm": "imagnet"}, r"no transformer.pixel_norm 'imagnet'. Did you mean 'imagenet'"),
        ({"background": "blur"}, r"no transformer.background 'blur'. Known: keep, subtract"),
        (
            {"patch": 7},
            r"input.size 24 is not a multiple of transformer.patch 7. Set .* one of 1, 2, 3, 4, 6, 8, 12, 24",
        ),
        ({"patch": 0}, r"transformer.patch 0"),
        ({"tubelet": 3}, r"input.frames 4 is not a multiple of transformer.tubelet 3. Set .* or change input.frames"),
        ({"tubelet": 4}, r"pooling = dynamics needs steps, transformer.tubelet 4 leaves one. Lower"),
    ],
)
def test_video_that_does_not_fit_is_refused_with_a_remedy(spec: dict[str, Any], message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        video_transformer(TransformerSpec(**spec), 4, 24, VideoEncoderSpec(pooling="dynamics"))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"size": "giant"}, r"no transformer.size 'giant'"),
        (
            {"sensor_tokens": 5},
            r"input.sensor_length 32 is not a multiple of transformer.sensor_tokens 5. Set .* 1, 2, 4",
        ),
        ({"sensor_tokens": 1}, r"sensor_encoder.segments 2 exceeds transformer.sensor_tokens 1. Lower"),
    ],
)
def test_sensors_that_do_not_fit_are_refused_with_a_remedy(spec: dict[str, Any], message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        sensor_transformer(TransformerSpec(**spec), SENSORS, 32, 2)


def test_without_the_setting_the_encoders_are_the_default_ones() -> None:
    with seeded("any"):
        default = build_encoder("video", settings(encoder="default"), SENSORS, 0)
    assert cast(VideoEncoder, default).spec.name == "resnet10t"
