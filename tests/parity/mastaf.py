"""MASTAF's attention against the arrays that its original code computed."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from mmact_oneshot.baselines.mastaf import MASTAF
from mmact_oneshot.baselines.meta_fusion import cross_attention
from tests.parity.arrays import Arrays, FixedFeatures, clips, load, prefixes, setup, tensor


def outputs(arrays: Arrays) -> dict[str, np.ndarray]:
    """Every output of a ``mastaf.npz``, from its other arrays."""
    channels, depth, height, width, hidden = (int(value) for value in arrays["config"][:5])
    encoder = FixedFeatures(channels, (depth, height, width))
    method = MASTAF(
        setup(encoder),
        hidden=hidden,
        alpha=float(arrays["config"][5]),
        skip_norm_of_one_query=True,  # what the released code does
        normalise=False,
    ).eval()
    load(method.meta_fusion, arrays, "meta_fusion.")

    found: dict[str, Tensor] = {}
    for name in prefixes(arrays, "class_features"):
        classes, queries = (_maps(method, arrays[f"{name}{side}_features"]) for side in ("class", "query"))
        of_class, of_query = cross_attention(method.meta_fusion, classes, queries)
        own_class, own_query = method.self_attention(classes, queries)
        found[f"{name}class_cross_attention"], found[f"{name}query_cross_attention"] = of_class, of_query
        found[f"{name}class_self_attention"] = own_class.unsqueeze(2)
        found[f"{name}query_self_attention"] = own_query.unsqueeze(2)
        grid = (depth, height, width)
        found[f"{name}self_support"] = (classes * own_class.unsqueeze(2)).unflatten(-1, grid)
        found[f"{name}self_query"] = (queries * own_query.unsqueeze(2)).unflatten(-1, grid)
        cross_classes = (classes.unsqueeze(2) * of_class.unsqueeze(3)).transpose(1, 2)
        cross_queries = queries.unsqueeze(2) * of_query.transpose(1, 2).unsqueeze(3)
        found[f"{name}cross_support"] = cross_classes.unflatten(-1, grid)
        found[f"{name}cross_query"] = cross_queries.unflatten(-1, grid)
    return {name: value.detach().numpy() for name, value in found.items()}


def _maps(method: MASTAF, array: np.ndarray) -> Tensor:
    """(b, N, c, d, h, w) -> (b, N, D, P)."""
    maps = tensor(array)
    return method.embed(clips(map=maps.flatten(0, 1)))["map"].unflatten(0, maps.shape[:2])
