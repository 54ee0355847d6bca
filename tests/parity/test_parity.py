"""Each method computes what its authors' code computes, to 1e-5 in float32.

``vectors/*.npz`` hold random weights and inputs and what the original public code made of them (tobyperrett/trx at
390c20a, blue-blue272/fewshot-CAN at 6055985, lxhit/STAF at 10c7d9a, lxhit/mu-mae at 67335d1, cambridge-mlg/cnaps at
c172399, peymanbateni/simple-cnaps at 5c43a08, Anirudh257/strm at 54368fe, and alibaba-mmai-research/HyRSM at 82100b6
for HyRSM and OTAM); they are data, and ``vectors/outputs.json`` names the outputs among
them.
"""

from __future__ import annotations

import importlib
import json
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
import pytest
import torch

VECTORS = Path(__file__).parent / "vectors"
OUTPUTS: dict[str, list[str]] = json.loads((VECTORS / "outputs.json").read_text("utf-8"))
TOLERANCE = 1e-5


def split(item: str) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Inputs of an adapter, and what it must return."""
    with np.load(VECTORS / f"{item}.npz") as file:
        arrays = dict(file)
    names = {name for name in arrays if any(fnmatchcase(name, pattern) for pattern in OUTPUTS[item])}
    return {k: v for k, v in arrays.items() if k not in names}, {k: arrays[k] for k in names}


@pytest.mark.parametrize("item", OUTPUTS)
def test_outputs_are_those_of_the_original_code(item: str) -> None:
    inputs, wanted = split(item)
    with torch.random.fork_rng():
        torch.manual_seed(12)  # whatever the initial state, the weights of the file replace it
        found = importlib.import_module(f"tests.parity.{item}").outputs(inputs)
    assert wanted
    assert wanted.keys() - found.keys() == set()
    gaps = {name: gap(found[name], wanted[name]) for name in wanted}
    assert {name: value for name, value in gaps.items() if not value <= TOLERANCE} == {}


def gap(found: np.ndarray, wanted: np.ndarray) -> float:
    """Largest absolute difference; infinite where shapes or NaNs differ."""
    if found.shape != wanted.shape or not np.array_equal(np.isnan(found), np.isnan(wanted)):
        return float("inf")
    differences = np.abs(found.astype(np.float64) - wanted)
    return float(differences[~np.isnan(differences)].max(initial=0.0))
