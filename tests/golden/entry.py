"""One golden number or array: its digest, and some of its values, by which a change is measured."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import numpy as np

STAGES = (
    "recordings",
    "store",
    "episodes",
    "clips",
    "initial weights",
    "first losses",
    "trained weights",
    "scores",
    "records",
)  # in the order in which one follows from the other
ANYWHERE = {"episodes", "clips", "initial weights", "first losses"}
"""Stages that other processors reproduce to rounding. What is trained drifts apart, and films are another library's."""
SAMPLES = 8


@dataclass(frozen=True)
class Entry:
    """What was found at one place of the run.

    Attributes:
        digest: of the bytes, in hexadecimal digits.
        values: of an array, at most eight, evenly spaced; of anything else, none.
    """

    stage: str
    name: str
    digest: str
    values: tuple[float, ...] = ()


def of_bytes(stage: str, name: str, content: bytes) -> Entry:
    return Entry(stage, name, _digits(content))


def of_json(stage: str, name: str, content: Any) -> Entry:
    return Entry(stage, name, _digits(json.dumps(content, sort_keys=True).encode()))


def of_array(stage: str, name: str, array: Any) -> Entry:
    flat = np.ascontiguousarray(array).ravel()
    places = np.unique(np.linspace(0, flat.size - 1, min(SAMPLES, flat.size)).astype(int))
    kind = f"{flat.dtype.str}{np.shape(array)}".encode()
    return Entry(stage, name, _digits(kind + flat.tobytes()), tuple(float(flat[place]) for place in places))


def _digits(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]
