"""States in the names under which others release them, from ours."""

from __future__ import annotations

import re

from torch import Tensor

State = dict[str, Tensor]

HUGGING_FACE = (
    (r"^patch_embed\.proj\.", "videomae.embeddings.patch_embeddings.projection."),
    (r"^blocks\.(\d+)\.norm1\.", r"videomae.encoder.layer.\1.layernorm_before."),
    (r"^blocks\.(\d+)\.norm2\.", r"videomae.encoder.layer.\1.layernorm_after."),
    (r"^blocks\.(\d+)\.attn\.proj\.", r"videomae.encoder.layer.\1.attention.output.dense."),
    (r"^blocks\.(\d+)\.attn\.", r"videomae.encoder.layer.\1.attention.attention."),
    (r"^blocks\.(\d+)\.mlp\.fc1\.", r"videomae.encoder.layer.\1.intermediate.dense."),
    (r"^blocks\.(\d+)\.mlp\.fc2\.", r"videomae.encoder.layer.\1.output.dense."),
    (r"^norm\.", "videomae.layernorm."),
)
MU_MAE = (
    (r"^encoder\.sensor_embed\.(?:acc_)?(\w+)\.", r"encoder.patch_embed_\1.proj."),
    (r"^decoder\.video\.", "decoder."),
    (r"^decoder\.orientation\.", "ori_decoder."),
    (r"^decoder\.(?:acc_)?(phone|watch|gyro)\.", r"\1_decoder."),
)


def renamed(state: State, rules: tuple[tuple[str, str], ...]) -> State:
    """Each name by the first rule that fits it."""
    found: State = {}
    for name, value in state.items():
        rule = next((rule for rule in rules if re.search(rule[0], name)), ("$^", ""))
        found[re.sub(rule[0], rule[1], name)] = value
    return found


def no_key_bias(state: State) -> State:
    """A copy whose keys have no bias, as in every release; softmax is the same without it."""
    found = {name: value.clone() for name, value in state.items()}
    for name, value in found.items():
        if name.endswith("attn.qkv.bias"):
            value.view(3, -1)[1] = 0.0
    return found


def biases_apart(state: State) -> State:
    """The biases of queries and values apart, and none of keys."""
    found: State = {}
    for name, value in state.items():
        if name.endswith("attn.qkv.bias"):
            query, _, last = value.chunk(3)
            found[name.replace("qkv.bias", "q_bias")] = query.clone()
            found[name.replace("qkv.bias", "v_bias")] = last.clone()
        else:
            found[name] = value
    return found


def fine_tuned(state: State) -> State:
    """VideoMAE's names in fine-tuning."""
    return {f"fc_{name}" if name.startswith("norm.") else name: value for name, value in biases_apart(state).items()}


def pre_trained(state: State) -> State:
    """VideoMAE's names of the encoder in pre-training."""
    return {f"encoder.{name}": value for name, value in biases_apart(state).items()}


def hugging_face(state: State) -> State:
    """VideoMAE's names in Hugging Face's pre-training: queries, keys and values apart."""
    found = renamed(biases_apart(state), HUGGING_FACE)
    for name in [name for name in found if name.endswith(".qkv.weight")]:
        parts = zip(("query", "key", "value"), found.pop(name).chunk(3), strict=True)
        found |= {name.replace("qkv", part): value.clone() for part, value in parts}
    return found


def mu_mae(state: State) -> State:
    """The released Mu-MAE's names of a whole autoencoder of ours with MMAct's sensors."""
    found = renamed(biases_apart(state), MU_MAE)
    kernels = [name for name in found if re.search(r"patch_embed_\w+\.proj\.weight$", name)]
    return found | {name: found[name].unsqueeze(2) for name in kernels}
