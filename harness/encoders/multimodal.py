"""One transformer over the tokens of all modalities: Mu-MAE's encoder in pre-training, then its prior information.

Names of the parameters are VideoMAE's, so that the encoder of a video-only autoencoder is also one of
``mmact_oneshot.harness.encoders.space_time_vit``, and its published weights fit here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmact_oneshot.harness.api import Clips
from mmact_oneshot.harness.encoders.sizes import Size
from mmact_oneshot.harness.encoders.space_time_vit import LayerNorm, sinusoids
from mmact_oneshot.harness.encoders.tokens import Layout, Split, chosen
from mmact_oneshot.harness.encoders.torchvision_stub import declare_missing_operators
from mmact_oneshot.harness.encoders.video import PIXELS

EMBEDDINGS = {"video": "patch_embed.", "sensors": "sensor_embed."}  # modality -> weights of it alone


class MultimodalEncoder(nn.Module):
    """Embeds the tokens of each modality, adds a fixed table of positions, and lets all tokens attend to each other.

    Tokens of a modality that a clip lacks are masked for the clip's other tokens; what they hold does not matter as
    long as it is finite.

    Args:
        layout: of the tokens. The number of frames, the size of the image and the number of samples are not part of
            the weights; the sizes of a token are.
        size: of the transformer.
    """

    pixel_mean: Tensor
    pixel_std: Tensor

    def __init__(self, layout: Layout, size: Size) -> None:
        super().__init__()
        self.layout, self.width = layout, size.width
        if layout.video:
            cube = (layout.tubelet, layout.patch, layout.patch)
            self.patch_embed = nn.ModuleDict({"proj": nn.Conv3d(3, size.width, cube, cube)})
        self.sensor_embed = nn.ModuleDict({name: nn.Linear(layout.values(name), size.width) for name in layout.sensors})
        self.blocks = transformer(size.width, size.depth, size.heads)
        self.norm = LayerNorm(size.width)
        self.positions = Positions(layout, size.width)
        mean, std = (torch.tensor(part) for part in PIXELS[layout.pixel_norm])
        if layout.background == "subtract":  # the pieces have a mean of zero already
            mean = torch.zeros_like(mean)
        self.register_buffer("pixel_mean", mean, persistent=False)
        self.register_buffer("pixel_std", std, persistent=False)
        initialise(self)

    def forward(self, clips: Clips) -> Tensor:
        """The prior: one vector of each clip from all of its tokens, none masked.

        As released, the LayerNorm comes after the mean. The mean is over the tokens of the modalities that are
        present, zero where there are none.

        Returns:
            (B, D).
        """
        names = self.layout.modalities
        tokens = torch.cat([self.embed(name, self.layout.pieces(clips, name)) for name in names], dim=1)
        present = self.presence(clips, {name: self.layout.count(name) for name in names})
        tokens = self.attend(tokens, present)
        share = present / present.sum(dim=1, keepdim=True).clamp(min=1)
        pooled: Tensor = self.norm((tokens * share.unsqueeze(-1)).sum(dim=1))
        return pooled

    def latent(self, clips: Clips, pieces: Mapping[str, Tensor], splits: Mapping[str, Split]) -> Tensor:
        """The visible tokens after the encoder, modalities one after the other: (B, sum of v, D)."""
        visible = {name: splits[name].visible for name in self.layout.modalities}
        tokens = [self.embed(name, chosen(pieces[name], index), index) for name, index in visible.items()]
        present = self.presence(clips, {name: index.shape[1] for name, index in visible.items()})
        found: Tensor = self.norm(self.attend(torch.cat(tokens, dim=1), present))
        return found

    def embed(self, modality: str, pieces: Tensor, index: Tensor | None = None) -> Tensor:
        """Tokens of one modality with their positions.

        Args:
            pieces: (B, v, values) from :meth:`Layout.pieces`.
            index: (B, v) which tokens they are; None for all of them.

        Returns:
            (B, v, D).
        """
        if modality == "video":
            pixels = (pieces.unflatten(-1, (-1, 3)) - self.pixel_mean) / self.pixel_std
            projection = self.patch_embed["proj"]
            assert isinstance(projection, nn.Conv3d)
            kernel = projection.weight.movedim(1, -1).flatten(1)  # (D, values): colour fastest, as in the pieces
            tokens = F.linear(pixels.flatten(-2), kernel, projection.bias)
        else:
            tokens = self.sensor_embed[modality](pieces)
        placed: Tensor = tokens + self.positions(modality, index)
        return placed

    def attend(self, tokens: Tensor, present: Tensor, blocks: Iterable[nn.Module] | None = None) -> Tensor:
        """The blocks, without the LayerNorm at the end: (B, N, D) tokens, (B, N) bool -> (B, N, D).

        Args:
            present: tokens of modalities that are present.
            blocks: some of the blocks, in place of all of them.
        """
        mask = None
        if len(self.layout.modalities) > 1:  # where there is only one, there is nothing to hide it from
            # a softmax over nothing would not be finite
            mask = (present | ~present.any(dim=1, keepdim=True))[:, None, None]
        for block in self.blocks if blocks is None else blocks:
            tokens = block(tokens, attn_mask=mask)
        return tokens

    def presence(self, clips: Clips, counts: Mapping[str, int]) -> Tensor:
        """(B, N) bool: the tokens of modalities that are present, ``counts`` of each."""
        return torch.cat([clips.present[name][:, None].expand(-1, count) for name, count in counts.items()], dim=1)


def transformer(width: int, depth: int, heads: int) -> nn.ModuleList:
    """Blocks of VideoMAE. Its queries and values have biases and its keys none; a bias of the keys adds the same to
    all scores of a query and so changes nothing.

    Raises:
        ValueError: the heads do not share the width equally.
    """
    if width % heads:
        raise ValueError(f"width {width} is not a multiple of heads {heads}.")
    declare_missing_operators()
    from timm.models.vision_transformer import Block

    return nn.ModuleList([Block(width, heads, qkv_bias=True, norm_layer=LayerNorm) for _ in range(depth)])


class Positions(nn.Module):
    """Fixed tables of sinusoids: one of the video's tokens, one for all sensors. Not part of the weights."""

    def __init__(self, layout: Layout, width: int) -> None:
        super().__init__()
        if layout.video:
            self.register_buffer("video", sinusoids(layout.count("video"), width), persistent=False)
        if layout.sensors:
            self.register_buffer("sensor", sinusoids(layout.sensor_tokens, width), persistent=False)

    def forward(self, modality: str, index: Tensor | None = None) -> Tensor:
        """Positions of the tokens (B, v) of a modality: (B, v, D); of all of them (n, D) without an index."""
        table = self.get_buffer("video" if modality == "video" else "sensor")
        return table if index is None else table[index]


def initialise(module: nn.Module) -> None:
    """As VideoMAE's pre-training does, the embedding of cubes as the linear map that it is."""
    for part in module.modules():
        if isinstance(part, nn.Linear | nn.Conv3d):
            nn.init.xavier_uniform_(part.weight.view(len(part.weight), -1))
            if part.bias is not None:
                nn.init.zeros_(part.bias)


def by_modality(state: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """The state of a :class:`MultimodalEncoder` as ``Pretraining.states`` gives it: for "video" and
    "sensors", as far as it embeds them, their own embeddings and all that they share."""
    shared = {name: value for name, value in state.items() if not name.startswith(tuple(EMBEDDINGS.values()))}
    parts = {
        modality: {name: value for name, value in state.items() if name.startswith(prefix)}
        for modality, prefix in EMBEDDINGS.items()
    }
    return {modality: part | shared for modality, part in parts.items() if part}
