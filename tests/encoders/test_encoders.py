"""The shared encoders: widths, independence of the batch, order of time, absence, and their own random stream."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from mmact_oneshot.harness.api import Clips, Encoder
from mmact_oneshot.harness.config.presets import load_settings
from mmact_oneshot.harness.encoders.build import build_encoder, state_digest
from mmact_oneshot.harness.encoders.pooling import segment_mean
from mmact_oneshot.harness.encoders.sensors import SensorEncoder
from mmact_oneshot.harness.runtime.errors import HarnessError
from mmact_oneshot.harness.runtime.seeding import seeded
from mmact_oneshot.harness.training.conditions import encoder_conditions
from tests.helpers.reference_networks import SENSORS, clips
from tests.helpers.toys import toy_settings


@pytest.fixture(params=["video", "sensors"])
def encoder(request: pytest.FixtureRequest) -> Encoder:
    return build_encoder(
        request.param, toy_settings(input={"frames": 4, "size": 24, "sensor_length": 32}), SENSORS, 0
    ).eval()


def test_outputs_have_the_widths_that_are_declared(encoder: Encoder) -> None:
    outputs = tuple(encoder.widths)
    found = encoder(clips(), outputs)
    assert tuple(found) == outputs
    assert outputs[:3] == ("vector", "sequence", "map")
    assert {"stage:0", "stage:-1", "stage:-2"} < set(outputs)
    for name, value in found.items():
        assert value.shape[2 if name == "sequence" else 1] == encoder.widths[name]
        assert len(value) == 3
    assert encoder.widths["vector"] == 2 * encoder.widths["sequence"], "two segments"
    assert tuple(encoder(clips(), ("vector",))) == ("vector",)


@pytest.mark.parametrize("mode", [True, False])
def test_a_clip_is_encoded_the_same_alone_and_in_a_batch(encoder: Encoder, mode: bool) -> None:
    """In training mode too: no encoder that is trained here depends on its batch."""
    encoder.train(mode)
    whole = encoder(clips(), ("vector",))["vector"]
    for row in range(3):
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


def test_state_digests_depend_on_values_and_names() -> None:
    one = nn.Linear(2, 2)
    before = state_digest(one)
    assert state_digest(one) == before
    assert state_digest(nn.Sequential(one)) != before
    with torch.no_grad():
        one.weight[0, 0] += 1e-6
    assert state_digest(one) != before


def test_an_absent_sensor_differs_from_one_that_measures_zero() -> None:
    encoder = SensorEncoder(SENSORS, 16, 2, 1).eval()
    zero, absent = clips(1), clips(1)
    zero.sensors["acc"].zero_()
    absent.sensors["acc"].zero_()
    zero.sensor_mask["acc"].fill_(True)
    absent.sensor_mask["acc"].fill_(False)
    a, b = (encoder(each, ("vector",))["vector"] for each in (zero, absent))
    assert not torch.allclose(a, b)
    assert bool(b.isfinite().all())


def test_the_stages_of_the_sensor_encoder_are_its_blocks() -> None:
    encoder = SensorEncoder(SENSORS, 16, 3, 1).eval()
    found = encoder(clips(), ("map", "stage:0", "stage:1", "stage:-1", "vector"))
    shapes = {name: tuple(value.shape) for name, value in found.items() if name != "vector"}
    assert shapes == {
        "map": (3, 32, 4, 1, 1),
        "stage:0": (3, 16, 16, 1, 1),
        "stage:1": (3, 16, 8, 1, 1),
        "stage:-1": (3, 32, 4, 1, 1),
    }
    assert encoder.film_widths("stage:0") == (16, 16, 32, 32)
    assert encoder.film_widths("stage:-1") == ()
    for stage in ("stage:0", "stage:1", "stage:-1"):
        torch.testing.assert_close(encoder.tail(stage, found[stage]), found["vector"])


def test_modulation_of_sensors() -> None:
    encoder = SensorEncoder(SENSORS, 16, 2, 1).eval()
    value, vector = encoder(clips(), ("stage:-2", "vector")).values()
    same = [(torch.ones(3, width), torch.zeros(3, width)) for width in encoder.film_widths("stage:-2")]
    torch.testing.assert_close(encoder.tail("stage:-2", value, same), vector)
    other = [(gamma, beta + torch.tensor([0.0, 1.0, 0.0])[:, None]) for gamma, beta in same]
    changed = encoder.tail("stage:-2", value, other)
    torch.testing.assert_close(changed[[0, 2]], vector[[0, 2]])
    assert not torch.allclose(changed[1], vector[1], atol=1e-2)


def test_a_long_map_of_sensors_has_49_steps() -> None:
    encoder = SensorEncoder(("acc",), 16, 1, 1).eval()
    long = clips(1)
    long.sensors["acc"], long.sensor_mask["acc"] = torch.randn(1, 200, 3), torch.ones(1, 200, dtype=torch.bool)
    assert encoder(long, ("map", "sequence"))["map"].shape == (1, 16, 49, 1, 1)


def test_an_output_that_does_not_exist_is_refused(encoder: Encoder) -> None:
    for use in (lambda: encoder.widths["stage:9"], lambda: encoder(clips(), ("stage:9",))):
        with pytest.raises(HarnessError, match=r"no output 'stage:9'. It has: vector, sequence, map, stage:0"):
            use()


def test_segment_means_by_hand() -> None:
    sequence = torch.arange(10.0).view(1, 5, 2)
    assert segment_mean(sequence, 1).tolist() == [[4.0, 5.0]]
    assert segment_mean(sequence, 2).tolist() == [[2.0, 3.0, 7.0, 8.0]], "three steps, then two"


ENCODER = (Path(__file__).parents[2] / "harness" / "cli" / "templates" / "encoder.py").read_text("utf-8")


def test_weights_are_not_recorded_of_an_encoder_that_does_not_read_them(tmp_path: Path) -> None:
    plugin = tmp_path / "mine.py"
    plugin.write_text(ENCODER, "utf-8")
    settings = load_settings("quick", [f"video_encoder.name={plugin}", "video_encoder.weights=w.safetensors"])
    for read in (
        lambda: build_encoder("video", settings, ("acc",), 0),
        lambda: encoder_conditions(settings, "video"),
    ):
        with pytest.raises(HarnessError, match=r"w\.safetensors is not read: an encoder of yours loads"):
            read()


def test_an_encoder_without_a_modality_is_refused(tmp_path: Path) -> None:
    plugin = tmp_path / "mine.py"
    lines = [line for line in ENCODER.splitlines() if not line.strip().startswith("modality =")]
    plugin.write_text("\n".join(lines), "utf-8")
    settings = load_settings("quick", [f"video_encoder.name={plugin}"])
    with pytest.raises(HarnessError, match="is for no modality, but None"):
        build_encoder("video", settings, ("acc",), 0)


def test_an_encoder_without_anything_is_refused_for_what_it_lacks(tmp_path: Path) -> None:
    plugin = tmp_path / "mine.py"
    plugin.write_text("from mmact_oneshot.harness.api import Encoder\n\nclass Bare(Encoder):\n    pass\n", "utf-8")
    settings = load_settings("quick", [f"video_encoder.name={plugin}"])
    with pytest.raises(HarnessError, match="is for no modality, but None"):
        build_encoder("video", settings, ("acc",), 0)
