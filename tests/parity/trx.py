"""TRX against the arrays that its original code computed."""

from __future__ import annotations

import re

import numpy as np
import torch
from torch import Tensor

from mmact_oneshot.baselines.trx import TRX, frame_indices_at_test, positional_encoding, tuples
from mmact_oneshot.harness.api import Features
from tests.parity.arrays import Arrays, FixedFeatures, by_class, clips, labels, load, prefixes, setup, targets, tensor


def outputs(arrays: Arrays) -> dict[str, np.ndarray]:
    """Every output of a ``trx.npz``, from its other arrays."""
    matches = [re.match(r"cardinality_(\d+)\.", name) for name in arrays]
    cardinalities = tuple(sorted({int(match[1]) for match in matches if match}))
    episodes = list(prefixes(arrays, "support_features"))
    _, steps, width_in = arrays[f"{episodes[0]}support_features"].shape
    width = len(arrays[f"cardinality_{cardinalities[0]}.key_projection.bias"])
    base = setup(FixedFeatures(width_in, steps=steps))
    method = TRX(base, cardinalities=cardinalities, width=width, normalise=False).eval()
    transformers = dict(zip(cardinalities, method.parts(), strict=True))
    for cardinality, transformer in transformers.items():
        load(transformer, arrays, f"cardinality_{cardinality}.", ignore=("value_projection.bias", "tuples"))

    found: dict[str, Tensor] = {"positional_encoding": positional_encoding(steps, width_in)}
    for cardinality in cardinalities:
        found[f"cardinality_{cardinality}.tuples"] = tuples(steps, cardinality)
    for name in episodes:
        support, query = _embedded(method, arrays, name)
        label = labels(arrays[f"{name}query_labels"])
        for cardinality, transformer in transformers.items():
            found[f"{name}logits_cardinality_{cardinality}"] = transformer(support, query)[0]
            query0 = {leaf: value[:, :1] for leaf, value in query.items()}
            first = transformer.attention(support, query0)  # (1, K, M, P) of query 0
            found[f"{name}attention_query0_cardinality_{cardinality}"] = first[0].transpose(1, 2)
        logits = method.score(support, query)
        found[f"{name}logits"] = logits[0]
        mean = method.loss(support, query, targets(label))["cross_entropy"]
        found[f"{name}loss_sum_over_queries"] = (mean * len(label)).view(1)
        found[f"{name}accuracy"] = (logits[0].argmax(dim=1) == label).float().mean().view(1)
    for name in prefixes(arrays, "num_frames"):
        indices = [frame_indices_at_test(int(frames), steps) for frames in arrays[f"{name}num_frames"]]
        found[f"{name}indices"] = torch.tensor(indices)
    return {name: value.detach().numpy() for name, value in found.items()}


def _embedded(method: TRX, arrays: Arrays, name: str) -> tuple[Features, Features]:
    """One episode: leaves (1, K, N, ...) and (1, Q, ...)."""
    support = method.embed(clips(sequence=tensor(arrays[f"{name}support_features"])))
    query = method.embed(clips(sequence=tensor(arrays[f"{name}query_features"])))
    label = labels(arrays[f"{name}support_labels"])
    return {k: by_class(v, label)[None] for k, v in support.items()}, {k: v[None] for k, v in query.items()}
