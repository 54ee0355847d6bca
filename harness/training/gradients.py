"""Loss and gradients of one step, with the clips encoded all at once or in micro-batches.

In micro-batches the features are first computed without gradients, the loss and its gradient with respect to the
features are taken over the whole step, and then each micro-batch is encoded again and pulled back. So the heads, and
any BatchNorm in them, see the whole step, and the gradients are those of the full batch but for the draws of dropout in
the encoders (Gao et al., 2021, arXiv
2101.06983, section 3.2).
"""

from __future__ import annotations

import torch

from mmact_oneshot.harness.api import Clips, Features, FewShotMethod, LossTerms
from mmact_oneshot.harness.runtime.device import Device
from mmact_oneshot.harness.runtime.seeding import seeded
from mmact_oneshot.harness.training.batches import EpisodeBatch


def backward(
    method: FewShotMethod, clips: Clips, batch: EpisodeBatch, device: Device, micro_batch: int, seed: object
) -> LossTerms:
    """Accumulate the gradients of a step and return its loss terms.

    Args:
        clips: the clips of ``batch.rows``, on the device.
        micro_batch: clips encoded at a time; 0 for all.
        seed: of the dropout in the encoders, so that a micro-batch drops the same units both times.
    """
    size = len(clips)
    if not micro_batch or micro_batch >= size:
        with device.autocast():
            encoded = method.encode(clips)
        return backward_through_head(method, encoded, batch, device)

    pieces = [slice(first, first + micro_batch) for first in range(0, size, micro_batch)]
    with torch.no_grad():
        parts = [_encode(method, clips[piece], device, (seed, piece.start)) for piece in pieces]
    leaves = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
    for value in leaves.values():
        value.requires_grad_(value.is_floating_point())
    terms = backward_through_head(method, leaves, batch, device)
    for piece in pieces:
        again = _encode(method, clips[piece], device, (seed, piece.start))
        pulled = [name for name, value in again.items() if value.requires_grad and leaves[name].grad is not None]
        if pulled:
            gradients = [leaves[name].grad[piece] for name in pulled]  # type: ignore[index]
            torch.autograd.backward([again[name] for name in pulled], gradients)
    return terms


def backward_through_head(method: FewShotMethod, encoded: Features, batch: EpisodeBatch, device: Device) -> LossTerms:
    """Loss terms of a step from encoded clips, with their sum pulled back to whatever requires a gradient."""
    with device.autocast():
        embedded = method.embed(encoded)
    # distances, softmax and loss in float32, as in evaluation
    embedded = {k: v.float() if v.dtype in {torch.bfloat16, torch.float16} else v for k, v in embedded.items()}
    support, query = batch.split(embedded)
    terms = method.loss(support, query, batch.targets)
    torch.stack([term.float() for term in terms.values()]).sum().backward()
    return {name: term.detach() for name, term in terms.items()}


def _encode(method: FewShotMethod, clips: Clips, device: Device, seed: object) -> Features:
    with seeded("encode", seed), device.autocast():
        return method.encode(clips)
