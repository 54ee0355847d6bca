"""Checks of what is trained and kept: gradients, the loss, the state."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mmact_oneshot.harness.benchmark.conformance.bench import EPISODES, QUERIES, SHOT, WAY, Bench, score
from mmact_oneshot.harness.benchmark.conformance.gap import gap_of_scores
from mmact_oneshot.harness.training.checkpoint import load_weights, save_weights


def gradients(bench: Bench) -> str:
    """Every parameter that is to be trained receives a gradient, and nothing else is trained."""
    for tuned in (True, False):
        method = bench.build(tuned=tuned).train()
        names = {parameter: name for name, parameter in method.named_parameters()}
        wanted = {parameter for parameter in names if parameter.requires_grad}
        features = method.embed(method.encode(bench.clips(EPISODES * (WAY + QUERIES))))
        terms = method.loss(*bench.episodes(features, shot=1), bench.targets())
        odd = [name for name, term in terms.items() if term.ndim or not bool(term.isfinite())]
        if odd or not terms:
            return f"the loss has no finite scalar {odd[0]!r}" if odd else "the loss has no terms"
        reached = set(_trained_by(torch.stack([term.float() for term in terms.values()]).sum()))
        if forgotten := sorted(names[parameter] for parameter in wanted - reached):
            return f"{'tuned' if tuned else 'frozen'}: no gradient for {', '.join(forgotten)}"
        if stray := [tuple(tensor.shape) for tensor in reached - wanted]:
            return f"the loss trains a tensor {stray[0]} that is no parameter of the method (kept in a plain list?)"
    return ""


def state(bench: Bench) -> str:
    """Saved and loaded into a new instance, the scores are the same, after a step of training too; the file holds no
    pickled code."""
    method, other = bench.build(), bench.build(seed=1)
    clips = bench.clips(EPISODES * (WAY * SHOT + QUERIES))
    features = method.train().embed(method.encode(bench.clips(EPISODES * (WAY + QUERIES))))
    loss = torch.stack(
        [term.float() for term in method.loss(*bench.episodes(features, shot=1), bench.targets()).values()]
    )
    if loss.requires_grad:
        loss.sum().backward()
    method.zero_grad()
    method.eval()
    with tempfile.TemporaryDirectory(prefix="oneshot-check-") as folder:
        path = Path(folder) / "state.safetensors"
        save_weights(path, method.state_dict(), {})
        content = path.read_bytes()
        if content[8:9] != b"{":  # after the length of its header; an archive or a pickle has something else there
            return "the checkpoint is not a safetensors file"
        load_weights(path, other)
    kept, loaded = (score(each, *bench.episodes(bench.features(each, clips))) for each in (method, other))
    found = gap_of_scores(loaded, kept)
    return f"a loaded method scores differently (something is not in its state_dict): {found}" if found else ""


def seeds(bench: Bench) -> str:
    """Built and trained from two seeds, it leaves two sequences of random numbers."""
    first, second = bench.next_draw(0), bench.next_draw(1)
    return "" if first != second else "the global random numbers are the same whatever the seed of the row"


def _trained_by(loss: Tensor) -> Iterable[Tensor]:
    """The leaves that ``loss.backward()`` would give a gradient."""
    visited: set[Any] = set()
    waiting: list[Any] = [loss.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is None or node in visited:
            continue
        visited.add(node)
        if hasattr(node, "variable"):
            yield node.variable
        waiting += [parent for parent, _ in node.next_functions]
