"""Released weights: every naming loads whole and right, and whatever does not fit is refused by name."""

from __future__ import annotations

import argparse
import hashlib
import os
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor

from mmact_oneshot.harness.config.specs import VideoEncoderSpec
from mmact_oneshot.harness.encoders.video import VideoEncoder
from mmact_oneshot.harness.encoders.weights import load_weights, read_weights
from mmact_oneshot.harness.runtime.digests import file_sha256
from mmact_oneshot.harness.runtime.errors import HarnessError
from tests.helpers.reference_networks import NETWORKS, clips_for, video_encoder
from tests.helpers.released_names import State, fine_tuned, no_key_bias, pre_trained


def released(name: str, **settings: Any) -> tuple[State, Tensor]:
    """A network's state in its own names with statistics of its own, and the vectors that it gives."""
    encoder = video_encoder(name, **settings)
    for key, value in encoder.backbone.released.state_dict().items():
        if key.endswith(("running_mean", "running_var")):
            value.uniform_(0.5, 1.5)
    with torch.no_grad():
        vector = encoder(clips_for(name), ("vector",))["vector"]
    return {key: value.contiguous() for key, value in encoder.backbone.released.state_dict().items()}, vector


def loaded(name: str, path: Path, **settings: Any) -> Tensor:
    """Vectors of a new encoder with weights from a file."""
    known = NETWORKS[name]
    spec = VideoEncoderSpec(name=known.name, arguments=known.arguments, weights=str(path), **settings)
    with torch.no_grad():
        vector: Tensor = VideoEncoder(spec, known.frames, known.size).eval()(clips_for(name), ("vector",))["vector"]
    return vector


@pytest.mark.parametrize("name", ["resnet18", "resnet50", "convnext", "mobilenet", "vit"])
def test_torchvision_and_timm_names(name: str, tmp_path: Path) -> None:
    state, vector = released(name, norm="frozen-batch")
    classifier = {"convnext": "head.fc", "mobilenet": "classifier", "vit": "head"}.get(name, "fc")
    save_file(
        state | {f"{classifier}.weight": torch.ones(5, 3), f"{classifier}.bias": torch.ones(5)},
        tmp_path / "w.safetensors",
    )
    torch.testing.assert_close(loaded(name, tmp_path / "w.safetensors", norm="frozen-batch"), vector)
    without = {key: value for key, value in state.items() if not key.endswith("num_batches_tracked")}
    torch.save(without, tmp_path / "old.pth")  # as torchvision's first files
    torch.testing.assert_close(loaded(name, tmp_path / "old.pth", norm="frozen-batch"), vector)


@pytest.mark.parametrize("name", ["r3d_18", "r3d_50"])
def test_3d_resnets_names(name: str, tmp_path: Path) -> None:
    state, vector = released(name, norm="frozen-batch")
    full = state | {"fc.weight": torch.ones(400, 64), "fc.bias": torch.ones(400)}
    content = {"epoch": 200, "arch": name, "state_dict": {f"module.{key}": value for key, value in full.items()}}
    torch.save(content, tmp_path / "r3d_K_200ep.pth")
    torch.testing.assert_close(loaded(name, tmp_path / "r3d_K_200ep.pth", norm="frozen-batch"), vector)


def without_key_bias(name: str = "joint") -> tuple[State, Tensor]:
    """A state whose keys have no bias, which changes nothing: softmax is the same without it."""
    state, vector = released(name)
    return no_key_bias(state), vector


def test_videomae_names_of_fine_tuning(tmp_path: Path) -> None:
    state, vector = without_key_bias()
    content = fine_tuned(state) | {"head.weight": torch.ones(4, 24), "head.bias": torch.ones(4)}
    torch.save({"module": content, "args": argparse.Namespace(lr=0.1)}, tmp_path / "mp_rank_00.pt")
    torch.testing.assert_close(loaded("joint", tmp_path / "mp_rank_00.pt"), vector, rtol=1e-4, atol=1e-5)


def test_videomae_names_of_pre_training(tmp_path: Path) -> None:
    state, vector = without_key_bias()
    content = pre_trained(state) | {f"decoder.{key}": value for key, value in fine_tuned(state).items()}
    content |= {"mask_token": torch.ones(1, 1, 12), "encoder_to_decoder.weight": torch.ones(12, 24)}
    torch.save({"model": content, "epoch": 799, "args": argparse.Namespace(lr=0.1)}, tmp_path / "checkpoint.pth")
    torch.testing.assert_close(loaded("joint", tmp_path / "checkpoint.pth"), vector, rtol=1e-4, atol=1e-5)


