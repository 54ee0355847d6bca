"""The linear probe finds the optimum of its logistic regression."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.optimize import minimize
from scipy.special import logsumexp

from mmact_oneshot.baselines.linear_probe import LinearProbe, logistic_regression
from mmact_oneshot.harness.benchmark.conformance.bench import Bench
from tests.helpers.head_features import random


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


def test_scores_are_those_of_a_general_optimiser() -> None:
    """scipy's L-BFGS on the weights themselves, one episode."""
    method, support, query = Bench(LinearProbe, ("sensors",), {}).task()
    scores = method.score(support, query)[0].numpy()
    examples = support["vector"][0].flatten(0, 1).double().numpy()
    label = np.arange(5).repeat(2)

    def objective(flat: np.ndarray) -> float:
        weights = flat.reshape(5, -1)
        logits = examples @ weights[:, :-1].T + weights[:, -1]
        likelihood = (logits - logsumexp(logits, axis=1, keepdims=True))[np.arange(10), label].sum()
        return float(np.square(weights[:, :-1]).sum() / 2 - likelihood)

    fitted = minimize(objective, np.zeros(5 * (examples.shape[1] + 1)), method="L-BFGS-B").x.reshape(5, -1)
    expected = query["vector"][0].numpy() @ fitted[:, :-1].T + fitted[:, -1]
    centred = [values - values.mean(axis=1, keepdims=True) for values in (scores, expected)]
    np.testing.assert_allclose(centred[0], centred[1], atol=1e-3)
