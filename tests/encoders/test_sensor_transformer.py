"""The sensor transformer: shapes, tails, modulation, and that absent sensors reach no output."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from mmact_oneshot.harness.api import Clips
from mmact_oneshot.harness.encoders.multimodal import MultimodalEncoder
from mmact_oneshot.harness.encoders.sensor_transformer import SensorTransformer
from mmact_oneshot.harness.encoders.sizes import Size
from mmact_oneshot.harness.encoders.tokens import Layout
from mmact_oneshot.harness.runtime.seeding import seeded
from tests.helpers.reference_networks import SENSORS, clips

LAYOUT = Layout(video=False, sensors=SENSORS, samples=32, sensor_tokens=8)
SIZE = Size(24, 5, 2, 12, 2)


def sensor_transformer(layout: Layout = LAYOUT, segments: int = 2) -> SensorTransformer:
    """In evaluation mode; every parameter is off its special initial value."""
    with seeded("test", "sensor transformer"), torch.no_grad():
        encoder = SensorTransformer(layout, SIZE, segments)
        for parameter in encoder.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return encoder.eval()


def lacking(batch: Clips, *names: str, row: int, held: float) -> Clips:
    """The same clips, one without some sensors; what it holds instead is arbitrary."""
    sensors = {name: value.clone() for name, value in batch.sensors.items()}
    present = {name: value.clone() for name, value in batch.present.items()}
    for name in names:
        sensors[name][row], present[name][row] = held, False
    return replace(batch, sensors=sensors, present=present)


def test_every_output() -> None:
    encoder = sensor_transformer()
    with torch.no_grad():
        found = encoder(clips(), tuple(encoder.widths))
    assert found["vector"].shape == (3, 48)
    assert found["sequence"].shape == (3, 8, 24)
    assert found["map"].shape == (3, 24, 8, 1, 1)
    assert set(found) == {"vector", "sequence", "map"} | {f"stage:{k}" for k in range(-5, 5)}
    for name, value in found.items():
        assert value.shape[2 if name == "sequence" else 1] == encoder.widths[name]
        if name.startswith("stage:"):
            assert value.shape == (3, 25, 8, 2, 1)
            assert torch.equal(value, found[f"stage:{int(name[6:]) % 5}"]), "two names of one stage"
            torch.testing.assert_close(encoder.tail(name, value), found["vector"])
    torch.testing.assert_close(found["map"][..., 0, 0].transpose(1, 2), found["sequence"])
    halves = found["sequence"].unflatten(1, (2, 4)).mean(dim=2)
    torch.testing.assert_close(found["vector"], halves.flatten(1))


def test_the_tokens_are_those_of_the_joint_transformer() -> None:
    encoder, batch = sensor_transformer(), lacking(clips(), "acc", row=1, held=3.0)
    joint: MultimodalEncoder = encoder.transformer
    with torch.no_grad():
        first, last = encoder(batch, ("stage:0", "stage:-1")).values()
        for place, name in enumerate(SENSORS):
            tokens = joint.embed(name, joint.layout.pieces(batch, name))
            rows = batch.present[name]
            torch.testing.assert_close(first[rows, :-1, :, place, 0].transpose(1, 2), tokens[rows])
        count = torch.tensor([16.0, 8.0, 16.0])[:, None]
        torch.testing.assert_close(joint.norm(last[:, :-1].sum(dim=(2, 3, 4)) / count), joint(batch))


def test_blocks_are_in_groups_and_their_norms_can_be_modulated() -> None:
    encoder = sensor_transformer()
    assert [len(group) for group in encoder.groups] == [2, 1, 1, 1]
    assert encoder.film_widths("stage:0") == (24,) * 10
    assert encoder.film_widths("stage:-2") == (24, 24)
    assert encoder.film_widths("stage:-1") == ()
    with torch.no_grad():
        value, vector = encoder(clips(), ("stage:-2", "vector")).values()
        same = [(torch.ones(3, width), torch.zeros(3, width)) for width in encoder.film_widths("stage:-2")]
        torch.testing.assert_close(encoder.tail("stage:-2", value, same), vector)
        for layer in range(len(same)):
            other = list(same)
            other[layer] = (same[layer][0], torch.tensor([[0.0], [1.0], [0.0]]).expand(-1, 24))
            changed = encoder.tail("stage:-2", value, other)
            torch.testing.assert_close(changed[[0, 2]], vector[[0, 2]])
            assert not torch.allclose(changed[1], vector[1], atol=1e-2)


@pytest.mark.parametrize("mode", [True, False])
def test_a_clip_is_encoded_the_same_alone_and_in_a_batch(mode: bool) -> None:
    encoder, batch = sensor_transformer().train(mode), lacking(clips(), "gyro", row=2, held=0.0)
    outputs = ("vector", "sequence", "map", "stage:-2")
    whole = encoder(batch, outputs)
    for row in range(3):
        alone = encoder(batch[row : row + 1], outputs)
        for output in outputs:
            torch.testing.assert_close(alone[output][0], whole[output][row], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("absent", [("acc",), ("gyro",), SENSORS])
def test_what_an_absent_sensor_holds_changes_nothing(absent: tuple[str, ...]) -> None:
    encoder = sensor_transformer()
    outputs = tuple(encoder.widths)
    with torch.no_grad():
        zero, large, not_a_number = (
            encoder(lacking(clips(), *absent, row=1, held=held), outputs) for held in (0.0, 1e6, float("nan"))
        )
    for output in outputs:
        assert bool(zero[output].isfinite().all())
        assert torch.equal(zero[output], large[output])
        assert torch.equal(zero[output], not_a_number[output])


@pytest.mark.parametrize("absent", SENSORS)
def test_an_absent_sensor_is_as_if_there_were_none(absent: str) -> None:
    encoder = sensor_transformer()
    other = sensor_transformer(replace(LAYOUT, sensors=tuple(name for name in SENSORS if name != absent)))
    state = encoder.state_dict()
    other.load_state_dict({name: state[name] for name in other.state_dict()})
    with torch.no_grad():
        found = encoder(lacking(clips(), absent, row=1, held=7.0), ("vector", "sequence"))
        for name, value in other(clips(), ("vector", "sequence")).items():
            torch.testing.assert_close(found[name][1], value[1], rtol=1e-4, atol=1e-5)
            assert not torch.allclose(found[name][0], value[0], atol=1e-2)


@pytest.mark.parametrize("sensors", [SENSORS, SENSORS[:1]])
def test_a_clip_without_any_sensor_gives_what_the_norm_makes_of_zero(sensors: tuple[str, ...]) -> None:
    encoder = sensor_transformer(replace(LAYOUT, sensors=sensors))
    batch = lacking(clips(), *sensors, row=0, held=float("nan"))
    found = encoder(batch, ("sequence", "stage:-1"))
    torch.testing.assert_close(found["sequence"][0], encoder.transformer.norm.bias.expand(8, -1))
    assert not found["stage:-1"][0].any()
    found["sequence"].sum().backward()
    assert all(bool(p.grad.isfinite().all()) for p in encoder.parameters() if p.grad is not None)


def test_the_order_of_time_is_not_lost() -> None:
    encoder, batch = sensor_transformer(), clips()
    backwards = replace(batch, sensors={name: value.flip(1) for name, value in batch.sensors.items()})
    with torch.no_grad():
        a, b = (encoder(each, ("vector",))["vector"] for each in (batch, backwards))
    assert float((a - b).abs().mean()) > 1e-2


def test_a_long_map_has_49_steps() -> None:
    encoder = sensor_transformer(Layout(video=False, sensors=("acc",), samples=100, sensor_tokens=100))
    long = Clips(None, {"acc": torch.randn(1, 100, 3)}, {}, {"acc": torch.ones(1, dtype=torch.bool)})
    assert encoder(long, ("map",))["map"].shape == (1, 24, 49, 1, 1)