def hugging_face(width: int, blocks: int, final: str) -> State:
    """A random state in Hugging Face's names."""
    torch.manual_seed(3)
    shapes: dict[str, tuple[int, ...]] = {
        "videomae.embeddings.patch_embeddings.projection.weight": (width, 3, 2, 8, 8),
        "videomae.embeddings.patch_embeddings.projection.bias": (width,),
        f"{final}.weight": (width,),
        f"{final}.bias": (width,),
    }
    for number in range(blocks):
        layer = f"videomae.encoder.layer.{number}"
        shapes |= {f"{layer}.attention.attention.{part}.weight": (width, width) for part in ("query", "key", "value")}
        shapes |= {f"{layer}.attention.attention.{part}_bias": (width,) for part in ("q", "v")}
        for part, rows, columns in (
            ("attention.output.dense", width, width),
            ("intermediate.dense", 4 * width, width),
            ("output.dense", width, 4 * width),
        ):
            shapes |= {f"{layer}.{part}.weight": (rows, columns), f"{layer}.{part}.bias": (rows,)}
        for part in ("layernorm_before", "layernorm_after"):
            shapes |= {f"{layer}.{part}.weight": (width,), f"{layer}.{part}.bias": (width,)}
    return {name: torch.randn(shape) * 0.3 for name, shape in shapes.items()}


