"""What a check says: how far two results are apart, and what was raised."""

from __future__ import annotations

from torch import Tensor

TOLERANCE = 1e-5  # of the largest value, but at least absolute


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


def described(error: Exception) -> str:
    """Kind and first line of an exception."""
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
