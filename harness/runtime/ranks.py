"""The processes that share one training, started by ``torchrun``: data-parallel, each with a part of every step.

A process that was not started so is alone: rank 0 of 1. As in DistributedDataParallel, gradients are averaged over the
ranks; here once a step's backward passes are over, so that micro-batches and parameters without a gradient are no
special cases. Only the first rank writes files.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from mmact_oneshot.harness.runtime.errors import HarnessError

T = TypeVar("T")
PATIENCE = timedelta(days=7)  # of ranks that wait while the first one scores
BUCKET = 1 << 25  # numbers that are averaged in one message


_alone = False  # while the first rank works for all of them


def count() -> int:
    """Processes that share what is being done: all of them, but one alone inside :func:`from_first`.

    To be asked by the thread that trains: one beside it cannot tell whose work it does.
    """
    if _alone:
        return 1
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    return dist.get_rank() if count() > 1 else 0


def is_first() -> bool:
    return rank() == 0


def stream() -> tuple[int, ...]:
    """What tells this rank's random draws from those of the others; nothing for the first, as for one alone."""
    return () if is_first() else (rank(),)


def local_rank() -> int:
    """Which of this machine's GPUs belongs to this process."""
    return int(os.environ.get("LOCAL_RANK", "0")) if count() > 1 else 0


@contextmanager
def joined() -> Iterator[None]:
    """Join the other processes, where ``torchrun`` started several."""
    if int(os.environ.get("WORLD_SIZE", "1")) < 2:
        yield
        return
    dist.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo", timeout=PATIENCE)
    try:
        yield
    finally:
        dist.destroy_process_group()


def from_first(work: Callable[[], T]) -> T:
    """What the first rank finds, on all ranks; they wait for it. What it raises is raised on all."""
    if count() == 1:
        return work()
    found: Any = None
    error: Exception | None = None
    if is_first():
        global _alone
        _alone = True
        try:
            found = work()
        except Exception as caught:
            error = caught
        finally:
            _alone = False
    told = [(found, _portable(error))]
    dist.broadcast_object_list(told, src=0)
    if is_first() and error is not None:
        raise error
    found, raised = told[0]
    if raised is not None:
        raise raised
    return found  # type: ignore[no-any-return]


def first_before_others(work: Callable[[], T], of_others: Callable[[], T]) -> T:
    """What each rank makes for itself, the others once the first one, which may prepare files for them, has done so."""
    if count() == 1:
        return work()
    made: list[T] = []

    def prepare() -> None:
        made.append(work())

    from_first(prepare)
    return made[0] if is_first() else of_others()


def share(items: int, what: str) -> slice:
    """This rank's part of so many items.

    Raises:
        HarnessError: they cannot be divided evenly.
    """
    if items % count():
        raise HarnessError(
            f"{what} = {items} cannot be divided evenly over {count()} processes.",
            remedy=f"Start another number of processes, or --set {what}={items + count() - items % count()}.",
        )
    each = items // count()
    return slice(rank() * each, (rank() + 1) * each)


@torch.no_grad()
def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Give every parameter the mean of its gradient over the ranks; one that a rank has not touched counts as zero."""
    if count() == 1:
        return
    bucket: list[nn.Parameter] = []
    for parameter in parameters:
        bucket.append(parameter)
        if sum(each.numel() for each in bucket) >= BUCKET:
            _average(bucket)
            bucket = []
    if bucket:
        _average(bucket)


def average(terms: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Means of scalars over the ranks."""
    if count() == 1 or not terms:
        return dict(terms)
    values = torch.stack([term.detach().float() for term in terms.values()])
    dist.all_reduce(values)
    return dict(zip(terms, values / count(), strict=True))


def step_mean(values: Tensor, where: Tensor) -> Tensor:
    """Mean over the clips of a step that ``where`` names, for losses; 0 where it names none.

    The number of clips is that of the whole step: gradients are averaged over the ranks, and a mean over each rank's
    own clips would weigh clips unequally.

    Args:
        values: (B,) one number a clip.
        where: (B,) bool.
    """
    clips = where.sum().to(values.dtype)
    if count() > 1:
        dist.all_reduce(clips)
    return torch.where(where, values, 0.0).sum() * count() / clips.clamp(min=1)


def synchronise_batchnorm(module: nn.Module) -> None:
    """Let every BatchNorm over vectors take its statistics in training from the clips of all ranks, in place."""
    for each in module.modules() if count() > 1 else ():
        if type(each) is nn.BatchNorm1d:
            each.__class__ = _BatchNormOverRanks  # parameters, buffers and their names stay


class _BatchNormOverRanks(nn.BatchNorm1d):
    """BatchNorm of (N, C) by mean and variance over the N of all ranks."""

    def forward(self, input: Tensor) -> Tensor:
        if not self.training or count() == 1:
            return super().forward(input)
        from torch.distributed.nn.functional import all_reduce

        values = input.float()  # statistics in float32, as BatchNorm has them under autocast
        total = torch.tensor(float(len(values)), device=values.device)
        dist.all_reduce(total)
        mean = all_reduce(values.sum(dim=0)) / total
        variance = all_reduce((values - mean).square().sum(dim=0)) / total
        with torch.no_grad():
            assert self.running_mean is not None
            assert self.running_var is not None
            assert self.num_batches_tracked is not None
            self.num_batches_tracked.add_(1)
            momentum = self.momentum or 0.1
            self.running_mean.lerp_(mean, momentum)
            self.running_var.lerp_(variance * total / (total - 1), momentum)
        normalised: Tensor = (values - mean) * (variance + self.eps).rsqrt() * self.weight + self.bias
        return normalised.to(input.dtype)


def _average(bucket: list[nn.Parameter]) -> None:
    touched = torch.tensor([float(each.grad is not None) for each in bucket])
    dist.all_reduce(touched)  # between CPUs: nothing waits for the device
    known = [each for each, ranks in zip(bucket, touched.tolist(), strict=True) if ranks]
    if not known:
        return
    parts = [torch.zeros_like(each) if each.grad is None else each.grad for each in known]
    flat = torch.cat([part.flatten() for part in parts])
    dist.all_reduce(flat)
    flat /= count()
    for each, mean in zip(known, flat.split([part.numel() for part in parts]), strict=True):
        each.grad = mean.view_as(each).clone()


def _portable(error: Exception | None) -> Exception | None:
    """An exception that other processes can read."""
    try:
        pickle.dumps(error)
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
