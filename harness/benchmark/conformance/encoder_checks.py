"""What every encoder must satisfy: the outputs that it names, each clip alone, absent clips, gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from mmact_oneshot.harness.api import ClipShape, Encoder
from mmact_oneshot.harness.benchmark.conformance.bench import SENSORS, random_clips, without
from mmact_oneshot.harness.benchmark.conformance.checks import Finding
from mmact_oneshot.harness.benchmark.conformance.gap import described, gap
from mmact_oneshot.harness.encoders.backbone import on_meta

SHAPE = ClipShape(frames=4, size=32, samples=32)
RANKS = {"vector": 2, "sequence": 3, "map": 5}
CLIPS = 6


def check_encoder(encoder: type[Encoder], settings: dict[str, Any]) -> list[Finding]:
    """Run every check on an encoder, on random clips of 4 frames of 32 px and 32 samples of two sensors."""
    found = []
    for name, check in CHECKS.items():
        try:
            with torch.random.fork_rng():
                torch.manual_seed(0)
                detail = check(encoder(SHAPE, SENSORS, **settings).eval())
        except Exception as error:
            detail = described(error)
        found.append(Finding(name, not detail, detail))
    return found


def _outputs(encoder: Encoder) -> str:
    """Every output that ``widths`` names has its shape."""
    names = tuple(name for name in encoder.widths if name in RANKS or name.startswith("stage:"))
    if "vector" not in names:
        return 'widths names no "vector", which every head can take'
    values = _encoded(encoder, names)
    for name in names:
        rank, width = RANKS.get(name, 5), values[name].shape[2 if name == "sequence" else 1]
        if values[name].ndim != rank or width != encoder.widths[name] or len(values[name]) != CLIPS:
            return f"{name!r} has the shape {tuple(values[name].shape)}, its width is said to be {encoder.widths[name]}"
    return ""


def _clip_independence(encoder: Encoder) -> str:
    clips = random_clips(CLIPS, (encoder.modality,), SHAPE)
    with torch.no_grad():
        whole = encoder(clips, ("vector",))["vector"]
        alone = torch.cat([encoder(clips[row : row + 1], ("vector",))["vector"] for row in range(CLIPS)])
    found = gap(alone, whole)
    return f"a clip's vector depends on the other clips of its batch: {found}" if found else ""


def _absent(encoder: Encoder) -> str:
    clips = without(random_clips(CLIPS, (encoder.modality,), SHAPE), encoder.modality)
    with torch.no_grad():
        vector = encoder(clips, ("vector",))["vector"]
    return "" if vector.isfinite().all() else "the vector of an absent clip, which is all zero, is not finite"


def _content(encoder: Encoder) -> str:
    vector = _encoded(encoder, ("vector",))["vector"]
    return "different clips have the same vector" if float(vector.std(dim=0).max()) == 0 else ""


def _gradients(encoder: Encoder) -> str:
    encoder.train()
    outputs = tuple(name for name in encoder.widths if name in RANKS)
    clips = random_clips(CLIPS, (encoder.modality,), SHAPE)
    torch.stack([value.square().sum() for value in encoder(clips, outputs).values()]).sum().backward()
    forgotten = [name for name, each in encoder.named_parameters() if each.requires_grad and each.grad is None]
    return f"no gradient for {', '.join(forgotten)}" if forgotten else ""


def _shapes_alone(encoder: Encoder) -> str:
    """The harness works out shapes, memory and operations on the meta device, where tensors have no content."""
    clips = random_clips(1, (encoder.modality,), SHAPE).to("meta")
    on_meta(encoder)(clips, ("vector",))
    return ""


def _encoded(encoder: Encoder, outputs: tuple[str, ...]) -> dict[str, torch.Tensor]:
    with torch.no_grad():
        found: dict[str, torch.Tensor] = encoder(random_clips(CLIPS, (encoder.modality,), SHAPE), outputs)
    return found


CHECKS: dict[str, Callable[[Encoder], str]] = {
    "outputs": _outputs,
    "clip-independence": _clip_independence,
    "absent": _absent,
    "content": _content,
    "gradients": _gradients,
    "shapes-alone": _shapes_alone,
}
