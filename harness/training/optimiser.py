"""The optimiser of a budget and its learning rate, step by step."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch.nn import Module, Parameter
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from mmact_oneshot.harness.config.budgets import Budget, PretrainingBudget
from mmact_oneshot.harness.runtime.device import Device


def build_optimiser(
    parameters: Iterable[Parameter], budget: Budget, device: Device, encoders: Iterable[Parameter] = ()
) -> tuple[Optimizer, LambdaLR]:
    """The optimiser, and the schedule that is to be advanced after every step.

    Args:
        parameters: all that are trained.
        encoders: those of them that learn at ``budget.encoder_rate`` times the rate of the others.
    """
    slower = {id(parameter) for parameter in encoders}
    groups: list[dict[str, Any]] = [{"params": [], "lr": budget.learning_rate}]
    if budget.encoder_rate != 1:
        groups.append({"params": [], "lr": budget.learning_rate * budget.encoder_rate})
    for parameter in parameters:
        groups[-1 if id(parameter) in slower else 0]["params"].append(parameter)
    groups = [group for group in groups if group["params"]]
    optimiser: Optimizer
    if budget.optimiser == "sgd":
        optimiser = torch.optim.SGD(
            groups,
            lr=budget.learning_rate,
            momentum=budget.momentum,
            nesterov=budget.nesterov,
            weight_decay=budget.weight_decay,
            fused=device.fused_optimiser,
        )
    else:
        optimiser = torch.optim.AdamW(
            groups,
            lr=budget.learning_rate,
            weight_decay=budget.weight_decay,
            fused=device.fused_optimiser,
        )
    return optimiser, LambdaLR(optimiser, lambda step: rate(step, budget))


def build_pretraining_optimiser(
    network: Module, budget: PretrainingBudget, steps: int, device: Device
) -> tuple[Optimizer, LambdaLR]:
    """AdamW as masked autoencoders use it, and the schedule that is to be advanced after every step.

    Weight decay is for matrices. Biases, norms and mask tokens, which are vectors whatever their shape, have none.
    """
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    matrices = [parameter for parameter in parameters if parameter.squeeze().ndim > 1]
    vectors = [parameter for parameter in parameters if parameter.squeeze().ndim <= 1]
    optimiser = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": budget.weight_decay}, {"params": vectors, "weight_decay": 0.0}],
        lr=budget.learning_rate * budget.batch / 256,
        betas=budget.betas,
        fused=device.fused_optimiser,
    )
    return optimiser, LambdaLR(optimiser, lambda step: cosine_rate(step, steps, budget.warmup))


def rate(step: int, budget: Budget) -> float:
    """The learning rate of a step (from 0) as a factor on ``budget.learning_rate``.

    A linear warm-up, and then a half cosine down to zero, nothing more, or a factor at every milestone.
    """
    if budget.schedule == "cosine":
        return cosine_rate(step, budget.steps, budget.warmup)
    rising = _rising(budget.steps, budget.warmup)
    if step < rising:
        return (step + 1) / rising
    return math.prod(factor for start, factor in _drops(budget) if step >= start)


def cosine_rate(step: int, steps: int, warmup: float) -> float:
    """The same factor: a linear rise over a share ``warmup`` of the steps, and then a half cosine down to zero."""
    rising = _rising(steps, warmup)
    if step < rising:
        return (step + 1) / rising
    return 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, steps - rising)))


def _rising(steps: int, warmup: float) -> int:
    return max(1, round(warmup * steps))


def _drops(budget: Budget) -> list[tuple[int, float]]:
    """(first step, factor) of every milestone."""
    count = len(budget.milestones)
    factors = budget.decay if isinstance(budget.decay, tuple) else (budget.decay,) * count
    starts = [round(share * budget.steps) for share in budget.milestones]
    return list(zip(starts, factors, strict=True))
