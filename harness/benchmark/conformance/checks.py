"""What every method must satisfy, as checks that its author can run: on random clips, without a data set.

The harness encodes each clip once, scores thousands of episodes in one call, packs several episodes in a training
step and loads methods from safetensors. Each check proves one assumption behind that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from mmact_oneshot.harness.api import FewShotMethod, NotApplicable
from mmact_oneshot.harness.benchmark.conformance import clip_checks, score_checks, training_checks
from mmact_oneshot.harness.benchmark.conformance.bench import STEPS, Bench
from mmact_oneshot.harness.benchmark.conformance.device_check import device
from mmact_oneshot.harness.benchmark.conformance.gap import described

MODALITIES = (("video",), ("sensors",), ("video", "sensors"))
SKIPPED = "not checked: "
NOT_APPLICABLE = "not applicable: "
RAISED = "It raises no exception.", "Look at the line that is named; the check itself could not be made."


@dataclass(frozen=True)
class Check:
    """One rule of the contract.

    Attributes:
        broken: returns what is wrong, or nothing.
        rule: what must hold, and why.
        remedy: how it is mended.
    """

    broken: Callable[[Bench], str]
    rule: str
    remedy: str


@dataclass(frozen=True)
class Finding:
    """The outcome of one check.

    Attributes:
        detail: what went wrong, or why nothing had to be checked.
        rule, remedy: of one that failed: what must hold, and how it is mended.
    """

    name: str
    passed: bool
    detail: str = ""
    rule: str = ""
    remedy: str = ""


CHECKS: dict[str, Check] = {
    "modalities": Check(
        clip_checks.modalities,
        "Features come from the modalities of the row alone.",
        "Read what `self.setup.modalities` names, or leave a modality out of `needs.modalities`.",
    ),
    "clip-independence": Check(
        clip_checks.clip_independence,
        "A clip's features are the same alone and in a batch: clips are encoded once and kept.",
        "Use no statistics over the batch: GroupNorm or LayerNorm in the place of BatchNorm.",
    ),
    "missing": Check(
        clip_checks.missing,
        "Scores are finite where recordings are missing.",
        "Do not divide by what was measured without a lower bound.",
    ),
    "absence": Check(
        clip_checks.absence,
        "An absent modality is not taken for a recording.",
        'Look at the leaf "video.present" or "sensors.present"; `harness.encoders.fusion.Fusion` does.',
    ),
    "inputs": Check(
        clip_checks.inputs,
        "Clips and features are not changed: the harness uses them again.",
        "Replace operations in place (`x += y`, `x[...] = y`, `dict.pop`) on what is given.",
    ),
    "shape": Check(
        score_checks.shape,
        "Scores are (E, Q, way) in float32.",
        "Return one score for each episode, query and class, and end with `.float()`.",
    ),
    "sizes": Check(
        score_checks.sizes,
        "2 to 10 ways, 1 to 5 shots and a single query work.",
        "Take sizes from the tensors, and squeeze named axes only.",
    ),
    "finite": Check(score_checks.finite, "Scores are finite.", "Bound logarithms, roots and divisions from below."),
    "support-order": Check(
        score_checks.support_order,
        "The order of the shots of a class does not matter.",
        "Pool the shots by a mean, a sum or attention.",
    ),
    "relabelling": Check(
        score_checks.relabelling,
        "Classes in another order get their scores in that order.",
        "Treat all classes alike: no bias and no order along the axis `way`.",
    ),
    "query-order": Check(
        score_checks.query_order,
        "Queries in another order get their scores in that order.",
        "Do not use the place of a query among the others.",
    ),
    "inductive": Check(
        score_checks.inductive,
        "The scores of a query do not depend on the other queries, which nobody has in practice.",
        "Use statistics of the support alone, or declare `transductive = True`: shown, and not ranked.",
    ),
    "batching": Check(
        score_checks.batching,
        "Episodes do not depend on each other: thousands are scored in one call.",
        "Reduce over the axes of one episode, never over the first.",
    ),
    "determinism": Check(
        score_checks.determinism,
        "The same call gives the same scores.",
        "Draw nothing in evaluation: `F.dropout(x, training=self.training)`.",
    ),
    "memory": Check(
        score_checks.memory,
        "Earlier episodes leave nothing behind.",
        "Write to no buffer, attribute or cache in encode, embed and score.",
    ),
    "random-state": Check(
        score_checks.random_state,
        "Global random numbers are left alone in evaluation.",
        "Take random numbers from a generator of your own, in training alone; never seed the global one.",
    ),
    "gradients": Check(
        training_checks.gradients,
        "Every parameter is trained by the loss, and nothing else is.",
        "Use or remove the parameter; keep modules as attributes or in nn.ModuleList, not in a plain list.",
    ),
    "state": Check(
        training_checks.state,
        "A method that is saved and loaded scores the same.",
        "Register what it keeps as a parameter or a buffer.",
    ),
    "seeds": Check(
        training_checks.seeds,
        "Seeds of a row give different trainings.",
        "Leave the global seed alone in the constructor and in loss: the harness sets it.",
    ),
    "device": Check(
        device,
        "All tensors are on one device, and no value is read back in a step.",
        "Make tensors where the given ones are (`x.new_zeros`, `device=x.device`); no `.item()`, no `if tensor:`.",
    ),
    "position": Check(
        score_checks.position,
        'On clips that mean nothing, "query j is class j" is right by chance only.',
        "Do not use the place of a query or a class.",
    ),
}
"""Every check by name."""


def not_checked(findings: Sequence[Finding]) -> bool:
    """Whether a method does not apply to the clips of the checks, so that none was made."""
    return len(findings) == 1 and findings[0].passed and findings[0].detail.startswith(NOT_APPLICABLE)


def check_method(
    method: type[FewShotMethod], modalities: tuple[str, ...], settings: dict[str, Any] | None = None
) -> list[Finding]:
    """Run every check on a method.

    Args:
        method: the class.
        modalities: one of ``MODALITIES``.
        settings: of the method, where its defaults are not wanted.

    Returns:
        One finding for each check; a single one where the method does not apply to these modalities, or to no clip
        of as many steps as are tried.
    """
    unusable = [name for name in modalities if name not in method.needs.modalities]
    for steps in STEPS:
        bench = Bench(method, modalities, settings or {}, steps)
        try:
            bench.build()
            break
        except NotApplicable as reason:
            if steps == STEPS[-1] or unusable:
                return [Finding("applies", True, f"{NOT_APPLICABLE}{reason}")]
        except Exception as error:
            return [Finding("applies", False, f"cannot be built: {described(error)}", *RAISED)]
    if unusable:
        detail = f"needs.modalities leaves out {' and '.join(unusable)}, but NotApplicable is not raised"
        return [
            Finding(
                "applies", False, detail, "A modality that it cannot use is refused.", "Call super().__init__(setup)."
            )
        ]
    return [Finding("applies", True), *(_finding(name, check, bench) for name, check in CHECKS.items())]


def _finding(name: str, check: Check, bench: Bench) -> Finding:
    try:
        with torch.random.fork_rng():
            detail = check.broken(bench)
    except Exception as error:  # a plugin may raise anything; the other checks go on
        return Finding(name, False, described(error), *RAISED)
    if not detail or detail.startswith(SKIPPED):
        return Finding(name, True, detail)
    return Finding(name, False, detail, check.rule, check.remedy)
