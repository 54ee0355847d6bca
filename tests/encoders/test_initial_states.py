"""Initial states of transformers: states and files of every naming load whole and right, or say all that is wrong."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from mmact_oneshot.harness.api import Clips, TransformerSpec
from mmact_oneshot.harness.config.specs import VideoEncoderSpec
from mmact_oneshot.harness.encoders.initial_states import SENSORS, read_states, start_from
from mmact_oneshot.harness.encoders.multimodal import MultimodalEncoder, by_modality
from mmact_oneshot.harness.encoders.sensor_transformer import SensorTransformer
from mmact_oneshot.harness.encoders.sensors import SensorEncoder
from mmact_oneshot.harness.encoders.sizes import SIZES
from mmact_oneshot.harness.encoders.tokens import Layout
from mmact_oneshot.harness.encoders.transformers import sensor_transformer, video_transformer
from mmact_oneshot.harness.encoders.video import VideoEncoder
from mmact_oneshot.harness.runtime.errors import HarnessError
from mmact_oneshot.harness.runtime.seeding import seeded
from mmact_oneshot.methods.mu_mae.autoencoder import MultimodalAutoencoder
from tests.helpers import released_names as naming
from tests.helpers.reference_networks import video_encoder
from tests.helpers.released_names import State

SPEC, SIZE = TransformerSpec("micro", sensor_tokens=8), SIZES["micro"]
LAYOUT = Layout(frames=4, size=16, patch=8, sensors=SENSORS, samples=64, sensor_tokens=8)
FRESH = VideoEncoderSpec(segments=1)


def autoencoder() -> MultimodalAutoencoder:
    """Every parameter off its special initial value; keys have no bias, as in every release."""
    with seeded("test", "initial states"), torch.no_grad():
        model = MultimodalAutoencoder(LAYOUT, SIZE)
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    model.load_state_dict(naming.no_key_bias(model.state_dict()))
    return model.eval()


def clips() -> Clips:
    random = torch.Generator().manual_seed(0)
    sensors = {name: torch.randn(3, 64, 3, generator=random) for name in SENSORS}
    present = {name: torch.ones(3, dtype=torch.bool) for name in ("video", "sensors", *SENSORS)}
    return Clips(torch.rand(3, 4, 3, 16, 16, generator=random), sensors, {}, present)


def video() -> VideoEncoder:
    return video_transformer(SPEC, 4, 16, FRESH).eval()


def sensors() -> SensorTransformer:
    return sensor_transformer(SPEC, SENSORS, 64, 1).eval()


def joint(model: MultimodalAutoencoder, layout: Layout) -> MultimodalEncoder:
    """The joint encoder on a part of the modalities, with the weights of an autoencoder."""
    made, state = MultimodalEncoder(layout, SIZE), model.encoder.state_dict()
    made.load_state_dict({name: state[name] for name in made.state_dict()})
    return made


def test_a_pre_trained_video_part_computes_the_same_tokens() -> None:
    model, encoder = autoencoder(), video()
    assert start_from(encoder, by_modality(model.encoder.state_dict()))
    alone, batch = joint(model, replace(LAYOUT, sensors=())), clips()
    with torch.no_grad():
        tokens = alone.embed("video", alone.layout.pieces(batch, "video"))
        tokens = alone.attend(tokens, torch.ones(tokens.shape[:2], dtype=torch.bool))
        found = encoder(batch, ("stage:-1", "vector"))
        torch.testing.assert_close(found["stage:-1"].flatten(2).transpose(1, 2), tokens, rtol=0, atol=1e-4)
        torch.testing.assert_close(found["stage:-1"].mean(dim=(2, 3, 4)), tokens.mean(dim=1), rtol=0, atol=1e-4)
        torch.testing.assert_close(found["vector"], alone(batch), rtol=0, atol=1e-4)


def test_a_pre_trained_sensor_part_computes_the_same_tokens() -> None:
    model, encoder = autoencoder(), sensors()
    assert start_from(encoder, by_modality(model.encoder.state_dict()))
    with torch.no_grad():
        last = encoder(clips(), ("stage:-1",))["stage:-1"][:, :-1]
        prior = joint(model, replace(LAYOUT, video=False))(clips())
    torch.testing.assert_close(encoder.transformer.norm(last.mean(dim=(2, 3, 4))), prior, rtol=0, atol=1e-4)


def test_states_are_copied() -> None:
    states, encoder = by_modality(autoencoder().encoder.state_dict()), video()
    start_from(encoder, states)
    before = states["video"]["norm.weight"].clone()
    with torch.no_grad():
        encoder.backbone.get_parameter("norm.weight").add_(1)
    assert torch.equal(states["video"]["norm.weight"], before)


def test_a_modality_without_a_state_is_left_as_it_is() -> None:
    states, encoder = by_modality(autoencoder().encoder.state_dict()), sensors()
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    assert start_from(encoder, {"video": states["video"]}) is False
    assert start_from(encoder, {}) is False
    assert all(torch.equal(value, before[name]) for name, value in encoder.state_dict().items())


def test_only_transformers_with_joint_attention_start_from_states() -> None:
    for encoder in (SensorEncoder(SENSORS, 16, 2, 1), video_encoder("resnet10t"), video_encoder("divided")):
        with pytest.raises(HarnessError, match=rf"{encoder.modality} encoder is no transformer.*Set encoder"):
            start_from(encoder, {})


def test_states_that_do_not_fit_are_listed_whole_and_nothing_is_taken() -> None:
    encoder, state = sensors(), by_modality(autoencoder().encoder.state_dict())["sensors"]
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    del state["norm.bias"]
    state |= {"blocks.9.norm1.weight": torch.ones(96), "sensor_embed.gyro.weight": torch.ones(96, 12)}
    with pytest.raises(HarnessError) as refusal:
        start_from(encoder, {"sensors": state}, where="w.pth")
    for part in (
        "w.pth: ", "missing norm.bias", "unexpected blocks.9.norm1.weight",
        "sensor_embed.gyro.weight is (96, 12), expected (96, 24)", "transformer.size",
    ):  # fmt: skip
        assert part in str(refusal.value)
    assert all(torch.equal(value, before[name]) for name, value in encoder.state_dict().items())


def original_pre_training(state: State, path: Path) -> Path:
    content = naming.pre_trained(state) | {f"decoder.{name}": value for name, value in state.items()}
    content |= {"mask_token": torch.ones(1, 1, 12), "encoder_to_decoder.weight": torch.ones(12, 24)}
    torch.save({"model": content, "epoch": 799, "args": argparse.Namespace(lr=0.1)}, path / "w.pth")
    return path / "w.pth"


def original_fine_tuning(state: State, path: Path) -> Path:
    content = naming.fine_tuned(state) | {"head.weight": torch.ones(4, 24), "head.bias": torch.ones(4)}
    torch.save({"module": content, "args": argparse.Namespace(lr=0.1)}, path / "w.pt")
    return path / "w.pt"


def hugging_face(state: State, path: Path) -> Path:
    content = naming.hugging_face(state) | {"decoder.norm.weight": torch.ones(9), "mask_token": torch.ones(1, 1, 9)}
    save_file(content | {"encoder_to_decoder.weight": torch.ones(9, 24)}, path / "w.safetensors")
    return path / "w.safetensors"


def outputs(states: dict[str, State]) -> Tensor:
    """Of the encoders with these initial states, side by side."""
    found = []
    for encoder in (video(), sensors()):
        if start_from(encoder, states):
            with torch.no_grad():
                found.append(encoder(clips(), ("vector",))["vector"])
    return torch.cat(found, dim=1)


@pytest.mark.parametrize("write", [original_pre_training, original_fine_tuning, hugging_face])
def test_every_naming_of_videomae(write: Callable[[State, Path], Path], tmp_path: Path) -> None:
    state = by_modality(autoencoder().encoder.state_dict())["video"]
    found = read_states(write(state, tmp_path), ("acc", "gyro"))
    assert tuple(found) == ("video",)
    torch.testing.assert_close(outputs(found), outputs({"video": state}))


def test_the_released_naming_of_mu_mae(tmp_path: Path) -> None:
    model = autoencoder()
    content = naming.mu_mae(model.state_dict())
    assert content.keys() >= {
        "encoder.patch_embed.proj.weight",
        "encoder.patch_embed_phone.proj.weight",
        "encoder.patch_embed_gyro.proj.bias",
        "encoder.patch_embed_orientation.proj.bias",
        "encoder.blocks.0.attn.q_bias",
        "decoder.head.weight",
        "ori_decoder.blocks.0.attn.v_bias",
        "watch_decoder.norm.weight",
        "mask_token",
        "encoder_to_decoder.weight",
    }
    assert content["encoder.patch_embed_watch.proj.weight"].shape == (96, 24, 1)
    torch.save({"model": content, "optimizer": {"state": {}}, "epoch": 799}, tmp_path / "checkpoint-799.pth")
    found = read_states(tmp_path / "checkpoint-799.pth", SENSORS[::-1])
    assert tuple(found) == ("video", "sensors")
    expected = by_modality(model.encoder.state_dict())
    for modality, state in expected.items():
        assert set(found[modality]) == set(state)
        assert all(torch.equal(found[modality][name], value) for name, value in state.items())
    torch.testing.assert_close(outputs(found), outputs(expected))


def test_weights_that_embed_other_sensors_are_refused(tmp_path: Path) -> None:
    torch.save(naming.mu_mae(autoencoder().state_dict()), tmp_path / "w.pth")
    with pytest.raises(HarnessError, match=r"w.pth: embeds .*acc_phone, .* these data have acc, gyro. Start from"):
        read_states(tmp_path / "w.pth", ("acc", "gyro"))


@pytest.mark.parametrize("of", ["videomae", "mu-mae"])
def test_everything_that_is_wrong_with_a_file_is_listed(of: str, tmp_path: Path) -> None:
    model = autoencoder()
    video_state = by_modality(model.encoder.state_dict())["video"]
    content = naming.mu_mae(model.state_dict()) if of == "mu-mae" else naming.pre_trained(video_state)
    del content["encoder.blocks.1.mlp.fc1.bias"]
    content |= {"encoder.pos_embed": torch.ones(1, 8, 96), "encoder.norm.weight": torch.ones(95)}
    wrong = ["missing blocks.1.mlp.fc1.bias", "unexpected pos_embed", "norm.weight is (95,), expected (96,)"]
    if of == "mu-mae":
        del content["encoder.patch_embed_gyro.proj.bias"]
        content |= {"encoder.patch_embed_knee.proj.bias": torch.ones(96)}
        content["encoder.patch_embed_phone.proj.weight"] = torch.ones(96, 24, 3)
        wrong += ["missing sensor_embed.gyro.bias", "unexpected patch_embed_knee.proj.bias"]
        wrong += ["sensor_embed.acc_phone.weight is (96, 24, 3), expected (96, 24)"]
    torch.save({"model": content}, tmp_path / "w.pth")
    with pytest.raises(HarnessError) as refusal:
        read_states(tmp_path / "w.pth", SENSORS)
    for part in ("w.pth: is not a whole transformer", *wrong):
        assert part in str(refusal.value)
    assert str(refusal.value).count(";") == len(wrong) - 1, "and nothing else"


def test_files_of_another_size_are_refused_by_the_encoder(tmp_path: Path) -> None:
    other = MultimodalEncoder(Layout(frames=4, size=16, patch=8, tubelet=1), SIZES["tiny"])
    torch.save(naming.pre_trained(other.state_dict()), tmp_path / "w.pth")
    states = read_states(tmp_path / "w.pth", SENSORS)
    with pytest.raises(
        HarnessError, match=r"w.pth: .*patch_embed.proj.weight is \(192, 3, 1, 8, 8\), expected \(96, 3"
    ):
        start_from(video(), states, where=tmp_path / "w.pth")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"conv1.weight": torch.ones(8, 3, 7, 7), "fc.bias": torch.ones(3)}, r"no transformer .* begin with conv1"),
        ({"head.weight": torch.ones(3, 3)}, r"holds no transformer.* begin with nothing"),
        ({"patch_embed.proj.weight": torch.ones(8, 3, 8, 8), "blocks.0.norm1.bias": torch.ones(8)}, "of five axes"),
        (
            {"norm.weight": torch.ones(8), "fc_norm.weight": torch.ones(8)},
            r"two entries of the weights are norm.weight",
        ),
    ],
)
def test_files_of_other_networks_are_refused_by_name(content: State, message: str, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "w.pth")
    with pytest.raises(HarnessError, match=rf"w.pth: .*{message}"):
        read_states(tmp_path / "w.pth", SENSORS)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match=r"none.pth: no such file of weights.*initialisation of rows"):
        read_states(tmp_path / "none.pth", SENSORS)
