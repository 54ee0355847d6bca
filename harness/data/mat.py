"""MATLAB's files: one array by name, refused before it is unpacked where it is larger than any recording."""

from __future__ import annotations

from math import prod
from pathlib import Path

import numpy as np

LARGEST = 200_000_000  # numbers; a depth file of UTD-MHAD has 10 million


def shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Name -> shape of every array of a file. Raises ValueError where it is no file, and whatever scipy raises."""
    from scipy.io import whosmat

    if not path.is_file():  # a pipe would be waited for
        raise ValueError("it is no file")
    return {name: tuple(shape) for name, shape, _ in whosmat(path)}


def load_array(path: Path, variable: str) -> np.ndarray:
    """An array of real numbers.

    Raises:
        ValueError: it is missing, too large, or no array of numbers.
        Exception: scipy raises many kinds for a damaged file.
    """
    from scipy.io import loadmat

    found = shapes(path)
    if variable not in found:
        raise ValueError(f"there is no {variable}")
    if prod(found[variable]) > LARGEST:
        raise ValueError(f"{variable} is larger than any recording: {found[variable]}")
    array = np.asarray(loadmat(path, variable_names=[variable])[variable])
    if array.dtype.kind not in "iuf":
        raise ValueError(f"{variable} holds no numbers")
    return array
