"""The shared encoders: widths, independence of the batch, order of time, absence, and their own random stream."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from harness.api import Clips, Encoder
from harness.encoders.build import build_encoder, seeded, state_digest
from harness.encoders.frames import FrameEncoder
from harness.encoders.pooling import segment_mean
from harness.encoders.sensors import SensorEncoder
from tests.toys import toy_settings

SENSORS = ("acc", "gyro")
SMALL: dict[str, Any] = {"channels": [8, 8, 16, 16], "stem_width": 8}


def clips(count: int = 4) -> Clips:
    random = torch.Generator().manual_seed(0)
    present = {name: torch.ones(count, dtype=torch.bool) for name in ("video", "sensors", *SENSORS)}
    return Clips(
        torch.rand(count, 4, 3, 24, 24, generator=random),
        {name: torch.randn(count, 32, 3, generator=random) for name in SENSORS},
        {name: torch.rand(count, 32, generator=random) < 0.8 for name in SENSORS},
        present,
    )


@pytest.fixture(params=["video", "sensors"])
def encoder(request: pytest.FixtureRequest) -> Encoder:
    return build_encoder(request.param, toy_settings(), SENSORS, 0).eval()


def test_outputs_have_the_widths_that_are_declared(encoder: Encoder) -> None:
    outputs = tuple(encoder.widths)
    found = encoder(clips(), outputs)
    assert tuple(found) == outputs == ("sequence", "vector")
    assert found["vector"].shape == (4, encoder.widths["vector"])
    assert found["sequence"].shape[0] == 4
    assert found["sequence"].shape[2] == encoder.widths["sequence"]
    assert encoder.widths["vector"] == 2 * encoder.widths["sequence"], "two segments"
    assert tuple(encoder(clips(), ("vector",))) == ("vector",)


@pytest.mark.parametrize("mode", [True, False])
def test_a_clip_is_encoded_the_same_alone_and_in_a_batch(encoder: Encoder, mode: bool) -> None:
    """In training mode too: no encoder that is trained here looks at its batch."""
    encoder.train(mode)
    whole = encoder(clips(), ("vector",))["vector"]
    for row in range(4):
        alone = encoder(clips()[row : row + 1], ("vector",))["vector"]
        torch.testing.assert_close(alone[0], whole[row], rtol=1e-5, atol=1e-5)


def test_the_order_of_time_is_not_lost(encoder: Encoder) -> None:
    forwards = clips()
    assert forwards.video is not None
    backwards = Clips(
        forwards.video.flip(1),
        {name: value.flip(1) for name, value in forwards.sensors.items()},
        {name: value.flip(1) for name, value in forwards.sensor_mask.items()},
        forwards.present,
    )
    a, b = (encoder(each, ("vector",))["vector"].detach() for each in (forwards, backwards))
    assert float((a - b).abs().mean()) > 1e-3 * float(a.abs().mean())


def test_the_initial_state_depends_on_seed_and_modality_alone() -> None:
    settings = toy_settings()
    for modality in ("video", "sensors"):
        first = state_digest(build_encoder(modality, settings, SENSORS, 0))
        torch.rand(17)  # whatever was drawn before
        assert state_digest(build_encoder(modality, settings, SENSORS, 0)) == first
        assert state_digest(build_encoder(modality, settings, SENSORS, 1)) != first


def test_a_seeded_block_puts_the_generator_back() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    with seeded("a", 1):
        inside = torch.rand(3)
    assert torch.equal(torch.rand(3), expected)
    with seeded("a", 1):
        assert torch.equal(torch.rand(3), inside)
    with seeded("a", 2):
        assert not torch.equal(torch.rand(3), inside)


def test_state_digests_see_values_and_names() -> None:
    one = nn.Linear(2, 2)
    before = state_digest(one)
    assert state_digest(one) == before
    with torch.no_grad():
        one.weight[0, 0] += 1e-6
    assert state_digest(one) != before


def test_frozen_batchnorm_stays_frozen_in_training() -> None:
    encoder = FrameEncoder("resnet10t", SMALL, "frozen-batch", "keep", "mean", 1).train()
    norms = [module for module in encoder.modules() if isinstance(module, nn.BatchNorm2d)]
    assert norms
    before = [norm.running_mean.clone() for norm in norms if norm.running_mean is not None]
    encoder(clips(), ("vector",))
    for norm, mean in zip(norms, before, strict=True):
        assert norm.running_mean is not None
        assert torch.equal(norm.running_mean, mean)


def test_group_norm_is_used_from_scratch() -> None:
    encoder = FrameEncoder("resnet10t", SMALL, "group", "keep", "mean", 1)
    assert not [module for module in encoder.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]


def test_an_absent_sensor_is_told_from_one_that_measures_zero() -> None:
    encoder = SensorEncoder(SENSORS, 16, 2, 1).eval()
    zero, absent = clips(1), clips(1)
    zero.sensors["acc"].zero_()
    absent.sensors["acc"].zero_()
    zero.sensor_mask["acc"].fill_(True)
    absent.sensor_mask["acc"].fill_(False)
    a, b = (encoder(each, ("vector",))["vector"] for each in (zero, absent))
    assert not torch.allclose(a, b)
    assert bool(b.isfinite().all())


def test_segment_means_by_hand() -> None:
    sequence = torch.arange(10.0).view(1, 5, 2)
    assert segment_mean(sequence, 1).tolist() == [[4.0, 5.0]]
    assert segment_mean(sequence, 2).tolist() == [[2.0, 3.0, 7.0, 8.0]], "three steps, then two"
