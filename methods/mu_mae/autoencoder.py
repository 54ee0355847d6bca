"""Masked autoencoding of video and sensors together: Mu-MAE's pre-training; of video alone, VideoMAE's (section 3.3).

Not as in the release unless asked for: a sensor's tokens are runs of consecutive samples (``Layout.interleaved``), and
clips may lack modalities, which then take part neither in the attention nor in the loss.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from mmact_oneshot.harness.api import Clips, LossTerms
from mmact_oneshot.harness.encoders.multimodal import MultimodalEncoder, Positions, initialise, transformer
from mmact_oneshot.harness.encoders.sizes import Size
from mmact_oneshot.harness.encoders.space_time_vit import LayerNorm
from mmact_oneshot.harness.encoders.tokens import Layout, Split, chosen
from mmact_oneshot.harness.runtime.ranks import step_mean


class Reconstruction(NamedTuple):
    """What an autoencoder makes of B clips.

    Attributes:
        latent: (B, N, D) visible tokens after the encoder.
        prediction, target: modality -> (B, m, values) of the masked tokens.
    """

    latent: Tensor
    prediction: dict[str, Tensor]
    target: dict[str, Tensor]

    def errors(self) -> dict[str, Tensor]:
        """Modality -> (B,) mean squared error over the masked elements of each clip."""
        return {
            name: (value.float() - self.target[name]).square().mean(dim=(1, 2))
            for name, value in self.prediction.items()
        }


class Decoder(nn.Module):
    """Predicts the masked tokens of one modality from its visible ones.

    The blocks see the visible tokens first and then the masked ones; positions tell where each belongs.

    Args:
        size: of the transformer.
        values: numbers to predict of a token.
    """

    def __init__(self, size: Size, values: int) -> None:
        super().__init__()
        self.blocks = transformer(size.decoder_width, size.decoder_depth, size.decoder_heads)
        self.norm = LayerNorm(size.decoder_width)
        self.head = nn.Linear(size.decoder_width, values)

    def forward(self, tokens: Tensor, masked: int) -> Tensor:
        """(B, N, D) -> (B, masked, values) of the last tokens."""
        for block in self.blocks:
            tokens = block(tokens)
        found: Tensor = self.head(self.norm(tokens[:, -masked:]))
        return found


class MultimodalAutoencoder(nn.Module):
    """A joint encoder over the visible tokens and a decoder of its own for each modality.

    One projection and one mask token serve all decoders.

    Args:
        layout: of the tokens; video alone gives VideoMAE.
        size: see :data:`mmact_oneshot.harness.encoders.sizes.SIZES`.
        sensor_weight: of each sensor's error in the loss, where the video's is 1.
    """

    def __init__(self, layout: Layout, size: Size, *, sensor_weight: float = 0.5) -> None:
        super().__init__()
        self.layout, self.sensor_weight = layout, sensor_weight
        self.encoder = MultimodalEncoder(layout, size)
        self.encoder_to_decoder = nn.Linear(size.width, size.decoder_width, bias=False)
        self.mask_token = nn.Parameter(torch.empty(1, 1, size.decoder_width))
        self.decoder = nn.ModuleDict({name: Decoder(size, layout.values(name)) for name in layout.modalities})
        self.positions = Positions(layout, size.decoder_width)
        for part in (self.encoder_to_decoder, self.decoder):
            initialise(part)
        nn.init.trunc_normal_(self.mask_token, std=0.02)

    def forward(self, clips: Clips, splits: Mapping[str, Split]) -> Reconstruction:
        """Predict what ``splits`` hide of each modality.

        The number of visible tokens is a matter of shapes: nothing is read back from the device.

        Raises:
            ValueError: clips that the layout does not describe.
        """
        names = self.layout.modalities
        pieces = {name: self.layout.pieces(clips, name) for name in names}
        latent = self.encoder.latent(clips, pieces, splits)
        parts = self.encoder_to_decoder(latent).split([splits[name].visible.shape[1] for name in names], dim=1)
        prediction = {name: self.decode(name, part, splits[name]) for name, part in zip(names, parts, strict=True)}
        with torch.no_grad():
            target = {name: self.layout.target(name, chosen(pieces[name], splits[name].masked)) for name in names}
        return Reconstruction(latent, prediction, target)

    def decode(self, modality: str, visible: Tensor, split: Split) -> Tensor:
        """Masked tokens of one modality from its projected visible ones: (B, v, D) -> (B, m, values)."""
        known = visible + self.positions(modality, split.visible)
        queries = self.mask_token + self.positions(modality, split.masked)
        found: Tensor = self.decoder[modality](torch.cat([known, queries], dim=1), queries.shape[1])
        return found

    def losses(self, reconstruction: Reconstruction, clips: Clips) -> LossTerms:
        """Weighted errors by modality, to be summed: means over the masked elements of the clips that have it."""
        terms: LossTerms = {}
        for name, error in reconstruction.errors().items():
            mean = step_mean(error, clips.present[name])
            terms[name] = mean * (1.0 if name == "video" else self.sensor_weight)
        return terms
