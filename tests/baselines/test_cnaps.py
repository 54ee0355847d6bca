"""CNAPs: the adaptation starts from none, and the Mahalanobis distance is the paper's."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from mmact_oneshot.baselines.cnaps import CNAPs, FilmGenerator, covariance_rows, mahalanobis, precisions
from mmact_oneshot.harness.api import NotApplicable, Setup
from mmact_oneshot.harness.benchmark.conformance.bench import Bench
from mmact_oneshot.harness.encoders.build import build_encoder, output_shapes
from tests.helpers.head_features import random
from tests.helpers.toys import toy_settings
from tests.parity.arrays import FixedFeatures


def regularised(support: Tensor, scalar: bool = False) -> Tensor:
    """Regularised covariances of one episode, written out: (K, N, D) -> (K, D, D)."""
    shots, width = support.shape[1:]
    lam = shots / (shots + 1)
    task = torch.cov(support.flatten(0, 1).T)
    own = [
        torch.cov(rows.T) if shots > 1 else torch.full((width, width), float(rows.var()) if scalar else 0.0)
        for rows in support
    ]
    return torch.stack([lam * one + (1 - lam) * task + torch.eye(width) for one in own])


def set_scales(generator: nn.Module, value: float) -> None:
    """All scales of generated FiLM layers."""
    for name, parameter in generator.named_parameters():
        if name.endswith("scale"):
            parameter.fill_(value)


@pytest.mark.parametrize(("shots", "scalar"), [(1, False), (1, True), (4, False)])
def test_mahalanobis_is_the_inverse_covariance_written_out(shots: int, scalar: bool) -> None:
    support, query = random(2, 3, shots, 6) * 3, random(2, 5, 6, seed=1) * 3
    scores = mahalanobis(support, query, scalar_covariance=scalar)
    for episode in range(2):
        inverse = torch.linalg.inv(regularised(support[episode], scalar))
        away = query[episode][:, None] - support[episode].mean(dim=1)
        expected = -torch.einsum("qkd,kde,qke->qk", away, inverse, away)
        torch.testing.assert_close(scores[episode], expected, rtol=1e-4, atol=1e-4)
    found = precisions(support, scalar_covariance=scalar)
    torch.testing.assert_close(found[0], torch.linalg.inv(regularised(support[0], scalar)), rtol=1e-4, atol=1e-5)


def test_nothing_of_the_size_of_the_covariance_is_needed() -> None:
    assert covariance_rows(random(1, 5, 1, 2000), scalar_covariance=False).shape == (1, 5, 5, 2000)
    scores = mahalanobis(random(1, 5, 1, 2000), random(1, 1, 2000))
    assert scores.isfinite().all()


@pytest.mark.parametrize("classifier", ["generated", "mahalanobis"])
def test_without_scales_the_stage_is_the_encoder_s_own(classifier: str) -> None:
    """FiLM layers are the identity at first, and the support set changes the features once their scales grow."""
    bench = Bench(CNAPs, ("video",), {"classifier": classifier})
    method, support, query = bench.task()
    assert isinstance(method, CNAPs)
    generator = method.film["video"]
    assert isinstance(generator, FilmGenerator)
    task = support["task"].mean(dim=(1, 2))
    with torch.no_grad():
        set_scales(generator, 0.0)
        (gamma, beta), *_ = generator(task)
        assert bool((gamma == 1).all())
        assert bool((beta == 0).all())
        plain = method.score(support, query)
        set_scales(generator, 0.5)
        assert not torch.allclose(plain, method.score(support, query))
        assert float(generator.penalty()) == pytest.approx(0.25 * 2 * 16)


def test_the_support_set_adapts_the_features() -> None:
    """Other shots of another class change the score of a class that stays as it is."""
    method, support, query = Bench(CNAPs, ("sensors",), {}).task()
    assert isinstance(method, CNAPs)
    with torch.no_grad():
        set_scales(method.film["sensors"], 1.0)
        changed = {name: value.clone() for name, value in support.items()}
        for value in changed.values():
            value[:, 4] = value[:, 3]
        before, after = method.score(support, query), method.score(changed, query)
    assert not torch.allclose(before[..., 0], after[..., 0])


def test_an_encoder_without_norms_to_modulate_is_refused() -> None:
    with pytest.raises(NotApplicable, match="no normalisation layer"):
        CNAPs(Setup(("video",), (), 4, 5, 1, {"video": FixedFeatures(8)}))


def test_the_whole_network_after_the_stem_can_be_adapted() -> None:
    """As in the paper: every stage modulated, from what the stem leaves."""
    settings = toy_settings()
    encoder = build_encoder("video", settings, (), 0).requires_grad_(False)
    setup = Setup(("video",), (), 4, 5, 1, {"video": encoder})
    whole, last = CNAPs(setup, stage="stage:0").eval(), CNAPs(setup).eval()
    assert whole.needs.outputs == ("stage:0",)
    generators = [method.film["video"] for method in (whole, last)]
    counts = [len(generator.gamma) for generator in generators if isinstance(generator, FilmGenerator)]
    assert counts[0] > counts[1] > 0
    shape = output_shapes(encoder, settings, (), ("stage:0",))["stage:0"]
    encoded = {"video.stage:0": random(10, *shape), "video.present": torch.ones(10, dtype=torch.bool)}
    features = whole.embed(encoded)
    support = {name: value[:5].view(1, 5, 1, *value.shape[1:]) for name, value in features.items()}
    scores = whole.score(support, {name: value[5:].unsqueeze(0) for name, value in features.items()})
    assert scores.shape == (1, 5, 5)
    assert scores.isfinite().all()
