"""STRM against the arrays that its original code computed."""

from __future__ import annotations

import re

import numpy as np
from torch import Tensor

from mmact_oneshot.baselines.strm import PLACES, STRM
from mmact_oneshot.harness.api import Features
from tests.parity.arrays import Arrays, FixedFeatures, by_class, clips, labels, load, prefixes, setup, tensor

OF_TRX = ("key_projection", "value_projection", "key_layernorm")


def outputs(arrays: Arrays) -> dict[str, np.ndarray]:
    """Every output of a ``strm.npz``, from its other arrays."""
    matches = [re.match(r"cardinality_(\d+)\.", name) for name in arrays]
    cardinalities = tuple(sorted({int(match[1]) for match in matches if match}))
    episodes = list(prefixes(arrays, "support_maps"))
    _, steps, channels = arrays[f"{episodes[0]}support_maps"].shape[:3]
    width = len(arrays[f"cardinality_{cardinalities[0]}.key_projection.bias"])
    base = setup(FixedFeatures(channels, steps=steps))
    method = STRM(base, cardinalities=cardinalities, width=width, normalise=False).eval()
    load(method.patch_attention, arrays, "patch_attention.")
    load(method.frame_mixer, arrays, "frame_mixer.")
    for transformer, distance in method.parts():
        prefix = f"cardinality_{transformer.cardinality}."
        load(distance.projection, arrays, f"{prefix}query_distance_projection.")
        of_trx = {name: value for name, value in arrays.items() if name.removeprefix(prefix).startswith(OF_TRX)}
        load(transformer, of_trx, prefix, ignore=("value_projection.bias",))

    found: dict[str, Tensor] = {}
    for name in episodes:
        local = method.local_frames(_clips(arrays[f"{name}query_maps"]))
        found[f"{name}query_patch_enriched"] = local
        found[f"{name}query_frame_enriched"] = method.global_frames(local)
        support, query = (method.embed(_clips(arrays[f"{name}{side}_maps"])) for side in ("support", "query"))
        label = labels(arrays[f"{name}support_labels"])
        episode = {k: by_class(v, label)[None] for k, v in support.items()}, {k: v[None] for k, v in query.items()}
        cross, similarity = method.logits(*episode)
        found[f"{name}logits_cross_transformer"], found[f"{name}logits_query_distance"] = cross[0], similarity[0]
        found[f"{name}logits_combined"] = method.score(*episode)[0]
    return {name: value.detach().numpy() for name, value in found.items()}


def _clips(maps: np.ndarray) -> Features:
    """(B, T, D, h, w) as the output of an encoder's last stage."""
    return clips(**{PLACES: tensor(maps).transpose(1, 2)})
