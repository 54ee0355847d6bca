"""Mu-MAE's pre-training as the harness runs it; of video alone, VideoMAE's."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import torch
from einops import rearrange
from torch import Tensor

from mmact_oneshot.harness.api import Clips, LossTerms, Pretraining, Reconstruction, Setup
from mmact_oneshot.harness.encoders.multimodal import by_modality
from mmact_oneshot.harness.encoders.sizes import SIZES
from mmact_oneshot.harness.encoders.tokens import Layout, chosen
from mmact_oneshot.methods.mu_mae.autoencoder import MultimodalAutoencoder
from mmact_oneshot.methods.mu_mae.fitting import fitting
from mmact_oneshot.methods.mu_mae.masking import Masking
from mmact_oneshot.methods.mu_mae.prior import clip_layout


class MaskedAutoencoding(Pretraining):
    """Most tokens of a clip are masked and predicted from the others.

    Args:
        setup: its modalities, sensors, clips and transformer.
        video_ratio, sensor_ratio: shares of the tokens that are masked.
        synchronised: the same instants are masked in all sensors of a clip.
        interleaved: as released; see :class:`mmact_oneshot.harness.encoders.tokens.Layout`.
        sensor_weight: of each sensor's error in the loss, where the video's is 1.

    Raises:
        NotApplicable: the clips cannot be cut into such tokens, or a ratio hides nothing or everything.
    """

    def __init__(
        self,
        setup: Setup,
        *,
        video_ratio: float = 0.9,
        sensor_ratio: float = 0.9,
        synchronised: bool = True,
        interleaved: bool = False,
        sensor_weight: float = 0.5,
    ) -> None:
        super().__init__()
        self.modalities, self.layout = setup.modalities, clip_layout(setup, interleaved=interleaved)
        layout, self.size = self.layout, SIZES[setup.transformer.size]
        with fitting():
            self.masking = Masking(
                layout.grid, layout.sensors, layout.sensor_tokens, video_ratio, sensor_ratio, synchronised
            )
        self.draws = self.masking.draws
        self.autoencoder = MultimodalAutoencoder(layout, self.size, sensor_weight=sensor_weight)

    def describe(self) -> dict[str, Any]:
        """What concerns a modality that there is not is left out, so that VideoMAE is Mu-MAE without sensors."""
        masking, layout = self.masking, self.layout
        of_video = {"video_ratio": masking.video_ratio}
        of_sensors = {
            "sensor_ratio": masking.sensor_ratio,
            "synchronised": masking.synchronised,
            "sensor_weight": self.autoencoder.sensor_weight,
        }
        return {
            "network": "masked autoencoder",
            "layout": asdict(layout) | {"sensors": list(layout.sensors)},
            "size": asdict(self.size),
            **(of_video if layout.video else {}),
            **(of_sensors if layout.sensors else {}),
        }

    def forward(self, clips: Clips, draws: Tensor) -> LossTerms:
        return self.autoencoder.losses(self.autoencoder(clips, self.masking(draws)), clips)

    def states(self) -> dict[str, dict[str, Tensor]]:
        return by_modality(self.autoencoder.encoder.state_dict())

    @torch.no_grad()
    def reconstruct(self, clips: Clips, draws: Tensor) -> dict[str, Reconstruction]:
        splits = self.masking(draws)
        made = self.autoencoder(clips, splits)
        found = {}
        for name in self.layout.modalities:
            pieces, (visible, masked) = self.layout.pieces(clips, name), splits[name]
            known, targets = chosen(pieces, visible), chosen(pieces, masked)
            shown = self.layout.reconstructed(name, targets, made.prediction[name])
            order = torch.cat([visible, masked], dim=1).argsort(dim=1)
            whole = chosen(torch.cat([known, shown.to(known)], dim=1), order)
            mask = splits[name].mask(pieces.shape[1]).unsqueeze(-1).expand_as(pieces)
            found[name] = self._reconstruction(name, clips, whole, mask)
        return found

    def _reconstruction(self, name: str, clips: Clips, pieces: Tensor, mask: Tensor) -> Reconstruction:
        """One modality put together again; ``pieces`` and ``mask``, true where masked, are (B, n, values)."""
        shown, masked = joined(self.layout, name, pieces), joined(self.layout, name, mask)
        if name != "video":
            original = clips.sensors[name]
        else:
            assert clips.video is not None
            original = clips.video
            if self.layout.background == "subtract":
                shown = shown + original.mean(dim=1, keepdim=True)
            shown = shown.clamp(0, 1)
        return Reconstruction(original, original.masked_fill(masked, torch.nan), torch.where(masked, shown, original))


def joined(layout: Layout, modality: str, pieces: Tensor) -> Tensor:
    """Undo the cutting of ``Layout.pieces``: (B, n, values) -> (B, T, 3, H, W) or
    (B, L, 3)."""
    if modality == "video":
        assert layout.grid is not None
        sides = dict(zip("thw", layout.grid, strict=True)) | {"u": layout.tubelet, "p": layout.patch, "q": layout.patch}
        return rearrange(pieces, "b (t h w) (u p q c) -> b (t u) c (h p) (w q)", **sides)
    return rearrange(pieces, f"b n (s a) -> b {'(s n)' if layout.interleaved else '(n s)'} a", a=3)
