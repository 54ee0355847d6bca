"""OTAM against the arrays that its original code computed."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from mmact_oneshot.baselines.otam import OTAM, alignment, frame_distances
from tests.parity.arrays import Arrays, FixedFeatures, by_class, clips, labels, prefixes, setup, tensor


def outputs(arrays: Arrays) -> dict[str, np.ndarray]:
    """Every output of an ``otam.npz``, from its other arrays."""
    found: dict[str, Tensor] = {}
    for name in prefixes(arrays, "support_features"):
        support, query = (tensor(arrays[f"{name}{side}_features"]) for side in ("support", "query"))
        method = OTAM(setup(FixedFeatures(support.shape[2], steps=support.shape[1])), normalise=False).eval()
        distances = frame_distances(support[None], query[None])[0]
        found[f"{name}frame_distances"] = distances
        found[f"{name}alignment_query_to_support"] = alignment(distances, method.smoothing)
        found[f"{name}alignment_support_to_query"] = alignment(distances.transpose(2, 3), method.smoothing)
        episode = [method.embed(clips(sequence=side)) for side in (support, query)]
        classes = {k: by_class(v, labels(arrays[f"{name}support_labels"]))[None] for k, v in episode[0].items()}
        found[f"{name}logits"] = method.score(classes, {k: v[None] for k, v in episode[1].items()})[0]
    return {name: value.detach().numpy() for name, value in found.items()}
