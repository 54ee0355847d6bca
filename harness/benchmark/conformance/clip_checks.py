"""Checks of how clips become features: each clip alone, from the modalities of the row, absent ones included."""

from __future__ import annotations

from dataclasses import fields

import torch
from torch import Tensor

from mmact_oneshot.harness.api import Clips, Features
from mmact_oneshot.harness.benchmark.conformance.bench import (
    EPISODES,
    MANY,
    QUERIES,
    SENSORS,
    SHOT,
    WAY,
    Bench,
    score,
    without,
)
from mmact_oneshot.harness.benchmark.conformance.gap import gap, gap_of_scores


def modalities(bench: Bench) -> str:
    """Features come of clips that hold the row's modalities and nothing else, through declared outputs."""
    try:
        features = bench.features(bench.build(), bench.clips(2))
    except (KeyError, TypeError, AttributeError) as error:
        return f"{type(error).__name__}: {error}, on clips that hold {' and '.join(bench.modalities)} and nothing else"
    wrong = [name for name, value in features.items() if not isinstance(value, Tensor)]
    return f"feature {wrong[0]!r} is no tensor" if wrong else ""


def clip_independence(bench: Bench) -> str:
    """A clip's features are the same alone and in a batch, a small one and one of hundreds."""
    method = bench.trained()
    for count in (6, MANY):
        clips = bench.clips(count)
        whole = bench.features(method, clips)
        for name, value in whole.items():
            if len(value) != count:
                return f"feature {name!r} of {count} clips has the shape {tuple(value.shape)}: the clip axis is first"
        for row in range(0, count, -(-count // 6)):
            alone = bench.features(method, clips[row : row + 1])
            for name, value in whole.items():
                if found := gap(alone[name], value[row : row + 1]):
                    return f"feature {name!r} of a clip depends on the other {count - 1} clips of its batch: {found}"
    return ""


def missing(bench: Bench) -> str:
    """Finite scores where a sensor, or a modality, or everything is missing."""
    method = bench.trained()
    clips = bench.clips(EPISODES * (WAY * SHOT + QUERIES))
    for absent in [*(name for name in SENSORS if name in clips.present), *bench.modalities, "everything"]:
        lacking = clips
        for name in bench.modalities if absent == "everything" else (absent,):
            lacking = without(lacking, name)
        scores = score(method, *bench.episodes(bench.features(method, lacking)))
        if not scores.isfinite().all():
            return f"scores are not finite where {absent} is missing"
    return ""


def absence(bench: Bench) -> str:
    """What stands in the place of an absent modality does not matter: it is not taken for a recording."""
    if len(bench.modalities) < 2:
        return "not checked: with one modality there is nothing to fall back on"
    method = bench.trained()
    clips = bench.clips(EPISODES * (WAY * SHOT + QUERIES))
    for name in bench.modalities:
        lacking = without(clips, name)
        encoded = _encoded(bench, lacking)
        noisy = {
            key: _with_noise(value, ~lacking.present[name]) if key.startswith(f"{name}.") else value
            for key, value in encoded.items()
        }
        with torch.no_grad():
            plain, other = (method.embed(each) for each in (encoded, noisy))
        if found := gap_of_scores(score(method, *bench.episodes(other)), score(method, *bench.episodes(plain))):
            return f"scores depend on the features of clips whose {name} is absent: {found}"
    return ""


def inputs(bench: Bench) -> str:
    """Clips and features are as they were after encode, embed, score and loss."""
    method, clips = bench.build(), bench.clips(EPISODES * (WAY * SHOT + QUERIES))
    kept = _tensors(clips)
    before = {name: value.clone() for name, value in kept.items()}
    with torch.no_grad():
        encoded = method.encode(clips)
        given = {name: value.clone() for name, value in encoded.items()}
        embedded = method.embed(encoded)
    for name, value in kept.items():
        if not torch.equal(value, before[name]):
            return f"encode changes the clips it is given ({name})"
    for name, value in encoded.items():
        if name not in given or not torch.equal(value, given[name]):
            return f"embed changes the features it is given ({name!r})"
    support, query = bench.episodes(embedded)
    parts = {**{f"support {k}": v for k, v in support.items()}, **{f"query {k}": v for k, v in query.items()}}
    copies = {name: value.clone() for name, value in parts.items()}
    score(method, support, query)
    changed = [name for name, value in parts.items() if not torch.equal(value, copies[name])]
    return f"score changes the features it is given ({changed[0]})" if changed else ""


def _encoded(bench: Bench, clips: Clips) -> Features:
    with torch.no_grad():
        return bench.trained().encode(clips)


def _with_noise(value: Tensor, rows: Tensor) -> Tensor:
    """Other numbers in some rows of a feature; whether a modality is there is left alone."""
    if not value.is_floating_point():
        return value
    noise = torch.randn(value.shape, generator=torch.Generator().manual_seed(5))
    return torch.where(rows.reshape(-1, *[1] * (value.ndim - 1)), noise.to(value.dtype), value)


def _tensors(clips: Clips) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    for field in fields(clips):
        value = getattr(clips, field.name)
        found |= {f"{field.name} {k}": v for k, v in value.items()} if isinstance(value, dict) else {}
        found |= {field.name: value} if isinstance(value, Tensor) else {}
    return found
