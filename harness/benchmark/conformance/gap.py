"""What a check says: how far two results are apart, and what was raised."""

from __future__ import annotations

from pathlib import Path
from traceback import extract_tb

from torch import Tensor

from mmact_oneshot.harness.evaluation.score_gap import score_gap

TOLERANCE = 1e-5  # of the largest value, but at least absolute
OF_MARGIN = 1e-3
"""Difference of probabilities that counts, with scores in units of the usual margin between the best two classes."""


def gap(a: Tensor, b: Tensor) -> str:
    """Empty where two tensors agree, and otherwise by how much they do not."""
    if a.shape != b.shape:
        return f"shapes {tuple(a.shape)} and {tuple(b.shape)}"
    if not a.is_floating_point():
        return "" if a.equal(b) else f"{int((a != b).sum())} of {a.numel()} values differ"
    if not (a.isfinite().all() and b.isfinite().all()):
        return "not finite"
    difference, size = float((a - b).abs().amax()), max(1.0, float(b.abs().amax()))
    return f"differs by {difference:.1e} (largest value {size:.1e})" if difference > TOLERANCE * size else ""


def gap_of_scores(a: Tensor, b: Tensor) -> str:
    """Empty where scores (..., way) agree, in their own units and in those in which they decide."""
    return gap(a, b) or score_gap(a, b, OF_MARGIN)


def described(error: Exception) -> str:
    """Kind and first line of an exception, and the line of the plugin that it came from."""
    text = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
    ours = Path(__file__).parents[3]
    frames = [
        frame
        for frame in extract_tb(error.__traceback__)
        if "site-packages" not in frame.filename and not Path(frame.filename).is_relative_to(ours / "harness")
    ]
    return f"{text} ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else text
