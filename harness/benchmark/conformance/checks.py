"""What every method must satisfy, as checks that its author can run: on random clips, without a data set.

The harness encodes each clip once, scores thousands of episodes in one call, packs several episodes in a training
step and loads methods from safetensors. Each check proves one assumption behind that.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from harness.api import FewShotMethod, NotApplicable, Targets
from harness.benchmark.conformance.bench import EPISODES, QUERIES, SENSORS, SHOT, WAY, Bench, score, without
from harness.training.checkpoint import load_weights, save_weights

MODALITIES = (("video",), ("sensors",), ("video", "sensors"))
POSITION_EPISODES = 400
TOLERANCE = 1e-5  # of the largest score or feature, but at least absolute
STANDARD_ERRORS = 5
SKIPPED = "not checked: "


@dataclass(frozen=True)
class Finding:
    """The outcome of one check; ``detail`` says what went wrong, or why nothing had to be checked."""

    name: str
    passed: bool
    detail: str = ""


def check_method(
    method: type[FewShotMethod], modalities: tuple[str, ...], settings: dict[str, Any] | None = None
) -> list[Finding]:
    """Run every check on a method.

    Args:
        method: the class.
        modalities: one of ``MODALITIES``.
        settings: of the method, where its defaults are not wanted.

    Returns:
        One finding for each check; a single one where the method does not apply to these modalities.
    """
    bench = Bench(method, modalities, settings or {})
    unusable = [name for name in modalities if name not in method.needs.modalities]
    try:
        bench.build()
    except NotApplicable as reason:
        return [Finding("applies", True, f"not applicable: {reason}")]
    except Exception as error:
        return [Finding("applies", False, f"cannot be built: {_described(error)}")]
    if unusable:
        detail = f"needs.modalities leaves out {' and '.join(unusable)}, but NotApplicable is not raised"
        return [Finding("applies", False, detail)]
    return [Finding("applies", True), *(_finding(name, check, bench) for name, check in CHECKS.items())]


def _finding(name: str, check: Callable[[Bench], str], bench: Bench) -> Finding:
    try:
        with torch.random.fork_rng():
            detail = check(bench)
    except Exception as error:  # a plugin may raise anything; the other checks go on
        detail = _described(error)
    return Finding(name, not detail or detail.startswith(SKIPPED), detail)


def _described(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _shape(bench: Bench) -> str:
    """(E, Q, way) float32, for every number of shots and queries."""
    method = bench.build()
    features = bench.features(method, bench.clips(EPISODES * (WAY * 3 + QUERIES)))
    for shot, queries in ((SHOT, QUERIES), (1, WAY), (3, 1)):
        scores = score(method, *bench.episodes(features, shot, queries))
        wanted = (EPISODES, queries, WAY)
        if tuple(scores.shape) != wanted or scores.dtype != torch.float32:
            return f"{shot} shots, {queries} queries: {scores.dtype} {tuple(scores.shape)}, expected float32 {wanted}"
    return ""


def _finite(bench: Bench) -> str:
    scores = score(*bench.task())
    return "" if scores.isfinite().all() else f"{int((~scores.isfinite()).sum())} of {scores.numel()} scores"


def _missing(bench: Bench) -> str:
    """Finite scores where a sensor, or a modality, or everything is missing."""
    method = bench.build()
    clips = bench.clips(EPISODES * (WAY * SHOT + QUERIES))
    for absent in [*(name for name in SENSORS if name in clips.present), *bench.modalities, "everything"]:
        lacking = clips
        for name in bench.modalities if absent == "everything" else (absent,):
            lacking = without(lacking, name)
        scores = score(method, *bench.episodes(bench.features(method, lacking)))
        if not scores.isfinite().all():
            return f"scores are not finite where {absent} is missing"
    return ""


def _clip_independence(bench: Bench) -> str:
    """A clip's features are the same alone and in a batch."""
    method, clips = bench.build(), bench.clips(6)
    whole = bench.features(method, clips)
    for name, value in whole.items():
        if len(value) != len(clips):
            return f"feature {name!r} of {len(clips)} clips has the shape {tuple(value.shape)}: the clip axis is first"
    for row in range(len(clips)):
        alone = bench.features(method, clips[row : row + 1])
        for name, value in whole.items():
            if gap := _gap(alone[name], value[row : row + 1]):
                return f"feature {name!r} of a clip depends on the other clips of its batch: {gap}"
    return ""


def _support_order(bench: Bench) -> str:
    method, support, query = bench.task()
    turned = {name: value.flip(2) for name, value in support.items()}
    return _gap(score(method, turned, query), score(method, support, query))


def _relabelling(bench: Bench) -> str:
    method, support, query = bench.task()
    order = torch.tensor([3, 0, 4, 1, 2])
    return _gap(
        score(method, {k: v[:, order] for k, v in support.items()}, query), score(method, support, query)[..., order]
    )


def _query_order(bench: Bench) -> str:
    method, support, query = bench.task()
    order = torch.tensor([4, 2, 6, 0, 5, 3, 1])
    return _gap(
        score(method, support, {k: v[:, order] for k, v in query.items()}), score(method, support, query)[:, order]
    )


