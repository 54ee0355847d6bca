"""Every registered method satisfies the contract, and every way of breaking it is caught by the right check."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmact_oneshot.harness.api import FewShotMethod
from mmact_oneshot.harness.benchmark.conformance.checks import CHECKS, MODALITIES, Finding, check_method
from mmact_oneshot.harness.plugins.methods import load_method, method_names
from tests.conftest import SuiteOf
from tests.helpers import broken_methods as broken
from tests.helpers.broken_methods import BROKEN, DeclaredTransductive, HiddenParameter, Honest

TEMPLATE = str(Path(__file__).parents[2] / "methods" / "template.py")


VARIANTS: list[tuple[str, dict[str, Any]]] = [
    ("cnaps", {"classifier": "mahalanobis"}),
    ("cnaps", {"classifier": "mahalanobis", "scalar_covariance": True}),
    ("mastaf", {"skip_norm_of_one_query": True}),
    ("mastaf", {"global_loss": 0.0}),
    ("can", {"global_loss": 0.0, "normalise": False}),
    ("protonet", {"global_loss": 2.0, "projection": 8}),
    ("trx", {"cardinalities": (2,), "width": 16}),
    ("mu_mae", {"as_released": True}),
    ("mu_mae", {"head": "protonet"}),
    ("mu_mae", {"head": "can"}),
    ("mu_mae", {"sensor_vectors": "shared"}),
    ("mu_mae", {"residual": True}),
    ("mu_mae", {"fusion": "concatenation"}),
    ("strm", {"cardinalities": (2, 3), "width": 16}),
    ("hyrsm", {"prototypes": False, "frame_loss": 0.0}),
    ("otam", {"normalise": False}),
    ("mu_mae", {"random_prior": True, "across_queries": True}),
    ("videomae", {"global_loss": 2.0, "projection": 8}),
]


ONE_RULE = (
    broken.OtherQueries,
    broken.TakesAbsenceForSilence,
    broken.DrawsFromTheGlobalGenerator,
    broken.SeedsNumpy,
    broken.OneShotOnly,
    broken.FiveWayOnly,
    broken.MixesDevices,
    broken.ReadsBack,
    broken.ReadsBackInScore,
    broken.CopiesBack,
    broken.NotANumberWhereAbsent,
    broken.ForgottenParameter,
)
"""Offenders that break one rule and keep all others."""


def failed(findings: list[Finding]) -> dict[str, str]:
    return {finding.name: finding.detail for finding in findings if not finding.passed}


@pytest.mark.slow
@pytest.mark.parametrize("modalities", MODALITIES, ids="+".join)
@pytest.mark.parametrize("name", [*method_names(), TEMPLATE])
def test_every_registered_method_conforms(name: str, modalities: tuple[str, ...]) -> None:
    method = load_method(name)
    findings = check_method(method, modalities)
    assert failed(findings) == {}
    applies = set(modalities) <= set(method.needs.modalities)
    assert [f.name for f in findings] == ["applies", *(CHECKS if applies else ())]


@pytest.mark.slow
@pytest.mark.parametrize("modalities", MODALITIES, ids="+".join)
@pytest.mark.parametrize(("name", "settings"), VARIANTS, ids=str)
def test_every_variant_conforms(name: str, settings: dict[str, Any], modalities: tuple[str, ...]) -> None:
    assert failed(check_method(load_method(name), modalities, settings)) == {}


def test_an_honest_method_passes_every_check() -> None:
    for modalities in MODALITIES:
        assert failed(check_method(Honest, modalities)) == {}


@pytest.mark.parametrize(("method", "check"), BROKEN.items(), ids=lambda value: getattr(value, "__name__", value))
def test_each_broken_rule_is_caught(method: type[FewShotMethod], check: str) -> None:
    modalities = ("video",) if check == "modalities" else ("video", "sensors")
    found = failed(check_method(method, modalities))
    assert check in found
    if method in ONE_RULE:
        assert set(found) == {check}, "the check that is meant for it, and no other"


def test_findings_say_what_is_wrong() -> None:
    found = failed(check_method(HiddenParameter, ("sensors",)))
    assert "no parameter of the method" in found["gradients"]
    assert "not in its state_dict" in found["state"]


def test_a_declared_transductive_method_passes() -> None:
    findings = check_method(DeclaredTransductive, ("sensors",))
    assert failed(findings) == {}
    assert Finding("inductive", True, "not checked: the method is declared transductive") in findings


def test_a_method_that_cannot_be_built_is_one_finding() -> None:
    (finding,) = check_method(Honest, ("video",), {"widht": 3})
    assert not finding.passed
    assert "widht" in finding.detail


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mmact", "utd-mhad"])
def test_query_j_is_class_j_scores_chance_on_the_headline_suite(suite: SuiteOf, name: str) -> None:
    label = suite(name, "test").draws.label
    episodes = (label == np.arange(label.shape[1])).mean(axis=1)
    assert abs(episodes.mean() - 0.2) < 4 * episodes.std(ddof=1) / len(episodes) ** 0.5