def by_hand(state: State, pixels: Tensor, final: str, heads: int) -> Tensor:
    """VideoMAE from Hugging Face's names, written out: (B, 3, T, H, W) -> (B, D)."""

    def linear(x: Tensor, name: str) -> Tensor:
        return F.linear(x, state[f"{name}.weight"], state[f"{name}.bias"])

    def norm(x: Tensor, name: str) -> Tensor:
        return F.layer_norm(x, x.shape[-1:], state[f"{name}.weight"], state[f"{name}.bias"], 1e-6)

    stem = "videomae.embeddings.patch_embeddings.projection"
    x = F.conv3d(pixels, state[f"{stem}.weight"], state[f"{stem}.bias"], stride=(2, 8, 8)).flatten(2).transpose(1, 2)
    width = x.shape[2]
    place = torch.arange(x.shape[1], dtype=torch.float64)[:, None]
    angle = place / 10000 ** (torch.arange(0, width, 2, dtype=torch.float64) / width)
    x = x + torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1).float()
    number = 0
    while f"videomae.encoder.layer.{number}.layernorm_before.weight" in state:
        layer = f"videomae.encoder.layer.{number}"
        attention, y = f"{layer}.attention.attention", norm(x, f"{layer}.layernorm_before")
        query = y @ state[f"{attention}.query.weight"].T + state[f"{attention}.q_bias"]
        key = y @ state[f"{attention}.key.weight"].T
        value = y @ state[f"{attention}.value.weight"].T + state[f"{attention}.v_bias"]
        query, key, value = (part.unflatten(2, (heads, -1)).transpose(1, 2) for part in (query, key, value))
        share = (query @ key.transpose(2, 3) / (width // heads) ** 0.5).softmax(dim=3)
        x = x + linear((share @ value).transpose(1, 2).flatten(2), f"{layer}.attention.output.dense")
        y = F.gelu(linear(norm(x, f"{layer}.layernorm_after"), f"{layer}.intermediate.dense"))
        x = x + linear(y, f"{layer}.output.dense")
        number += 1
    return norm(x.mean(dim=1), final)


@pytest.mark.parametrize("final", ["fc_norm", "videomae.layernorm"])
def test_hugging_face_names_against_the_network_written_out(final: str, tmp_path: Path) -> None:
    state = hugging_face(24, 5, final)
    extra = {
        "classifier.weight": torch.ones(4, 24),
        "decoder.decoder_layers.0.attention.attention.q_bias": torch.ones(9),
    }
    save_file(state | extra, tmp_path / "model.safetensors")
    video = clips_for("joint").video
    assert video is not None
    expected = by_hand(state, video.transpose(1, 2), final, heads=2)
    found = loaded("joint", tmp_path / "model.safetensors", segments=1, pixel_norm="none")
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_own_names_of_divided_attention(tmp_path: Path) -> None:
    state, vector = released("divided")
    save_file(state, tmp_path / "w.safetensors")
    torch.testing.assert_close(loaded("divided", tmp_path / "w.safetensors"), vector)


def test_everything_that_does_not_fit_is_listed(tmp_path: Path) -> None:
    state, _ = released("r3d_18", norm="frozen-batch")
    del state["layer1.0.conv1.weight"], state["layer2.0.bn1.running_mean"]
    state |= {"layer9.weight": torch.ones(1), "extra": torch.ones(2), "conv1.weight": torch.ones(8, 3, 3, 7, 7)}
    save_file(state, tmp_path / "w.safetensors")
    with pytest.raises(HarnessError) as refusal:
        loaded("r3d_18", tmp_path / "w.safetensors", norm="frozen-batch")
    for part in (
        "w.safetensors", "missing layer1.0.conv1.weight", "missing layer2.0.bn1.running_mean",
        "unexpected layer9.weight", "unexpected extra", "conv1.weight is (8, 3, 3, 7, 7), expected (8, 3, 7, 7, 7)",
    ):  # fmt: skip
        assert part in str(refusal.value)


def test_nothing_is_loaded_in_part() -> None:
    encoder = video_encoder("joint")
    before = {key: value.clone() for key, value in encoder.state_dict().items()}
    with pytest.raises(HarnessError):
        load_weights(encoder.backbone, Path("/nowhere/w.pth"))
    assert all(torch.equal(value, before[key]) for key, value in encoder.state_dict().items())


def test_batchnorm_weights_for_a_network_with_group_norm_are_refused(tmp_path: Path) -> None:
    save_file(released("resnet18", norm="frozen-batch")[0], tmp_path / "w.safetensors")
    with pytest.raises(HarnessError, match=r"unexpected bn1.running_mean.*set video_encoder.norm to frozen-batch"):
        loaded("resnet18", tmp_path / "w.safetensors")


def test_two_entries_for_one_parameter_are_refused(tmp_path: Path) -> None:
    state, _ = released("joint")
    save_file(state | {"fc_norm.weight": torch.ones(24)}, tmp_path / "w.safetensors")
    with pytest.raises(HarnessError, match=r"two entries of the weights are norm.weight"):
        loaded("joint", tmp_path / "w.safetensors")


class Code:
    """What a file from a stranger may hold."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, ("touch should-not-exist",)


def test_pickled_code_is_refused_and_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": {"conv1.weight": Code()}}, "code.pth")
    Path("plain.pt").write_bytes(pickle.dumps(Code(), protocol=2))
    for name in ("code.pth", "plain.pt"):
        with pytest.raises(HarnessError, match=rf"{name}: not readable as weights.*convert it to .safetensors"):
            read_weights(Path(name))
    assert not Path("should-not-exist").exists()


@pytest.mark.parametrize("name", ["w.safetensors", "w.pth", "w.pt"])
def test_damaged_files_are_refused(name: str, tmp_path: Path) -> None:
    whole = tmp_path / name
    if name == "w.safetensors":
        save_file({"a": torch.ones(100)}, whole)
    else:
        torch.save({"a": torch.ones(100)}, whole)
    for content in (b"", b"not weights", whole.read_bytes()[:-50]):
        whole.write_bytes(content)
        with pytest.raises(HarnessError, match=rf"{name}: not readable as weights"):
            read_weights(whole)


@pytest.mark.parametrize("content", [{}, {"epoch": 3}, [torch.ones(1)], {"state_dict": {"a": 3}}])
def test_files_without_named_tensors_are_refused(content: Any, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "w.pth")
    with pytest.raises(HarnessError, match=r"holds no named tensors"):
        read_weights(tmp_path / "w.pth")


def test_files_that_are_not_there_or_of_another_kind(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="no such file of weights"):
        read_weights(tmp_path / "w.pth")
    with pytest.raises(HarnessError, match=r"unknown kind '.onnx'. Known: .safetensors, .pth"):
        read_weights(tmp_path / "w.onnx")


def test_the_digest_is_that_of_the_file_as_it_is_now(tmp_path: Path) -> None:
    file = tmp_path / "w.pth"
    for number, content in enumerate((b"weights", b"others!")):
        file.write_bytes(content)
        os.utime(file, ns=(0, number))
        assert file_sha256(file) == hashlib.sha256(content).hexdigest()
    with pytest.raises(HarnessError, match="cannot be read"):
        file_sha256(tmp_path / "none.pth")