def _inductive(bench: Bench) -> str:
    """Scores of a query are the same when the other queries are not there."""
    if bench.build().transductive:
        return f"{SKIPPED}the method is declared transductive"
    method, support, query = bench.task()
    whole = score(method, support, query)
    for place in range(QUERIES):
        alone = score(method, support, {k: v[:, place : place + 1] for k, v in query.items()})
        if gap := _gap(alone, whole[:, place : place + 1]):
            return f"scores of a query depend on the other queries (declare transductive = True?): {gap}"
    return ""


def _batching(bench: Bench) -> str:
    """Episodes one at a time give what all at once give."""
    method, support, query = bench.task()
    parts = [slice(i, i + 1) for i in range(EPISODES)]
    one = [score(method, {k: v[p] for k, v in support.items()}, {k: v[p] for k, v in query.items()}) for p in parts]
    return _gap(torch.cat(one), score(method, support, query))


def _determinism(bench: Bench) -> str:
    method, support, query = bench.task()
    first = score(method, support, query)
    return "" if torch.equal(first, score(method, support, query)) else "the same call twice gives different scores"


def _gradients(bench: Bench) -> str:
    """Every parameter that is to be trained receives a gradient, and nothing else is trained."""
    for tuned in (True, False):
        method = bench.build(tuned=tuned).train()
        names = {parameter: name for name, parameter in method.named_parameters()}
        wanted = {parameter for parameter in names if parameter.requires_grad}
        features = method.embed(method.encode(bench.clips(EPISODES * (WAY + QUERIES))))
        support, query = bench.episodes(features, shot=1)
        label = torch.arange(EPISODES * QUERIES).reshape(EPISODES, QUERIES) % WAY
        classes = torch.arange(WAY).repeat(EPISODES, 1) + torch.arange(EPISODES)[:, None]
        terms = method.loss(support, query, Targets(label, classes, classes.gather(1, label)))
        odd = [name for name, term in terms.items() if term.ndim or not bool(term.isfinite())]
        if odd or not terms:
            return f"the loss has no finite scalar {odd[0]!r}" if odd else "the loss has no terms"
        total = torch.stack([term.float() for term in terms.values()]).sum()
        reached = set(_trained_by(total))
        if forgotten := sorted(names[parameter] for parameter in wanted - reached):
            return f"{'tuned' if tuned else 'frozen'}: no gradient for {', '.join(forgotten)}"
        if stray := [tuple(tensor.shape) for tensor in reached - wanted]:
            return f"the loss trains a tensor {stray[0]} that is no parameter of the method (kept in a plain list?)"
    return ""


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


def _state(bench: Bench) -> str:
    """Saved and loaded into a new instance, the scores are the same; the file holds no pickled code."""
    method, support, query = bench.task()
    other = bench.build(seed=1)
    clips = bench.clips(EPISODES * (WAY * SHOT + QUERIES))
    with tempfile.TemporaryDirectory(prefix="oneshot-check-") as folder:
        path = Path(folder) / "state.safetensors"
        save_weights(path, method.state_dict(), {})
        content = path.read_bytes()
        if content[:2] in {b"PK", b"\x80\x02", b"\x80\x04"} or content[8:9] != b"{":
            return "the checkpoint is not a safetensors file"
        load_weights(path, other)
    loaded = score(other, *bench.episodes(bench.features(other, clips)))
    gap = _gap(loaded, score(method, support, query))
    return f"a loaded method scores differently (something is not in its state_dict): {gap}" if gap else ""


def _position(bench: Bench) -> str:
    """On clips that mean nothing, "query j is class j" is right by chance only."""
    method = bench.build()
    pool = bench.features(method, bench.clips(64, seed=3))
    random = torch.Generator().manual_seed(4)
    rows = torch.rand(POSITION_EPISODES, 64, generator=random).argsort(dim=1)
    support = {k: v[rows[:, :WAY, None]] for k, v in pool.items()}
    scores = score(method, support, {k: v[rows[:, WAY : 2 * WAY]] for k, v in pool.items()})
    share = float((scores.argmax(dim=2) == torch.arange(WAY)).float().mean())
    chance = 1 / WAY
    error = (chance * (1 - chance) / (POSITION_EPISODES * WAY)) ** 0.5
    if abs(share - chance) <= STANDARD_ERRORS * error:
        return ""
    return f"query j is given to class j in {share:.1%} of cases, chance is {chance:.0%}: the position gives it away"


def _gap(a: Tensor, b: Tensor) -> str:
    """Empty where two tensors agree, and otherwise by how much they do not."""
    if a.shape != b.shape:
        return f"shapes {tuple(a.shape)} and {tuple(b.shape)}"
    if not a.is_floating_point():
        return "" if torch.equal(a, b) else f"{int((a != b).sum())} of {a.numel()} values differ"
    if not (a.isfinite().all() and b.isfinite().all()):
        return "not finite"
    difference, size = float((a - b).abs().amax()), max(1.0, float(b.abs().amax()))
    return f"differs by {difference:.1e} (largest value {size:.1e})" if difference > TOLERANCE * size else ""


CHECKS: dict[str, Callable[[Bench], str]] = {
    "shape": _shape,
    "finite": _finite,
    "missing": _missing,
    "clip-independence": _clip_independence,
    "support-order": _support_order,
    "relabelling": _relabelling,
    "query-order": _query_order,
    "inductive": _inductive,
    "batching": _batching,
    "determinism": _determinism,
    "gradients": _gradients,
    "state": _state,
    "position": _position,
}
"""Name of every check -> function that returns what is wrong, or nothing."""
