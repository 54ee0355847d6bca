"""How far two sets of scores are apart, in the units in which they decide."""

from __future__ import annotations

import torch
from torch import Tensor


def score_gap(a: Tensor, b: Tensor, tolerance: float) -> str:
    """How far probabilities are apart at a temperature of the usual margin between the best two classes.

    Scores may be tiny, such as densities, or have -1e9 where a class is out of the question: neither their size nor
    their softmax says what would change an answer.

    Args:
        a, b: (..., way), in main memory.
        tolerance: of probabilities; what rounding in float32 makes of the scores comes on top.

    Returns:
        Nothing where they agree.
    """
    best = b.double().topk(min(2, b.shape[-1]), dim=-1).values
    unit = (best[..., 0] - best[..., -1]).median().clamp(min=1e-300)
    rounding = 64 * torch.finfo(torch.float32).eps * float(best.abs().max() / unit)
    difference = float(((a.double() / unit).softmax(-1) - (b.double() / unit).softmax(-1)).abs().max())
    if difference <= tolerance + rounding:
        return ""
    return f"probabilities differ by {difference:.2g} at a temperature of the usual margin, {float(unit):.1e}"
