"""Small clips and networks for the tests of Mu-MAE."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from mmact_oneshot.harness.api import Clips
from mmact_oneshot.harness.encoders.sizes import Size
from mmact_oneshot.harness.encoders.tokens import Layout, Split
from mmact_oneshot.methods.mu_mae.autoencoder import MultimodalAutoencoder
from mmact_oneshot.methods.mu_mae.masking import Masking

SENSORS = ("phone", "watch")
LAYOUT = Layout(frames=4, size=16, patch=8, sensors=SENSORS, samples=32, sensor_tokens=8)
VIDEO_ONLY, SENSORS_ONLY = replace(LAYOUT, sensors=()), replace(LAYOUT, video=False)
SIZE = Size(24, 2, 4, 12, 2, decoder_depth=1)


def clips(count: int = 3, seed: int = 0) -> Clips:
    """Complete clips for :data:`LAYOUT`."""
    random = torch.Generator().manual_seed(seed)
    video = torch.rand(count, 4, 3, 16, 16, generator=random)
    sensors = {name: torch.randn(count, 32, 3, generator=random) for name in SENSORS}
    masks = {name: torch.ones(count, 32).bool() for name in SENSORS}
    return Clips(video, sensors, masks, {name: torch.ones(count).bool() for name in ("video", *SENSORS)})


def lacking(batch: Clips, name: str, row: int) -> Clips:
    """The same clips, one without a modality; what it holds instead is arbitrary."""
    present = {key: value.clone() for key, value in batch.present.items()}
    present[name][row] = False
    video, sensors = batch.video, {key: value.clone() for key, value in batch.sensors.items()}
    if name == "video" and video is not None:
        video = video.clone()
        video[row] = 7.0
    else:
        sensors[name][row] = -3.0
    return replace(batch, video=video, sensors=sensors, present=present)


def splits(layout: Layout, count: int = 3) -> dict[str, Split]:
    """The same masks of a modality in every layout."""
    masking = Masking(LAYOUT.grid, LAYOUT.sensors, LAYOUT.sensor_tokens, 0.5, 0.75)
    drawn = masking(torch.rand(count, masking.draws, generator=torch.Generator().manual_seed(3)))
    return {name: drawn[name] for name in layout.modalities}


def autoencoder(layout: Layout = LAYOUT, like: MultimodalAutoencoder | None = None) -> MultimodalAutoencoder:
    """With weights of some size everywhere; with those of another one, as far as its modalities are here."""
    model = MultimodalAutoencoder(layout, SIZE)
    random = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=random))
    if like is not None:
        state: dict[str, Tensor] = like.state_dict()
        model.load_state_dict({name: state[name] for name in model.state_dict()})
    return model
