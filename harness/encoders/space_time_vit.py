"""Space-time vision transformers: divided attention (TimeSformer) and joint attention (VideoMAE)."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

import numpy as np
import torch
from einops import rearrange
from torch import Tensor, nn

from mmact_oneshot.harness.encoders.backbone import Backbone, Reading
from mmact_oneshot.harness.encoders.norm import residual_norms
from mmact_oneshot.harness.encoders.torchvision_stub import declare_missing_operators
from mmact_oneshot.harness.encoders.videomae_names import videomae_names
from mmact_oneshot.harness.runtime.errors import HarnessError

GROUPS = 4
LayerNorm = partial(nn.LayerNorm, eps=1e-6)  # as both papers' code has it


class SpaceTimeViT(Backbone):
    """A transformer over the tubelets of a clip; always with LayerNorm, whatever ``norm`` says.

    Stages: the tokens with their positions, then the blocks in four groups (fewer where there are fewer blocks).

    * joint (Tong et al., VideoMAE, NeurIPS 2022, sec. 3): every token attends to every other; a fixed table of
      sinusoids, no class token. The clip's feature is the LayerNorm of the mean token.
    * divided (Bertasius et al., ICML 2021, sec. 3, "T+S"): see :class:`DividedBlock`; learned tables of places and of
      times. The class token is kept as D more channels, the same at every position, and is the clip's feature.

    In both the map is the normalised patch tokens, and a step of the sequence the LayerNorm of their mean over space.

    Args:
        frames, size: of the clips.
        attention: "joint" or "divided".
        patch: side of a token, pixels.
        tubelet: frames of a token (TimeSformer: 1).
        width, depth, heads, mlp_ratio: of the transformer; the defaults are ViT-B.
        drop_path: probability with which the last block's branches are skipped in training; lower for earlier ones.

    Raises:
        HarnessError: the patches or tubelets do not cover the clip, or the heads do not share the width equally.
    """

    dropped = ("head.", "classifier.", "decoder.", "encoder_to_decoder.", "mask_token")

    def __init__(
        self,
        frames: int,
        size: int,
        *,
        attention: Literal["joint", "divided"] = "joint",
        patch: int = 16,
        tubelet: int = 2,
        width: int = 768,
        depth: int = 12,
        heads: int = 12,
        mlp_ratio: float = 4.0,
        drop_path: float = 0.0,
    ) -> None:
        super().__init__()
        _check(frames, size, attention, patch, tubelet, width, heads)
        declare_missing_operators()
        from timm.models.vision_transformer import Block

        time, side = frames // tubelet, size // patch
        self.divided, self.width = attention == "divided", width
        self.patch_embed = nn.ModuleDict(
            {"proj": nn.Conv3d(3, width, (tubelet, patch, patch), (tubelet, patch, patch))}
        )
        if self.divided:
            self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
            self.pos_embed = nn.Parameter(torch.zeros(1, 1 + side * side, width))
            self.time_embed = nn.Parameter(torch.zeros(1, time, width))
        else:
            table = sinusoids(time * side * side, width).T.reshape(width, time, side, side)
            self.register_buffer("table", table, persistent=False)
        make: Any = DividedBlock if self.divided else partial(Block, qkv_bias=True, norm_layer=LayerNorm)
        rates = np.linspace(0, drop_path, depth).tolist()
        self.blocks = nn.ModuleList([make(width, heads, mlp_ratio=mlp_ratio, drop_path=rate) for rate in rates])
        self.norm = LayerNorm(width)
        self.groups = in_groups(depth)
        self.depth = 1 + len(self.groups)
        self._initialise()

    def stage(self, index: int, value: Tensor) -> Tensor:
        if index == 0:
            return self._embed(value)
        blocks = [self.blocks[i] for i in self.groups[index - 1]]
        if self.divided:
            patches, token = value[:, : self.width].movedim(1, -1), value[:, self.width :, 0, 0, 0]
            for block in blocks:
                patches, token = block(patches, token)
            return self._with_token(patches.movedim(-1, 1), token)
        tokens = value.flatten(2).transpose(1, 2)
        for block in blocks:
            tokens = block(tokens)
        found: Tensor = tokens.transpose(1, 2).unflatten(2, value.shape[2:])
        return found

    def stage_norms(self, index: int) -> list[nn.Module]:
        return [layer for i in self.groups[index - 1] for layer in residual_norms(self.blocks[i])] if index else []

    def read(self, value: Tensor) -> Reading:
        patches = value[:, : self.width]
        clip = value[:, self.width :, 0, 0, 0] if self.divided else patches.mean(dim=(2, 3, 4))
        sequence = patches.mean(dim=(3, 4)).transpose(1, 2)
        return Reading(self.norm(patches.movedim(1, -1)).movedim(-1, 1), self.norm(sequence), self.norm(clip))

    def translate(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        return videomae_names(state)

    def _embed(self, video: Tensor) -> Tensor:
        tokens: Tensor = self.patch_embed["proj"](video)
        if not self.divided:
            return tokens + self.get_buffer("table")
        places = self.pos_embed[0, 1:].T.unflatten(1, tokens.shape[3:])[:, None]
        times = self.time_embed[0].T[..., None, None]
        token = self.cls_token[0, 0] + self.pos_embed[0, 0]
        return self._with_token(tokens + places + times, token.expand(len(tokens), -1))

    @staticmethod
    def _with_token(patches: Tensor, token: Tensor) -> Tensor:
        return torch.cat([patches, token[..., None, None, None].expand(-1, -1, *patches.shape[2:])], dim=1)

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)
        if self.divided:
            nn.init.trunc_normal_(self.cls_token, std=0.02)
            nn.init.trunc_normal_(self.pos_embed, std=0.02)
            for block in self.blocks[1:]:  # they start as a network over single frames, as in the authors' code
                assert isinstance(block, DividedBlock)
                nn.init.zeros_(block.temporal_fc.weight)


class DividedBlock(nn.Module):
    """Attention over time at each place, then over space at each instant, then an MLP (Bertasius et al., eq. 11).

    The class token is treated as in the authors' code: it stays out of the attention over time (where eq. 11 lists it
    as a key), every instant's attention over space has a copy of it, and the results of the copies are averaged.
    """

    def __init__(self, width: int, heads: int, mlp_ratio: float, drop_path: float) -> None:
        super().__init__()
        from timm.layers import DropPath, Mlp
        from timm.models.vision_transformer import Attention

        self.temporal_norm1 = LayerNorm(width)
        self.temporal_attn = Attention(width, heads, qkv_bias=True)
        self.temporal_fc = nn.Linear(width, width)
        self.norm1 = LayerNorm(width)
        self.attn = Attention(width, heads, qkv_bias=True)
        self.norm2 = LayerNorm(width)
        self.mlp = Mlp(width, int(width * mlp_ratio))
        self.drop_path = DropPath(drop_path)

    def forward(self, patches: Tensor, token: Tensor) -> tuple[Tensor, Tensor]:
        """(B, t, h, w, D) patch tokens and (B, D) class tokens -> the same."""
        _, t, h, w, _ = patches.shape
        x = rearrange(patches, "b t h w d -> (b h w) t d")
        x = x + self.temporal_fc(self.drop_path(self.temporal_attn(self.temporal_norm1(x))))
        x = rearrange(x, "(b h w) t d -> b t (h w) d", h=h, w=w)
        x = torch.cat([token[:, None, None].expand(-1, t, 1, -1), x], dim=2)
        spatial = self.drop_path(self.attn(self.norm1(x.flatten(0, 1)))).unflatten(0, (-1, t))
        x = torch.cat([(token + spatial[:, :, 0].mean(dim=1))[:, None], (x + spatial)[:, :, 1:].flatten(1, 2)], dim=1)
        x = x + self.drop_path(self.mlp(self.norm2(x)))
        return x[:, 1:].unflatten(1, (t, h, w)), x[:, 0]


def in_groups(depth: int) -> list[list[int]]:
    """Numbers of ``depth`` blocks in at most four groups of equal length, give or take one."""
    return [group.tolist() for group in np.array_split(np.arange(depth), min(GROUPS, depth))]


def sinusoids(positions: int, width: int) -> Tensor:
    """(positions, width): sine in even, cosine in odd columns of p / 10000 ** (2 * (j // 2) / width).

    Vaswani et al., NeurIPS 2017, sec. 3.5; VideoMAE counts positions by time, then row, then column.
    """
    column = np.arange(width)
    angle = np.arange(positions)[:, None] / 10000 ** (2 * (column // 2) / width)
    return torch.from_numpy(np.where(column % 2 == 0, np.sin(angle), np.cos(angle))).float()


def _check(frames: int, size: int, attention: str, patch: int, tubelet: int, width: int, heads: int) -> None:
    where = "video_encoder.arguments"
    if attention not in {"joint", "divided"}:
        raise HarnessError(f"{where}: no attention {attention!r}.", remedy="Known: divided, joint.")
    for whole, part, names in (
        (size, patch, ("input.size", "patch")),
        (frames, tubelet, ("input.frames", "tubelet")),
        (width, heads, ("width", "heads")),
    ):
        if part < 1 or whole % part:
            raise HarnessError(
                f"{where}: {names[0]} {whole} is not a multiple of {names[1]} {part}.",
                remedy=f"Change {names[0]} or {where}.{names[1]}.",
            )
