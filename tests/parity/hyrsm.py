"""HyRSM against the arrays that its original code computed."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from mmact_oneshot.baselines.hyrsm import HyRSM, position_table
from tests.parity.arrays import Arrays, FixedFeatures, by_class, clips, labels, load, prefixes, setup, tensor


def outputs(arrays: Arrays) -> dict[str, np.ndarray]:
    """Every output of a ``hyrsm.npz``, from its other arrays."""
    width, steps, heads = (int(value) for value in arrays["config"][:3])
    classes = int(arrays["config"][5])
    base = setup(FixedFeatures(width, steps=steps), base_classes=classes)
    found: dict[str, Tensor] = {"position_table": position_table(steps, width)}
    for name in prefixes(arrays, "support_features"):
        method = HyRSM(base, heads=heads, prototypes=name.startswith("prototype"), normalise=False).eval()
        assert method.frame_classifier is not None
        for part in ("within_video", "cross_video", "merge", "frame_classifier"):
            load(getattr(method, part), arrays, f"{part}.")
        support, query = (
            method.embed(clips(sequence=tensor(arrays[f"{name}{side}_features"]))) for side in ("support", "query")
        )
        found[f"{name}frame_class_logits"] = torch.cat([support["classes"], query["classes"]]).flatten(0, 1)
        label = labels(arrays[f"{name}support_labels"])
        by_label = {leaf: by_class(value, label)[None] for leaf, value in support.items()}
        asked = {leaf: value[None] for leaf, value in query.items()}
        shift, query_shift = method.shifts(by_label, asked)
        adapted = method.clips(by_label)["frames"].unsqueeze(1) + shift.unsqueeze(3)  # (1, Q, S, T, D)
        if not method.prototypes:  # the file lists the clips in their own order
            adapted = adapted[:, :, label.argsort(stable=True).argsort()]
        found[f"{name}adapted_support"] = adapted[0]
        found[f"{name}adapted_query"] = (asked["frames"] + query_shift.unsqueeze(2))[0]
        found[f"{name}logits"] = method.score(by_label, asked)[0]
    return {name: value.detach().numpy() for name, value in found.items()}
