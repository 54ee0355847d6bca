"""Learning rates at known steps, and first steps of the optimisers worked out by hand."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import torch

from mmact_oneshot.harness.config.budgets import Budget
from mmact_oneshot.harness.training.optimiser import build_optimiser, rate
from tests.helpers.toys import CPU


def test_the_cosine_warms_up_and_falls_to_zero() -> None:
    budget = Budget(steps=20, warmup=0.2)
    rates = [rate(step, budget) for step in range(20)]
    assert rates[:5] == [0.25, 0.5, 0.75, 1.0, 1.0]
    assert rates[12] == pytest.approx(0.5), "half way between the warm-up and the end"
    assert all(a > b for a, b in pairwise(rates[4:]))
    assert rates[-1] < 0.02
    assert rate(0, Budget(steps=1, warmup=0)) == 1


def test_the_constant_rate_stays() -> None:
    assert {rate(step, Budget(steps=20, schedule="constant", warmup=0)) for step in range(20)} == {1.0}
    warm = Budget(steps=20, schedule="constant", warmup=0.1)
    assert [rate(step, warm) for step in (0, 1, 2, 19)] == [0.5, 1.0, 1.0, 1.0]


def test_steps_change_the_rate_at_their_milestones() -> None:
    """CAN on miniImageNet: 0.1, and from epochs 60, 70 and 80 of 90 on 0.006, 0.0012 and 0.00024."""
    budget = Budget(
        steps=90,
        warmup=0,
        schedule="steps",
        learning_rate=0.1,
        milestones=(2 / 3, 7 / 9, 8 / 9),
        decay=(0.06, 0.2, 0.2),
    )
    wanted = {0: 0.1, 59: 0.1, 60: 0.006, 69: 0.006, 70: 0.0012, 79: 0.0012, 80: 0.00024, 89: 0.00024}
    assert {step: 0.1 * rate(step, budget) for step in wanted} == pytest.approx(wanted)


def test_one_factor_holds_for_every_milestone() -> None:
    budget = Budget(steps=8, warmup=0, schedule="steps", milestones=(0.25, 0.5, 0.75), decay=0.5)
    assert [rate(step, budget) for step in range(8)] == [1, 1, 0.5, 0.5, 0.25, 0.25, 0.125, 0.125]


def moved(gradients: list[float], **changes: Any) -> list[float]:
    """Values of one parameter that begins at 1, after each step."""
    content: dict[str, Any] = {"steps": 10, "warmup": 0, "schedule": "constant", "learning_rate": 0.1}
    budget = Budget(**content | changes)
    weight = torch.nn.Parameter(torch.ones(1, dtype=torch.float64))
    optimiser, schedule = build_optimiser([weight], budget, CPU)
    found = []
    for gradient in gradients:
        weight.grad = torch.full_like(weight, gradient)
        optimiser.step()
        schedule.step()
        found.append(float(weight.detach()))
    return found


@pytest.mark.parametrize("optimiser", ["sgd", "adamw"])
@pytest.mark.parametrize("factor", [1.0, 0.25])
def test_encoders_learn_at_their_share_of_the_rate(optimiser: str, factor: float) -> None:
    budget = Budget(steps=10, warmup=0, weight_decay=0, learning_rate=0.1, encoder_rate=factor, optimiser=optimiser)
    head, encoder = (torch.nn.Parameter(torch.zeros(1)) for _ in range(2))
    trained, schedule = build_optimiser([encoder, head], budget, CPU, [encoder])
    lengths = []
    for _ in range(3):
        before = head.item(), encoder.item()
        head.grad, encoder.grad = torch.ones(1), torch.ones(1)
        trained.step()
        schedule.step()
        lengths.append((before[0] - head.item(), before[1] - encoder.item()))
    assert all(slow == pytest.approx(factor * fast) for fast, slow in lengths)
    assert lengths[0][0] == pytest.approx(0.1, rel=1e-4)
    assert lengths[2][0] < lengths[0][0], "both follow the schedule"


def test_sgd_by_hand() -> None:
    plain: dict[str, Any] = {"optimiser": "sgd", "weight_decay": 0}
    assert moved([2.0, 2.0], **plain) == pytest.approx([0.8, 0.6])
    # the decay is part of the gradient: 2 + 0.5 * 1
    assert moved([2.0], optimiser="sgd", weight_decay=0.5) == pytest.approx([0.75])
    # velocity 2, then 0.9 * 2 + 2 = 3.8
    assert moved([2.0, 2.0], **plain, momentum=0.9) == pytest.approx([0.8, 0.42])
    # Nesterov: 2 + 0.9 * 2 = 3.8
    assert moved([2.0], **plain, momentum=0.9, nesterov=True) == pytest.approx([0.62])


def test_adamw_by_hand() -> None:
    """The first step of Adam has the length of the learning rate; the decay is taken off the weight itself."""
    assert moved([2.0], weight_decay=0) == pytest.approx([0.9])
    assert moved([-7.0], weight_decay=0.5) == pytest.approx([1 - 0.1 * 0.5 + 0.1])


def test_the_schedule_reaches_the_optimiser() -> None:
    changes: dict[str, Any] = {"optimiser": "sgd", "weight_decay": 0, "schedule": "steps", "milestones": (0.2,)}
    assert moved([1.0, 1.0, 1.0], **changes, decay=0.5) == pytest.approx([0.9, 0.8, 0.75])
