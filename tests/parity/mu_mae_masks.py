"""Mu-MAE's masks: how many tokens they hide. Which ones is left to chance, there as here."""

from __future__ import annotations

import numpy as np

from mmact_oneshot.methods.mu_mae.masking import counts
from tests.parity.arrays import Arrays, prefixes


def outputs(arrays: Arrays) -> dict[str, np.ndarray]:
    """Every output of a ``mu_mae_masks.npz``, from its other arrays."""
    time, rows, columns = (int(value) for value in arrays["grid"])
    found: list[tuple[float, ...]] = []
    for name in prefixes(arrays, "tube_examples"):
        ratio = float(name.removeprefix("ratio_").removesuffix("."))
        tokens = arrays[f"{name}synchronized_sensor_examples"].shape[-1]
        found.append((ratio, *counts((time, rows, columns), tokens, ratio, ratio)))
    return {"counts": np.array(found, np.float32)}
