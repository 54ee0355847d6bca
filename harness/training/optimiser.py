"""The optimiser of a budget and its learning rate, step by step."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch.nn import Parameter
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from harness.budget import Budget
from harness.device import Device


def build_optimiser(parameters: Iterable[Parameter], budget: Budget, device: Device) -> tuple[Optimizer, LambdaLR]:
    """The optimiser, and the schedule that is to be advanced after every step."""
    optimiser: Optimizer
    if budget.optimiser == "sgd":
        optimiser = torch.optim.SGD(
            parameters,
            lr=budget.learning_rate,
            momentum=budget.momentum,
            nesterov=budget.nesterov,
            weight_decay=budget.weight_decay,
        )
    else:
        optimiser = torch.optim.AdamW(
            parameters,
            lr=budget.learning_rate,
            weight_decay=budget.weight_decay,
            fused=device.torch.type == "cuda",
        )
    return optimiser, LambdaLR(optimiser, lambda step: rate(step, budget))


def rate(step: int, budget: Budget) -> float:
    """The learning rate of a step (from 0) as a factor on ``budget.learning_rate``.

    A linear warm-up, and then a half cosine down to zero, nothing more, or a factor at every milestone.
    """
    warmup = max(1, round(budget.warmup * budget.steps))
    if step < warmup:
        return (step + 1) / warmup
    if budget.schedule == "cosine":
        return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, budget.steps - warmup)))
    return math.prod(factor for start, factor in _drops(budget) if step >= start)


def _drops(budget: Budget) -> list[tuple[int, float]]:
    """(first step, factor) of every milestone."""
    count = len(budget.milestones)
    factors = budget.decay if isinstance(budget.decay, tuple) else (budget.decay,) * count
    starts = [round(share * budget.steps) for share in budget.milestones]
    return list(zip(starts, factors, strict=True))
