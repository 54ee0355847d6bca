"""Episodes of random features for a head, with the encoder that would have given them."""

from __future__ import annotations

import torch
from torch import Tensor

from mmact_oneshot.harness.api import Features, FewShotMethod
from tests.parity.arrays import clips


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def embedded(method: FewShotMethod, output: str, support: Tensor, query: Tensor) -> tuple[Features, Features]:
    """(E, way, shot, ...) and (E, Q, ...) values of an encoder output through the head's ``embed``."""
    sides = []
    for value, axes in ((support, 3), (query, 2)):
        features = method.embed(clips(**{output: value.flatten(0, axes - 1)}))
        sides.append({name: leaf.unflatten(0, value.shape[:axes]) for name, leaf in features.items()})
    return sides[0], sides[1]
