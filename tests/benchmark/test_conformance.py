"""Every registered method satisfies the contract, and every way of breaking it is caught by the right check."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch import Tensor

from mmact_oneshot.harness.api import Clips, Features, FewShotMethod, Needs, NotApplicable, Setup
from mmact_oneshot.harness.benchmark.conformance.checks import CHECKS, MODALITIES, Finding, check_method, not_checked
from mmact_oneshot.harness.plugins.methods import load_method, method_names
from tests.conftest import SuiteOf
from tests.helpers import broken_methods as broken
from tests.helpers.broken_methods import BROKEN, DeclaredTransductive, HiddenParameter, Honest
from tests.helpers.mistaken_methods import MISTAKEN

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


@pytest.mark.parametrize(
    ("method", "check"), (BROKEN | MISTAKEN).items(), ids=lambda value: getattr(value, "__name__", value)
)
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


class NeedsManySteps(Honest):
    """Applies to clips of as many steps as it says, and centres the queries."""

    fewest = 5

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        if any(encoder.steps < self.fewest for encoder in setup.encoders.values()):
            raise NotApplicable(f"needs {self.fewest} steps")

    def score(self, support: Features, query: Features) -> Tensor:
        vectors = query["vector"]
        return super().score(support, {"vector": vectors - 0.5 * vectors.mean(dim=1, keepdim=True)})


class NeedsMoreSteps(NeedsManySteps):
    fewest = 50


def test_a_method_that_needs_more_steps_is_checked_on_clips_that_have_them() -> None:
    assert "inductive" in failed(check_method(NeedsManySteps, ("video",)))
    findings = check_method(NeedsMoreSteps, ("video",))
    assert not_checked(findings)
    assert findings[0].detail == "not applicable: needs 50 steps"


class OutputOfASetting(Honest):
    """Declares in its constructor what it takes of the encoders."""

    def __init__(self, setup: Setup, *, output: str = "vector") -> None:
        super().__init__(setup)
        self.needs = Needs((output,))
        self.output = output

    def encode(self, clips: Clips) -> Features:
        features = super().encode(clips)
        if self.output == "vector":
            return features
        places = {name: value.flatten(2).mean(dim=2) for name, value in features.items() if value.ndim > 2}
        return features | {name.replace(self.output, "vector"): value for name, value in places.items()}


def test_outputs_may_depend_on_settings() -> None:
    assert failed(check_method(OutputOfASetting, ("video",))) == {}
    assert failed(check_method(OutputOfASetting, ("video",), {"output": "map"})) == {}
