"""The encoder as a prior: its weights, its sizes, and what it makes of clips."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from mmact_oneshot.harness.encoders.multimodal import MultimodalEncoder, transformer
from mmact_oneshot.harness.encoders.sizes import SIZES
from mmact_oneshot.harness.encoders.space_time_vit import SpaceTimeViT
from mmact_oneshot.harness.encoders.tokens import Layout
from mmact_oneshot.harness.encoders.videomae_names import videomae_names
from mmact_oneshot.methods.mu_mae.autoencoder import MultimodalAutoencoder
from tests.helpers.mu_mae_clips import LAYOUT, SIZE, VIDEO_ONLY, autoencoder, clips, lacking


def test_larger_clips_need_no_other_weights() -> None:
    larger = MultimodalEncoder(replace(LAYOUT, frames=8, size=32), SIZE)
    larger.load_state_dict(autoencoder().encoder.state_dict())


def test_a_video_only_encoder_is_the_shared_video_transformer() -> None:
    model = autoencoder(VIDEO_ONLY)
    shared = SpaceTimeViT(4, 16, patch=8, width=SIZE.width, depth=SIZE.depth, heads=SIZE.heads)
    released = {name: value for name, value in model.state_dict().items() if not name.startswith(shared.dropped)}
    shared.load_state_dict(videomae_names(released))
    batch = clips()
    assert batch.video is not None
    encoder = model.encoder
    pixels = (batch.video.movedim(2, -1) - encoder.pixel_mean) / encoder.pixel_std
    clip = shared(pixels.movedim(-1, 1))[1].clip
    assert clip is not None
    torch.testing.assert_close(encoder(batch), clip, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["video", "phone"])
def test_the_prior_of_a_clip_that_lacks_a_modality_is_over_the_others(name: str) -> None:
    encoder, batch = autoencoder().encoder, clips()
    found = encoder(lacking(batch, name, row=1))
    rest = replace(LAYOUT, video=False) if name == "video" else replace(LAYOUT, sensors=("watch",))
    smaller = MultimodalEncoder(rest, SIZE)
    state = encoder.state_dict()
    smaller.load_state_dict({each: state[each] for each in smaller.state_dict()})
    torch.testing.assert_close(found[1], smaller(batch)[1], rtol=0, atol=1e-5)
    torch.testing.assert_close(found[[0, 2]], encoder(batch)[[0, 2]], rtol=0, atol=1e-5)


def test_a_clip_without_anything_gives_what_the_norm_makes_of_zero() -> None:
    encoder, batch = autoencoder().encoder, clips()
    for name in LAYOUT.modalities:
        batch = lacking(batch, name, row=0)
    torch.testing.assert_close(encoder(batch)[0], encoder.norm.bias)


@pytest.mark.parametrize(
    ("size", "parameters"),
    [
        ("tiny", 2_074_944),
        ("small", 21_884_544),
        ("base", 86_236_416),
        ("large", 303_885_312),
        ("huge", 631_648_000),
    ],
)
def test_sizes_have_the_parameters_of_their_names(size: str, parameters: int) -> None:
    with torch.device("meta"):
        encoder = MultimodalEncoder(Layout(), SIZES[size])
    assert sum(parameter.numel() for parameter in encoder.parameters()) == parameters


def test_video_only_at_base_size_is_videomae() -> None:
    with torch.device("meta"):
        model = MultimodalAutoencoder(Layout(), SIZES["base"])
    key_biases = 12 * 768 + 4 * 384  # it has none, and they change nothing
    assert sum(parameter.numel() for parameter in model.parameters()) - key_biases == 94_210_944


def test_heads_must_share_the_width() -> None:
    with pytest.raises(ValueError, match="width 10 is not a multiple of heads 4"):
        transformer(10, 1, 4)
