"""CAN against the arrays that its original code computed."""

from __future__ import annotations

import copy

import numpy as np
import torch
from torch import Tensor

from mmact_oneshot.baselines.can import CAN
from mmact_oneshot.baselines.meta_fusion import local_cross_entropy
from mmact_oneshot.harness.api import Features
from tests.parity.arrays import Arrays, FixedFeatures, by_class, clips, labels, load, prefixes, setup, targets, tensor


def outputs(arrays: Arrays) -> dict[str, np.ndarray]:
    """Every output of a ``can.npz``, from its other arrays."""
    episodes = list(prefixes(arrays, "support_features"))
    *_, channels, height, width = arrays[f"{episodes[0]}support_features"].shape
    hidden, base_classes = len(arrays["meta_fusion.conv1.bias"]), len(arrays["global_classifier.bias"])
    encoder = FixedFeatures(channels, (1, height, width))
    method = CAN(setup(encoder, base_classes=base_classes), hidden=hidden, normalise=False).eval()
    assert method.global_classifier is not None
    load(method.meta_fusion, arrays, "meta_fusion.")
    load(method.global_classifier, arrays, "global_classifier.")

    found: dict[str, Tensor] = {}
    for name in episodes:
        support, query = _embedded(method, arrays, name)
        target = targets(labels(arrays[f"{name}query_labels"]), labels(arrays[f"{name}query_global_labels"]))
        grid = (height, width)
        classes, queries, (of_class, of_query) = method.attend(support, query)
        found[f"{name}class_prototypes"] = classes.unflatten(-1, grid)
        found[f"{name}class_attention"], found[f"{name}query_attention"] = of_class, of_query
        attended_classes = (classes.unsqueeze(2) * of_class.unsqueeze(3)).transpose(1, 2)
        attended_queries = queries.unsqueeze(2) * of_query.transpose(1, 2).unsqueeze(3)
        found[f"{name}attended_class_features"] = attended_classes.unflatten(-1, grid)
        found[f"{name}attended_query_features"] = attended_queries.unflatten(-1, grid)
        found[f"{name}test_scores"] = method.score(support, query)
        local = method.scale * method.local_cosines(classes, queries, (of_class, of_query))
        logits = method.global_logits(queries, of_query, target.label)
        found[f"{name}train_scores"] = local.flatten(0, 1).unflatten(-1, grid)
        found[f"{name}train_global_logits"] = logits.flatten(0, 1).unflatten(-1, grid)
        found[f"{name}loss_nearest_neighbour"] = local_cross_entropy(local, target.label).view(1)
        terms = method.loss(support, query, target)
        found[f"{name}loss_global"] = terms["global"].view(1)
        found[f"{name}loss_total"] = torch.stack(list(terms.values())).sum().view(1)

        batch = copy.deepcopy(method).train()
        classes, queries, attention = batch.attend(support, query)
        local = batch.scale * batch.local_cosines(classes, queries, attention)
        logits = batch.global_logits(queries, attention[1], target.label)
        found[f"{name}batchstat_train_scores"] = local.flatten(0, 1).unflatten(-1, grid)
        found[f"{name}batchstat_train_global_logits"] = logits.flatten(0, 1).unflatten(-1, grid)
        norm = batch.meta_fusion.batchnorm
        assert norm.running_mean is not None
        assert norm.running_var is not None
        found[f"{name}batchstat_running_mean_after"] = norm.running_mean
        found[f"{name}batchstat_running_var_after"] = norm.running_var
    return {name: value.detach().numpy() for name, value in found.items()}


def _embedded(method: CAN, arrays: Arrays, name: str) -> tuple[Features, Features]:
    """A batch of episodes: support (b, K, N, D, P), query (b, Q, D, P)."""
    support, query = tensor(arrays[f"{name}support_features"]), tensor(arrays[f"{name}query_features"])
    maps = method.embed(clips(map=support.flatten(0, 1).unsqueeze(2)))["map"].unflatten(0, support.shape[:2])
    label = labels(arrays[f"{name}support_labels"])
    grouped = torch.stack([by_class(*episode) for episode in zip(maps, label, strict=True)])
    queries = method.embed(clips(map=query.flatten(0, 1).unsqueeze(2)))["map"].unflatten(0, query.shape[:2])
    return {"map": grouped}, {"map": queries}
