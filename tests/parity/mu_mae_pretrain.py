"""Mu-MAE's pre-training against the arrays that its original code computed."""

from __future__ import annotations

import re

import numpy as np
import torch
from torch import Tensor, nn

from mmact_oneshot.harness.api import Clips
from mmact_oneshot.harness.encoders.sizes import Size
from mmact_oneshot.harness.encoders.tokens import Layout, Split
from mmact_oneshot.harness.encoders.video import PIXELS
from mmact_oneshot.methods.mu_mae.autoencoder import MultimodalAutoencoder
from tests.parity.arrays import Arrays, tensor

SENSORS = ("phone", "watch", "gyroscope", "orientation")
RULES = (
    (r"^encoder\.video_patch_embedding\.", "encoder.patch_embed.proj."),
    (r"^encoder\.(\w+)_patch_embedding\.", r"encoder.sensor_embed.\1."),
    (r"^decoder_(\w+?)\.", r"decoder.\1."),
    (r"\.block(\d+)\.", r".blocks.\1."),
    (r"\.attention_layernorm\.", ".norm1."),
    (r"\.mlp_layernorm\.", ".norm2."),
    (r"\.attention\.output\.", ".attn.proj."),
    (r"\.attention\.", ".attn."),
    (r"\.(final|pooled)_layernorm\.", ".norm."),
    (r"\.prediction_head\.", ".head."),
)


def load_released(module: nn.Module, arrays: Arrays, prefix: str, inside: str = "") -> None:
    """The weights below ``prefix``, all of them, under the module's names; ``inside`` goes before theirs."""
    state: dict[str, Tensor] = {}
    for old in (name for name in arrays if name.startswith(prefix)):
        name = inside + old.removeprefix(prefix)
        for pattern, new in RULES:
            name = re.sub(pattern, new, name)
        state[name.removeprefix(inside)] = tensor(arrays[old])
    for name in [name for name in state if name.endswith(".query_bias")]:
        query, value = state.pop(name), state.pop(name.replace("query_bias", "value_bias"))
        state[name.replace("query_bias", "qkv.bias")] = torch.cat([query, torch.zeros_like(query), value])
    kernels = [name for name in state if re.search(r"sensor_embed\.\w+\.weight", name)]
    module.load_state_dict(state | {name: state[name].squeeze(-1) for name in kernels})


def released_clips(video: Tensor, sensors: dict[str, Tensor]) -> Clips:
    """Complete clips from videos (B, 3, T, S, S) and sensors (B, L, 3)."""
    whole = torch.ones(len(video), dtype=torch.bool)
    masks = {name: torch.ones(value.shape[:2], dtype=torch.bool) for name, value in sensors.items()}
    return Clips(video.transpose(1, 2), sensors, masks, dict.fromkeys(("video", *sensors), whole))


def outputs(arrays: Arrays) -> dict[str, np.ndarray]:
    """Every output of a ``mu_mae_pretrain.npz``, from its other arrays."""
    side, patch, tubelet, frames, *sizes = (int(value) for value in arrays["config"])
    width, depth, heads, decoder_width, decoder_depth, decoder_heads = sizes
    sensors = {name: tensor(arrays[f"{name}_data"])[:, 0, :, 0] for name in SENSORS}
    layout = Layout(
        frames=frames,
        size=side,
        patch=patch,
        tubelet=tubelet,
        sensors=SENSORS,
        samples=sensors[SENSORS[0]].shape[1],
        sensor_tokens=arrays[f"{SENSORS[0]}_mask"].shape[1],
        interleaved=True,
    )
    size = Size(width, depth, heads, decoder_width, decoder_heads, decoder_depth)
    model = MultimodalAutoencoder(layout, size).eval()
    load_released(model, arrays, "weights.")
    mean, std = (torch.tensor(part).view(3, 1, 1, 1) for part in PIXELS["imagenet"])
    clips = released_clips(tensor(arrays["video"]) * std + mean, sensors)
    splits = {name: Split.of(tensor(arrays[f"{name}_mask"])) for name in layout.modalities}

    made = model(clips, splits)
    terms = model.losses(made, clips)
    found = {"encoder_latent": made.latent, "loss_total": torch.stack(list(terms.values())).sum().view(1)}
    for name, error in made.errors().items():
        found[f"{name}_prediction"], found[f"{name}_target"] = made.prediction[name], made.target[name]
        found[f"loss_{name}"] = error.mean().view(1)
    found |= {f"{name}_tokens": layout.pieces(clips, name) for name in SENSORS}
    for stack, part in (("encoder", model.encoder.positions), ("decoder", model.positions)):
        found |= {f"{stack}_{kind}_position_table": part.get_buffer(kind) for kind in ("video", "sensor")}
    return {name: value.detach().numpy() for name, value in found.items()}
