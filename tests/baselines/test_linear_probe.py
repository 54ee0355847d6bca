"""The linear probe finds the optimum of its logistic regression."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from baselines.linear_probe import LinearProbe, logistic_regression
from harness.conformance_bench import Bench
from tests.baselines.given import random


@pytest.mark.parametrize(("shots", "strength"), [(1, 1.0), (5, 1.0), (2, 10.0)])
def test_the_fit_is_the_optimum(shots: int, strength: float) -> None:
    """Weights and intercept of the penalised likelihood have a gradient of zero."""
    examples = F.normalize(random(3, 5 * shots, 20), dim=-1)
    wanted = torch.eye(5).repeat_interleave(shots, dim=0)
    dual, intercept = logistic_regression(
        examples @ examples.transpose(1, 2), wanted, strength=strength, steps=100 if strength == 1 else 400
    )
    weights = (examples.transpose(1, 2) @ dual).requires_grad_()
    bias = intercept.clone().requires_grad_()
    likelihood = (F.log_softmax(examples @ weights + bias, dim=-1) * wanted).sum()
    loss = weights.square().sum() / 2 - strength * likelihood
    gradients = torch.autograd.grad(loss, [weights, bias])
    assert max(float(gradient.abs().max()) for gradient in gradients) < 1e-4


def test_nothing_is_trained_beforehand() -> None:
    method = Bench(LinearProbe, ("video", "sensors"), {}).build(tuned=False)
    assert [name for name, parameter in method.named_parameters() if parameter.requires_grad] == []
    assert method.grad_at_test


def test_scores_are_the_logits_of_the_fit() -> None:
    method, support, query = Bench(LinearProbe, ("sensors",), {}).task()
    scores = method.score(support, query)
    examples = support["vector"].flatten(1, 2)
    dual, intercept = logistic_regression(
        examples @ examples.transpose(1, 2), torch.eye(5).repeat_interleave(2, dim=0), strength=1.0, steps=100
    )
    torch.testing.assert_close(scores, query["vector"] @ examples.transpose(1, 2) @ dual + intercept)
