"""The video encoder on every kind of network: shapes, tails, modulation, independence, pooling, normalisation."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmact_oneshot.harness.api import Clips
from mmact_oneshot.harness.config.specs import VideoEncoderSpec
from mmact_oneshot.harness.encoders.build import build_encoder
from mmact_oneshot.harness.encoders.norm import use_group_norm
from mmact_oneshot.harness.encoders.placement import placed
from mmact_oneshot.harness.encoders.pooling import pool_map
from mmact_oneshot.harness.encoders.video import VideoEncoder
from mmact_oneshot.harness.runtime.errors import HarnessError
from mmact_oneshot.harness.runtime.seeding import seeded
from tests.helpers.reference_networks import NETWORKS, SMALL, clips, clips_for, video_encoder
from tests.helpers.toys import toy_settings

FRAMEWISE = ("resnet10t", "convnext", "mobilenet", "vit", "swin")
STAGED = ("resnet10t", "resnet18", "resnet50", "r3d_18", "r3d_50", "joint", "divided")


@pytest.mark.parametrize("name", NETWORKS)
def test_every_output_of_every_network(name: str) -> None:
    network, encoder = NETWORKS[name], video_encoder(name)
    with torch.no_grad():
        found = encoder(clips_for(name), tuple(encoder.widths))
    assert set(found) == {"vector", "sequence", "map"} | {f"stage:{k}" for k in range(-network.stages, network.stages)}
    assert found["sequence"].shape == (2, network.steps, network.width)
    assert found["vector"].shape == (2, 2 * network.width) == (2, encoder.widths["vector"])
    assert found["map"].shape[:3] == (2, network.map_width or network.width, 2)
    for output, value in found.items():
        assert value.shape[2 if output == "sequence" else 1] == encoder.widths[output]
        assert bool(value.isfinite().all())
        if output.startswith("stage:"):
            assert max(value.shape[3:]) <= 7
            assert torch.equal(value, found[f"stage:{int(output[6:]) % network.stages}"]), "two names of one stage"
            torch.testing.assert_close(encoder.tail(output, value), found["vector"])


@pytest.mark.slow
@pytest.mark.parametrize("name", STAGED)
def test_modulation(name: str) -> None:
    encoder = video_encoder(name)
    with torch.no_grad():
        for stage in ("stage:0", "stage:-2"):
            value, vector = encoder(clips_for(name), (stage, "vector")).values()
            same = [(torch.ones(2, width), torch.zeros(2, width)) for width in encoder.film_widths(stage)]
            torch.testing.assert_close(encoder.tail(stage, value, same), vector)
            for layer in range(len(same)):  # each layer's modulation has an effect, in its own clip only
                gamma, beta = same[layer]
                one = [*same[:layer], (gamma, beta + torch.tensor([[0.0], [1.0]]))]
                changed = encoder.tail(stage, value, [*one, *same[layer + 1 :]])
                torch.testing.assert_close(changed[0], vector[0])
                assert not torch.allclose(changed[1], vector[1], rtol=0, atol=1e-4), f"{stage}, layer {layer}"
            with pytest.raises(ValueError, match="zip"):
                encoder.tail(stage, value, same[1:])
            torch.testing.assert_close(encoder.tail(stage, value), vector, msg="a failed call leaves hooks behind")


def test_which_layers_are_modulated() -> None:
    widths = {name: video_encoder(name).film_widths("stage:-2") for name in STAGED}
    assert widths["resnet10t"] == (16, 16), "one block of two layers; not the norm of its shortcut"
    assert widths["resnet18"] == (16, 16, 16, 16)
    assert widths["resnet50"] == (8, 8, 32) * 3
    assert widths["r3d_18"] == (64, 64, 64, 64)
    assert widths["r3d_50"] == (64, 64, 256) * 3
    assert widths["joint"] == (24, 24), "two LayerNorms of the last block; the final one is not on a branch"
    assert widths["divided"] == (24, 24, 24)
    assert video_encoder("resnet10t").film_widths("stage:-1") == ()


@pytest.mark.parametrize("name", FRAMEWISE)
def test_frames_are_encoded_one_by_one(name: str) -> None:
    encoder, whole = video_encoder(name), clips_for(name)
    assert whole.video is not None
    changed = Clips(whole.video.clone(), {}, {}, whole.present)
    assert changed.video is not None
    changed.video[:, 1] = 0.3
    with torch.no_grad():
        a, b = (encoder(each, ("sequence",))["sequence"] for each in (whole, changed))
    torch.testing.assert_close(a[:, [0, 2, 3]], b[:, [0, 2, 3]])
    assert not torch.allclose(a[:, 1], b[:, 1], atol=1e-3)


@pytest.mark.parametrize("name", ["resnet50", "mobilenet", "r3d_18", "joint", "divided"])
def test_a_clip_is_encoded_the_same_alone_and_in_a_batch(name: str) -> None:
    """In training mode too: GroupNorm and LayerNorm normalise each clip alone."""
    encoder, both = video_encoder(name).train(), clips_for(name)
    outputs = ("vector", "sequence", "map")
    whole = encoder(both, outputs)
    for row in range(2):
        alone = encoder(both[row : row + 1], outputs)
        for output in outputs:
            torch.testing.assert_close(alone[output][0], whole[output][row], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["resnet10t", "r3d_18", "divided"])
def test_dynamics_take_off_what_stands_still(name: str) -> None:
    encoder, moving = video_encoder(name, pooling="dynamics"), clips_for(name)
    with torch.no_grad():
        found = encoder(moving, ("sequence", "map", "vector"))
    torch.testing.assert_close(found["sequence"].mean(1), torch.zeros_like(found["sequence"][:, 0]))
    above, below = found["map"].chunk(2, dim=1)
    torch.testing.assert_close(above.mean(2), below.mean(2), atol=1e-5, rtol=0)
    assert bool((found["map"] >= 0).all())
    assert bool((found["map"].mean(dim=(2, 3, 4)) > 1e-4).any(dim=1).all()), "an average of the map says what moved"
    assert found["vector"].shape[1] == encoder.widths["vector"] == 3 * encoder.widths["sequence"]


def test_a_still_clip_leaves_nothing_of_its_background() -> None:
    still = clips(2)
    assert still.video is not None
    still = Clips(still.video[:, :1].expand(-1, 4, -1, -1, -1), {}, {}, still.present)
    encoder = video_encoder("resnet10t", background="subtract", pixel_norm="none")
    kept = video_encoder("resnet10t", pooling="dynamics")
    with torch.no_grad():
        vector = encoder(still, ("vector",))["vector"]
        torch.testing.assert_close(vector[0], vector[1])
        assert float(kept(still, ("map",))["map"].abs().max()) < 1e-4


@pytest.mark.parametrize(
    ("shape", "segments", "pooled"),
    [
        ((1, 7, 7), 1, (1, 7, 7)),
        ((8, 7, 7), 1, (1, 7, 7)),
        ((8, 14, 14), 4, (4, 3, 3)),
        ((8, 14, 2), 2, (2, 4, 2)),
        ((3, 7, 7), 8, (3, 4, 4)),
        ((60, 7, 7), 60, (49, 1, 1)),
    ],
)
def test_a_map_has_at_most_49_positions(
    shape: tuple[int, int, int], segments: int, pooled: tuple[int, int, int]
) -> None:
    value = torch.randn(2, 3, *shape)
    found = pool_map(value, segments)
    assert found.shape == (2, 3, *pooled)
    assert pooled[0] * pooled[1] * pooled[2] <= 49
    if all(a % b == 0 for a, b in zip(shape, pooled, strict=True)):
        torch.testing.assert_close(found.mean((2, 3, 4)), value.mean((2, 3, 4)))


def test_the_plain_encoder_at_224_pixels_gives_a_map_of_7_by_7() -> None:
    encoder = VideoEncoder(VideoEncoderSpec(name="resnet10t", arguments=SMALL, segments=1), 2, 224).eval()
    with torch.no_grad():
        found = encoder(clips(1, 2, 224), ("map", "stage:-1", "stage:-2", "vector"))
    assert found["map"].shape == (1, 16, 1, 7, 7)
    assert found["stage:-2"].shape == (1, 16, 2, 7, 7), "of 14 x 14"
    torch.testing.assert_close(found["map"].mean((2, 3, 4)), found["vector"])
    torch.testing.assert_close(encoder.tail("stage:-1", found["stage:-1"]), found["vector"])
    assert encoder.tail("stage:-2", found["stage:-2"]).shape == found["vector"].shape


@pytest.mark.parametrize("name", ["joint", "divided", "r3d_18"])
def test_a_single_segment_is_the_networks_own_feature(name: str) -> None:
    encoder, both = video_encoder(name, segments=1), clips_for(name)
    with torch.no_grad():
        vector = encoder(both, ("vector",))["vector"]
        values, reading = encoder.backbone(encoder.enter(both))
    if name == "r3d_18":
        assert reading.clip is None
        torch.testing.assert_close(vector, values[-1].mean((2, 3, 4)))
    else:
        backbone: Any = encoder.backbone
        own = values[-1].mean((2, 3, 4)) if name == "joint" else values[-1][:, 24:, 0, 0, 0]
        torch.testing.assert_close(vector, backbone.norm(own))


@pytest.mark.parametrize("name", ["resnet50", "mobilenet", "r3d_18"])
def test_group_norm_takes_the_place_of_every_batch_norm(name: str) -> None:
    encoder = video_encoder(name)
    assert not [layer for layer in encoder.modules() if isinstance(layer, _BatchNorm)]
    assert [layer for layer in encoder.modules() if isinstance(layer, nn.GroupNorm)]


def test_group_norm_keeps_initial_gains() -> None:
    batch = nn.BatchNorm2d(32)
    nn.init.zeros_(batch.weight)
    network = nn.Sequential(batch)
    use_group_norm(network)
    assert isinstance(network[0], nn.GroupNorm)
    assert network[0].num_groups == 2
    assert not network[0].weight.any()


@pytest.mark.parametrize("name", ["resnet10t", "r3d_18"])
def test_frozen_batchnorm_stays_frozen_in_training(name: str) -> None:
    known = NETWORKS[name]
    spec = VideoEncoderSpec(name=known.name, arguments=known.arguments, norm="frozen-batch")
    scratch = VideoEncoder(spec, known.frames, known.size)
    assert not [layer for layer in scratch.modules() if isinstance(layer, _BatchNorm) and layer.training]
    encoder = video_encoder(name, norm="frozen-batch").train()
    norms = [layer for layer in encoder.modules() if isinstance(layer, _BatchNorm)]
    assert norms
    for norm in norms:
        assert norm.running_var is not None
        norm.running_var.fill_(2.0)
    before = {key: value.clone() for key, value in encoder.state_dict().items()}
    trained = encoder(clips_for(name), ("vector",))["vector"]
    assert all(torch.equal(value, before[key]) for key, value in encoder.state_dict().items())
    torch.testing.assert_close(encoder.eval()(clips_for(name), ("vector",))["vector"], trained)


@pytest.mark.parametrize(
    ("pixel_norm", "centre"),
    [("imagenet", (0.485, 0.456, 0.406)), ("kinetics", (0.4345, 0.4051, 0.3775)), ("none", (0.0, 0.0, 0.0))],
)
def test_pixels_are_normalised_as_the_weights_expect(pixel_norm: Any, centre: tuple[float, ...]) -> None:
    encoder = VideoEncoder(
        VideoEncoderSpec(name="resnet10t", arguments=SMALL, segments=1, pixel_norm=pixel_norm), 4, 24
    )
    grey = Clips(torch.tensor(centre).view(1, 1, 3, 1, 1).expand(1, 4, -1, 24, 24), {}, {}, {"video": torch.ones(1)})
    assert float(encoder.enter(grey).abs().max()) < 1e-6
    white = Clips(torch.ones(1, 4, 3, 24, 24), {}, {}, {"video": torch.ones(1)})
    assert float(encoder.enter(white).max()) == (1.0 if pixel_norm == "none" else pytest.approx(2.64, abs=0.5))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"name": "resnet10"}, r"no video network 'resnet10'. Did you mean .*resnet10t"),
        ({"name": "resnet10t", "arguments": {"wings": 2}}, r"resnet10t does not take.*'wings'.*Change video_encoder"),
        ({"name": "vit_tiny_patch16_224"}, r"does not take these arguments or clips.*img_size"),
        ({"name": "space_time_vit", "arguments": {"patch": 7}}, r"input.size 24 is not a multiple of patch 7. Change"),
        ({"name": "space_time_vit", "arguments": {"patch": 8, "tubelet": 3}}, r"input.frames 4 is not a multiple of t"),
        ({"name": "space_time_vit", "arguments": {"patch": 8, "heads": 5}}, r"width 768 is not a multiple of heads 5"),
        ({"name": "space_time_vit", "arguments": {"attention": "none"}}, r"no attention 'none'. Known: divided, joint"),
        ({"name": "r3d_18", "arguments": {"widen_factor": 0.1}}, r"segments is 2, but r3d_18 leaves 1 steps of 4"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_with_a_remedy(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        VideoEncoder(VideoEncoderSpec(**settings), 4, 24)


def test_settings_that_learn_nothing_are_refused() -> None:
    for video, message in (
        ({"pooling": "dynamics", "segments": 1}, "a single segment has a mean of zero: raise video_encoder.segments"),
        ({"norm": "frozen-batch"}, "name a file in video_encoder.weights, or choose group"),
    ):
        with pytest.raises(HarnessError, match=message):
            toy_settings(video_encoder=video)


def test_r2plus1d() -> None:
    settings = toy_settings(
        video_encoder={"name": "r2plus1d_18", "segments": 1}, input={"frames": 4, "size": 12, "sensor_length": 16}
    )
    encoder = build_encoder("video", settings, (), 0).eval()
    assert sum(parameter.numel() for parameter in encoder.parameters()) == 31505325 - 400 * 513, "torchvision's count"
    with torch.no_grad():
        found: dict[str, Tensor] = encoder(clips(1, 4, 12), ("vector", "map", "stage:-2"))
        torch.testing.assert_close(encoder.tail("stage:-2", found["stage:-2"]), found["vector"])
    assert found["stage:-2"].shape == (1, 256, 1, 2, 2)
    assert found["map"].shape == (1, 512, 1, 1, 1)
    assert encoder.film_widths("stage:-2") == (921, 512, 921, 512, 1152, 512, 1152, 512)


@pytest.mark.parametrize("name", ["resnet10t", "mobilenet", "r3d_18"])
def test_the_order_in_memory_changes_no_result_beyond_rounding(name: str) -> None:
    known = NETWORKS[name]
    spec = VideoEncoderSpec(name=known.name, arguments=known.arguments, norm="group")
    found = []
    for channels_last in (True, False):
        with seeded("order in memory", name):
            encoder = VideoEncoder(spec, known.frames, known.size, channels_last)
        kernel = next(p for p in encoder.parameters() if p.ndim > 3 and p.shape[1] > 1 and p.shape[-1] > 1)
        assert (kernel.stride(1) == 1) == channels_last
        encoder.lay_out("cuda")
        assert kernel.stride(1) != 1, "GroupNorm has no kernel for it there"
        placed(encoder, torch.device("cpu"))
        assert (kernel.stride(1) == 1) == channels_last
        vector = encoder(clips_for(name), ("vector",))["vector"]
        vector.square().sum().backward()
        found.append((vector.detach(), {name: p.grad for name, p in encoder.named_parameters()}))
    torch.testing.assert_close(found[0][0], found[1][0], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found[0][1], found[1][1], rtol=1e-3, atol=1e-4)
