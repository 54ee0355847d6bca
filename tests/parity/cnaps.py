"""CNAPs and Simple CNAPs against the arrays that their original code computed."""

from __future__ import annotations

import re

import numpy as np
from torch import Tensor

from mmact_oneshot.baselines.cnaps import ClassifierGenerator, FilmGenerator, mahalanobis, precisions
from tests.parity.arrays import Arrays, by_class, labels, load, prefixes, tensor

PARTS = {"gamma1": ("gamma", 0), "beta1": ("beta", 0), "gamma2": ("gamma", 1), "beta2": ("beta", 1)}


def outputs(arrays: Arrays) -> dict[str, np.ndarray]:
    """Every output of a ``cnaps.npz``, from its other arrays."""
    found = _film(arrays)
    generator = _generator(arrays)
    for name in prefixes(arrays, "support_features"):
        label = labels(arrays[f"{name}support_labels"])
        support = by_class(tensor(arrays[f"{name}support_features"]), label)[None]
        query = tensor(arrays[f"{name}query_features"])[None]
        weight, bias = generator(support.mean(dim=2))
        found[f"{name}generated_weight"], found[f"{name}generated_bias"] = weight[0], bias[0]
        found[f"{name}cnaps_logits"] = (query @ weight.transpose(1, 2) + bias.unsqueeze(1))[0]
        # as released: one example's covariance is a scalar
        found[f"{name}simple_cnaps_logits"] = mahalanobis(support, query, scalar_covariance=True)[0]
        found[f"{name}simple_cnaps_precision"] = precisions(support, scalar_covariance=True)[0]
    return {name: value.detach().numpy() for name, value in found.items()}


def _film(arrays: Arrays) -> dict[str, Tensor]:
    blocks = sorted({int(match[1]) for name in arrays if (match := re.match(r"film\.block(\d+)\.", name))})
    width, task_width = arrays["film.shared.weight"].shape
    generator = FilmGenerator(task_width, (width,) * 2 * len(blocks))
    load(generator.shared[str(width)], arrays, "film.shared.")
    for block in blocks:
        for part, (kind, norm) in PARTS.items():
            layer = getattr(generator, kind)[2 * block + norm]
            load(layer, arrays, f"film.block{block}.{part}.", ignore=("output",))
    film = generator(tensor(arrays["film.task_representation"]))
    found = {"film.regularization_term": generator.penalty().view(1)}
    for block in blocks:
        for part, (kind, norm) in PARTS.items():
            found[f"film.block{block}.{part}.output"] = film[2 * block + norm][kind == "beta"][0]
    return found


def _generator(arrays: Arrays) -> ClassifierGenerator:
    prefix = "classifier_generator."
    named = {}
    for name, value in arrays.items():
        if match := re.fullmatch(re.escape(prefix) + r"(weight|bias)\.linear(\d)\.(weight|bias)", name):
            named[f"{match[1]}.{2 * (int(match[2]) - 1)}.{match[3]}"] = value
    generator = ClassifierGenerator(len(arrays[f"{prefix}weight.linear1.bias"]))
    load(generator, named, "")
    return generator
