"""Names of released parameters, VideoMAE's (original and Hugging Face) and Mu-MAE's, brought to those of
:class:`SpaceTimeViT` and :class:`MultimodalEncoder`."""

from __future__ import annotations

import re

import torch
from torch import Tensor

from mmact_oneshot.harness.runtime.errors import HarnessError

RULES = tuple(
    (re.compile(pattern), name)
    for pattern, name in (
        # the original, in pre-training and in fine-tuning
        (r"^encoder\.", ""),
        (r"^fc_norm\.", "norm."),
        # Mu-MAE's sensors, called as MMAct's layouts call them
        (r"^patch_embed_(phone|watch)\.proj\.", r"sensor_embed.acc_\1."),
        (r"^patch_embed_(gyro|orientation)\.proj\.", r"sensor_embed.\1."),
        # Hugging Face
        (r"^videomae\.embeddings\.patch_embeddings\.projection\.", "patch_embed.proj."),
        (r"^videomae\.encoder\.layer\.", "blocks."),
        (r"^videomae\.layernorm\.", "norm."),
        (r"\.layernorm_before\.", ".norm1."),
        (r"\.layernorm_after\.", ".norm2."),
        (r"\.attention\.attention\.", ".attn."),
        (r"\.attention\.output\.dense\.", ".attn.proj."),
        (r"\.intermediate\.dense\.", ".mlp.fc1."),
        (r"^(blocks\.\d+)\.output\.dense\.", r"\1.mlp.fc2."),
    )
)


def videomae_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Translate names; queries, keys and values become one ``qkv``, whose keys have no bias in any release.

    A name that no rule knows stays as it is, for the loader to complain about.

    Raises:
        HarnessError: two entries are meant for one parameter.
    """
    found: dict[str, Tensor] = {}
    for old, value in state.items():
        name = old
        for pattern, new in RULES:
            name = pattern.sub(new, name)
        if name in found:
            raise HarnessError(f"two entries of the weights are {name}, one of them {old}.")
        found[name] = value
    for attention in sorted({name[: -len("q_bias")] for name in found if name.endswith(".attn.q_bias")}):
        if f"{attention}v_bias" in found:
            query, value = found.pop(f"{attention}q_bias"), found.pop(f"{attention}v_bias")
            found[f"{attention}qkv.bias"] = torch.cat([query, torch.zeros_like(query), value])
    for attention in sorted({name[: -len("query.weight")] for name in found if name.endswith(".attn.query.weight")}):
        parts = [f"{attention}{part}.weight" for part in ("query", "key", "value")]
        if all(part in found for part in parts):
            found[f"{attention}qkv.weight"] = torch.cat([found.pop(part) for part in parts])
    return found
